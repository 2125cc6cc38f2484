"""Motion: an empty room is searched seldom, and whoever enters is found as soon as ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.faces.detector import Detector
from edge.faces.face import Face
from edge.recognition.observation import Observation
from edge.sources.files import file_source
from edge.tracking.follower import Follower
from edge.tracking.motion import Motion
from edge.tracking.schedule import Schedule, ScheduleConfig
from trainer.drawn import DrawnPerson, Shot, render

FPS = 25
ALWAYS = replace(ScheduleConfig(), still_s=0.0)
"""As if something moved all the time."""


class Eye:
    """Finds faces and looks at none of them."""

    def __init__(self) -> None:
        self.detector = Detector.open()
        self.searches = 0

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        self.searches += 1
        return self.detector.found(image_bgr)

    def settled(self, image_bgr: np.ndarray, face: Face) -> Face:
        return face

    def look(self, image_bgr: np.ndarray, face: Face) -> Observation:
        return Observation(face, "not looked at")


def room(image_bgr: np.ndarray, seed: int, spread: float = 4.0) -> np.ndarray:
    """The picture's mean color with the noise of a camera."""
    noise = np.random.default_rng(seed).normal(0, spread, image_bgr.shape)
    return np.clip(image_bgr.mean(axis=(0, 1)) + noise, 0, 255).astype(np.uint8)


def entering(pictures: list[np.ndarray], still: int, step_px: int) -> Iterator[np.ndarray]:
    """An empty room for some frames; then the pictures come in from the right, so fast."""
    for number in range(still):
        yield room(pictures[0], number)
    for number, picture in enumerate(pictures):
        shown_px = min(picture.shape[1], step_px * (number + 1))
        frame = room(picture, still + number)
        frame[:, picture.shape[1] - shown_px :] = picture[:, :shown_px]
        yield frame


def first_found(pictures: list[np.ndarray], config: ScheduleConfig, step_px: int) -> int | None:
    """Number of the frame in which a face is found, of 2 s of an empty room and then pictures."""
    eye, follower = Eye(), Follower(schedule=Schedule(config))
    for number, frame in enumerate(entering(pictures, 2 * FPS, step_px)):
        if follower.follow(eye, frame, number / FPS)[0]:
            return number
        if number == 2 * FPS - 1 and config is not ALWAYS:
            assert eye.searches == 2, "in 2 s of noise"
    return None


@pytest.mark.parametrize("spread", [0.0, 2.0, 10.0])
def test_noise_is_no_motion(spread: float) -> None:
    grey = np.full((480, 640, 3), 110, np.uint8)
    motion = Motion()
    assert motion.differs(grey), "nothing was seen before"
    motion.keep(room(grey, 0, spread))
    assert not any(motion.differs(room(grey, seed, spread)) for seed in range(1, 20))


def test_a_small_face_is_motion() -> None:
    face = render(DrawnPerson.draw(7), Shot(), size_px=256)[::8, ::8]
    grey = np.full((480, 640, 3), 110, np.uint8)
    motion = Motion()
    motion.keep(grey)
    grey[200:232, 300:332] = face
    assert motion.differs(grey)
    motion.keep(grey)
    assert not motion.differs(grey), "who stays does not move"


@pytest.mark.parametrize("step_px", [8, 80])
def test_whoever_enters_is_found_as_if_nothing_had_been_left_out(step_px: int) -> None:
    picture = render(DrawnPerson.draw(12), Shot(), size_px=320)
    pictures = [picture] * (2 * FPS)
    sparing = first_found(pictures, ScheduleConfig(), step_px)
    always = first_found(pictures, ALWAYS, step_px)
    assert sparing is not None and always is not None
    assert sparing - always <= ScheduleConfig().scan_s * FPS


@pytest.mark.shared
def test_whoever_enters_in_real_clips(shared: Path) -> None:
    for clip in sorted((shared / "data/video").glob("*.mkv"))[::5]:
        with file_source(clip) as source:
            pictures = [frame.image_bgr for frame in source if frame.image_bgr is not None]
        sparing = first_found(pictures, ScheduleConfig(), 32)
        always = first_found(pictures, ALWAYS, 32)
        assert sparing is not None and always is not None, clip.name
        assert sparing - always <= ScheduleConfig().scan_s * FPS, clip.name
