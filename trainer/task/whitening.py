"""Whitening: directions in which people differ much count less.

An embedding of identity spends most of its length on who somebody is, so that by its distances two
people with glasses lie further apart than one person with and without. What people differ in is
known from strangers, one picture of each (within-class covariance normalization: Hatch, Kajarekar,
Stolcke, ICSLP 2006, where the class to be ignored is the person).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.heads.camera_shift import plain_rows
from edge.heads.cohort import Cohort

FLOOR = 0.1
"""Share of the mean variance that is added to each, so that directions without any do not take
over. Measured on sunglasses, where 0.01 to 1 are all better than none: see RESULTS.md."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """mean: float64[D], taken off. matrix: float64[D, D], applied from the right."""

    mean: np.ndarray
    matrix: np.ndarray

    @classmethod
    def none(cls, size: int) -> Whitening:
        """Leaves embeddings of `size` numbers as they are."""
        return cls(np.zeros(size), np.eye(size))

    @classmethod
    def of(cls, cohort: Cohort) -> Whitening:
        """Of the strangers of a cohort, in the plain look."""
        vectors = cohort.vectors()[plain_rows(cohort)].astype(np.float64)
        variances, axes = np.linalg.eigh(np.cov(vectors.T))
        variances = np.maximum(variances, 0.0)
        gains = 1.0 / np.sqrt(variances + FLOOR * variances.mean())
        return cls(vectors.mean(axis=0), (axes * gains) @ axes.T)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """float64[N, D] of embeddings float[N, D]."""
        return np.asarray((x - self.mean) @ self.matrix)

    def scaled_for(self, x: np.ndarray) -> Whitening:
        """The same, so that embeddings float64[N, D] come out with a mean squared length of 1."""
        length = float(np.sqrt(np.mean(np.sum(self.apply(x) ** 2, axis=1))))
        return Whitening(self.mean, self.matrix / max(length, 1e-9))
