"""Folders of faces as they really come, read as a `FaceTable`.

Three layouts are told apart: CelebA (an attribute list beside one folder of pictures), folders by
identity (`people/<id>/*.jpg`, `lfw-crops/<name>/*.jpg`, with or without an attribute list), and a
flat folder of pictures.
"""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.console.progress import progress
from edge.errors import DataError, InputError, PictureError
from edge.files.atomic import atomic_file
from edge.files.image import read_picture
from trainer.data.cache import cache_folder, pictures_key
from trainer.data.folders import is_celeba, list_file, picture_folder, pictures, pictures_below
from trainer.data.label_files import LabelFile, read_labels, read_numbers
from trainer.data.table import UNKNOWN, FaceTable, identity_number

MISSING_LIMIT = 0.01
"""Share of listed pictures that may be missing or undecodable before the folder is refused."""

_LOG = logging.getLogger("edge.trainer")


@dataclass(frozen=True)
class Reading:
    """A folder as read. layout: "celeba", "identities" or "flat". missing: listed pictures that
    are not there. undecodable: pictures that are there and cannot be decoded. Neither is in
    `table`.
    """

    table: FaceTable
    layout: str
    missing: tuple[str, ...]
    undecodable: tuple[str, ...]


def read_faces(
    folder: Path,
    attributes: Sequence[str] | None = None,
    allow_missing: bool = False,
    *,
    need_labels: bool = False,
    without_labels: bool = False,
    check_pictures: bool = True,
    cache_dir: Path | None = None,
    quiet: bool = False,
) -> FaceTable:
    """Read a folder of faces; see `read_folder`. What is skipped is logged as a warning."""
    reading = read_folder(
        folder,
        attributes,
        allow_missing,
        need_labels=need_labels,
        without_labels=without_labels,
        check_pictures=check_pictures,
        cache_dir=cache_dir,
        quiet=quiet,
    )
    for what, names in (("missing", reading.missing), ("undecodable", reading.undecodable)):
        if names:
            _LOG.warning("%s: skipped %s", folder, _listed(what, names))
    return reading.table


