"""From which probability an attribute is called present: thresholds between a half and its share.

At 0.5 a rare attribute is hardly ever called, which is good for accuracy and poor for balanced
accuracy. Where probabilities are calibrated, balanced accuracy is best at the attribute's share of
pictures (Menon et al., ICML 2013), which costs many points of accuracy. The way from the one to the
other is the same for all attributes and is tuned on validation pictures: a single number, since a
few hundred pictures hold too few of a rare attribute to tune each threshold by itself.
"""

from __future__ import annotations

import numpy as np

from edge.errors import UsageError
from trainer.data.attribute_metrics import measure_attributes, sigmoid

AIMS = ("guarded", "balanced", "accuracy")

GUARD = 0.015
"""How much mean accuracy "guarded" gives up against the threshold 0.5."""

FEWEST = 20
"""Labelled pictures without which an attribute keeps 0.5."""

WAYS = np.linspace(0.0, 1.0, 21)
"""Parts of the way from 0.5 to the attribute's share, in logits, that are tried."""


def tune_thresholds(
    logits: np.ndarray,
    labels: np.ndarray,
    *,
    known: np.ndarray | None = None,
    aim: str = "guarded",
) -> tuple[float, ...]:
    """A threshold per attribute, as probability, for `Network.attribute_thresholds`.

    logits: float[N, A], of the deployed file on validation pictures. labels: int8[N, A], -1 left
    out. known: int8[M, A], labels that tell each attribute's share, by default `labels`. aim: one
    of `AIMS`: the best balanced accuracy, the best accuracy, or ("guarded") the furthest way that
    costs at most `GUARD` of accuracy. Raises `UsageError` for another aim.
    """
    if aim not in AIMS:
        raise UsageError(f"unknown aim '{aim}'", hint=f"known are {', '.join(AIMS)}")
    ends = _logit_of_share(labels if known is None else known)
    tried = [tuple(np.round(sigmoid(way * ends), 6).tolist()) for way in WAYS]
    names = [str(a) for a in range(labels.shape[1])]
    means = [measure_attributes(logits, labels, names, limits).mean for limits in tried]
    accuracy = np.array([mean.accuracy for mean in means])
    if not np.isfinite(accuracy).all():
        return tried[0]
    if aim == "accuracy":
        return tried[int(np.argmax(accuracy))]
    if aim == "guarded":
        return tried[int(np.flatnonzero(accuracy >= accuracy[0] - GUARD)[-1])]
    return tried[int(np.nanargmax([mean.balanced_accuracy for mean in means]))]


def _logit_of_share(labels: np.ndarray) -> np.ndarray:
    """float64[A]; one picture of each kind is added to those seen; 0 with too few."""
    present, absent = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    known = present + absent >= FEWEST
    return np.where(known, np.log((present + 1.0) / (absent + 1.0)), 0.0)
