"""Pairs of pictures for verification: drawn from a table, or read from a list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import DataError
from trainer.data.label_files import read_text, spreadsheet_rows
from trainer.data.table import UNKNOWN, FaceTable

FOLDS = 10


@dataclass(frozen=True)
class Pairs:
    """Pairs of pictures. first, second: int64[P], rows of the pictures. same: bool[P]. fold:
    int64[P], 0..9. people: int64[P, 2], who is on each picture, for the bootstrap.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray
    people: np.ndarray

    def __len__(self) -> int:
        return len(self.same)


def sample_pairs(table: FaceTable, *, count: int = 6000, seed: int = 0) -> Pairs:
    """Draw pairs as LFW's view 2 has them: ten folds that share no person, in each as many pairs
    of one person as of two.

    First a person is drawn, then pictures, so that people with many pictures do not dominate; no
    pair is drawn twice. Fewer than `count` where the table does not hold that many. Pictures of
    unknown identity are left out. Raises `DataError` with fewer than two people, or nobody with
    two pictures.
    """
    rng = np.random.default_rng(seed)
    people = [int(person) for person in np.unique(table.identity) if person != UNKNOWN]
    rows = {person: np.flatnonzero(table.identity == person) for person in people}
    paired = [person for person in people if len(rows[person]) > 1]
    if len(people) < 2 or not paired:
        raise DataError(
            "no pairs can be drawn: they need two people, and two pictures of one of them",
            hint="give pictures with identities, several of a person",
        )
    folds = min(FOLDS, len(paired), len(people) // 2)
    groups = _groups(people, set(paired), folds, rng)
    drawn: list[tuple[int, int, bool, int]] = []
    for fold, group in enumerate(groups):
        wanted = count // 2 // folds
        same = _same_pairs([rows[p] for p in group], wanted, rng)
        other = _other_pairs([rows[p] for p in group], len(same), rng)
        drawn += [(a, b, True, fold) for a, b in same[: len(other)]]
        drawn += [(a, b, False, fold) for a, b in other]
    first, second, kind, fold_of = (np.array(column) for column in zip(*drawn, strict=True))
    return Pairs(
        first=first.astype(np.int64),
        second=second.astype(np.int64),
        same=kind.astype(bool),
        fold=fold_of.astype(np.int64),
        people=np.stack([table.identity[first], table.identity[second]], axis=1),
    )


def read_pairs(path: Path, images: Path | None = None) -> tuple[tuple[Path, ...], Pairs]:
    """Read a CSV of lines `file_a,file_b,0|1` (1: the same person), with or without a header.

    images: the folder that the files are named from, by default the list's own. Returns the
    pictures, each once, and the pairs. People are told apart by who is said to be the same;
    folds follow the list's order, within pairs of one person and of two, as LFW's own list has it.

    Raises `DataError` with the line number for another form or a missing picture.
    """
    folder = images if images is not None else path.parent
    listed = _csv_pairs(path)
    names = list(dict.fromkeys(name for _, a, b, _ in listed for name in (a, b)))
    row_of = {name: row for row, name in enumerate(names)}
    for line, a, b, _ in listed:
        for name in (a, b):
            if not (folder / name).is_file():
                raise DataError(
                    f"{path}, line {line}: {folder / name} does not exist",
                    hint="give the folder of the pictures with --images DIR",
                )
    first = np.array([row_of[a] for _, a, _, _ in listed], dtype=np.int64)
    second = np.array([row_of[b] for _, _, b, _ in listed], dtype=np.int64)
    same = np.array([kind for *_, kind in listed], dtype=bool)
    from scipy.cluster.hierarchy import DisjointSet

    sets = DisjointSet(range(len(names)))
    for a, b in zip(first[same].tolist(), second[same].tolist(), strict=True):
        sets.merge(a, b)
    person = np.array([sets[row] for row in range(len(names))], dtype=np.int64)
    fold = np.zeros(len(same), dtype=np.int64)
    for kind in (True, False):
        rows = np.flatnonzero(same == kind)
        fold[rows] = np.arange(len(rows)) * FOLDS // max(len(rows), 1)
    people = np.stack([person[first], person[second]], axis=1)
    return tuple(folder / name for name in names), Pairs(first, second, same, fold, people)


def _csv_pairs(path: Path) -> list[tuple[int, str, str, bool]]:
    result = []
    rows = spreadsheet_rows(read_text(path))
    for line, cells in rows:
        if (line, cells) == rows[0] and len(cells) == 3 and cells[2] not in ("0", "1"):
            continue
        if len(cells) != 3 or cells[2] not in ("0", "1"):
            raise DataError(
                f"{path}, line {line}: expected file_a,file_b,0|1", hint="1 means the same person"
            )
        result.append((line, cells[0], cells[1], cells[2] == "1"))
    if not result:
        raise DataError(f"{path} lists no pairs", hint="lines are file_a,file_b,0|1")
    return result


def _groups(
    people: list[int], paired: set[int], folds: int, rng: np.random.Generator
) -> list[list[int]]:
    """Everybody into one of `folds` groups, those with several pictures spread evenly."""
    order = [people[i] for i in rng.permutation(len(people))]
    order.sort(key=lambda person: person not in paired)
    groups: list[list[int]] = [[] for _ in range(folds)]
    for place, person in enumerate(order):
        groups[place % folds].append(person)
    return groups


def _same_pairs(
    rows: list[np.ndarray], wanted: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Distinct pairs of one person's pictures, a person drawn first."""
    rows = [own for own in rows if len(own) > 1]
    possible = sum(len(own) * (len(own) - 1) // 2 for own in rows)
    if possible <= wanted:
        return [(int(a), int(b)) for own in rows for i, a in enumerate(own) for b in own[i + 1 :]]
    seen: dict[tuple[int, int], None] = {}
    left = [[(int(a), int(b)) for i, a in enumerate(own) for b in own[i + 1 :]] for own in rows]
    for pairs in left:
        rng.shuffle(pairs)
    while len(seen) < wanted:
        person = int(rng.integers(len(left)))
        seen[left[person].pop()] = None
        if not left[person]:
            left.pop(person)
    return list(seen)


def _other_pairs(
    rows: list[np.ndarray], wanted: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Distinct pairs of two people's pictures, the people drawn first."""
    seen: dict[tuple[int, int], None] = {}
    for _ in range(50 * wanted):
        if len(seen) == wanted:
            break
        a, b = rng.choice(len(rows), 2, replace=False)
        pair = sorted((int(rng.choice(rows[a])), int(rng.choice(rows[b]))))
        seen[pair[0], pair[1]] = None
    return list(seen)
