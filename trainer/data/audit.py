"""What is wrong with a data set, before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.console.display_text import counted
from edge.errors import ToolkitError
from trainer.data.attribute_metrics import majority_accuracy
from trainer.data.celeba import read_folder
from trainer.data.duplicates import duplicate_groups, exact, prints_of
from trainer.data.splits import split, split_kind
from trainer.data.table import PART_NAMES, UNKNOWN, FaceTable

LEAST_SIDE_PX = 64
"""Pictures smaller than this hold too little of a face to learn from."""

RARE_SHARE = 0.03
"""An attribute whose commoner class has all but this share is hardly learned from the rest."""


@dataclass(frozen=True)
class DuplicateGroup:
    """Pictures that show the same. names: folder/file. parts: of the split, those that have one.
    people: number of different identities that they are labelled with.
    """

    names: tuple[str, ...]
    parts: tuple[str, ...]
    people: int
    exact: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "pictures": list(self.names),
            "parts": list(self.parts),
            "people": self.people,
            "exact": self.exact,
        }


@dataclass(frozen=True)
class Balance:
    """Labels of one attribute: how many there are, and the share of 1."""

    name: str
    labelled: int
    positive_share: float

    @property
    def majority_accuracy(self) -> float:
        return max(self.positive_share, 1 - self.positive_share)


@dataclass(frozen=True)
class Audit:
    """The findings.

    split: how the data are split ("official", "identity", "random", "mixed"). parts: pictures in
    each part. pictures_of_person: (least, median, most). across_parts: identities with pictures in
    several parts. majority_accuracy: mean over the attributes, NaN without labels. sizes: (width,
    height) in pixels with its number of pictures, commonest first.
    """

    folder: str
    layout: str
    pictures: int
    missing: tuple[str, ...]
    undecodable: tuple[str, ...]
    people: int
    without_identity: int
    pictures_of_person: tuple[int, float, int]
    split: str
    parts: dict[str, int]
    across_parts: tuple[int, ...]
    duplicates: tuple[DuplicateGroup, ...]
    balance: tuple[Balance, ...]
    majority_accuracy: float
    sizes: tuple[tuple[int, int, int], ...]

    @property
    def leaks(self) -> tuple[DuplicateGroup, ...]:
        """Duplicates in different parts of the split."""
        return tuple(group for group in self.duplicates if len(group.parts) > 1)

    @property
    def contradictions(self) -> tuple[DuplicateGroup, ...]:
        """Duplicates that are labeled as different people."""
        return tuple(group for group in self.duplicates if group.people > 1)

    def warnings(self) -> tuple[str, ...]:
        """One line for each thing that should be mended."""
        small = sum(count for w, h, count in self.sizes if min(w, h) < LEAST_SIDE_PX)
        rare = [b.name for b in self.balance if b.majority_accuracy > 1 - RARE_SHARE]
        group = ("group of duplicates", "groups of duplicates")
        found = (
            (len(self.missing), ("listed picture",), "missing"),
            (len(self.undecodable), ("picture",), "cannot be decoded"),
            (len(self.across_parts), ("person", "people"), "in more than one part"),
            (len(self.leaks), group, "across parts"),
            (len(self.contradictions), group, "labeled as different people"),
            (self.without_identity, ("picture",), "without identity"),
            (small, ("picture",), f"smaller than {LEAST_SIDE_PX} px"),
            (len(rare), ("attribute",), f"nearly constant: {', '.join(rare)}"),
        )
        return tuple(f"{counted(count, *unit)} {what}" for count, unit, what in found if count)

    def to_json(self) -> dict[str, Any]:
        """NaN becomes null; of long lists, all entries."""
        mean = self.majority_accuracy
        least, median, most = self.pictures_of_person
        return {
            "folder": self.folder,
            "layout": self.layout,
            "pictures": self.pictures,
            "missing": list(self.missing),
            "undecodable": list(self.undecodable),
            "people": self.people,
            "without_identity": self.without_identity,
            "pictures_of_person": {"least": least, "median": median, "most": most},
            "split": self.split,
            "parts": self.parts,
            "people_across_parts": list(self.across_parts),
            "duplicates": [group.to_json() for group in self.duplicates],
            "duplicates_across_parts": len(self.leaks),
            "duplicates_of_several_people": len(self.contradictions),
            "attributes": {
                b.name: {
                    "labelled": b.labelled,
                    "positive_share": round(b.positive_share, 4),
                    "majority_accuracy": round(b.majority_accuracy, 4),
                }
                for b in self.balance
            },
            "majority_accuracy": None if np.isnan(mean) else round(mean, 4),
            "sizes": [{"width_px": w, "height_px": h, "pictures": n} for w, h, n in self.sizes],
            "warnings": list(self.warnings()),
        }


def audit(
    folder: Path, *, seed: int = 0, cache_dir: Path | None = None, quiet: bool = False
) -> Audit:
    """Look through a folder of faces, of any layout that `read_folder` knows.

    Missing and undecodable pictures are findings here, not errors. Raises `InputError` or
    `DataError` where the folder or its lists cannot be read at all.
    """
    reading = read_folder(folder, allow_missing=True, cache_dir=cache_dir, quiet=quiet)
    table, kind = _split(reading.table, seed)
    groups, sizes = _compare(table, cache_dir, quiet)
    balance = _balance(table)
    known = table.identity[table.identity != UNKNOWN]
    counts = np.unique(known, return_counts=True)[1]
    spread = (int(counts.min()), float(np.median(counts)), int(counts.max())) if len(counts) else ()
    return Audit(
        folder=folder.name or str(folder),
        layout=reading.layout,
        pictures=len(table),
        missing=reading.missing,
        undecodable=reading.undecodable,
        people=len(counts),
        without_identity=len(table) - len(known),
        pictures_of_person=spread or (0, 0.0, 0),
        split=kind,
        parts=_parts(table),
        across_parts=identities_across_parts(table),
        duplicates=groups,
        balance=balance,
        majority_accuracy=majority_accuracy(table.labels),
        sizes=sizes,
    )


def identities_across_parts(table: FaceTable) -> tuple[int, ...]:
    """Identities that have pictures in more than one part of the table's partition."""
    rows = (table.identity != UNKNOWN) & (table.partition >= 0)
    both = np.unique(np.stack([table.identity[rows], table.partition[rows]], axis=1), axis=0)
    people, parts = np.unique(both[:, 0], return_counts=True)
    return tuple(people[parts > 1].tolist())


