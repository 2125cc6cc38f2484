"""Maps: what one base's embeddings are on another base, fitted on strangers whom both have seen.

Two bundles whose cohorts hold the same strangers in the same order tell how their bases go together
(a linear map by least squares; for faces as in McNeely-White et al., "Canonical face embeddings",
IEEE TBIOM 2022). No picture of anybody is needed for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.errors import RefusedError
from edge.heads.cohort import Cohort, trains

RIDGE = 1.0
"""Of the least squares, beside a thousand and more rows of length 1. From 0.01 to 10 the likeness
of strangers left out changes by less than 0.002."""

LEAST_LIKENESS = 0.95
"""Likeness from which a map is used unasked. Measured: at 0.85 (bases of other networks) mapped
people are recognized about 6 points less than if they were enrolled on the new base, where 3 were
to be borne; nothing between was measured."""


@dataclass(frozen=True, eq=False)
class BaseMap:
    """matrix: float64[D, E], from embeddings of the old base to those of the new one. likeness:
    mean cosine of mapped embeddings to the new base's own, over strangers left out of the fit.
    strangers: how many people it was fitted on.
    """

    matrix: np.ndarray
    likeness: float
    strangers: int

    @property
    def is_good(self) -> bool:
        """Whether people who are mapped are recognized nearly as well as if they were enrolled."""
        return self.likeness >= LEAST_LIKENESS

    def mapped(self, vectors: np.ndarray) -> np.ndarray:
        """Embeddings of the old base, float32[N, D], on the new one: float32[N, E], length 1."""
        return _mapped(vectors, self.matrix).astype(np.float32)


def fit_map(old: Cohort, new: Cohort) -> BaseMap:
    """The map between the bases of two cohorts.

    Raises `RefusedError` where they do not hold the same strangers in the same order.
    """
    if not _same_strangers(old, new):
        raise RefusedError(
            "the two bundles' cohorts hold different strangers, so their bases cannot be compared",
            hint="make both with 'edge-train cohort' from the same pictures",
        )
    first = trains(old.identity)
    before, after = old.vectors().astype(np.float64), new.vectors().astype(np.float64)
    found = []
    for part in (first, ~first):
        guess = _mapped(before[~part], _fitted(before[part], after[part]))
        found.append((guess * after[~part]).sum(axis=1))
    likeness = float(np.concatenate(found).mean())
    return BaseMap(_fitted(before, after), round(likeness, 4), old.people)


def _same_strangers(old: Cohort, new: Cohort) -> bool:
    return (
        old.variants == new.variants
        and np.array_equal(old.identity, new.identity)
        and np.array_equal(old.variant, new.variant)
        and np.array_equal(old.group, new.group)
    )


def _fitted(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    square = before.T @ before + RIDGE * np.eye(before.shape[1])
    return np.asarray(np.linalg.solve(square, before.T @ after))


def _mapped(vectors: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    values = vectors.astype(np.float64) @ matrix
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12))
