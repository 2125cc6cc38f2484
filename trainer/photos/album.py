"""An album: the files that a user means by --photos, also where folders are laid out in parts."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError
from edge.files.formats import READ_NAMES, is_picture, is_video
from edge.files.listing import list_folder

_LOG = logging.getLogger("edge.trainer")

PARTS = ("train", "validation", "test")
ME, OTHERS = "me", "others"


@dataclass(frozen=True)
class Album:
    """Paths by what they are for. me: pictures that enroll; others: strangers beside them.

    test_me, test_others: a part that is kept for measuring. me_parts: the enrolling files by part,
    where there are parts, so that leaks between them can be named.
    """

    me: tuple[Path, ...]
    others: tuple[Path, ...] = ()
    test_me: tuple[Path, ...] = ()
    test_others: tuple[Path, ...] = ()
    me_parts: tuple[tuple[str, Path], ...] = ()


def open_album(paths: Sequence[Path], name: str = "") -> Album:
    """Understand --photos: files, folders and patterns, or a folder of `me` and `others`, or one of
    `train`, `validation` and `test` with these in each. Of somebody called NAME, the folders may be
    called `NAME` and `no NAME`, too.

    Raises `InputError` where a path does not exist or a laid-out folder lacks `me`: others beside
    an unnamed folder must not be taken for the person.
    """
    me: list[Path] = []
    others: list[Path] = []
    test_me: list[Path] = []
    test_others: list[Path] = []
    parts: list[tuple[str, Path]] = []
    for path in expanded(paths):
        named = _called(_subfolders(path), name, alone=False)
        if ME in named:
            me.append(named[ME])
            others += [named[OTHERS]] if OTHERS in named else []
        elif set(named) >= {"train", "test"} or set(named) >= {"train", "validation"}:
            for part in PARTS:
                found = _subfolders(named[part]) if part in named else {}
                inside = _called(found, name, alone=True)
                if part in named and ME not in inside:
                    raise InputError(
                        f"{named[part]} has no folder '{ME}'{f' or {name!r}' if name else ''}",
                        hint=f"lay it out as {part}/{ME} and {part}/{OTHERS}",
                    )
                if not inside:
                    continue
                parts.append((part, inside[ME]))
                (test_me if part == "test" else me).append(inside[ME])
                if OTHERS in inside:
                    (test_others if part == "test" else others).append(inside[OTHERS])
        elif OTHERS in named:
            raise InputError(
                f"{path} has a folder '{OTHERS}' but no folder '{ME}'",
                hint=f"name the folder of the person '{ME}', or name it alone",
            )
        else:
            me.append(path)
    return Album(tuple(me), tuple(others), tuple(test_me), tuple(test_others), tuple(parts))


def expanded(paths: Sequence[Path]) -> list[Path]:
    """The paths with patterns such as `photos/*_open.jpg` replaced by what they match.

    Raises `InputError` for what does not exist.
    """
    found: list[Path] = []
    for path in paths:
        path = Path(path).expanduser()
        if path.exists():
            found.append(path)
            continue
        start = Path(path.anchor or ".")
        matches = sorted(start.glob(str(path.relative_to(path.anchor))))
        if not matches:
            raise InputError(f"{path} does not exist", hint="check the path")
        found += matches
    return found


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Pictures and videos in files and folders, each once, in order.

    Raises `InputError` for a path that does not exist and a folder without any.
    """
    found: dict[Path, None] = {}
    for path in expanded(paths):
        if not path.is_dir():
            found.setdefault(path)
            continue
        listing = list_folder(path, lambda one: is_picture(one) or is_video(one))
        said = listing.words()
        if not listing.files:
            raise InputError(
                f"the folder {path} holds no pictures or videos{f' ({said})' if said else ''}",
                hint=f"give photos ({READ_NAMES}) or a short clip",
            )
        if said:
            _LOG.warning("%s", said)
        found.update(dict.fromkeys(listing.files))
    return list(found)


def _called(named: dict[str, Path], name: str, *, alone: bool) -> dict[str, Path]:
    """The folders with that of somebody called `name` as `me`, and of all others as `others`.

    alone: also where there is no folder of others; elsewhere it may be one of many people's.
    """
    own = name.casefold()
    if not own or ME in named or own not in named:
        return named
    rest = [folder for folder in named if re.sub(r"[ _-]+", " ", folder) in _not_called(own)]
    if not rest and OTHERS not in named and not alone:
        return named
    found = {folder: path for folder, path in named.items() if folder not in (own, *rest)}
    found[ME] = named[own]
    if rest:
        found.setdefault(OTHERS, named[rest[0]])
    return found


def _not_called(own: str) -> tuple[str, ...]:
    plain = re.sub(r"[ _-]+", " ", own)
    return tuple(f"{word} {plain}" for word in ("no", "not", "non"))


def _subfolders(path: Path) -> dict[str, Path]:
    """Lower-case name to path of the folders in a folder; "val" and "valid" are "validation"."""
    if not path.is_dir():
        return {}
    named = {p.name.lower(): p for p in sorted(path.iterdir()) if p.is_dir()}
    for short in ("val", "valid"):
        if short in named:
            named.setdefault("validation", named.pop(short))
    return named