def _split(table: FaceTable, seed: int) -> tuple[FaceTable, str]:
    """As it would be trained on; without identities at random, with too few people not at all."""
    kind = split_kind(table)
    try:
        return split(table, seed=seed, allow_random=True), kind
    except ToolkitError:
        return table, "none"


def _compare(
    table: FaceTable, cache_dir: Path | None, quiet: bool
) -> tuple[tuple[DuplicateGroup, ...], tuple[tuple[int, int, int], ...]]:
    prints = prints_of(table, cache_dir=cache_dir, quiet=quiet)
    groups = tuple(
        DuplicateGroup(
            names=tuple(f"{table.paths[r].parent.name}/{table.paths[r].name}" for r in rows),
            parts=tuple(
                PART_NAMES[part] for part in np.unique(table.partition[list(rows)]) if part >= 0
            ),
            people=len(set(table.identity[list(rows)].tolist()) - {UNKNOWN}),
            exact=exact(prints, rows),
        )
        for rows in duplicate_groups(prints)
    )
    sizes = Counter(map(tuple, prints.size.tolist())).most_common()
    return groups, tuple((int(w), int(h), count) for (w, h), count in sizes)


def _balance(table: FaceTable) -> tuple[Balance, ...]:
    result = []
    for name, column in zip(table.attributes, table.labels.T, strict=True):
        labelled = int((column >= 0).sum())
        if labelled:
            result.append(Balance(name, labelled, int((column == 1).sum()) / labelled))
    return tuple(result)


def _parts(table: FaceTable) -> dict[str, int]:
    return {name: int((table.partition == part).sum()) for part, name in enumerate(PART_NAMES)}


def describe(found: Audit, listed: int = 10) -> str:
    """The audit for people, at most `listed` entries of each list."""
    least, median, most = found.pictures_of_person
    parts = ", ".join(f"{name} {count}" for name, count in found.parts.items())
    lines = [
        f"{found.folder}: {found.pictures} pictures, layout {found.layout}",
        f"people: {found.people}, pictures of each {least} to {most}, median {median:g}",
        f"split: {found.split} ({parts})",
        "sizes: "
        + ", ".join(f"{w}x{h} px {n}" for w, h, n in found.sizes[:5])
        + (f" and {len(found.sizes) - 5} more sizes" if len(found.sizes) > 5 else ""),
        f"duplicates: {len(found.duplicates)} groups, {len(found.leaks)} of them across parts",
    ]
    for group in found.duplicates[:listed]:
        where = " | ".join(group.parts)
        same = "equal files" if group.exact else "look alike"
        lines.append(f"  {same} ({where}): {', '.join(group.names[:4])}")
    if found.balance:
        lines.append(f"labels: always answering the majority scores {found.majority_accuracy:.3f}")
        width = max(len(b.name) for b in found.balance)
        lines += [
            f"  {b.name:<{width}}  {100 * b.positive_share:5.1f} % of {b.labelled}, "
            f"majority {b.majority_accuracy:.3f}"
            for b in found.balance
        ]
    for title, names in (("missing", found.missing), ("undecodable", found.undecodable)):
        lines += [f"{title}: {name}" for name in names[:listed]]
    lines += [f"warning: {line}" for line in found.warnings()] or ["nothing to mend"]
    return "\n".join(lines)
