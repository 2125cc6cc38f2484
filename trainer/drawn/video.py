"""Short videos of drawn people who visit a room, with the truth of who is in view."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.errors import InputError, UsageError
from edge.files.atomic import atomic_file
from trainer.drawn.acting import Role, cast
from trainer.drawn.background import room
from trainer.drawn.person import DrawnPerson
from trainer.drawn.render import compose
from trainer.drawn.shot import Light
from trainer.drawn.view import landmarks_px

CODECS = {".mkv": "FFV1", ".avi": "MJPG"}
"""Codec for each suffix; FFV1 loses nothing."""

MAX_PEOPLE = 2

_MARGIN_U = 0.4
"""Distance of all landmarks from the picture's edge from which a face counts as whole."""

_PLAY_PX = 64
"""How much larger the sheet of noise is than a frame, so that frames can differ."""


@dataclass(frozen=True)
class Visit:
    """Who comes into the room together (at most two, nobody for an empty room), for how long."""

    people: tuple[DrawnPerson, ...]
    seconds: float


@dataclass(frozen=True)
class Sighting:
    """One person in one frame.

    ``person`` is the seed, ``landmarks_px`` the five points in the order of
    `edge.faces.canonical`, of which at least one lies in the picture. ``whole``: whether the face
    is fully in the picture.
    """

    person: int
    landmarks_px: tuple[tuple[float, float], ...]
    whole: bool


@dataclass(frozen=True)
class VideoTruth:
    """What a video shows: ``frames`` holds for each frame who is in view, left to right."""

    fps: float
    size: tuple[int, int]
    frames: tuple[tuple[Sighting, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the truth as plain lists and dicts."""
        frames = [
            {
                "number": number,
                "time_s": round(number / self.fps, 4),
                "people": [
                    {
                        "person": seen.person,
                        "whole": seen.whole,
                        "landmarks_px": [[round(v, 2) for v in xy] for xy in seen.landmarks_px],
                    }
                    for seen in frame
                ],
            }
            for number, frame in enumerate(self.frames)
        ]
        return {"fps": self.fps, "size_px": list(self.size), "frames": frames}

    def write(self, path: Path) -> None:
        """Write the truth as JSON. Raises `InputError` when the file cannot be written."""
        try:
            with atomic_file(path) as temporary:
                text = json.dumps(self.to_json(), separators=(",", ":"))
                temporary.write_text(text + "\n", encoding="utf-8")
        except OSError as problem:
            raise InputError(f"cannot write {path}: {problem.strerror}") from None


def write_video(
    path: Path,
    visits: Sequence[Visit],
    *,
    seed: int,
    size: tuple[int, int] = (640, 480),
    fps: float = 15.0,
    noise: float = 0.7,
) -> VideoTruth:
    """Write a video of a room, its visitors one visit after the other, and return its truth.

    The suffix chooses the codec: .mkv is lossless FFV1, .avi is MJPG. ``size`` is (width, height)
    in px, ``noise`` the camera's standard deviation in 8-bit steps. The same arguments give the
    same frames.

    Raises `UsageError` for another suffix, for no visits and for a visit of no length or of more
    than two people, and `InputError` when the file cannot be written.
    """
    path = Path(path)
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise UsageError(f"{path} is no .mkv or .avi", hint="end the video's name with .mkv")
    if not visits or any(v.seconds <= 0 or len(v.people) > MAX_PEOPLE for v in visits):
        raise UsageError("a video needs visits, each longer than 0 s and of at most two people")
    truth = []
    try:
        with atomic_file(path) as temporary:
            writer = cv2.VideoWriter(
                str(temporary), cv2.VideoWriter.fourcc(*codec), float(fps), size
            )
            if not writer.isOpened():
                raise InputError(f"OpenCV cannot write {path}", hint="choose another folder")
            try:
                for frame, seen in draw_frames(visits, seed=seed, size=size, fps=fps, noise=noise):
                    writer.write(frame)
                    truth.append(seen)
            finally:
                writer.release()
    except OSError as problem:
        raise InputError(f"cannot write {path}: {problem.strerror}") from None
    return VideoTruth(float(fps), size, tuple(truth))


def draw_frames(
    visits: Sequence[Visit],
    *,
    seed: int,
    size: tuple[int, int] = (640, 480),
    fps: float = 15.0,
    noise: float = 0.7,
) -> Iterator[tuple[np.ndarray, tuple[Sighting, ...]]]:
    """Draw the frames of `write_video`, uint8 BGR [h, w, 3], each with who is in view in it."""
    rng = np.random.default_rng([seed, 0x51DE0])
    backdrop = room(int(rng.integers(1 << 31)), size)
    light = _room_light(rng)
    grain = _grain(rng, size, noise)
    number, start_s = 0, 0.0
    for visit in visits:
        roles = cast(visit.people, visit.seconds, size=size, light=light, rng=rng)
        while number / fps < start_s + visit.seconds - 1e-9:
            frame, seen = _draw(backdrop, roles, number / fps - start_s)
            x, y = rng.integers(_PLAY_PX, size=2)
            cut = grain[y : y + size[1], x : x + size[0]]
            yield cv2.add(frame, cut, dtype=cv2.CV_8U), seen
            number += 1
        start_s += visit.seconds


def _grain(rng: np.random.Generator, size: tuple[int, int], noise: float) -> np.ndarray:
    """A sheet of noise larger than a frame, int16 [h, w, 3], the same in all three channels.

    Noise without colour is about what cameras leave, and a third of the work for the encoder.
    """
    sheet = rng.standard_normal((size[1] + _PLAY_PX, size[0] + _PLAY_PX, 1), np.float32) * noise
    return np.repeat(np.rint(sheet).astype(np.int16), 3, axis=2)


def _room_light(rng: np.random.Generator) -> Light:
    """The window is on the left."""
    return Light(
        azimuth_deg=float(rng.uniform(-45, -15)),
        elevation_deg=float(rng.uniform(20, 40)),
        key=float(rng.uniform(0.6, 0.85)),
        ambient=float(rng.uniform(0.4, 0.55)),
        warmth=float(rng.uniform(-0.4, 0.4)),
    )


def _draw(
    backdrop: np.ndarray, roles: Sequence[Role], time_s: float
) -> tuple[np.ndarray, tuple[Sighting, ...]]:
    frame = backdrop.copy()
    size = (frame.shape[1], frame.shape[0])
    seen = []
    for role in roles:
        shot, view = role.at(time_s)
        compose(role.person, shot, frame, view)
        points = landmarks_px(role.person, shot, view)
        if _inside(points, size, 0.0).any():
            whole = bool(_inside(points, size, _MARGIN_U * view.scale_px).all())
            xy = tuple((float(x), float(y)) for x, y in points)
            seen.append(Sighting(role.person.seed, xy, whole))
    return frame, tuple(seen)


def _inside(points: np.ndarray, size: tuple[int, int], margin_px: float) -> np.ndarray:
    """Which points, float [n, 2], lie within the picture by a margin: bool [n]."""
    far = np.array(size) - 1 - margin_px
    return np.asarray(((points >= margin_px) & (points <= far)).all(axis=1))
