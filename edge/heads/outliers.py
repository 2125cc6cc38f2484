"""Outliers: pictures among mine that show somebody else.

Two pictures of a friend support each other, so that a fit to all other pictures takes them for
mine, and so does the nearest picture. What tells them is how like a picture is to most of the
others: nearly half of mine may look different, but a few strangers are never the most.
"""

from __future__ import annotations

import numpy as np

from edge.heads.camera_shift import CameraShift

OTHER_SCORE = 1.2
"""A picture that is less like the others, in standard deviations over strangers, is somebody
else's: one stranger in nine is as much like me. Tuned on the same albums as `DOUBTFUL_SCORE`."""

DOUBTFUL_SCORE = 1.8
"""Below it a picture is left out too, as long as enough stay: one stranger in 28 is as much like
me. Measured, with the base before, on people with up to four pictures of somebody else among
theirs; used in pictures by one camera alone, where `edge.heads.two_people` finds less."""

MOST_OUTLIERS = 0.34
"""Of more nobody can say who is meant."""

_QUANTILE = 0.7
"""Of a picture's likenesses to the others: at least three in ten are as much like it. Looks differ,
so that the median asks too much of half profiles."""


def outliers(
    embeddings: np.ndarray,
    groups: np.ndarray,
    strangers: np.ndarray,
    shift: CameraShift,
    fewest: int = 2,
    doubtful: float = DOUBTFUL_SCORE,
) -> np.ndarray:
    """Which pictures look like somebody else's, bool[N]: found one by one, the least like first,
    since each that stays makes the others look less alike.

    Doubtful ones are left out up to a share of `MOST_OUTLIERS` and while `fewest` groups stay;
    those that are clearly of somebody else are however many there are.

    embeddings: float32[N, D] of length 1. groups: int[N], pictures of one group say nothing of each
    other. strangers: float32[S, D], as my camera would show them. doubtful: the score below which
    a picture is.
    """
    found = np.zeros(len(embeddings), bool)
    while len(np.unique(groups[~found])) > 1:
        left = np.flatnonzero(~found)
        scores = likeness_to_most(embeddings[left], groups[left], strangers, shift)
        tried = found.copy()
        tried[left[scores.argmin()]] = True
        few = tried.mean() > MOST_OUTLIERS or len(np.unique(groups[~tried])) < fewest
        if scores.min() >= (OTHER_SCORE if few else doubtful):
            break
        found = tried
    return found


def likeness_to_most(
    embeddings: np.ndarray, groups: np.ndarray, strangers: np.ndarray, shift: CameraShift
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


def _directions(vectors: np.ndarray, shift: CameraShift) -> np.ndarray:
    kept = shift.removed(vectors)
    return np.asarray(kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12))
