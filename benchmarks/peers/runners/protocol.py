"""What every runner reads and writes. Needs NumPy and OpenCV alone.

task.json: `media`, a list of paths of pictures and clips; `enrolments`, a list of lists of places
in `media`; `options`, the peer's own, `frames`, after which to stop, and `every`: of a clip one
frame in that many is judged. The result is
`scores.npz` with `scores`, float32[E, F]: how alike the best face of each frame of all media is to
each enrolment, larger is more alike, NaN without a face; `media`, int32[F], the place of each
frame's medium; and `facts.json`. Runners in JavaScript are sent the frames, see `protocol.js`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np

VIDEO = (".mkv", ".mp4", ".avi")


@dataclass(eq=False)
class Clock:
    """Processor seconds of this process by what it did, and frames of clips, judged and decoded."""

    decode_s: float = 0.0
    judge_s: float = 0.0
    frames: int = 0
    decoded: int = 0


@dataclass(frozen=True, eq=False)
class Task:
    """What a runner is given, see above."""

    media: list[Path]
    enrolments: list[list[int]]
    options: dict[str, Any]
    out: Path
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def from_command_line(cls) -> Task:
        """Of `runner.py task.json OUT`."""
        cv2.setNumThreads(1)
        return cls.of(Path(sys.argv[1]), Path(sys.argv[2]))

    @classmethod
    def of(cls, file: Path, out: Path) -> Task:
        """Of a task.json, with a folder for the result."""
        said = json.loads(file.read_text())
        media = [Path(one) for one in said["media"]]
        return cls(media, said["enrolments"], said["options"], out)

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """The place of each medium and its frames, uint8[H, W, 3] BGR; unreadable ones are left
        out. Times of clips alone are counted, since what a camera sees is of their size."""
        for place, path in enumerate(self.media):
            clip = path.suffix in VIDEO
            for image in self._images(path):
                began = time.process_time()
                yield place, image
                if self.options.get("frames") == self.clock.frames + 1:
                    return
                if clip:
                    self.clock.judge_s += time.process_time() - began
                    self.clock.frames += 1

    def _images(self, path: Path) -> Iterator[np.ndarray]:
        if path.suffix not in VIDEO:
            image = cv2.imread(str(path))
            if image is not None:
                yield image
            return
        capture = cv2.VideoCapture(str(path))
        every = int(self.options.get("every", 1))
        for number in count():
            began = time.process_time()
            read, image = capture.read()
            self.clock.decode_s += time.process_time() - began
            if not read:
                return
            self.clock.decoded += 1
            if number % every == 0:
                yield image

    def write(self, scores: np.ndarray, media: np.ndarray) -> None:
        """Save the result."""
        self.out.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(self.out / "scores.npz", scores=scores, media=media)
        clock = self.clock
        facts = {
            "clip_frames": clock.frames,
            "decode_ms": 1000 * clock.decode_s / max(1, clock.decoded),
            "judge_ms": 1000 * clock.judge_s / max(1, clock.frames),
            "peak_mib": peak_mib(),
        }
        (self.out / "facts.json").write_text(json.dumps(facts))


def peak_mib() -> float | None:
    """The most memory that this program held, None where the system does not tell it. Not
    `getrusage`: its peak is that of the process that started this one where that held more.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return None if kib is None else int(kib) / 1024


def run_embedder(task: Task, look: Callable[[np.ndarray], np.ndarray], *, nearest: bool) -> None:
    """For peers that turn faces into vectors. look: from a picture, uint8[H, W, 3] BGR, to
    float32[N, D] of its faces. nearest: less the distance to the nearest enrolled vector counts
    (face_recognition's `compare_faces`), else the cosine to the mean of the enrolled ones.
    """
    rows: list[np.ndarray] = []
    media: list[int] = []
    for place, image in task.frames():
        rows.append(look(image))
        media.append(place)
    of = np.array(media, np.int32)
    scores = np.full((len(task.enrolments), len(rows)), np.nan, np.float32)
    for number, enrolled in enumerate(task.enrolments):
        own = [rows[k][0] for k in np.flatnonzero(np.isin(of, enrolled)) if len(rows[k])]
        if not own:
            continue
        known = np.stack(own)
        mean = known.mean(axis=0)
        mean = mean / max(float(np.linalg.norm(mean)), 1e-9)
        for frame, faces in enumerate(rows):
            if not len(faces):
                continue
            if nearest:
                distances = np.linalg.norm(faces[:, None] - known[None], axis=2)
                scores[number, frame] = -float(distances.min())
            else:
                unit = faces / np.maximum(np.linalg.norm(faces, axis=1, keepdims=True), 1e-9)
                scores[number, frame] = float((unit @ mean).max())
    task.write(scores, of)
