"""How well attributes are recognized, every figure beside what always guessing the majority gives.

Accuracy alone flatters: on CelebA the majority class of each attribute scores 0.80 on average.
Labels of -1 count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

USEFUL_MARGIN = 0.03
"""Mean accuracy above the majority class from which a base has learned something useful."""

CALIBRATION_BINS = 15
"""Equal-width bins of the expected calibration error (Guo et al., ICML 2017)."""

NOTHING_LEARNED = "has learned nothing useful"


@dataclass(frozen=True)
class Figures:
    """Figures of one attribute, or the means over attributes. Shares 0..1; NaN where a figure
    means nothing (balanced accuracy and F1 need both classes).

    images: labelled ones (their mean number, in a mean). positive_share: of them labelled 1.
    majority_accuracy: of always answering the commoner class. calibration_error: expected
    calibration error of the probability that the attribute is present.
    """

    images: float
    positive_share: float
    accuracy: float
    majority_accuracy: float
    balanced_accuracy: float
    f1: float
    calibration_error: float

    def to_json(self) -> dict[str, Any]:
        """NaN becomes null."""
        values = {name: round(float(value), 4) for name, value in vars(self).items()}
        return {name: None if np.isnan(v) else v for name, v in values.items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Figures:
        """Back from `to_json`; null becomes NaN."""
        names = cls.__dataclass_fields__
        return cls(**{n: float("nan") if data[n] is None else float(data[n]) for n in names})


@dataclass(frozen=True)
class AttributeReport:
    """Figures of every attribute at its threshold. images: with at least one label."""

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    per_attribute: tuple[Figures, ...]
    images: int

    @property
    def mean(self) -> Figures:
        """The means over the attributes that have labels."""
        rows = np.array([list(vars(f).values()) for f in self.per_attribute], dtype=np.float64)
        rows = rows[rows[:, 0] > 0]
        counts = (~np.isnan(rows)).sum(axis=0)
        sums = np.nansum(rows, axis=0)
        return Figures(*np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).tolist())

    @property
    def margin(self) -> float:
        """Mean accuracy less mean majority accuracy."""
        return self.mean.accuracy - self.mean.majority_accuracy

    @property
    def learned_something(self) -> bool:
        """Whether the margin over the majority class reaches `USEFUL_MARGIN`."""
        return bool(self.margin >= USEFUL_MARGIN)  # False for NaN

    def verdict(self) -> str:
        """One clause for people: the margin and what it means."""
        mean = self.mean
        text = (
            f"accuracy {mean.accuracy:.3f}, {100 * self.margin:+.1f} points against always "
            f"answering the majority ({mean.majority_accuracy:.3f})"
        )
        return text if self.learned_something else f"{NOTHING_LEARNED}: {text}"

    def to_json(self) -> dict[str, Any]:
        """The means on top, `images` counted over all, and `per_attribute` by name."""
        rows = zip(self.names, self.thresholds, self.per_attribute, strict=True)
        return {
            **self.mean.to_json(),
            "images": self.images,
            "margin": round(self.margin, 4) if np.isfinite(self.margin) else None,
            "learned_something": self.learned_something,
            "per_attribute": {
                name: {"threshold": round(threshold, 4), **figures.to_json()}
                for name, threshold, figures in rows
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AttributeReport:
        """Back from `to_json`, rounded as that is."""
        rows = data["per_attribute"]
        return cls(
            names=tuple(rows),
            thresholds=tuple(float(row["threshold"]) for row in rows.values()),
            per_attribute=tuple(Figures.from_json(row) for row in rows.values()),
            images=int(data["images"]),
        )


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float64, of logits of any shape."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64))))


def measure_attributes(
    logits: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    thresholds: Sequence[float] | None = None,
) -> AttributeReport:
    """Figures of every attribute.

    logits: float[N, A]. labels: int8[N, A], 1, 0, or -1 which is left out. thresholds: probability
    from which each attribute is called present, 0.5 by default.
    """
    limits = [0.5] * len(names) if not thresholds else [float(t) for t in thresholds]
    probability = sigmoid(logits)
    return AttributeReport(
        names=tuple(names),
        thresholds=tuple(limits),
        per_attribute=tuple(
            _figures(probability[:, a], labels[:, a], limit) for a, limit in enumerate(limits)
        ),
        images=int((labels >= 0).any(axis=1).sum()),
    )


def calibration_error(probability: np.ndarray, truth: np.ndarray) -> float:
    """Expected calibration error: |mean probability - share of positives|, averaged over bins by
    their number of images. probability: float[N]; truth: bool[N]. NaN without images.
    """
    if len(probability) == 0:
        return float("nan")
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = np.bincount(bins, probability - truth, minlength=CALIBRATION_BINS)
    return float(np.abs(gap).sum() / len(probability))


def majority_accuracy(labels: np.ndarray) -> float:
    """Mean over attributes of the commoner class's share; labels int8[N, A], -1 left out."""
    known = labels >= 0
    share = (labels == 1).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    used = known.any(axis=0)
    return float(np.maximum(share, 1 - share)[used].mean()) if used.any() else float("nan")


def _figures(probability: np.ndarray, labels: np.ndarray, threshold: float) -> Figures:
    known = labels >= 0
    probability, truth = probability[known], labels[known] == 1
    called = probability >= threshold
    images = int(known.sum())
    positives = int(truth.sum())
    hits, false_alarms = int((called & truth).sum()), int((called & ~truth).sum())
    rejected = images - positives - false_alarms
    nan = float("nan")
    both = 0 < positives < images
    share = positives / images if images else nan
    return Figures(
        images=images,
        positive_share=share,
        accuracy=(hits + rejected) / images if images else nan,
        majority_accuracy=max(share, 1 - share),
        balanced_accuracy=(hits / positives + rejected / (images - positives)) / 2 if both else nan,
        f1=2 * hits / (hits + false_alarms + positives) if positives else nan,
        calibration_error=calibration_error(probability, truth),
    )
