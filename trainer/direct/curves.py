"""Curves of a direct run: how its network did, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, eq=False)
class Curves:
    """By epoch, float64[E] each: losses and accuracies in training and on pictures of people who
    are not trained on; NaN where there are none. frozen: epochs before fine-tuning starts.
    """

    frozen: int
    loss: np.ndarray
    accuracy: np.ndarray
    val_loss: np.ndarray
    val_accuracy: np.ndarray

    def to_json(self) -> dict[str, Any]:
        rows = {name: getattr(self, name) for name in CURVES}
        lists = {n: [None if x != x else round(float(x), 5) for x in v] for n, v in rows.items()}
        return {**lists, "fine_tuning_starts_after_epoch": self.frozen}


def mean_curves(curves: list[Curves]) -> Curves:
    """The means over folds."""
    means = {n: np.mean([getattr(one, n) for one in curves], axis=0) for n in CURVES}
    return Curves(curves[0].frozen, **means)
