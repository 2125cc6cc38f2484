"""Listings: the files of a folder that are wanted, and what is left out of it, by reason."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from edge.files.formats import printable

PROGRAM_FOLDERS = frozenset(
    {"@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "lost+found"}
)
"""Lower-case names of folders in which programs keep previews and deleted files: Synology's and
QNAP's disks, Windows, macOS, Linux. Those that begin with a dot are hidden anyway."""

_SHOWN = 3


class Reason(Enum):
    """Why something in a folder is left out."""

    KIND = "of another kind"
    LINK = "linked folder, not followed"
    PROGRAM = "folder of a program, not of photos"


@dataclass(frozen=True)
class Listing:
    """files: what is wanted, by name. left_out: everything else but hidden files, with why."""

    folder: Path
    files: tuple[Path, ...]
    left_out: tuple[tuple[Path, Reason], ...]

    def words(self) -> str:
        """What is left out, counted and named, for people; "" where nothing is."""
        counts = Counter(reason for _, reason in self.left_out)
        parts = []
        for reason, count in counts.items():
            names = [
                printable(path.relative_to(self.folder))
                for path, why in self.left_out
                if why is reason
            ]
            more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
            what = f"{count} {reason.value}" if reason is Reason.KIND else reason.value
            parts.append(f"{what} ({', '.join(names[:_SHOWN])}{more})")
        return f"left out of {printable(self.folder)}: {'; '.join(parts)}" if parts else ""


def list_folder(folder: Path, wanted: Callable[[Path], bool]) -> Listing:
    """The files of a folder and its sub-folders that `wanted` accepts by path, sorted by name.

    Linked folders are not followed, since they may lead in circles or to other people's photos.
    Hidden files and folders are left out without a word. Raises OSError for a folder that cannot
    be read.
    """
    files: list[Path] = []
    left_out: list[tuple[Path, Reason]] = []
    for root, folders, names in os.walk(folder, onerror=_raise):
        here = Path(root)
        kept = []
        for name in folders:
            if name.startswith("."):
                continue
            if name.lower() in PROGRAM_FOLDERS:
                left_out.append((here / name, Reason.PROGRAM))
            elif (here / name).is_symlink():
                left_out.append((here / name, Reason.LINK))
            else:
                kept.append(name)
        folders[:] = kept
        for path in (here / name for name in names if not name.startswith(".")):
            if wanted(path) and path.is_file():
                files.append(path)
            else:
                left_out.append((path, Reason.KIND))
    return Listing(folder, tuple(sorted(files)), tuple(sorted(left_out, key=lambda one: one[0])))


def _raise(problem: OSError) -> None:
    raise problem
