"""Pictures that nobody searches or shows are not decoded, and results stay what they are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from look_factory import Person, Scene

from edge.cli.main import main
from edge.errors import SourceError
from edge.service.stream import Stream
from edge.sources.files import Frame, file_source
from edge.sources.live import LiveSource
from edge.sources.v4l2 import RawFrame
from edge.tracking.follower import Follower

PICTURE = np.full((8, 8, 3), 50, np.uint8)
FRAMES = 40


def test_a_run_says_the_same_whether_pictures_are_needed_or_not(ana: Path, tmp_path: Path) -> None:
    told = ["--source", str(ana / "clip.mkv"), "--bundle", str(ana / "ana.edge"), "--json", "-q"]

    def lines(*more: str) -> list[object]:
        done = CliRunner().invoke(main, [*told, *more])
        assert done.exit_code == 0, done.output
        said = [json.loads(line) for line in done.stdout.splitlines()]
        return [(line["frame"], line["time_s"], line["error"], line["faces"]) for line in said]

    assert lines() == lines("--save", str(tmp_path / "shown.avi"))


def test_few_pictures_of_a_video_are_made(ana: Path) -> None:
    scene = Scene([Person(0, lambda time_s: (10.0, 10.0), lambda time_s: 1.0)])
    stream = Stream(file_source(ana / "clip.mkv"), tracker=Follower())
    stream.spare_pictures()
    frames: list[Frame] = []
    with stream.source as source:
        for frame in source:
            frames.append(frame)
            scene.time_s = frame.time_s
            stream.judged(frame, scene)  # type: ignore[arg-type]
    with file_source(ana / "clip.mkv") as source:
        whole = list(source)
    made = [frame for frame in frames if frame.image_bgr is not None]
    assert [(f.number, f.time_s) for f in frames] == [(f.number, f.time_s) for f in whole]
    assert 0 < len(made) < len(frames) / 2
    assert len(scene.detections) == len(made), "and each is made to be searched"
    assert not any(frame.error for frame in frames)
    assert all(np.array_equal(f.image_bgr, whole[f.number].image_bgr) for f in made)  # type: ignore


class Camera:
    """Gives so many frames, whose pictures are made by `decode`."""

    def __init__(self, decode: Callable[[], np.ndarray | None], frames: int = FRAMES) -> None:
        self.name = "door"
        self.fps: float | None = 30.0
        self.lazy = False
        self._decode, self._left = decode, frames

    def open(self) -> None: ...

    def close(self) -> None: ...

    def again(self) -> Camera:
        return self

    def read(self) -> RawFrame | None:
        if not self._left:
            return None
        self._left -= 1
        if self.lazy:
            return RawFrame(None, time.monotonic(), self._decode)
        return RawFrame(self._decode(), time.monotonic())


@pytest.mark.parametrize("wanted", [None, True, False])
def test_a_camera_decodes_what_is_wanted(wanted: bool | None) -> None:
    made: list[int] = []

    def decode() -> np.ndarray:
        made.append(1)
        return PICTURE

    source = LiveSource(Camera(decode))
    if wanted is not None:
        source.wanted = lambda time_s: bool(wanted)
    with source:
        frames = list(source)
    assert frames and frames[-1].number == FRAMES - 1
    assert len(made) == (0 if wanted is False else FRAMES)
    assert all((frame.image_bgr is None) == (wanted is False) for frame in frames)


def test_a_frame_without_a_picture_takes_no_waiting_ones_place() -> None:
    """The one frame that is wanted is still there when the camera has gone on without."""
    asked: list[float] = []

    def wanted(time_s: float) -> bool:
        asked.append(time_s)
        return len(asked) == 5

    source = LiveSource(Camera(lambda: PICTURE))
    source.wanted = wanted
    with source:
        while len(asked) < FRAMES:
            time.sleep(0.01)
        frames = list(source)
    assert [frame.number for frame in frames if frame.image_bgr is not None] == [4]


def test_a_camera_whose_pictures_cannot_be_decoded_is_lost() -> None:
    source = LiveSource(Camera(lambda: None, frames=1000))
    source.wanted = lambda time_s: True
    with pytest.raises(SourceError, match="door sends pictures that cannot be decoded"):
        source.open()
