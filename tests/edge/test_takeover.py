"""Before a camera: enrolling through it, and a running recognizer that learns and forgets."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from device_factory import answer, bare_home, call, write_two_people

from edge.files.image import read_picture
from edge.people.registry import open_register

ROOT = Path(__file__).resolve().parents[2]
SIZE_PX = (640, 480)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device of its own, without bundle and key."""
    return bare_home(tmp_path / "home", monkeypatch)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two people who do not exist, in the folders `ana` and `ben`."""
    return write_two_people(tmp_path_factory.mktemp("photos"))


def framed(image_bgr: np.ndarray) -> np.ndarray:
    """A photo in the corner of a camera's picture, uint8[480, 640, 3]."""
    frame = np.full((SIZE_PX[1], SIZE_PX[0], 3), 90, np.uint8)
    scale = min(SIZE_PX[0] / image_bgr.shape[1], SIZE_PX[1] / image_bgr.shape[0])
    small = cv2.resize(image_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame[: small.shape[0], : small.shape[1]] = small
    return frame


def write_clip(path: Path, images: list[np.ndarray]) -> Path:
    """A lossless video of these frames."""
    code = cv2.VideoWriter.fourcc(*"FFV1")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 8.0, SIZE_PX)
    for image in images:
        writer.write(image)
    writer.release()
    return path


def camera(clip: Path, steps: list[list[object]], fps: float) -> str:
    """The word for a camera that plays a clip over and over."""
    script = clip.with_suffix(".json")
    script.write_text(json.dumps({"pictures": clip.name, "fps": fps, "steps": steps}))
    return f"fake:{script}"


def people() -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in answer("people")["people"]}


@pytest.mark.long
def test_enrolling_before_a_camera_from_an_empty_room_to_a_head(
    photos: Path, tmp_path: Path
) -> None:
    """An empty room, a dark one, two people, a lost camera; then herself, for a second each."""
    given = Path(shutil.copytree(photos / "ben", tmp_path / "given"))
    first = min(given.iterdir())
    (given / "torn.jpg").write_bytes(first.read_bytes()[:200])
    cv2.imwrite(str(given / "wall.png"), np.full((480, 640, 3), 90, np.uint8))
    done = call("enrol", "--name", "Ben", "--photos", given)
    assert done.exit_code == 0, done.output
    said = [line for line in done.stdout.splitlines() if line.startswith("not used: ")]
    assert len(said) == 2, "each picture that does not count is named"
    assert "torn.jpg" in said[0]
    assert said[1].endswith("wall.png: no face")
    shutil.rmtree(given)
    before = people()["Ben"]
    seen = [framed(read_picture(path)) for path in sorted((photos / "ana").iterdir())]
    ben = framed(read_picture(sorted((photos / "ben").iterdir())[0]))
    two = np.hstack([seen[0][:, :320], ben[:, :320]])
    wall = np.full_like(seen[0], 90)
    dark = (seen[0].astype(np.float32) * 0.08).astype(np.uint8)
    clip = write_clip(
        tmp_path / "me.mkv",
        [image for image in (wall, dark, two) for _ in range(8)] + [i for i in seen for _ in "12"],
    )
    which = camera(clip, [["frames", 30], ["vanish", 0.2], ["frames", 400]], fps=8)
    done = call("enrol", "--name", "Ana", "--camera", which, "--looks", 12, "--json")
    assert done.exit_code == 0, done.output
    said = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert said[0] == "[0/12] I see no face: stand before the camera"
    assert any("more light, please" in line for line in said)
    assert any("turn your head a little to your" in line for line in said)
    counts = [int(line[1:].partition("/")[0]) for line in said]
    assert counts == sorted(counts)
    assert counts[-1] >= 8, "the count is said all the way"
    assert "is gone; trying again" in done.stderr
    assert "computing" in done.stderr
    found = json.loads(done.stdout)
    assert found["looks"] == sum(found["sides"].values()) == 12
    assert found["refused"]["no face"] >= 1
    assert found["refused"]["too dark"] >= 1
    assert sorted(found["people"]) == ["Ana", "Ben"]
    assert found["far"]["trials"] > 1000
    now = people()
    assert now["Ana"]["looks"] >= 10
    assert now["Ben"]["threshold"] >= before["threshold"], "two people never make it easier"
    with open_register(None, None) as register:
        set_for = {each.head.name: each.head.facts.heads for each in register.known()}
    assert set_for == {"Ana": 2, "Ben": 2}, "set again, for two people"
    assert [path for path in tmp_path.rglob("*") if path.suffix in (".jpg", ".png")] == []


def test_a_camera_that_shows_too_little(photos: Path, tmp_path: Path) -> None:
    one = framed(read_picture(sorted((photos / "ana").iterdir())[0]))
    which = camera(write_clip(tmp_path / "one.mkv", [one] * 4), [["frames", 99]], fps=20)
    done = call("enrol", "--name", "Ana", "--camera", which, "--seconds", 3)
    assert done.exit_code == 1
    assert "1 good look is too few, it takes at least 10" in done.stderr
    assert people() == {}


class Running:
    """An `edge-recognize --json` and what it says, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line)

    def wait_for(self, person: str | None, seconds: float = 60.0) -> None:
        """Until the face is decided to be that person's, or nobody's."""
        deadline_s = time.monotonic() + seconds
        while True:
            line = json.loads(self._said.get(timeout=max(0.1, deadline_s - time.monotonic())))
            self.lines.append(line)
            found = {(face["decision"], face["person"]) for face in line["faces"]}
            if ("unknown", None) in found if person is None else ("match", person) in found:
                return

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)


@contextmanager
def running(*words: str) -> Iterator[Running]:
    code = "from edge.cli.main import main; main(prog_name='edge-recognize')"
    command = [sys.executable, "-c", code, *words, "--json", "--no-attributes"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.long
def test_who_is_enrolled_and_forgotten_meanwhile(photos: Path, tmp_path: Path) -> None:
    """The camera runs on all the time; its pictures are counted without a gap in their order."""
    ana = framed(read_picture(sorted((photos / "ana").iterdir())[2]))
    which = camera(write_clip(tmp_path / "ana.mkv", [ana] * 2), [["frames", 10**6]], fps=10)
    with running("--camera", which) as found:
        found.wait_for(None)
        answer("enrol", "--name", "Ana", "--photos", photos / "ana")
        found.reload()
        found.wait_for("Ana")
        answer("forget", "Ana")
        found.reload()
        found.wait_for(None)
        found.process.send_signal(signal.SIGTERM)
        assert found.process.stderr is not None
        told = found.process.stderr.read()
        assert found.process.wait(10) == 0, told
    assert "the bundle was read again" in told, "once, as the same is not logged twice a minute"
    assert "enrolled on this device: Ana" in told
    assert "is back" not in told and "trying again" not in told
    assert {line["error"] for line in found.lines} == {None}
    numbers = [line["frame"] for line in found.lines]
    assert numbers == sorted(set(numbers))
