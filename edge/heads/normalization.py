"""Score normalization: making scores comparable by the same head's scores of strangers.

Z: by mean and spread of the head's scores of strangers, fixed when the head is made. T: also by how
alike the face in question is to the cohort's strangers. AS: as T, with the most alike `top`
strangers alone (Auckenthaler et al., Digital Signal Processing 2000; Matejka et al., Interspeech
2017). Own: Z, and the likeness to the nearest of the person's own pictures counts *for* the face,
with a negative `weight`; so a head knows the person in half profile and with sunglasses as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from edge.files.closed_set import one_of

NormalizationKind = Literal["none", "z", "t", "as", "own"]

KINDS: tuple[NormalizationKind, ...] = get_args(NormalizationKind)

COMPARING = ("t", "as", "own")
"""Kinds that compare the face in question with rows."""

MAX_ROWS = 1000
"""Most rows that may travel with a head."""


def _no_rows() -> np.ndarray:
    return np.zeros((0, 0), np.float16)


@dataclass(frozen=True, eq=False)
class Normalization:
    """How a head's raw scores become its scores.

    kind: one of `KINDS`. mean, std: of the raw score, subtracted and divided by first (0 and 1 for
    "none"). rows: float16[R, D], what a face is compared with, R <= `MAX_ROWS`: strangers, or the
    person's own pictures less the strangers' mean ("own"). weight: how strongly likeness to them
    counts against the face. top: how many of the most alike rows count, 0 for all. centre, spread:
    of the likeness over strangers.
    """

    kind: NormalizationKind = "none"
    mean: float = 0.0
    std: float = 1.0
    rows: np.ndarray = field(default_factory=_no_rows)
    top: int = 0
    weight: float = 0.0
    centre: float = 0.0
    spread: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError for values that cannot be."""
        numbers = (self.mean, self.std, self.weight, self.centre, self.spread)
        if self.kind not in KINDS or not np.isfinite(numbers).all():
            raise ValueError(f"unknown or not finite score normalization '{self.kind}'")
        if self.std <= 0 or self.spread <= 0:
            raise ValueError("a score normalization needs spreads above 0")
        if self.kind not in COMPARING:
            return
        if self.rows.dtype != np.float16 or self.rows.ndim != 2:
            raise ValueError("a score normalization's rows must be float16[R, D]")
        if not 1 <= len(self.rows) <= MAX_ROWS or not np.isfinite(self.rows).all():
            raise ValueError(f"a score normalization needs 1 to {MAX_ROWS} finite rows")
        least = 0 if self.kind == "t" else 1
        if not least <= self.top <= len(self.rows):
            raise ValueError("a score normalization needs a top among its rows")

    def apply(self, raw: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """Scores float64[N] from raw scores float64[N] of embeddings float32[N, D]."""
        scores = (raw - self.mean) / self.std
        if self.kind not in COMPARING:
            return np.asarray(scores)
        likeness = likeness_to(embeddings, self.rows, self.top)
        return np.asarray(scores - self.weight * (likeness - self.centre) / self.spread)

    def to_json(self) -> dict[str, Any]:
        """Without the rows, which are an array of the head's file."""
        values: dict[str, Any] = {"kind": self.kind, "mean": self.mean, "std": self.std}
        if self.kind in COMPARING:
            values |= {"top": self.top, "weight": self.weight}
            values |= {"centre": self.centre, "spread": self.spread}
        return values

    @classmethod
    def from_json(cls, data: dict[str, Any], rows: np.ndarray | None = None) -> Normalization:
        """Raises KeyError, TypeError or ValueError for a wrong description."""
        kind = one_of(data["kind"], KINDS)
        if kind not in COMPARING:
            return cls(kind, float(data.get("mean", 0.0)), float(data.get("std", 1.0)))
        return cls(
            kind=kind,
            mean=float(data["mean"]),
            std=float(data["std"]),
            rows=_no_rows() if rows is None else rows,
            top=int(data["top"]),
            weight=float(data["weight"]),
            centre=float(data["centre"]),
            spread=float(data["spread"]),
        )


def z_normalization(raw: np.ndarray) -> Normalization:
    """From a head's raw scores of strangers, float64[N]."""
    return Normalization("z", float(raw.mean()), max(float(raw.std()), 1e-9))


def likeness_to(embeddings: np.ndarray, rows: np.ndarray, top: int = 0) -> np.ndarray:
    """Mean product, float64[N], of embeddings float32[N, D] with rows float16[R, D].

    With the `top` most alike rows alone where `top` is not 0.
    """
    cosines = embeddings.astype(np.float32) @ rows.astype(np.float32).T
    if 0 < top < len(rows):
        cosines = np.partition(cosines, len(rows) - top, axis=1)[:, -top:]
    return np.asarray(cosines.mean(axis=1, dtype=np.float64))
