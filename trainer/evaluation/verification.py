"""Verification: do two pictures show the same person? Figures by LFW's protocol, with intervals.

Pairs are of people that were not trained on; it is for the caller to see to that. The protocol is
that of Huang et al. (UMass TR 07-49, 2007): as many pairs of one person as of two, ten folds, the
threshold of each fold chosen on the other nine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.console.display_text import counted
from edge.errors import DataError
from trainer.data.pairs import Pairs

BOOTSTRAPS = 200

FAR_LIMITS = {"tar_at_far_1pct": 0.01, "tar_at_far_01pct": 0.001}


@dataclass(frozen=True)
class Verification:
    """Figures, and for each its 95 % interval (low, high) from a bootstrap over people.

    accuracy: mean over the folds, NaN where people are too few for two folds; accuracy_std: of it
    over the folds. A TAR is NaN where there
    are too few pairs of two people to see such a FAR at all. undetected: pictures without a face.
    """

    accuracy: float
    accuracy_std: float
    auc: float
    tar_at_far_1pct: float
    tar_at_far_01pct: float
    pairs: int
    people: int
    undetected: int
    intervals: dict[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """NaN becomes null."""
        result: dict[str, Any] = {
            name: _rounded(value) for name, value in vars(self).items() if name != "intervals"
        }
        result["intervals_95"] = {
            name: [_rounded(low), _rounded(high)] for name, (low, high) in self.intervals.items()
        }
        return result


def pair_scores(embeddings: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Cosine of each pair, float64[P]; embeddings float[N, D] of length 1, by picture."""
    first = embeddings[pairs.first].astype(np.float64)
    return np.asarray(np.einsum("pd,pd->p", first, embeddings[pairs.second].astype(np.float64)))


def verify(
    scores: np.ndarray,
    pairs: Pairs,
    *,
    seed: int = 0,
    bootstraps: int = BOOTSTRAPS,
    undetected: int = 0,
) -> Verification:
    """Figures of scores float[P], larger meaning more alike.

    Raises `DataError` when pairs of one person or of two are lacking.
    """
    same = pairs.same
    if not same.any() or same.all():
        raise DataError("verification needs pairs of one person and pairs of two")
    fold_accuracy, right = _folds(scores, pairs)
    if len(fold_accuracy) < 2:
        fold_accuracy = np.array([np.nan])
    weights = np.ones(len(scores))
    figures = _weighted(scores, same, weights)
    samples: dict[str, list[float]] = {name: [] for name in ("accuracy", *figures)}
    rng = np.random.default_rng(seed)
    for _ in range(bootstraps):
        weights = _bootstrap_weights(pairs, rng)
        if not (weights[same].any() and weights[~same].any()):
            continue
        held = _balanced_mean(right, same, weights) if len(fold_accuracy) > 1 else np.nan
        samples["accuracy"].append(held)
        for name, value in _weighted(scores, same, weights).items():
            samples[name].append(value)
    people = len(np.unique(pairs.people))
    return Verification(
        accuracy=float(fold_accuracy.mean()),
        accuracy_std=float(fold_accuracy.std()),
        **figures,
        pairs=len(scores),
        people=people,
        undetected=undetected,
        intervals={name: _interval(values, people) for name, values in samples.items()},
    )


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold with the highest accuracy, midway between adjacent scores.

    Of several equally good ones, the middle one.
    """
    order = np.argsort(scores, kind="stable")
    ranked, truth = scores[order], same[order]
    # right when the first k pairs are called different and the others the same
    right = np.concatenate([[0], np.cumsum(~truth)]) + truth.sum() - np.append(0, np.cumsum(truth))
    edges = np.concatenate(
        [[ranked[0] - 1e-6], (ranked[1:] + ranked[:-1]) / 2, [ranked[-1] + 1e-6]]
    )
    distinct = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])
    best = np.flatnonzero(distinct & (right == right[distinct].max()))
    return float(edges[best[len(best) // 2]])


def _folds(scores: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of each fold that has pairs, and for each pair whether it was decided rightly."""
    right = np.zeros(len(scores), dtype=bool)
    accuracies = []
    for fold in np.unique(pairs.fold):
        held = pairs.fold == fold
        rest = ~held if not held.all() else held
        threshold = best_threshold(scores[rest], pairs.same[rest])
        right[held] = (scores[held] >= threshold) == pairs.same[held]
        accuracies.append(right[held].mean())
    return np.array(accuracies), right


def _weighted(scores: np.ndarray, same: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """AUC and the TARs, each pair counted by its weight, equal scores by half."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(ranked[1:] < ranked[:-1], True)  # the last pair of each distinct score
    tar = np.cumsum(np.where(same, weights, 0.0)[order])[last]
    far = np.cumsum(np.where(same, 0.0, weights)[order])[last]
    impostors = far[-1]
    tar, far = np.append(0.0, tar / tar[-1]), np.append(0.0, far / impostors)
    result = {"auc": float(np.sum((far[1:] - far[:-1]) * (tar[1:] + tar[:-1]) / 2))}
    for name, limit in FAR_LIMITS.items():
        seen = (~same).sum() * limit >= 1
        reached = tar[np.searchsorted(far, limit + 1e-12, side="right") - 1]
        result[name] = float(reached) if seen else float("nan")
    return result


def _bootstrap_weights(pairs: Pairs, rng: np.random.Generator) -> np.ndarray:
    """People drawn with replacement; a pair of two people counts as often as both were drawn."""
    _, index = np.unique(pairs.people, return_inverse=True)
    index = index.reshape(pairs.people.shape)
    count = int(index.max()) + 1
    drawn = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
    return np.asarray(
        np.where(pairs.same, drawn[index[:, 0]], drawn[index[:, 0]] * drawn[index[:, 1]])
    )


def _balanced_mean(right: np.ndarray, same: np.ndarray, weights: np.ndarray) -> float:
    """Weighted share of right decisions, the two kinds of pairs by their number in the data."""
    share = same.mean()
    on_same = np.average(right[same], weights=weights[same])
    on_other = np.average(right[~same], weights=weights[~same])
    return float(share * on_same + (1 - share) * on_other)


def verification_words(figures: Mapping[str, Any]) -> str:
    """The AUC of `Verification.to_json`, with what it is of and how sure it is."""
    low, high = figures["intervals_95"]["auc"]
    sure = "" if low is None else f", 95 %: {low:.3f} to {high:.3f}"
    return (
        f"AUC {figures['auc']:.4f} of {counted(figures['pairs'], 'pair')} of {figures['people']} "
        f"people (chance 0.5{sure})"
    )


def _interval(values: list[float], people: int) -> tuple[float, float]:
    """Of bootstrapped values. Where all are 1 or all are 0, as with few pairs that were all right,
    they know nothing of the spread: then the exact bound of as many trials as there are people
    (Clopper and Pearson, 1934)."""
    if not values or np.isnan(values).any():
        return float("nan"), float("nan")
    low, high = map(float, np.percentile(values, [2.5, 97.5]))
    sure = 0.025 ** (1 / people)
    return (min(low, sure) if low == 1 else low), (max(high, 1 - sure) if high == 0 else high)


def _rounded(value: float) -> float | int | None:
    if isinstance(value, int):
        return value
    return None if np.isnan(value) else round(float(value), 4)
