"""Finding photos again: those that a person's run names, in folders that the user gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.console.progress import progress
from edge.errors import InputError, RefusedError
from edge.files.formats import is_picture
from edge.files.image import read_picture
from edge.files.listing import list_folder
from edge.files.model_file import sha256_of
from edge.sources.files import VideoSource

_FRAME = re.compile(r"(?P<video>.+) at (?P<time>\d+\.\d\d) s")
_SHOWN = 3


@dataclass(frozen=True)
class Named:
    """A picture as its run remembers it.

    number: its place among the run's looks. file: its name, of a video's frame with the time, as in
    "clip.mp4 at 1.20 s". sha256: of a photo's file, "" for a frame.
    """

    number: int
    file: str
    sha256: str

    @property
    def frame(self) -> tuple[str, str] | None:
        """Name of the video and time in it, None for a photo.

        Raises `RefusedError` for a frame whose video the run does not name.
        """
        if self.sha256:
            return None
        found = _FRAME.fullmatch(self.file)
        if found is None:
            raise RefusedError(
                f"{self.file} is a frame of a video that the run does not name (--privacy)",
                hint="enroll again with 'edge-train person --base'",
            )
        return found["video"], found["time"]


def files_in(roots: Sequence[Path]) -> list[Path]:
    """Files of `roots`, which are files or folders, in order, each once and none that is hidden.

    Raises `InputError` for a root that does not exist.
    """
    found: list[Path] = []
    for root in roots:
        root = Path(root).expanduser()
        if not root.exists():
            raise InputError(f"there is no file or folder {root}", hint="check --pictures")
        found += list_folder(root, lambda _: True).files if root.is_dir() else [root]
    return list(dict.fromkeys(found))


def locate(named: Sequence[Named], roots: Sequence[Path]) -> dict[Path, list[Named]]:
    """Where the pictures lie: file to those that are in it.

    Photos are known by their SHA-256, whatever they are called now; videos by name. roots: files or
    folders. Raises `InputError` for a root that does not exist, `RefusedError` naming what is
    missing or ambiguous.
    """
    files = files_in(roots)
    found: dict[Path, list[Named]] = {}
    videos = [one for one in named if one.frame is not None]
    for one in videos:
        assert one.frame is not None
        same = [path for path in files if path.name == one.frame[0]]
        if len(same) > 1:
            raise RefusedError(
                f"{same[0]} and {same[1]} bear the name of one video that the run was made from",
                hint="give the folder of one of them alone",
            )
        if same:
            found.setdefault(same[0], []).append(one)
    found.update(_photos([one for one in named if one.frame is None], files))
    there = {one.number for those in found.values() for one in those}
    missing = [one.file for one in named if one.number not in there]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise RefusedError(
            f"{len(missing)} of {len(named)} pictures are not in {', '.join(map(str, roots))}: "
            f"{', '.join(missing[:_SHOWN])}{more}",
            hint="give --pictures with the folder of each photo, unchanged, or enroll again with "
            "'edge-train person --base'",
        )
    return found


def images(located: dict[Path, list[Named]]) -> Iterator[tuple[Named, np.ndarray]]:
    """Each picture with its pixels, uint8[H, W, 3] BGR.

    Raises `PictureError` or `SourceError` for a file that cannot be decoded, `RefusedError` for a
    video that has no frame at a time that it had.
    """
    for path, those in located.items():
        if those[0].frame is None:
            image = read_picture(path)
            yield from ((one, image) for one in those)
        else:
            yield from _frames(path, those)


def _photos(named: Sequence[Named], files: Sequence[Path]) -> dict[Path, list[Named]]:
    """Those with the names that the run knows are looked at first."""
    wanted: dict[str, list[Named]] = {}
    for one in named:
        wanted.setdefault(one.sha256, []).append(one)
    names = {one.file for one in named}
    pictures = [path for path in files if is_picture(path)]
    pictures.sort(key=lambda path: path.name not in names)
    found: dict[Path, list[Named]] = {}
    for path in progress(pictures, label="finding photos"):
        if not wanted:
            break
        those = wanted.pop(sha256_of(path.read_bytes()), None)
        if those:
            found[path] = those
    return found


def _frames(path: Path, those: Sequence[Named]) -> Iterator[tuple[Named, np.ndarray]]:
    wanted = {one.frame[1]: one for one in those if one.frame is not None}
    with VideoSource(path) as source:
        for grab in source:
            one = wanted.pop(f"{grab.time_s:.2f}", None)
            if one is not None and grab.image_bgr is not None:
                yield one, grab.image_bgr
            if not wanted:
                return
    raise RefusedError(
        f"{path} has no frame at {', '.join(wanted)} s: it is another video than the run's",
        hint="give --pictures with the video as it was",
    )
