"""Fitting: from one person's embeddings and strangers to the layers and normalization of a head.

Two things are added in the score, each in standard deviations over strangers: a linear part, which
L2 logistic regression separates from strangers, and the likeness to the nearest of the person's own
pictures, without which half profiles and sunglasses would drown in the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.heads.camera_shift import CameraShift
from edge.heads.head import LINEAR, HeadKind, Layer, linear_layers
from edge.heads.logistic import LogisticModel, balanced_weights, fit_logistic
from edge.heads.normalization import Normalization, likeness_to

L2_GRID = (0.3, 0.03, 0.003, 0.0005)
"""Regularizations tried, the strongest first. With the strongest, the weights are almost the mean
of my pictures less that of strangers."""

MAX_STRANGERS = 2500
"""Strangers that take part in a fit, so that a Raspberry Pi fits in seconds too."""

MAX_ROWS = 64
"""Own pictures that travel with a head; of more, the most different ones are taken."""

NEAREST_WEIGHT = 1.0
"""Weight of the nearest own picture against the linear part; measured, see RESULTS.md."""

NOT_ME_SHARE = 0.25
"""Share of the whole weight that somebody's hard negatives get together."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What a head is fitted on. Arrays float32[·, D] of length 1.

    own: pictures. varied: variations of them. strangers: of the training half, moved. not_me: hard
    negatives. norm: strangers of the other half, moved, on which scores are normalized.
    """

    own: np.ndarray
    varied: np.ndarray
    strangers: np.ndarray
    norm: np.ndarray
    not_me: np.ndarray


@dataclass(frozen=True, eq=False)
class Fit:
    """Layers and normalization, and what they were fitted with."""

    layers: tuple[Layer, ...]
    normalization: Normalization
    model: LogisticModel | None
    l2: float

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """float64[N] of embeddings float32[N, D], in standard deviations over strangers."""
        raw = _through(self.layers, embeddings)
        return self.normalization.apply(raw, embeddings)


@dataclass(frozen=True)
class Fitter:
    """A way to fit. kind: of the head. fit: from examples, shift, regularization and an earlier fit
    to begin with. grid: regularizations to try, the strongest first.
    """

    kind: HeadKind
    fit: Callable[[Examples, CameraShift, float, Fit | None], Fit]
    grid: tuple[float, ...]


def fit_linear(examples: Examples, shift: CameraShift, l2: float, start: Fit | None = None) -> Fit:
    """Fit a linear head with the nearest own picture beside it. Raises as `fit_logistic`."""
    model = _logistic(examples, shift, l2, start.model if start else None)
    layers = linear_layers(shift.removed(model.weights), model.bias)
    return Fit(layers, normalization_of(layers, examples, shift), model, l2)


LINEAR_FITTER = Fitter(LINEAR, fit_linear, L2_GRID)
"""The default."""


def normalization_of(
    layers: tuple[Layer, ...], examples: Examples, shift: CameraShift
) -> Normalization:
    """Put the layers' output and the nearest own picture on one scale, by strangers."""
    rows = own_rows(examples, shift)
    linear = _through(layers, examples.norm)
    likeness = likeness_to(examples.norm, rows, 1)
    mean, std = float(linear.mean()), _spread(linear)
    centre, spread = float(likeness.mean()), _spread(likeness)
    both = (linear - mean) / std + NEAREST_WEIGHT * (likeness - centre) / spread
    scale, offset = _spread(both), float(both.mean())
    return Normalization(
        kind="own",
        mean=mean + offset * std,
        std=std * scale,
        rows=rows,
        top=1,
        weight=-NEAREST_WEIGHT / scale,
        centre=centre,
        spread=spread,
    )


def own_rows(examples: Examples, shift: CameraShift) -> np.ndarray:
    """Own pictures less the strangers' mean, without the camera's part: float16[R, D]."""
    chosen = examples.own[most_different(examples.own, MAX_ROWS)]
    rows = chosen - examples.norm.mean(axis=0, dtype=np.float64)
    return np.asarray(shift.removed(rows), dtype=np.float16)


def most_different(vectors: np.ndarray, count: int) -> np.ndarray:
    """Rows, int[min(N, count)], picked one by one as the furthest from those picked already."""
    if len(vectors) <= count:
        return np.arange(len(vectors))
    picked = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    nearest = vectors @ vectors[picked[0]]
    while len(picked) < count:
        picked.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, vectors @ vectors[picked[-1]])
    return np.sort(np.array(picked))


def _logistic(
    examples: Examples, shift: CameraShift, l2: float, start: LogisticModel | None
) -> LogisticModel:
    own, varied, strangers = len(examples.own), len(examples.varied), len(examples.strangers)
    parts = (examples.own, examples.varied, examples.strangers, examples.not_me)
    x = shift.removed(np.concatenate(parts).astype(np.float64))
    positive = np.arange(len(x)) < own + varied
    relative = np.ones(len(x))
    if varied:
        relative[own : own + varied] = own / varied
    hard = len(examples.not_me)
    if hard:
        share = NOT_ME_SHARE / (1.0 - NOT_ME_SHARE)
        relative[own + varied + strangers :] = share * strangers / hard
    weight = balanced_weights(positive, relative)
    return fit_logistic(x, positive, l2=l2, weight=weight, start=start)


def _through(layers: tuple[Layer, ...], embeddings: np.ndarray) -> np.ndarray:
    values = embeddings.astype(np.float64)
    for layer in layers:
        values = layer.apply(values)
    return np.asarray(values[:, 0])


def _spread(values: np.ndarray) -> float:
    return max(float(values.std()), 1e-9)
