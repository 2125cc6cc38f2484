"""Groups of strangers: which faces of `data/more-faces` are never trained on, and of whom they are.

The choice follows from a hash of each file's name, so that it can be made again without a list.
Ages, origins and sexes are those that the sources' authors wrote into the names.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from edge.errors import InputError
from edge.files.formats import is_picture

FACES_A_GROUP = 400

LARGEST_SHARE = 0.4
"""Of a group's faces that are held out: a small group is still learned from."""

_AGES = (
    (20, "East Asian, under 20"),
    (50, "East Asian, 20 to 49"),
    (200, "East Asian, 50 and over"),
)
_ORIGINS = ("white", "black", "Asian", "Indian", "other origins")


def group_of(source: str, name: str) -> str | None:
    """The group of a file of `aaf`, `scut` or `utkface`; None where it is in no group."""
    stem = Path(name).stem
    try:
        if source == "aaf":
            age = int(stem.split("A")[1])
            return next(group for limit, group in _AGES if age < limit)
        if source == "scut":
            return {"A": "Asian portraits", "C": "Caucasian portraits"}.get(stem[:1])
        if source == "utkface":
            return f"pictures from the web, {_ORIGINS[int(stem.split('_')[2])]}"
    except (IndexError, ValueError, StopIteration):
        return None
    return None


def held_out_groups(shared: Path) -> dict[str, list[str]]:
    """Group to the names of its held-out files, as in `aaf/00004A02.jpg`, sorted.

    Raises `InputError` when a part of the data is missing.
    """
    members: dict[str, list[str]] = {}
    for source in ("aaf", "scut", "utkface"):
        try:
            with zipfile.ZipFile(_archive(shared, source)) as file:
                names = [Path(name).name for name in file.namelist() if is_picture(Path(name))]
        except (OSError, zipfile.BadZipFile) as problem:
            raise InputError(f"the data is not complete: {problem}") from None
        for name in names:
            group = group_of(source, name)
            if group is not None:
                members.setdefault(group, []).append(f"{source}/{name}")
    return {group: _first(names) for group, names in sorted(members.items())}


def _first(names: list[str]) -> list[str]:
    """Those whose hash comes first, at most `FACES_A_GROUP` and `LARGEST_SHARE` of them, sorted."""
    count = min(FACES_A_GROUP, int(LARGEST_SHARE * len(names)))
    return sorted(sorted(names, key=_place)[:count])


def _place(name: str) -> str:
    return hashlib.sha256(Path(name).name.encode()).hexdigest()


def unpack(shared: Path, groups: dict[str, list[str]], target: Path) -> None:
    """Held-out faces in a flat folder for each group, named as the group."""
    for group, names in groups.items():
        (target / group).mkdir(parents=True)
        for source in sorted({name.split("/")[0] for name in names}):
            with zipfile.ZipFile(_archive(shared, source)) as file:
                members = {f"{source}/{Path(name).name}": name for name in file.namelist()}
                for name in names:
                    if name in members:
                        data = file.read(members[name])
                        (target / group / Path(name).name).write_bytes(data)


def _archive(shared: Path, source: str) -> Path:
    return Path(shared) / "data" / "more-faces" / f"{source}.zip"
