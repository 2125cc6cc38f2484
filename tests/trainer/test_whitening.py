"""Whitening: what people differ in counts less, what they share counts more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from embedding_factory import World, unit

from edge.heads.head import KERNEL, Head
from trainer.task.head import TaskExamples, TaskFit, fit_task_head
from trainer.task.whitening import Whitening

WORLD = World(7)
COHORT = WORLD.cohort()
WHITENING = Whitening.of(COHORT)


def test_strangers_differ_as_much_in_all_directions() -> None:
    plain = COHORT.vectors()[COHORT.variant == 0].astype(np.float64)
    before = np.linalg.eigvalsh(np.cov(plain.T))
    after = np.linalg.eigvalsh(np.cov(WHITENING.apply(plain).T))
    assert before.max() / np.median(before) > 1.5 * after.max() / np.median(after)
    np.testing.assert_allclose(WHITENING.apply(plain).mean(axis=0), 0, atol=1e-6)


def test_none_leaves_embeddings_as_they_are() -> None:
    rows = WORLD.pictures(WORLD.person(), 5).astype(np.float64)
    none = Whitening.none(WORLD.size).scaled_for(rows)
    np.testing.assert_allclose(none.apply(rows), rows, rtol=1e-5)


def test_scaled_to_a_mean_squared_length_of_one() -> None:
    rows = WORLD.pictures(WORLD.person(), 30).astype(np.float64)
    made = WHITENING.scaled_for(rows).apply(rows)
    assert abs(np.mean(np.sum(made**2, axis=1)) - 1.0) < 1e-9


SCALE = np.repeat([1.0, 0.1], 8)
"""People differ much in some directions and hardly in others."""


def people_of(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, len(SCALE))) * SCALE


def with_and_without(seed: int, people: int = 10, looks: int = 8) -> TaskExamples:
    """People with glasses and without, which show only where people hardly differ."""
    rng = np.random.default_rng([seed, 1])
    group = np.repeat(np.arange(people), looks)
    answer = rng.random(len(group)) < 0.5
    glasses = np.where(SCALE < 0.5, 0.12, 0.0)
    rows = people_of(people, seed)[group] + np.where(answer[:, None], glasses, -glasses)
    owner = np.repeat(np.arange(len(rows)), 2)
    varied = rows[owner] + 0.01 * rng.normal(size=(len(owner), len(SCALE)))
    x, varied = (unit(part).astype(np.float64) for part in (rows, varied))
    return TaskExamples(x, varied, owner, answer, group)


def whitening_of_strangers() -> Whitening:
    return Whitening.of(
        replace(
            COHORT,
            embeddings=unit(people_of(400, 0)).astype(np.float16),
            identity=np.arange(400, dtype=np.int32),
            variant=np.zeros(400, np.uint8),
            variants=("plain",),
            group=np.zeros(400, np.uint8),
        )
    )


def test_glasses_count_more_beside_who_it_is() -> None:
    known = with_and_without(1)
    both = [g for g in range(10) if len(np.unique(known.answer[known.group == g])) == 2]

    def glasses_against_people(x: np.ndarray) -> float:
        """Length of what glasses change in a person, over the distance of two people."""
        answer, group = known.answer, known.group
        means = [
            [x[(group == g) & (answer == a)].mean(axis=0) for g in both] for a in (True, False)
        ]
        worn, bare = np.array(means[0]), np.array(means[1])
        change = np.linalg.norm(worn - bare, axis=1).mean()
        return float(change / np.linalg.norm(bare[1:] - bare[:-1], axis=1).mean())

    plain = glasses_against_people(known.x)
    assert glasses_against_people(whitening_of_strangers().apply(known.x)) > 1.5 * plain


def test_a_head_in_that_space_takes_embeddings_as_they_are() -> None:
    known = replace(with_and_without(1), whitening=whitening_of_strangers())
    fit = fit_task_head(known, (KERNEL,), 0)
    head = Head("glasses", fit.kind, "0" * 64, fit.layers, threshold=0.0)
    scores = Head.from_bytes(head.to_bytes()).score(known.x.astype(np.float32))
    assert np.mean((scores > 0) == known.answer) > 0.97
    assert np.corrcoef(scores, fit.held_out)[0, 1] > 0.8
    assert share_right(fit, with_and_without(2)) > 0.9


def share_right(fit: TaskFit, fresh: TaskExamples) -> float:
    head = Head("glasses", fit.kind, "0" * 64, fit.layers, threshold=0.0)
    return float(np.mean(head.accepts(fresh.x.astype(np.float32)) == fresh.answer))
