"""Shifts: what a camera and a room do to everybody's embeddings, told from one person's pictures.

Strangers before the same camera look more alike to an embedding than strangers on press photographs
do. A cohort holds each stranger in several looks (grey, dark, …), so the mean change from the plain
look to each of them is known. The part of my own mean that lies along these changes is taken for
the camera's doing: strangers are moved there before heads are trained and thresholds set, and that
direction is removed from the head (nuisance attribute projection: Solomonoff et al., ICASSP 2005).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge.heads.cohort import Cohort

PLAIN = "plain"
"""Name of the look that the others are changes of; where it is missing, the first look is."""

RIDGE = 0.1
"""Of the least-squares fit, relative to the mean squared length of the changes."""

FURTHEST = 1.5
"""A look counts at most this many times; none counts negatively."""


@dataclass(frozen=True, eq=False)
class CameraShift:
    """offset: float64[D], added to embeddings. direction: float64[D] of length 1, or zeros.

    looks: how strongly each look of the cohort was recognized in my pictures.
    """

    offset: np.ndarray
    direction: np.ndarray
    looks: dict[str, float]

    def moved(self, vectors: np.ndarray) -> np.ndarray:
        """Embeddings, float[N, D], as the camera would have made them: float64[N, D], length 1."""
        values = vectors.astype(np.float64) + self.offset
        return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12))

    def removed(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors, float[N, D] or float[D], without their part along `direction`."""
        along = vectors @ self.direction
        return np.asarray(vectors - along[..., None] * self.direction)


def no_shift(size: int) -> CameraShift:
    """The shift of images by several cameras, which cancel out: none."""
    return CameraShift(np.zeros(size), np.zeros(size), {})


@dataclass(frozen=True, eq=False)
class Changes:
    """What the looks of a cohort change: base float64[D], the mean of the plain look; vectors
    float64[L, D], from the mean plain look of those seen in one of the looks `names` to the mean of
    that look, so that who was seen in it does not count; plain float64[P, D], the plain rows.
    """

    names: tuple[str, ...]
    base: np.ndarray
    vectors: np.ndarray
    plain: np.ndarray

    def shift(self, share: np.ndarray) -> CameraShift:
        """The shift by a share of each sample, float64[L]."""
        offset = share @ self.vectors
        looks = {name: float(s) for name, s in zip(self.names, share, strict=True)}
        unmoved = CameraShift(offset, np.zeros(len(offset)), looks)
        direction = unmoved.moved(self.plain).mean(axis=0) - self.base
        length = float(np.linalg.norm(direction))
        if not offset.any() or length < 1e-9:
            return unmoved
        return CameraShift(offset, direction / length, looks)


def changes_of(cohort: Cohort) -> Changes | None:
    """None where the cohort has one look alone, so that there is nothing to compare."""
    plain = plain_rows(cohort)
    others = sorted(set(np.unique(cohort.variant[~plain]).tolist()))
    if not others:
        return None
    vectors = cohort.vectors().astype(np.float64)
    base = vectors[plain].mean(axis=0)
    changed = []
    for look in others:
        seen = cohort.variant == look
        same = plain & np.isin(cohort.identity, cohort.identity[seen])
        before = vectors[same].mean(axis=0) if same.any() else base
        changed.append(vectors[seen].mean(axis=0) - before)
    names = tuple(cohort.variants[i] for i in others)
    return Changes(names, base, np.stack(changed), vectors[plain])


def plain_rows(cohort: Cohort) -> np.ndarray:
    """bool[N]: the rows in the plain look; where no look has that name, in the first."""
    names = cohort.variants
    number = names.index(PLAIN) if PLAIN in names else int(cohort.variant.min())
    return np.asarray(cohort.variant == number)


def estimate_shift(embeddings: np.ndarray, cohort: Cohort) -> CameraShift:
    """The camera's part of one person's embeddings, float32[N, D], all by the same camera.

    cohort: strangers in at least two looks; with one look there is nothing to tell it from.
    """
    changes = changes_of(cohort)
    if changes is None:
        return no_shift(cohort.size)
    products = changes.vectors @ changes.vectors.T
    count = len(products)
    ridge = RIDGE * np.trace(products) / count * np.eye(count)
    away = embeddings.astype(np.float64).mean(axis=0) - changes.base
    share = np.linalg.solve(products + ridge, changes.vectors @ away)
    return changes.shift(np.clip(share, 0.0, FURTHEST))


def shift_by_looks(looks: Mapping[str, float], cohort: Cohort) -> CameraShift:
    """The shift that was once estimated, from the shares of the looks and the same cohort.

    Looks that the cohort does not have count for nothing.
    """
    changes = changes_of(cohort)
    if changes is None or not any(looks.get(name, 0.0) for name in changes.names):
        return no_shift(cohort.size)
    share = np.array([looks.get(name, 0.0) for name in changes.names])
    return changes.shift(share)