def read_folder(
    folder: Path,
    attributes: Sequence[str] | None = None,
    allow_missing: bool = False,
    *,
    need_labels: bool = False,
    without_labels: bool = False,
    check_pictures: bool = True,
    cache_dir: Path | None = None,
    quiet: bool = False,
) -> Reading:
    """Read a folder of faces, of whichever layout, with a note of what had to be skipped.

    attributes: a subset by name, in the order wanted; all by default. allow_missing: go on when
    more than 1 % of the pictures are missing or undecodable. need_labels: refuse a folder without
    an attribute list. without_labels: accept a CelebA folder without its list. check_pictures:
    decode every picture once (the outcome is cached in `cache_dir`).

    Raises `InputError` where there is no folder, `DataError` for a CelebA folder without its
    attribute list, a malformed list (with the line number), an unknown attribute, no pictures, or
    too many unusable ones.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", hint="give the folder that holds the pictures")
    labels_path = list_file(folder, "list_attr_celeba")
    pictures_in = picture_folder(folder)
    celeba = is_celeba(folder) and not without_labels
    if labels_path is None and (need_labels or attributes or celeba):
        raise DataError(
            f"{folder} has no list_attr_celeba.txt or list_attr_celeba.csv",
            hint="fetch CelebA's attribute list and put it beside the picture folder",
        )
    listed = read_labels(labels_path) if labels_path else None
    if pictures_in is not None:
        layout, found = "celeba" if listed else "flat", pictures(pictures_in)
    else:
        layout, found = "identities", pictures_below(folder)
        if listed is None:
            _refuse_mixed(folder, found)
    if not found:
        raise DataError(f"{folder} holds no pictures", hint="give the folder that holds them")
    table, missing = _table(folder, layout, found, listed)
    if attributes:
        table = _subset(table, attributes)
    bad = _undecodable(table.paths, cache_dir, quiet) if check_pictures else ()
    _refuse_many(folder, len(table) + len(missing), missing, _names(table, bad), allow_missing)
    if bad:
        undecodable = _names(table, bad)
        keep = np.ones(len(table), dtype=bool)
        keep[list(bad)] = False
        return Reading(table.select(keep), layout, missing, undecodable)
    return Reading(table, layout, missing, ())


def _refuse_mixed(folder: Path, below: Sequence[Path]) -> None:
    """Pictures beside folders of pictures: whether a folder is a person or an album is not said.

    Fewer pictures than folders, such as a contact sheet, are left out with a warning.
    """
    beside = pictures(folder)
    folders = sorted({path.relative_to(folder).parts[0] for path in below})
    if not beside or not folders:
        return
    names = [path.name for path in beside]
    if len(beside) < len(folders):
        _LOG.warning("%s: skipped %s", folder, _listed("in no person's folder", names))
        return
    raise DataError(
        f"{folder} holds {_listed('pictures', names)} beside {_listed('folders', folders)} "
        f"with {len(below)} pictures",
        hint="put each person into a folder, or all pictures right into one",
    )


def _table(
    folder: Path, layout: str, found: list[Path], listed: LabelFile | None
) -> tuple[FaceTable, tuple[str, ...]]:
    """The table of what is there, and the listed names that are not."""
    empty: tuple[str, ...] = ()
    if listed is None:
        rows, paths, missing = np.full(len(found), -1), found, empty
        listed = LabelFile((), (), np.empty((0, 0), np.int8), _none(0), _none(0), None)
    else:
        rows, paths, missing = _matched(folder, layout, found, listed)
    identity = np.where(rows >= 0, np.append(listed.identity, UNKNOWN)[rows], UNKNOWN)
    partition = np.where(rows >= 0, np.append(listed.partition, UNKNOWN)[rows], UNKNOWN)
    labels = np.vstack([listed.labels, np.full((1, len(listed.attributes)), -1, np.int8)])[rows]
    if layout == "identities":
        identity = _folder_identities(folder, paths, celeba=bool(listed.names))
    table = FaceTable(
        paths=tuple(paths),
        attributes=listed.attributes,
        labels=labels.astype(np.int8),
        identity=_numbers(folder, "identity_CelebA", paths, identity).astype(np.int64),
        partition=_partition(folder, paths, partition),
    )
    return table, missing


def _matched(
    folder: Path, layout: str, found: list[Path], listed: LabelFile
) -> tuple[np.ndarray, list[Path], tuple[str, ...]]:
    """Row of the list for each picture, the pictures in order, and listed names without one.

    In CelebA's layout only listed pictures count, in the list's order; in folders by identity an
    unlisted picture stays, unlabelled (row -1).
    """
    if listed.declared is not None and listed.declared != len(listed.names):
        raise DataError(
            f"{folder}: the attribute list promises {listed.declared} rows and holds "
            f"{len(listed.names)}",
            hint="the file was cut or edited; fetch it again",
        )
    by_name = _by_name(found)
    row_of: dict[Path, int] = {}
    missing = []
    for row, name in enumerate(listed.names):
        candidates = by_name.get(name) or by_name.get(str(Path(name).with_suffix(""))) or []
        if len(candidates) > 1:
            raise DataError(
                f"{folder}: the list's picture {name} lies in several folders, "
                f"{candidates[0].parent.name} and {candidates[1].parent.name} among them",
                hint="name it with its folder in the list, as in folder/picture.jpg",
            )
        if candidates:
            row_of[candidates[0]] = row
        else:
            missing.append(name)
    paths = list(row_of) if layout == "celeba" else found
    if not row_of:
        raise DataError(
            f"{folder}: none of the {len(listed.names)} listed pictures is there",
            hint="put the pictures into img_align_celeba beside the attribute list",
        )
    rows = np.array([row_of.get(path, -1) for path in paths], dtype=np.int64)
    return rows, paths, tuple(missing)


def _by_name(found: list[Path]) -> dict[str, list[Path]]:
    """Pictures by name, by folder/name, and by both without the suffix."""
    result: dict[str, list[Path]] = {}
    for path in found:
        for key in {path.name, path.stem}:
            result.setdefault(key, []).append(path)
            result.setdefault(f"{path.parent.name}/{key}", []).append(path)
    return result


def _folder_identities(folder: Path, paths: list[Path], *, celeba: bool) -> np.ndarray:
    """Identity by the first folder below `folder`: a CelebA number where a list is CelebA's."""
    people = [path.relative_to(folder).parts[:-1] for path in paths]
    numbers = {
        person: UNKNOWN
        if not person
        else int(person[0])
        if celeba and person[0].isdigit()
        else identity_number(person[0])
        for person in set(people)
    }
    return np.array([numbers[person] for person in people], dtype=np.int64)


