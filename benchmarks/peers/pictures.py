"""Pictures that all are judged on: who enrols with what, and who is judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ENROLLING = 10
"""Photos that enrol somebody, and at most half of what there is."""

FEWEST_TESTS = 2


@dataclass(frozen=True)
class Medium:
    """A picture or a clip. whose: the person. sitting: what is not both enrolled and judged."""

    path: Path
    whose: str
    sitting: str


@dataclass(frozen=True)
class Enrolment:
    """whose: the person. media: places of what enrols."""

    whose: str
    media: tuple[int, ...]


@dataclass(frozen=True)
class PictureSet:
    """name: for the table. tuned: whether our thresholds were chosen while looking at it. one_room:
    whether all were taken by one camera in one place.
    """

    name: str
    tuned: bool
    media: tuple[Medium, ...]
    enrolments: tuple[Enrolment, ...]


def picture_sets(shared: Path, held_out: frozenset[str]) -> Iterator[PictureSet]:
    """All sets of the folder `shared`, those that are not there left out. held_out: people of
    `data/people` whom the shipped base was not trained on.
    """
    data = shared / "data"
    clips = [
        Medium(path, path.stem.split("-")[1], path.stem)
        for path in sorted((data / "video").glob("person-*.mkv"))
    ]
    yield PictureSet("webcam", True, tuple(clips), tuple(
        Enrolment(one.whose, (place,)) for place, one in enumerate(clips)
    ))  # fmt: skip
    yield _photos("people", True, sorted(p for p in (data / "people").glob("*/*.jpg")
                                         if p.parent.name in held_out))  # fmt: skip
    cmu = [p for p in sorted((data / "cmu-faces").glob("*/*.pgm"))
           if not p.stem.endswith(("_2", "_4"))]  # fmt: skip
    yield _photos("one room", True, cmu, every=3)
    # our thresholds were chosen on these, leaving out one at a time: docs/constants.md
    yield _sessions("office webcam, other days", sorted((data / "one-camera/nuaa").glob("*/*")))
    yield _photos("booth", True, sorted((data / "one-camera/casia-v5").glob("*/*")))
    yield _photos("green curtain", True, sorted((data / "one-camera/faces94").glob("*/*")))


def _photos(name: str, tuned: bool, files: list[Path], every: int = 1) -> PictureSet:
    """The first of a person's files enrol, one of `every`, at most half and `ENROLLING`."""
    media = tuple(Medium(path, path.parent.name, str(path)) for path in files)
    enrolments = []
    for whose in sorted({one.whose for one in media}):
        own = [place for place, one in enumerate(media) if one.whose == whose]
        count = min(ENROLLING, (len(own) + 1) // 2)
        if len(own) - count >= FEWEST_TESTS:
            enrolments.append(Enrolment(whose, tuple(own[::every][:count])))
    return PictureSet(name, tuned, media, tuple(enrolments))


def _sessions(name: str, files: list[Path]) -> PictureSet:
    """Folders are `PERSON-SESSION`: the first session enrols, the others judge."""
    media = tuple(Medium(path, path.parent.name.split("-")[0], path.parent.name) for path in files)
    enrolments = []
    for whose in sorted({one.whose for one in media}):
        first = min(one.sitting for one in media if one.whose == whose)
        own = [place for place, one in enumerate(media) if one.sitting == first]
        enrolments.append(Enrolment(whose, tuple(own[:ENROLLING])))
    return PictureSet(name, True, media, tuple(enrolments))
