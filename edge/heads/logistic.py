"""L2-regularized logistic regression by Newton's method: the one implementation of all machines.

Minimizes the weighted mean of log(1 + exp(-y f(x))) plus (l2 / 2) w'Pw over f(x) = w'x + b, with
y = 1 or -1; the bias is free. P is the identity unless a penalty is given. The problem is strictly
convex, so that the same numbers give the same solution (Hastie, Tibshirani, Friedman, The Elements
of Statistical Learning, 4.4.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.errors import InputError

MAX_STEPS = 60
TOLERANCE = 1e-8
"""Of the squared Newton decrement, which bounds the distance to the minimum."""


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """weights: float64[D]. bias: added to the products. steps: Newton steps that it took."""

    weights: np.ndarray
    bias: float
    steps: int = 0

    def logits(self, x: np.ndarray) -> np.ndarray:
        """float64[N] of x, float[N, D]; larger is likelier positive."""
        return np.asarray(x, np.float64) @ self.weights + self.bias


def fit_logistic(
    x: np.ndarray,
    positive: np.ndarray,
    *,
    l2: float,
    weight: np.ndarray | None = None,
    penalty: np.ndarray | None = None,
    start: LogisticModel | None = None,
) -> LogisticModel:
    """Fit by Newton's method with step halving.

    x: float[N, D]; positive: bool[N]; l2: > 0, against the mean loss; weight: float[N] >= 0, equal
    by default, scaled to a sum of 1; penalty: P, float64[D] for a diagonal or float64[D, D],
    symmetric and positive definite. start: where to begin, such as the solution for another l2.

    Raises `InputError` where a class is missing, shapes differ, or a number is not finite.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    y, w = _checked(x, positive, weight, l2)
    p = _penalty_matrix(penalty, x.shape[1]) * l2
    theta = np.zeros(x.shape[1] + 1)
    if start is not None:
        theta[:-1], theta[-1] = start.weights, start.bias
    else:
        theta[-1] = np.log(w[y > 0].sum() / w[y < 0].sum())
    value = _value(x, y, w, p, theta)
    steps = 0
    while steps < MAX_STEPS:
        steps += 1
        gradient, hessian = _derivatives(x, y, w, p, theta)
        direction = np.linalg.solve(hessian, -gradient)
        decrement = -float(gradient @ direction)
        if decrement < TOLERANCE:
            break
        theta, value, moved = _line_search(x, y, w, p, theta, direction, value, decrement)
        if not moved:
            break
    return LogisticModel(theta[:-1].copy(), float(theta[-1]), steps)


def balanced_weights(
    positive: np.ndarray, weight: np.ndarray | None = None, *, positive_share: float = 0.5
) -> np.ndarray:
    """Sample weights float64[N] of sum 1 in which the positives have `positive_share`.

    weight: relative weights within each class, float[N], equal by default.
    """
    base = np.ones(len(positive)) if weight is None else np.asarray(weight, np.float64)
    result = np.empty(len(positive), np.float64)
    for chosen, share in ((positive, positive_share), (~positive, 1.0 - positive_share)):
        result[chosen] = share * base[chosen] / max(float(base[chosen].sum()), 1e-300)
    return result


def _checked(
    x: np.ndarray, positive: np.ndarray, weight: np.ndarray | None, l2: float
) -> tuple[np.ndarray, np.ndarray]:
    """Labels as 1 and -1, and weights of sum 1, both float64[N]."""
    positive = np.asarray(positive, bool)
    weights = np.ones(len(x)) if weight is None else np.asarray(weight, np.float64)
    if x.ndim != 2 or positive.shape != (len(x),) or weights.shape != (len(x),):
        raise InputError(f"logistic regression got x {x.shape}, labels {positive.shape}")
    if not (np.isfinite(x).all() and np.isfinite(weights).all() and (weights >= 0).all()):
        raise InputError("logistic regression got numbers that are not finite, or weights below 0")
    if not np.isfinite(l2) or l2 <= 0:
        raise InputError(f"the regularization must be larger than 0, got {l2}")
    if not weights[positive].any() or not weights[~positive].any():
        raise InputError("logistic regression needs examples of both kinds")
    return np.where(positive, 1.0, -1.0), weights / weights.sum()


def _penalty_matrix(penalty: np.ndarray | None, size: int) -> np.ndarray:
    if penalty is None:
        return np.eye(size)
    matrix = np.asarray(penalty, np.float64)
    matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        raise InputError(f"the penalty must be a finite {size}x{size} matrix")
    return matrix


def _value(x: np.ndarray, y: np.ndarray, w: np.ndarray, p: np.ndarray, theta: np.ndarray) -> float:
    margin = y * (x @ theta[:-1] + theta[-1])
    return float(w @ np.logaddexp(0.0, -margin) + 0.5 * theta[:-1] @ p @ theta[:-1])


def _derivatives(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, p: np.ndarray, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient float64[D + 1] and Hessian float64[D + 1, D + 1]."""
    size = x.shape[1]
    wrong = 0.5 * (1.0 - np.tanh(0.5 * y * (x @ theta[:-1] + theta[-1])))
    pull = -w * y * wrong
    curve = w * wrong * (1.0 - wrong)
    gradient = np.append(x.T @ pull + p @ theta[:-1], pull.sum())
    curved = x * curve[:, None]
    hessian = np.empty((size + 1, size + 1))
    hessian[:size, :size] = x.T @ curved + p
    hessian[:size, size] = hessian[size, :size] = curved.sum(axis=0)
    hessian[size, size] = curve.sum() + 1e-12
    return gradient, hessian


def _line_search(
    x: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    p: np.ndarray,
    theta: np.ndarray,
    direction: np.ndarray,
    value: float,
    decrement: float,
) -> tuple[np.ndarray, float, bool]:
    """Halve the step until the loss falls enough (Armijo); False where it no longer does."""
    length = 1.0
    while length > 1e-8:
        trial = theta + length * direction
        lower = _value(x, y, w, p, trial)
        if lower <= value - 1e-4 * length * decrement:
            return trial, lower, True
        length /= 2
    return theta, value, False
