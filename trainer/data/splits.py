"""Training, validation and test parts that share no person.

CelebA's official partition is kept where it covers the data. Otherwise a person's part follows
from a hash of seed and identity alone, so that added data never moves anybody, and the same seed
gives the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

from edge.errors import DataError, RefusedError
from trainer.data.table import PART_NAMES, UNKNOWN, FaceTable

Fractions = tuple[float, float, float]


def split(
    table: FaceTable,
    *,
    seed: int,
    fractions: Fractions = (0.8, 0.1, 0.1),
    allow_random: bool = False,
) -> FaceTable:
    """The table with its partition filled: 0 train, 1 validation, 2 test.

    fractions: of the people (of the pictures where `allow_random` splits those without identity).
    Where the official partition has all three parts, its rows keep it and only the others are
    split, a person of the official rows staying in the same part.

    Raises `RefusedError` for pictures without identity unless `allow_random`, `DataError` for
    fewer than three people or impossible fractions.
    """
    _check(fractions)
    official = _covered(table)
    if official.all():
        return table
    unknown = ~official & (table.identity == UNKNOWN)
    if unknown.any() and not allow_random:
        raise RefusedError(
            f"{int(unknown.sum())} of {len(table)} pictures have neither an identity nor a part "
            "of the official partition, and a random split may put one person on both sides",
            hint="add identity_CelebA.txt or list_eval_partition.txt, or allow a random split",
        )
    partition = np.where(official, table.partition, -1).astype(np.int8)
    _fill_by_identity(table, partition, seed, fractions)
    if unknown.any():
        _fill_by_name(table, partition, unknown, seed, fractions)
    return table.with_partition(partition)


def split_kind(table: FaceTable, *, allow_random: bool = False) -> str:
    """How `split` goes about it: "official", "identity", "random", or a "mixed" of them."""
    official = _covered(table)
    known = ~official & (table.identity != UNKNOWN)
    unknown = ~official & (table.identity == UNKNOWN)
    kinds = [
        name
        for name, rows in (("official", official), ("identity", known), ("random", unknown))
        if rows.any()
    ]
    return kinds[0] if len(kinds) == 1 else "mixed"


def _covered(table: FaceTable) -> np.ndarray:
    """bool[N]: rows whose official part counts: all that have one, if there are all three."""
    if set(np.unique(table.partition[table.partition >= 0])) == {0, 1, 2}:
        return table.partition >= 0
    return np.zeros(len(table), dtype=bool)


def _fill_by_identity(
    table: FaceTable, partition: np.ndarray, seed: int, fractions: Fractions
) -> None:
    open_rows = (partition < 0) & (table.identity != UNKNOWN)
    if not open_rows.any():
        return
    settled = (partition >= 0) & (table.identity != UNKNOWN)
    part_of = dict(zip(table.identity[settled].tolist(), partition[settled].tolist(), strict=True))
    people = [p for p in np.unique(table.identity[open_rows]).tolist() if p not in part_of]
    complete = bool((partition >= 0).any())
    part_of.update(_parts(people, seed, fractions, "people", fill_empty=not complete))
    partition[open_rows] = [part_of[p] for p in table.identity[open_rows].tolist()]


def _fill_by_name(
    table: FaceTable, partition: np.ndarray, rows: np.ndarray, seed: int, fractions: Fractions
) -> None:
    names = [table.paths[row].name for row in np.flatnonzero(rows)]
    complete = bool((partition >= 0).any())
    part_of = _parts(sorted(set(names)), seed, fractions, "pictures", fill_empty=not complete)
    partition[rows] = [part_of[name] for name in names]


def _parts(
    keys: Sequence[Hashable], seed: int, fractions: Fractions, what: str, *, fill_empty: bool
) -> dict[Hashable, int]:
    """The part of each key by its hash. With few keys a part may stay empty: it gets the key whose
    hash is nearest to its own share, out of the parts that can spare one.
    """
    place = {key: _uniform(seed, key) for key in keys}
    edges = np.cumsum(fractions)
    part_of = {key: int(np.searchsorted(edges[:2], u, side="right")) for key, u in place.items()}
    if not fill_empty:
        return part_of
    wanted = [part for part, fraction in enumerate(fractions) if fraction > 0]
    if len(keys) < len(wanted):
        names = ", ".join(PART_NAMES[part] for part in wanted)
        raise DataError(f"{len(keys)} {what} cannot be split into {names}", hint=f"add more {what}")
    for part in wanted:
        if part in part_of.values():
            continue
        middle = edges[part] - fractions[part] / 2
        counts = np.bincount(list(part_of.values()), minlength=3)
        spare = [key for key in keys if counts[part_of[key]] > 1]
        part_of[min(spare, key=lambda key: abs(place[key] - middle))] = part
    return part_of


def _uniform(seed: int, key: Hashable) -> float:
    """A number in [0, 1) from seed and key, the same on every machine."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def _check(fractions: Fractions) -> None:
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise DataError(f"the fractions {fractions} are not three shares that add up to 1")
