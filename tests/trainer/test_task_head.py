"""Heads of tasks: what is not along one direction is found by the kernel one."""

from __future__ import annotations

import numpy as np
import pytest

import trainer.task.head
from edge.heads.head import DENSE_128, KERNEL, LINEAR, Head
from edge.models.embedder import l2_normalized
from trainer.task.head import TaskExamples, TaskFit, best_threshold, fit_task_head

SIZE = 8


def examples(*, crossed: bool, seed: int = 0, people: int = 20, looks: int = 12) -> TaskExamples:
    """Faces of people at random places; the answer is a sign, or whether two signs are equal."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(people), looks)
    x = 0.15 * rng.normal(size=(people, SIZE))[group]
    signs = rng.choice([-1.0, 1.0], size=(len(x), 2))
    x[:, :2] += signs
    answer = signs.prod(axis=1) > 0 if crossed else signs[:, 0] > 0
    x += 0.1 * rng.normal(size=x.shape)
    owner = np.repeat(np.arange(len(x)), 2)
    varied = x[owner] + 0.05 * rng.normal(size=(len(owner), SIZE))
    return TaskExamples(_unit(x), _unit(varied), owner, answer, group)


def _unit(x: np.ndarray) -> np.ndarray:
    return l2_normalized(x).astype(np.float64)


def share_right(fit: TaskFit, fresh: TaskExamples) -> float:
    head = Head("glasses", fit.kind, "0" * 64, fit.layers, threshold=0.0)
    return float(np.mean(head.accepts(fresh.x.astype(np.float32)) == fresh.answer))


def test_a_crossed_question_takes_a_kernel() -> None:
    known, fresh = examples(crossed=True), examples(crossed=True, seed=1)
    assert share_right(fit_task_head(known, (LINEAR,), 0), fresh) < 0.65
    fit = fit_task_head(known, (LINEAR, KERNEL), 0)
    assert fit.kind == KERNEL
    assert share_right(fit, fresh) > 0.95


def test_a_dense_head_finds_it_too() -> None:
    known, fresh = examples(crossed=True), examples(crossed=True, seed=1)
    fit = fit_task_head(known, (DENSE_128,), 0)
    assert [layer.weights.shape for layer in fit.layers] == [(SIZE, 128), (128, 1)]
    assert share_right(fit, fresh) > 0.9


def test_of_equals_the_linear_head_is_taken() -> None:
    known, fresh = examples(crossed=False), examples(crossed=False, seed=1)
    fit = fit_task_head(known, (LINEAR, KERNEL), 0)
    assert fit.kind == LINEAR
    assert share_right(fit, fresh) > 0.95


def test_the_layers_score_as_the_fit_did() -> None:
    known = examples(crossed=True)
    fit = fit_task_head(known, (KERNEL,), 0)
    head = Head("glasses", fit.kind, "0" * 64, fit.layers, threshold=0.0)
    kept = Head.from_bytes(head.to_bytes())
    scores = kept.score(known.x.astype(np.float32))
    assert np.mean((scores > 0) == known.answer) > 0.97
    assert np.abs(scores).max() < 3
    assert np.all(np.abs(scores - fit.held_out) < 1.0)


def test_held_out_scores_know_nothing_of_their_group() -> None:
    """Answers by the toss of a coin for each group cannot be told out of fold."""
    known = examples(crossed=True)
    coin = np.random.default_rng(3).random(20) < 0.5
    tossed = TaskExamples(known.x, known.varied, known.varied_of, coin[known.group], known.group)
    fit = fit_task_head(tossed, (KERNEL,), 0)
    assert np.mean((fit.held_out > 0) == tossed.answer) < 0.7


def test_many_examples_are_represented_by_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.task.head, "MOST_EXAMPLES", 64)
    fit = fit_task_head(examples(crossed=True), (KERNEL,), 0)
    assert fit.layers[0].weights.shape == (SIZE, 64)
    assert share_right(fit, examples(crossed=True, seed=1)) > 0.9


def test_the_threshold_stays_where_the_fit_has_it_unless_that_is_clearly_wrong() -> None:
    rng = np.random.default_rng(0)
    answer = np.arange(400) % 2 == 0
    group = np.arange(400) // 20
    scores = np.where(answer, 1.0, -1.0) + 0.8 * rng.normal(size=400)
    assert best_threshold(scores, answer, group) == 0.0
    assert 1.0 < best_threshold(scores + 2.0, answer, group) < 2.5
    assert -2.5 < best_threshold(scores - 2.0, answer, group) < -1.0


def test_wrong_answers_get_a_threshold_that_accepts_all_or_nobody() -> None:
    scores = np.array([-2.0, -1.0, 3.0, 4.0])
    wrong = best_threshold(scores, np.array([True, True, False, False]), np.arange(4))
    assert np.isfinite(wrong)
