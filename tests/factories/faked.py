"""`edge-recognize` with a judge that needs no model: a picture's first pixel says who is in it.

Run as a script it is the command itself, for tests of signals, pipes and system calls.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edge.bundle.locate import Located
from edge.faces.face import Face
from edge.heads.decision import Decision, HeadScore, rejected
from edge.recognition.observation import Observation
from edge.recognition.result import FaceResult, FrameResult, Latency

NOBODY, ADA, STRANGER, BEN, BLURRED = range(5)

DECISIONS = {
    ADA: Decision("match", "Ada", 0.91, 0.6),
    STRANGER: Decision("unknown", None, 0.2, 0.6),
    BEN: Decision("match", "Zoë B.", 0.8, 0.6),
    BLURRED: rejected("too blurred"),
}

POINTS = ((40.0, 40.0), (60.0, 40.0), (50.0, 50.0), (42.0, 60.0), (58.0, 60.0))


def picture(who: int, number: int = 0, size_px: tuple[int, int] = (160, 120)) -> np.ndarray:
    """uint8[H, W, 3] BGR; the first pixel is `who` and the frame's number."""
    width, height = size_px
    rows = np.linspace(60, 200, height, dtype=np.uint8)[:, None, None]
    image = np.ascontiguousarray(np.broadcast_to(rows, (height, width, 3)))
    image[:2, :2] = (who, number // 256, number % 256)
    return image


def face(who: int) -> FaceResult:
    return FaceResult(Face((35.0, 30.0, 30.0, 40.0), POINTS, 0.9), DECISIONS[who])


def result(*who: int, frame: int = 0, time_s: float = 0.0, **changes: object) -> FrameResult:
    faces = tuple(face(each) for each in who)
    latency = Latency(1, 2, 3, 4, 10)
    return FrameResult("camera", frame, time_s, faces, latency, **changes)  # type: ignore[arg-type]


class FakeRecognizer:
    """Reads the first pixel; takes `delay_s` for it."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.heads: tuple[object, ...] = ()
        self.numbers: list[int] = []
        self._who = NOBODY

    def recognize(self, image_bgr: np.ndarray) -> FrameResult:
        who, high, low = (int(value) for value in image_bgr[0, 0])
        self.numbers.append(256 * high + low)
        time.sleep(self.delay_s)
        faces = (face(who),) if who in DECISIONS else ()
        return FrameResult(faces=faces, latency=Latency(1, 2, 3, 4, 10))

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """The face of the first pixel."""
        self._who = int(image_bgr[0, 0, 0])
        return tuple(result.face for result in self.recognize(image_bgr).faces)

    def settled(self, image_bgr: np.ndarray, found: Face) -> Face:
        return found

    def look(self, image_bgr: np.ndarray, found: Face) -> Observation:
        """A look that the picture's decision follows from."""
        decision = DECISIONS[self._who]
        if decision.state == "rejected":
            return Observation(found, decision.reason)
        name = decision.person or "Ada"
        score = HeadScore(name, decision.score or 0.0, decision.threshold or 0.0)
        return Observation(found, None, (score,), np.eye(8, dtype=np.float32)[self._who])


def write_video(path: Path, who: list[int], fps: float = 25.0) -> Path:
    """A lossless video, one frame for each of `who`."""
    code = cv2.VideoWriter.fourcc(*"FFV1")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, (160, 120))
    assert writer.isOpened()
    for number, each in enumerate(who):
        writer.write(picture(each, number))
    writer.release()
    return path


def write_script(
    folder: Path, steps: list[list[object]], *, who: int = ADA, fps: float = 50
) -> Path:
    """A script for `--camera fake:…`."""
    cv2.imwrite(str(folder / "shown.png"), picture(who))
    path = folder / "script.json"
    path.write_text(json.dumps({"pictures": "shown.png", "fps": fps, "steps": steps}))
    return path


def install(delay_s: float = 0.0, *, track: bool = False) -> None:
    """Let `edge-recognize` use the fake recognizer; "BAD" as bundle cannot be opened. Faces are not
    tracked but with `track`: what the first pixel says is then the result."""
    from edge.bundle import locate
    from edge.cli import run as recognize_cli
    from edge.errors import BundleError

    def open_recognizer(located: Located, options: object) -> FakeRecognizer:
        flag = os.environ.get("FAKED_BUNDLE")
        if flag and Path(flag).exists():
            raise BundleError("the bundle is broken")
        return FakeRecognizer(delay_s)

    recognize_cli.open_recognizer = open_recognizer  # type: ignore[assignment]
    if not track:
        recognize_cli.open_tracker = lambda *_: None
    locate.locate = lambda bundle=None: Located(None, "a fake bundle")


if __name__ == "__main__":
    install(float(os.environ.get("FAKED_DELAY_S", "0")))
    if "FAKED_NO_SOCKETS" in os.environ:
        from no_sockets import forbid_sockets

        forbid_sockets()
    from edge.cli.main import main

    main(prog_name="edge-recognize")
