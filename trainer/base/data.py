"""From folders of faces to what a base is trained, watched and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import DataError
from edge.faces.canonical import CropRegion, canonical_of
from trainer.data.celeba import read_faces
from trainer.data.crops import crop_array
from trainer.data.holdout import held_out, read_hold_out
from trainer.data.label_files import read_numbers
from trainer.data.landmarks import Landmarks, find_landmarks
from trainer.data.splits import Fractions, split, split_kind
from trainer.data.table import (
    PART_NAMES,
    TEST,
    TRAIN,
    UNKNOWN,
    VALIDATION,
    FaceTable,
    concat,
)
from trainer.inference.external import (
    Teacher,
    projection,
    targets,
    teacher_crops,
    teacher_embeddings,
)
from trainer.training.batches import PICTURE, SINGLE, Crops, FaceArrays
from trainer.training.blends import BlendsTeacher, blended, plan_blends
from trainer.training.margin import identity_classes


@dataclass(frozen=True)
class DataConfig:
    """Which pictures, and how they are cut.

    attributes: a subset by name, all by default. margin: share of the window's side by which it
    is widened on each side, for augmentation. hold_out: file of people and pictures never used.
    identities: file of pictures' names and the numbers of who they show.
    blends: pictures of people laid over each other, for the teacher (see
    `trainer.training.blends`), a share of_three of them of three people. singles: folders in which
    every picture shows a person of its own.
    """

    folders: tuple[Path, ...]
    window: CropRegion
    input_size: int
    margin: float
    attributes: tuple[str, ...] = ()
    hold_out: Path | None = None
    identities: Path | None = None
    fractions: Fractions = (0.8, 0.1, 0.1)
    allow_missing: bool = False
    allow_random: bool = False
    detector: Path | None = None
    cache_dir: Path | None = None
    threads: int = 2
    blends: int = 0
    of_three: float = 0.0
    singles: tuple[Path, ...] = ()


@dataclass(frozen=True)
class BaseData:
    """arrays: all pictures; table: the same rows with their partition. counts: for the run.

    blends: of pictures of the training part, None where there are none. basis: float32[D, E], from
    the teacher's embedding to the network's, None without a teacher.
    """

    table: FaceTable
    arrays: FaceArrays
    counts: dict[str, Any]
    blends: FaceArrays | None = None
    basis: np.ndarray | None = None

    def part(self, number: int) -> FaceArrays:
        """The pictures of one part, see `trainer.data.table`."""
        return self.arrays.select(self.table.partition == number)

    def lessons(self) -> FaceArrays:
        """What the network learns from: the training part, and the blends."""
        train = self.part(TRAIN)
        return train if self.blends is None else train.joined(self.blends)


def widened(window: CropRegion, input_size: int, margin: float) -> tuple[CropRegion, int, int]:
    """A window with a margin on each side, its crop's side and the margin in pixels.

    The margin is a whole number of pixels, so that the middle of the wide crop is exactly the
    window's own crop of input_size.
    """
    margin_px = round(margin * input_size)
    around = margin_px / input_size * window.side_px
    wide = CropRegion(
        window.name, window.x_px - around, window.y_px - around, window.side_px + 2 * around
    )
    return wide, input_size + 2 * margin_px, margin_px


def load_base_data(
    config: DataConfig,
    *,
    seed: int,
    embedding_size: int,
    teacher: Teacher | None = None,
    classes: bool = False,
    quiet: bool = False,
) -> BaseData:
    """Read, split, align and cut all folders; ask the teacher.

    Faces that cannot be found, in pictures that are not aligned, are left out. classes: number the
    people for a margin softmax. Raises what reading, splitting and detecting raise, and
    `DataError` where nothing is left of a part.
    """
    names = read_hold_out(config.hold_out) if config.hold_out else frozenset()
    wide, side_px, margin_px = widened(config.window, config.input_size, config.margin)
    counts: dict[str, Any] = {"held_out": 0, "no_face": 0, "folders": {}}
    parts = [
        _folder(config, folder, names, (wide, side_px), teacher, counts, quiet)
        for folder in (*config.folders, *config.singles)
    ]
    source = np.concatenate([np.full(len(p.table), n) for n, p in enumerate(parts)])
    table = _joined([part.table for part in parts], config.attributes)
    kind = split_kind(table, allow_random=config.allow_random)
    table = split(table, seed=seed, fractions=config.fractions, allow_random=config.allow_random)
    _check_parts(table)
    train = table.partition == TRAIN
    said = [part.said for part in parts if part.said is not None]
    basis = _basis(said, train, embedding_size)
    arrays = FaceArrays(
        crops=_used([part.crops for part in parts], parts),
        margin_px=margin_px,
        labels=table.labels,
        targets=_targets(said, basis, len(table), embedding_size),
        classes=_classes(table, train) if classes else np.full(len(table), -1, np.int32),
        kinds=np.where(source < len(config.folders), PICTURE, SINGLE).astype(np.int8),
    )
    counts |= {"split": kind, "fingerprint": table.fingerprint(), **_part_counts(table)}
    data = BaseData(table, arrays, counts, basis=basis)
    if teacher is None or basis is None or not config.blends:
        return data
    seen = _used([part.seen for part in parts if part.seen is not None], parts).select(train)
    asked = BlendsTeacher(teacher, seen, basis)
    return _with_blends(data, asked, config, source[train], seed, quiet)


@dataclass(frozen=True, eq=False)
class _Folder:
    """What one folder gives. table: the pictures that are used, keep: which of all these are,
    bool[N]. crops, seen: of all, as the network and as the teacher want them. said: what the
    teacher says of those that are used. None where nobody asks for it.
    """

    table: FaceTable
    keep: np.ndarray
    crops: np.ndarray
    said: np.ndarray | None = None
    seen: np.ndarray | None = None


def _folder(
    config: DataConfig,
    folder: Path,
    names: frozenset[str],
    crop: tuple[CropRegion, int],
    teacher: Teacher | None,
    counts: dict[str, Any],
    quiet: bool,
) -> _Folder:
    table, landmarks, keep = _read(config, folder, names, counts, quiet)
    counts["folders"][Path(folder).resolve().name] = int(keep.sum())
    options: dict[str, Any] = {"cache_dir": config.cache_dir, "quiet": quiet}
    crops = crop_array(table, landmarks, canonical_of(config.window), *crop, **options)
    found = _Folder(table.select(keep), keep, crops)
    if teacher is None:
        return found
    said = teacher_embeddings(table, landmarks, teacher, threads=config.threads, **options)
    seen = teacher_crops(table, landmarks, teacher, **options) if config.blends else None
    return replace(found, said=said[keep], seen=seen)


def _used(crops: Sequence[np.ndarray], folders: Sequence[_Folder]) -> Crops:
    """Of the crops of all pictures of all folders those that are used."""
    return Crops(*crops).select(np.concatenate([folder.keep for folder in folders]))


def _with_blends(
    data: BaseData,
    asked: BlendsTeacher,
    config: DataConfig,
    source: np.ndarray,
    seed: int,
    quiet: bool,
) -> BaseData:
    """The data with blends of the training part; the teacher's crops and source are of that part.

    With singles, every other blend keeps within one folder.
    """
    train = data.table.partition == TRAIN
    within = source if config.singles else None
    identity = data.table.identity[train]
    plan = plan_blends(identity, config.blends, seed, source=within, of_three=config.of_three)
    blends = blended(
        data.arrays.select(train),
        data.table.select(train),
        asked,
        plan,
        cache_dir=config.cache_dir,
        threads=config.threads,
        quiet=quiet,
    )
    return replace(data, blends=blends, counts=data.counts | {"blends": config.blends})


def _read(
    config: DataConfig,
    folder: Path,
    names: frozenset[str],
    counts: dict[str, Any],
    quiet: bool,
) -> tuple[FaceTable, Landmarks, np.ndarray]:
    """The whole table of one folder with its landmarks, and bool[N]: the pictures that are used.

    Crops are made of all, so that their cache serves whatever is held out.
    """
    table = read_faces(
        folder,
        allow_missing=config.allow_missing,
        cache_dir=config.cache_dir,
        quiet=quiet,
    )
    if config.identities is not None:
        table = _identified(table, config.identities)
    if folder in config.singles:
        table = table.each_alone()
    landmarks = find_landmarks(
        table, cache_dir=config.cache_dir, detector=config.detector, quiet=quiet
    )
    out = held_out(table, names)
    faceless = ~landmarks.usable & ~out
    keep = ~out & ~faceless
    counts["held_out"] += int(out.sum())
    counts["no_face"] += int(faceless.sum())
    if not keep.any():
        raise DataError(
            f"{folder}: nothing is left of its {len(table)} pictures",
            hint="check --hold-out and whether the pictures show faces",
        )
    return table, landmarks, keep


def _identified(table: FaceTable, path: Path) -> FaceTable:
    """The table with the people of a list; those that it does not name stay as they are.

    Raises `DataError` where it names none of them.
    """
    numbers = read_numbers(path)
    numbers |= {str(Path(name).with_suffix("")): number for name, number in numbers.items()}
    found = [numbers.get(p.name, numbers.get(p.stem, UNKNOWN)) for p in table.paths]
    known = np.array(found, np.int64)
    if not (known != UNKNOWN).any():
        raise DataError(
            f"{path} names none of the pictures", hint="its lines are NAME.jpg and a number"
        )
    return replace(table, identity=np.where(known != UNKNOWN, known, table.identity))


def _joined(tables: Sequence[FaceTable], attributes: Sequence[str]) -> FaceTable:
    table = concat(tables)
    if not attributes:
        return table
    unknown = [name for name in attributes if name not in table.attributes]
    if unknown:
        known = ", ".join(table.attributes) or "none"
        raise DataError(f"the data has no attribute '{unknown[0]}'", hint=f"it has {known}")
    return table.with_attributes(attributes)


def _check_parts(table: FaceTable) -> None:
    for number in (TRAIN, VALIDATION, TEST):
        if not (table.partition == number).any():
            raise DataError(
                f"no picture is in the {PART_NAMES[number]} part",
                hint="add people, or change --fractions",
            )


def _basis(taught: list[np.ndarray], train: np.ndarray, embedding_size: int) -> np.ndarray | None:
    """Of the training part, float32[D, embedding_size]; None without teacher or embedding."""
    if not taught or not embedding_size:
        return None
    return projection(np.concatenate(taught)[train], embedding_size)


def _targets(
    taught: list[np.ndarray], basis: np.ndarray | None, count: int, embedding_size: int
) -> np.ndarray:
    """float32[count, embedding_size] in the basis; zeros without one."""
    if basis is None:
        return np.zeros((count, max(1, embedding_size)), np.float32)
    return targets(np.concatenate(taught), basis)


def _classes(table: FaceTable, train: np.ndarray) -> np.ndarray:
    """Class numbers of people in the training part, -1 elsewhere."""
    result = np.full(len(table), -1, np.int32)
    result[train] = identity_classes(table.identity[train])[0]
    return result


def _part_counts(table: FaceTable) -> dict[str, Any]:
    known = table.identity >= 0
    labelled = (table.labels >= 0).any(axis=1)
    return {
        "pictures": len(table),
        "people": len(np.unique(table.identity[known])),
        "parts": {
            name: {
                "pictures": int((table.partition == number).sum()),
                "labelled": int((labelled & (table.partition == number)).sum()),
                "people": len(np.unique(table.identity[known & (table.partition == number)])),
            }
            for number, name in enumerate(PART_NAMES)
        },
    }
