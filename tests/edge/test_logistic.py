"""Logistic regression: the minimum is a minimum, is the known one, and is always the same."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import InputError
from edge.heads.logistic import LogisticModel, balanced_weights, fit_logistic


def problem(seed: int = 0, count: int = 200, size: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, size))
    truth = rng.standard_normal(size)
    return x, x @ truth + rng.standard_normal(count) > 0.3


def loss(
    x: np.ndarray, positive: np.ndarray, model: LogisticModel, l2: float, weight: np.ndarray
) -> float:
    signed = np.where(positive, 1, -1) * (x @ model.weights + model.bias)
    mean = weight @ np.logaddexp(0, -signed) / weight.sum()
    return float(mean + 0.5 * l2 * model.weights @ model.weights)


@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-5])
def test_no_step_in_any_direction_lowers_the_loss(l2: float) -> None:
    x, positive = problem()
    weight = np.random.default_rng(1).random(len(x))
    model = fit_logistic(x, positive, l2=l2, weight=weight)
    least = loss(x, positive, model, l2, weight)
    rng = np.random.default_rng(2)
    for _ in range(50):
        step = 1e-3 * rng.standard_normal(6)
        near = LogisticModel(model.weights + step[:5], model.bias + step[5])
        assert loss(x, positive, near, l2, weight) > least


def test_the_gradient_vanishes() -> None:
    x, positive = problem()
    model = fit_logistic(x, positive, l2=0.01)
    probability = 1 / (1 + np.exp(-model.logits(x)))
    gradient = x.T @ (probability - positive) / len(x) + 0.01 * model.weights
    assert np.abs(gradient).max() < 1e-4
    assert abs((probability - positive).mean()) < 1e-4


def test_one_dimension_against_a_solution_by_hand() -> None:
    # two points at +1 and -1, symmetric, so b = 0 and w solves l2 w = 1 / (1 + e^w)
    model = fit_logistic(np.array([[1.0], [-1.0]]), np.array([True, False]), l2=0.1)
    w = float(model.weights[0])
    assert abs(model.bias) < 1e-6
    assert abs(0.1 * w - 1 / (1 + np.exp(w))) < 1e-5


def test_separable_data_stay_finite() -> None:
    x = np.concatenate([np.full((20, 3), 2.0), np.full((20, 3), -2.0)])
    model = fit_logistic(x, np.arange(40) < 20, l2=1e-6)
    assert np.isfinite(model.weights).all()
    assert (model.logits(x)[:20] > 0).all()
    assert (model.logits(x)[20:] < 0).all()


def test_weight_is_as_good_as_repetition() -> None:
    x, positive = problem(count=40)
    twice = fit_logistic(np.concatenate([x, x[:10]]), np.append(positive, positive[:10]), l2=0.1)
    weight = np.where(np.arange(40) < 10, 2.0, 1.0)
    assert np.allclose(twice.weights, fit_logistic(x, positive, l2=0.1, weight=weight).weights)


def test_a_penalty_on_one_direction_flattens_it() -> None:
    x, positive = problem()
    free = fit_logistic(x, positive, l2=0.01)
    held = fit_logistic(x, positive, l2=0.01, penalty=np.array([1e6, 1, 1, 1, 1]))
    assert abs(held.weights[0]) < 1e-3 < abs(free.weights[0])
    same = fit_logistic(x, positive, l2=0.01, penalty=np.eye(5))
    assert np.allclose(same.weights, free.weights)


def test_same_numbers_same_bytes_and_any_start() -> None:
    x, positive = problem()
    first, second = (fit_logistic(x, positive, l2=0.01) for _ in range(2))
    assert first.weights.tobytes() == second.weights.tobytes()
    elsewhere = fit_logistic(x, positive, l2=0.01, start=LogisticModel(np.full(5, 9.0), -9.0))
    assert np.allclose(elsewhere.weights, first.weights, atol=1e-4)


def test_balanced_weights() -> None:
    weight = balanced_weights(np.array([True, False, False, False]), positive_share=0.25)
    assert np.allclose(weight, [0.25, 0.25, 0.25, 0.25])
    uneven = balanced_weights(np.array([True, True, False]), np.array([1.0, 3.0, 1.0]))
    assert np.allclose(uneven, [0.125, 0.375, 0.5])


@pytest.mark.parametrize(
    ("x", "positive", "l2"),
    [
        (np.ones((3, 2)), np.array([True, True, True]), 0.1),
        (np.ones((3, 2)), np.array([True, False]), 0.1),
        (np.array([[np.nan], [1.0]]), np.array([True, False]), 0.1),
        (np.ones((2, 1)), np.array([True, False]), 0.0),
    ],
)
def test_what_cannot_be_fitted_is_refused(x: np.ndarray, positive: np.ndarray, l2: float) -> None:
    with pytest.raises(InputError):
        fit_logistic(x, positive, l2=l2)