def _numbers(folder: Path, stem: str, paths: list[Path], known: np.ndarray) -> np.ndarray:
    """`known` with unknown values filled from an optional list of picture name and number."""
    path = list_file(folder, stem)
    if path is None:
        return known
    by_name = read_numbers(path)
    by_name.update({str(Path(name).with_suffix("")): n for name, n in list(by_name.items())})
    read = [by_name.get(p.name, by_name.get(p.stem, UNKNOWN)) for p in paths]
    return np.where(known == UNKNOWN, np.array(read, dtype=np.int64), known)


def _partition(folder: Path, paths: list[Path], known: np.ndarray) -> np.ndarray:
    values = _numbers(folder, "list_eval_partition", paths, known.astype(np.int64))
    if np.any((values < -1) | (values > 2)):
        odd = int(values[(values < -1) | (values > 2)][0])
        raise DataError(f"{folder}: {odd} is no part of CelebA", hint="parts are 0, 1 and 2")
    return values.astype(np.int8)


def _subset(table: FaceTable, names: Sequence[str]) -> FaceTable:
    for name in names:
        if name not in table.attributes:
            near = difflib.get_close_matches(name, table.attributes, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(table.attributes)}"
            raise DataError(f"the attribute list has no '{name}'", hint=hint)
    if len(set(names)) != len(names):
        raise DataError("an attribute was asked for twice")
    return table.with_attributes(names)


def _undecodable(paths: Sequence[Path], cache_dir: Path | None, quiet: bool) -> tuple[int, ...]:
    """Rows of the pictures that cannot be decoded; from the cache when nothing has changed."""
    cached = cache_folder(cache_dir) / "checked" / f"{pictures_key(paths, 'decodable', 1)}.json"
    if cached.is_file():
        return tuple(json.loads(cached.read_text()))
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(_decodes, paths)
        good = list(progress(decoded, label="reading pictures", total=len(paths), quiet=quiet))
    bad = tuple(row for row, whole in enumerate(good) if not whole)
    with atomic_file(cached) as temporary:
        temporary.write_text(json.dumps(bad))
    return bad


def _decodes(path: Path) -> bool:
    try:
        read_picture(path)
    except PictureError:
        return False
    return True


def _refuse_many(
    folder: Path, count: int, missing: Sequence[str], bad: Sequence[str], allowed: bool
) -> None:
    unusable = len(missing) + len(bad)
    if unusable == count:
        raise DataError(f"{folder}: none of its {count} pictures can be decoded")
    if allowed or unusable <= MISSING_LIMIT * count:
        return
    parts = [_listed("missing", missing)] if missing else []
    parts += [_listed("undecodable", bad)] if bad else []
    raise DataError(
        f"{folder}: {unusable} of {count} pictures cannot be used: {'; '.join(parts)}",
        hint="complete the folder, or allow it with --allow-missing",
    )


def _listed(what: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(names)} {what} ({shown})"


def _names(table: FaceTable, rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{table.paths[r].parent.name}/{table.paths[r].name}" for r in rows)


def _none(count: int) -> np.ndarray:
    return np.full(count, UNKNOWN, dtype=np.int64)
