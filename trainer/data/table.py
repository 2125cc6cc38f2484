"""`FaceTable`: pictures of faces with attribute labels, identities and a partition."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.errors import DataError
from edge.files.atomic import atomic_file

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Values of `FaceTable.partition`, as in CelebA's list_eval_partition.txt; -1 is none."""

PART_NAMES = ("train", "validation", "test")

UNLABELLED = -1
UNKNOWN = -1

FIRST_OWN_IDENTITY = 1 << 32
"""CelebA's identity numbers lie below, numbers made from folder names at or above."""


@dataclass(frozen=True)
class FaceTable:
    """Faces, one row each.

    paths: the pictures. attributes: names of the columns of `labels`. labels: int8[N, A], 1
    present, 0 absent, -1 not labelled. identity: int64[N], CelebA's number, or a number from
    `FIRST_OWN_IDENTITY` on made from the folder's name, -1 unknown. partition: int8[N], 0 train,
    1 validation, 2 test, -1 none.
    """

    paths: tuple[Path, ...]
    attributes: tuple[str, ...]
    labels: np.ndarray
    identity: np.ndarray
    partition: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.paths)
        shapes = (self.labels.shape, self.identity.shape, self.partition.shape)
        if shapes != ((count, len(self.attributes)), (count,), (count,)):
            raise DataError(f"a face table of {count} pictures has columns of shapes {shapes}")

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, index: np.ndarray | Sequence[int]) -> FaceTable:
        """The rows of `index` (bool[N] or integers), in that order."""
        rows = np.asarray(index)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return replace(
            self,
            paths=tuple(self.paths[row] for row in rows),
            labels=self.labels[rows],
            identity=self.identity[rows],
            partition=self.partition[rows],
        )

    def people(self) -> np.ndarray:
        """Whose picture each row is, int64[N]: its identity, or a number of its own below -1."""
        return np.where(self.identity >= 0, self.identity, -2 - np.arange(len(self)))

    def each_alone(self) -> FaceTable:
        """The same rows, every picture of a person of its own, numbered by its file's name."""
        alone = [identity_number(path.name) for path in self.paths]
        return replace(self, identity=np.array(alone, dtype=np.int64))

    def part(self, number: int) -> FaceTable:
        """The rows of one part: `TRAIN`, `VALIDATION` or `TEST`."""
        return self.select(self.partition == number)

    def with_partition(self, partition: np.ndarray) -> FaceTable:
        """The same rows with another partition, int8[N]."""
        return replace(self, partition=np.asarray(partition, dtype=np.int8))

    def with_attributes(self, names: Sequence[str]) -> FaceTable:
        """The same rows with the attributes `names`, in that order; absent ones are unlabelled."""
        labels = np.full((len(self), len(names)), UNLABELLED, dtype=np.int8)
        column_of = {name: column for column, name in enumerate(self.attributes)}
        for column, name in enumerate(names):
            if name in column_of:
                labels[:, column] = self.labels[:, column_of[name]]
        return replace(self, attributes=tuple(names), labels=labels)

    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) over file names, file sizes, labels and identities.

        The same on every machine that holds the same data; neither folders above the pictures,
        nor the partition, nor dates are part of it.
        """
        digest = hashlib.sha256("\0".join(self.attributes).encode())
        labels = np.ascontiguousarray(self.labels, dtype=np.int8)
        for row, path in enumerate(self.paths):
            digest.update(f"\n{path.name}\0{path.stat().st_size}\0{self.identity[row]}\0".encode())
            digest.update(labels[row].tobytes())
        return digest.hexdigest()

    def write_csv(self, target: Path) -> None:
        """Write the cleaned table as CSV: image_id, identity, partition, then 0/1 attributes.

        Unknown values are empty cells. Pictures are named with their folder where names repeat.
        `read_faces` reads such a file back.
        """
        names = self._names()
        with atomic_file(target) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["image_id", "identity", "partition", *self.attributes])
            for row, name in enumerate(names):
                numbers = (self.identity[row], self.partition[row], *self.labels[row])
                writer.writerow([name, *("" if n < 0 else int(n) for n in numbers)])

    def write_split(self, target: Path) -> None:
        """Write which part each picture is in, as CelebA's list_eval_partition.txt: a name and 0, 1
        or 2 a line, sorted by name, so that equal splits are equal files.
        """
        lines = sorted(f"{n} {p}" for n, p in zip(self._names(), self.partition, strict=True))
        with atomic_file(target) as temporary:
            temporary.write_text("\n".join(lines) + "\n", "utf-8", newline="\n")

    def _names(self) -> list[str]:
        """Of the pictures, with their folder where names repeat."""
        names = [path.name for path in self.paths]
        if len(set(names)) < len(names):
            names = [f"{path.parent.name}/{path.name}" for path in self.paths]
        return names

    @staticmethod
    def concat(tables: Iterable[FaceTable]) -> FaceTable:
        """All rows of several tables; see `concat`."""
        return concat(tables)


def concat(tables: Iterable[FaceTable]) -> FaceTable:
    """The rows of several tables, one after the other.

    Attributes are united in order of appearance; what a table does not label is -1. CelebA's
    identity numbers mean the same person everywhere; other identities are renumbered where tables
    of different folders would share one. Raises `DataError` when there is no table.
    """
    listed = list(tables)
    if not listed:
        raise DataError("there are no face tables to join")
    names = tuple(dict.fromkeys(name for table in listed for name in table.attributes))
    listed = [table.with_attributes(names) for table in listed]
    return FaceTable(
        paths=tuple(path for table in listed for path in table.paths),
        attributes=names,
        labels=np.concatenate([table.labels for table in listed]),
        identity=_joint_identities(listed),
        partition=np.concatenate([table.partition for table in listed]).astype(np.int8),
    )


def identity_number(name: str) -> int:
    """A number for a person's folder name, the same everywhere, never a CelebA number."""
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
    return value | FIRST_OWN_IDENTITY


def _joint_identities(tables: list[FaceTable]) -> np.ndarray:
    """int64[sum of N]: own identities made distinct where their pictures lie in other folders."""
    folder_of: dict[int, Path] = {}
    columns = []
    for table in tables:
        column = np.array(table.identity, dtype=np.int64)
        for number in np.unique(column[column >= FIRST_OWN_IDENTITY]):
            rows = np.flatnonzero(table.identity == number)
            folder = table.paths[rows[0]].parent
            free = int(number)
            while folder_of.setdefault(free, folder) != folder:
                free = identity_number(f"{free}+")
            column[rows] = free
        columns.append(column)
    return np.concatenate(columns)
