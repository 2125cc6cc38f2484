"""Outliers: pictures among mine that show somebody else.

Two pictures of a friend support each other, so that a fit to all other pictures takes them for
mine, and so does the nearest picture. What tells them is how like a picture is to most of the
others: nearly half of mine may look different, but a few strangers are never the most.
"""

from __future__ import annotations

import numpy as np

from edge.shift import Shift

OUTLIER_SCORE = 1.8
"""A picture that is less like the others, in standard deviations over strangers, is taken for
somebody else's: one stranger in 28 is as much like me. Measured on people with one to three
pictures of somebody else among theirs: see RESULTS.md."""

MOST_OUTLIERS = 0.34
"""Of more nobody can say who is meant."""

_QUANTILE = 0.7
"""Of a picture's likenesses to the others: at least three in ten are as much like it. Looks differ,
so that the median asks too much of half profiles."""


def outliers(
    embeddings: np.ndarray, groups: np.ndarray, strangers: np.ndarray, shift: Shift
) -> np.ndarray:
    """Which pictures look like somebody else's, bool[N].

    embeddings: float32[N, D] of length 1. groups: int[N], pictures of one group say nothing of each
    other. strangers: float32[S, D], as my camera would show them.
    """
    return likeness_to_most(embeddings, groups, strangers, shift) < OUTLIER_SCORE


def likeness_to_most(
    embeddings: np.ndarray, groups: np.ndarray, strangers: np.ndarray, shift: Shift
) -> np.ndarray:
    """How like each picture is to those of the other groups, float64[N], in standard deviations
    over strangers; arguments as in `outliers`. Without another group it is infinite.
    """
    mean = strangers.mean(axis=0, dtype=np.float64)
    own = _directions(embeddings - mean, shift)
    theirs = _directions(strangers - mean, shift)
    result = np.full(len(own), np.inf)
    for group in np.unique(groups):
        inside, others = groups == group, own[groups != group]
        if len(others):
            against = np.quantile(theirs @ others.T, _QUANTILE, axis=1)
            mine = np.quantile(own[inside] @ others.T, _QUANTILE, axis=1)
            result[inside] = (mine - against.mean()) / max(float(against.std()), 1e-9)
    return result


def _directions(vectors: np.ndarray, shift: Shift) -> np.ndarray:
    kept = shift.removed(vectors)
    return np.asarray(kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12))
