"""The dense head of a task: 128 sigmoid units and one linear one, fitted on all examples at once.

The classic new top on frozen features. A network so small learns best from whole batches; in NumPy
that takes a second, without TensorFlow, and gives the same head from the same seed.
"""

from __future__ import annotations

import numpy as np

from edge.heads.head import Layer
from edge.heads.logistic import balanced_weights

UNITS = 128

STEPS = 300
RATE = 0.05
"""Of Adam (Kingma, Ba, ICLR 2015), falling to 0 as a cosine."""

_DECAYS = (0.9, 0.999)
_EPSILON = 1e-8

_SMALLEST = 0.01
"""Deviation of a feature, relative to the largest, below which it is no more enlarged."""


def fit_layers(rows: np.ndarray, positive: np.ndarray, l2: float, seed: int) -> tuple[Layer, Layer]:
    """The layers for rows float64[N, D] with answers bool[N], both answers weighing the same.

    Fitted by logistic loss, and l2 times the squares of the weights, on rows that are scaled to
    mean 0 and deviation 1; the scale goes into the first layer.
    """
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    std = np.maximum(std, _SMALLEST * max(float(std.max()), 1e-6))
    x = (rows - mean) / std
    kernel, bias, last, last_bias = _fitted(x, positive.astype(np.float64), l2, seed)
    kernel = kernel / std[:, None]
    hidden = Layer(kernel.astype(np.float32), (bias - mean @ kernel).astype(np.float32), "sigmoid")
    return hidden, Layer(last.astype(np.float32), last_bias.astype(np.float32))


def _fitted(x: np.ndarray, answer: np.ndarray, l2: float, seed: int) -> list[np.ndarray]:
    """Kernel float64[D, UNITS], bias, last kernel float64[UNITS, 1], last bias."""
    rng = np.random.default_rng([seed, 13])
    values = [
        _glorot(rng, x.shape[1], UNITS), np.zeros(UNITS), _glorot(rng, UNITS, 1), np.zeros(1),
    ]  # fmt: skip
    weight = balanced_weights(answer > 0)
    moments = [(np.zeros_like(v), np.zeros_like(v)) for v in values]
    for step in range(1, STEPS + 1):
        rate = RATE * 0.5 * (1.0 + np.cos(np.pi * step / STEPS))
        for place, slope in enumerate(_gradient(values, x, answer, weight, l2)):
            first, second = moments[place]
            first += (1.0 - _DECAYS[0]) * (slope - first)
            second += (1.0 - _DECAYS[1]) * (slope**2 - second)
            sure, spread = (
                m / (1.0 - d**step) for m, d in zip((first, second), _DECAYS, strict=True)
            )
            values[place] = values[place] - rate * sure / (np.sqrt(spread) + _EPSILON)
    return values


def _gradient(
    values: list[np.ndarray], x: np.ndarray, answer: np.ndarray, weight: np.ndarray, l2: float
) -> list[np.ndarray]:
    kernel, bias, last, last_bias = values
    hidden = _sigmoid(x @ kernel + bias)
    error = (weight * (_sigmoid((hidden @ last + last_bias)[:, 0]) - answer))[:, None]
    back = error @ last.T * hidden * (1.0 - hidden)
    return [
        x.T @ back + 2.0 * l2 * kernel,
        back.sum(axis=0),
        hidden.T @ error + 2.0 * l2 * last,
        error.sum(axis=0),
    ]


def _glorot(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    limit = np.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns))


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))
