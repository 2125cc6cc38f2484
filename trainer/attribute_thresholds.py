"""From which probability an attribute is called present: thresholds tuned on validation pictures.

At 0.5 a rare attribute is hardly ever called, which is good for accuracy and poor for balanced
accuracy; at the threshold that is best for balanced accuracy, accuracy falls by many points. The
default aim, "guarded", takes the best balanced accuracy that costs little accuracy.
"""

from __future__ import annotations

import numpy as np

from edge.errors import UsageError
from trainer.metrics import sigmoid

AIMS = ("guarded", "balanced", "accuracy")

GUARD = 0.01
"""How much accuracy "guarded" gives up, per attribute, against the threshold 0.5."""

FEWEST = 20
"""Of positives and of negatives; with fewer, an attribute keeps 0.5."""

GRID = np.linspace(-8.0, 8.0, 321)
"""Logits that are tried, 0.05 apart."""

_SMOOTH = 9
"""Width of the moving average over the grid, so that a threshold's neighbours vouch for it."""


def tune_thresholds(
    logits: np.ndarray, labels: np.ndarray, *, aim: str = "guarded"
) -> tuple[float, ...]:
    """A threshold per attribute, as probability, for `Network.attribute_thresholds`.

    logits: float[N, A], of the deployed file on validation pictures. labels: int8[N, A], -1 left
    out. aim: one of `AIMS`. Raises `UsageError` for another aim.
    """
    if aim not in AIMS:
        raise UsageError(f"unknown aim '{aim}'", hint=f"known are {', '.join(AIMS)}")
    columns = range(labels.shape[1])
    best = [_best_logit(logits[:, a], labels[:, a], aim) for a in columns]
    return tuple(round(float(p), 6) for p in sigmoid(np.array(best)))


def _best_logit(logits: np.ndarray, labels: np.ndarray, aim: str) -> float:
    positive, negative = np.sort(logits[labels == 1]), np.sort(logits[labels == 0])
    if min(len(positive), len(negative)) < FEWEST:
        return 0.0
    tpr = 1 - np.searchsorted(positive, GRID) / len(positive)
    tnr = np.searchsorted(negative, GRID) / len(negative)
    share = len(positive) / (len(positive) + len(negative))
    accuracy = _smoothed(share * tpr + (1 - share) * tnr)
    if aim == "accuracy":
        return _choose(accuracy, np.ones(len(GRID), dtype=bool))
    allowed = np.ones(len(GRID), dtype=bool)
    if aim == "guarded":
        allowed = accuracy >= accuracy[np.argmin(np.abs(GRID))] - GUARD
    return _choose(_smoothed((tpr + tnr) / 2), allowed)


def _choose(score: np.ndarray, allowed: np.ndarray) -> float:
    """The best allowed logit; of equals, the one nearest to 0."""
    masked = np.where(allowed, score, -np.inf)
    equal = np.flatnonzero(masked >= masked.max() - 1e-12)
    return float(GRID[equal[np.argmin(np.abs(GRID[equal]))]])


def _smoothed(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, _SMOOTH // 2, mode="edge")
    return np.asarray(np.convolve(padded, np.full(_SMOOTH, 1 / _SMOOTH), mode="valid"))
