"""The clips of people who turn their heads: a woman alone, and she with a man.

Nobody has labelled the faces of the second clip. They are told apart by place: both people stand
still, and in each of its frames the woman's face lies in the left half of the picture and the man's
in the right one. The woman is the same in both clips by looks, clothes and file names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.studies.person_data import (
    LEFT,
    RIGHT,
    Bench,
    Shown,
    Trial,
    frames_of,
    webcam_clips,
)
from edge.sources.files import file_source

ALONE, BOTH = "head-pose-woman.gif", "head-pose-both.gif"

WOMAN_ALONE, WOMAN, MAN = "head-woman-alone", "head-woman-beside", "head-man-beside"
"""Whose frames they are; the second word is the person."""

_FPS = 12.5


def head_pose_frames(shared: Path) -> Iterator[Shown]:
    """Every frame of both clips, those with two people once for each."""
    folder = shared / "data" / "video"
    yield from frames_of(folder / ALONE, WOMAN_ALONE)
    yield from frames_of(folder / BOTH, WOMAN, LEFT)
    yield from frames_of(folder / BOTH, MAN, RIGHT)


def head_poses(bench: Bench, shared: Path) -> Iterator[Trial]:
    """The woman enrols from either clip and is judged on the other, the man from the first half of
    his clip and is judged on the second. Strangers are the other one and the webcam's people.

    A clip of two people enrols nobody, so that its half with one of them is cut out before.
    """
    folder = shared / "data" / "video"

    def frames() -> Iterator[Shown]:
        yield from head_pose_frames(shared)
        for clip in webcam_clips(shared):
            yield from frames_of(clip, clip.stem)

    judged = bench.judge(frames(), one_face=False, total=850, label="head poses")
    clip_of = np.array(judged.person)
    whose = np.array([name.split("-")[1] for name in judged.person])
    man = np.flatnonzero(clip_of == MAN)
    later = np.isin(np.arange(len(whose)), man[len(man) // 2 :])
    with tempfile.TemporaryDirectory() as name:
        halves = Path(name)
        woman = _cut(folder / BOTH, halves / "woman.mkv", LEFT)
        early = _cut(folder / BOTH, halves / "man.mkv", RIGHT, most=len(man) // 2)
        enrolments = (
            ("woman alone, judged beside the man", folder / ALONE, clip_of == WOMAN, "woman"),
            ("woman beside the man, judged alone", woman, clip_of == WOMAN_ALONE, "woman"),
            ("man, first half of the clip, judged on the second", early, later, "man"),
        )
        for title, clip, own, person in enrolments:
            looks = bench.looks([clip], title)
            yield Trial(title, looks, judged, own, whose != person)


def _cut(clip: Path, target: Path, side: str, most: int | None = None) -> Path:
    """Write one half of a clip's frames without loss, at most so many, and return where."""
    writer: cv2.VideoWriter | None = None
    for number, shown in enumerate(_images(clip)):
        if most is not None and number >= most:
            break
        middle = shown.shape[1] // 2
        half = shown[:, :middle] if side == LEFT else shown[:, middle:]
        if writer is None:
            size = (half.shape[1], half.shape[0])
            writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"FFV1"), _FPS, size)
        writer.write(np.ascontiguousarray(half))
    assert writer is not None
    writer.release()
    return target


def _images(clip: Path) -> Iterator[np.ndarray]:
    with file_source(clip) as source:
        for grab in source:
            if grab.image_bgr is not None:
                yield grab.image_bgr
