"""Event pictures: the files that `--keep-events` keeps, by the person they show.

Each event is an annotated picture `event-NUMBER-TIME-WHO.jpg` for people, and for each person who
was recognized in it `event-NUMBER-TIME-WHO=NAME.face.png`, the face as the camera saw it, from
which a wrong recognition can be taken back, and by which the picture is found when NAME is to be
forgotten. NUMBER says the order of events; the time cannot, as a Raspberry Pi without a network
starts with a clock that is behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.bundle.locate import data_folder
from edge.bundle.writer import file_stem
from edge.recognition.result import FaceResult

PREFIX, PICTURE, FACE = "event-", ".jpg", ".face.png"

_NUMBERED = re.compile(rf"{PREFIX}(?:(\d{{8}})-)?(\d{{8}}T[0-9.]+)-(.*)")
"""An event's name: its number, which names of version 0.1.0 lack, its time, and who came."""

NOBODY = "unknown"
"""What stands in an event's name for who was not recognized."""

SHOWN_PX = 256
"""Longest side of a face that is shown beside a visit or sent with an event."""

LONGEST_WHO = 80
"""Letters of who came, in an event's name."""

AROUND = 0.75
"""What is kept around a face, in sizes of its box, to each side: enough to find it again."""


@dataclass(frozen=True)
class EventFace:
    """A kept face. stem: of the event's picture. key: `person_key` of who was recognized."""

    path: Path
    stem: str
    key: str


def events_folder() -> Path:
    """Where `--keep-events` keeps them unless told otherwise."""
    return data_folder() / "events"


def person_key(name: str) -> str:
    """A name as it stands in a file's name; different for different names."""
    return file_stem(name)


def slug(name: str) -> str:
    """A name in plain letters, for people who look at files; may be the same for two names."""
    from edge.recognition.annotate import plain_text

    return re.sub(r"[^a-z0-9]+", "_", plain_text(name).lower()).strip("_") or "person"


def face_name(stem: str, person: str) -> str:
    """File name of the face of `person` in the event `stem`."""
    return f"{stem}={person_key(person)}{FACE}"


def order_of(path: Path) -> tuple[int, str]:
    """By which files of events are sorted, the oldest first: number, then name."""
    found = _NUMBERED.match(path.name)
    return (int(found[1]) if found and found[1] else -1, path.name)


def next_number(folder: Path) -> int:
    """The number of the next event in a folder: larger than all that are there."""
    return max((order_of(path)[0] for path in folder.glob(f"{PREFIX}*")), default=-1) + 1


def event_pictures(folder: Path) -> list[Path]:
    """The annotated pictures of a folder, the oldest first."""
    return sorted(folder.glob(f"{PREFIX}*{PICTURE}"), key=order_of)


def kept_faces(folder: Path, person: str | None = None) -> tuple[EventFace, ...]:
    """The kept faces of a folder, the oldest first; of one person alone where one is given."""
    found = []
    for path in sorted(folder.glob(f"{PREFIX}*{FACE}"), key=order_of):
        stem, _, key = path.name.removesuffix(FACE).rpartition("=")
        if person is None or key == person_key(person):
            found.append(EventFace(path, stem, key))
    return tuple(found)


def pictures_of(folder: Path, person: str) -> tuple[Path, ...]:
    """Every file of a folder of events that shows or names a person, other people's faces of the
    same event left out."""
    stems = {face.stem for face in kept_faces(folder, person)}
    found = [face.path for face in kept_faces(folder, person)]
    for path in event_pictures(folder):
        stem = path.name.removesuffix(PICTURE)
        if stem in stems or slug(person) in _who(stem).split("-"):
            found.append(path)
    return tuple(found)


def rename_pictures(folder: Path, old: str, new: str) -> int:
    """Give the files of events that show or name somebody their new name; how many. What is drawn
    into annotated pictures stays."""
    stems = {path.name.removesuffix(PICTURE) for path in pictures_of(folder, old)}
    stems = {stem.removesuffix(FACE).rpartition("=")[0] or stem for stem in stems}
    count = 0
    for stem in sorted(stems):
        who = [slug(new) if each == slug(old) else each for each in _who(stem).split("-")]
        fresh = stem.removesuffix(_who(stem)) + "-".join(who)[:LONGEST_WHO]
        for path in (*folder.glob(f"{stem}=*{FACE}"), folder / (stem + PICTURE)):
            key = path.name.removesuffix(FACE).rpartition("=")[2]
            key = person_key(new) if key == person_key(old) else key
            ending = f"={key}{FACE}" if path.name.endswith(FACE) else PICTURE
            if path.exists() and path.name != fresh + ending:
                path.replace(folder / (fresh + ending))
                count += 1
    return count


def pictures_of_anybody(folder: Path) -> tuple[Path, ...]:
    """Every file of a folder of events that shows or names somebody who was recognized."""
    faces = kept_faces(folder)
    stems = {face.stem for face in faces}
    found = [face.path for face in faces]
    for path in event_pictures(folder):
        stem = path.name.removesuffix(PICTURE)
        if stem in stems or set(_who(stem).split("-")) - {NOBODY}:
            found.append(path)
    return tuple(found)


def _who(stem: str) -> str:
    """Who came, as an event's name says it."""
    named = _NUMBERED.fullmatch(stem)
    return named[3] if named else stem.removeprefix(PREFIX).partition("-")[2]


def region_of(face: FaceResult, width_px: int, height_px: int) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold a face with its surroundings."""
    x, y, w, h = face.face.box_px
    edge_px = AROUND * max(w, h)
    rows = slice(max(0, int(y - edge_px)), min(height_px, int(y + h + edge_px) + 1))
    return rows, slice(max(0, int(x - edge_px)), min(width_px, int(x + w + edge_px) + 1))


def face_jpeg(face: FaceResult, image_bgr: np.ndarray) -> bytes:
    """A face with its surroundings, of a picture uint8[H, W, 3], at most `SHOWN_PX` on a side, as
    JPEG; b"" where it lies outside."""
    height_px, width_px = image_bgr.shape[:2]
    rows, columns = region_of(face, width_px, height_px)
    crop = np.ascontiguousarray(image_bgr[rows, columns])
    scale = SHOWN_PX / max(*crop.shape[:2], 1)
    if crop.size and scale < 1:
        crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    done, jpeg = cv2.imencode(".jpg", crop) if crop.size else (False, None)
    return jpeg.tobytes() if done and jpeg is not None else b""
