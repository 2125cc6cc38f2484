"""Bounds against published numbers; thresholds that promise no more than strangers can show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge.errors import InputError, RefusedError
from edge.heads.threshold import (
    ESTIMATED,
    ONE,
    POOR,
    PROVEN,
    SEVERAL,
    STRANGER_LEVEL,
    CameraEffect,
    Evidence,
    Rate,
    Tail,
    check_target,
    choose_threshold,
    det_curve,
    false_accepts,
    false_rejects,
    highest_per_person,
    level_for_heads,
    nearest_tail,
    people_needed,
    provable_far,
    stranger_bound,
    stranger_reach,
    upper_bound,
)

PUBLISHED = [
    (0, 10, 0.2588656),
    (1, 10, 0.3941633),
    (3, 50, 0.1478372),
    (0, 3000, 0.00099808),
    (5, 1000, 0.01048408),
]
"""One-sided 95 % limits: the beta quantile (0.95; k + 1, n - k), computed by SciPy 1.17."""


@pytest.mark.parametrize(("events", "trials", "upper"), PUBLISHED)
def test_exact_bounds(events: int, trials: int, upper: float) -> None:
    assert upper_bound(events, trials) == pytest.approx(upper, rel=1e-5)


def test_nobody_of_n_is_about_three_over_n() -> None:
    for n in (100, 1000, 5000):
        assert upper_bound(0, n) == pytest.approx(3 / n, rel=0.02)
        assert provable_far(n) <= 3 / n


def test_everybody_and_nobody() -> None:
    assert upper_bound(4, 4) == 1.0
    assert upper_bound(0, 0) == 1.0
    with pytest.raises(InputError):
        upper_bound(5, 4)
    assert math.isnan(Rate(0, 0).value)
    assert Rate(1, 4).to_json()["rate"] == 0.25


def test_the_bound_covers_the_truth() -> None:
    """In at least 95 of 100 worlds the bound lies above the rate that made the data."""
    rng = np.random.default_rng(0)
    for truth in (0.01, 0.1):
        events = rng.binomial(200, truth, 2000)
        covered = np.mean([upper_bound(int(e), 200) >= truth for e in events])
        assert covered >= 0.95 - 0.01


def test_targets() -> None:
    needed = people_needed(0.001)
    assert check_target(0.001, needed) == PROVEN
    assert check_target(0.001, needed - 1) == ESTIMATED
    with pytest.raises(RefusedError, match=f"it takes {needed}"):
        check_target(0.001, needed - 1, strict=True)
    with pytest.raises(RefusedError, match="it takes at least 1000"):
        check_target(0.001, 999)
    for nonsense in (0.0, 1.0, -1.0):
        with pytest.raises(InputError):
            check_target(nonsense, 100)


def test_strangers_are_counted_by_person() -> None:
    scores = np.array([1.0, 5.0, 2.0, 3.0])
    identity = np.array([7, 7, 9, 9])
    assert highest_per_person(scores, identity).tolist() == [3.0, 5.0]
    assert false_accepts(scores, identity, 3.0) == Rate(2, 2)
    assert false_accepts(scores, identity, 3.1) == Rate(1, 2)


def test_bound_lets_pass_what_the_target_allows() -> None:
    highest = np.arange(500.0)
    assert (highest >= stranger_bound(highest, 0.006)).sum() == 0
    threshold = stranger_bound(highest, 0.02)
    passing = int((highest >= threshold).sum())
    assert upper_bound(passing, 500) <= 0.02 < upper_bound(passing + 1, 500)
    many = np.arange(3000.0)
    assert (many >= stranger_bound(many)).sum() == 3


def test_false_rejects_count_groups_not_frames() -> None:
    scores = np.array([1.0, 1.0, 5.0, 5.0, 5.0, 0.0])
    groups = np.array([0, 0, 1, 1, 2, 2])
    assert false_rejects(scores, groups, 3.0) == Rate(1, 3)
    assert false_rejects(scores, groups, 6.0) == Rate(3, 3)


TAILS = (Tail("press", 0.0, 1.0, 1000), Tail("like me", 0.9, 0.8, 200))


def test_the_group_that_scores_highest_sets_the_threshold() -> None:
    assert nearest_tail(TAILS).group == "like me"
    assert stranger_reach(TAILS, SEVERAL) == pytest.approx(0.9 + 0.8 * STRANGER_LEVEL)
    assert stranger_reach(TAILS[:1], SEVERAL) == pytest.approx(STRANGER_LEVEL)
    # a wide tail counts more than a high mean
    assert nearest_tail((*TAILS, Tail("wide", 0.2, 1.2, 60))).group == "wide"


def test_the_normal_tail_lets_through_what_it_promises() -> None:
    scores = np.random.default_rng(0).normal(0.4, 1.3, 200_000)
    tail = Tail("drawn", float(scores.mean()), float(scores.std()), len(scores))
    assert np.mean(scores >= tail.reach(STRANGER_LEVEL)) == pytest.approx(0.001, rel=0.2)
    before = scores + np.random.default_rng(1).normal(0.7, 0.4, len(scores))
    reach = tail.reach(STRANGER_LEVEL, CameraEffect(0.7, 0.4))
    assert np.mean(before >= reach) == pytest.approx(0.001, rel=0.2)


def test_threshold_knows_the_camera_and_the_gap() -> None:
    near, far = np.full(20, 4.5), np.full(20, 9.0)
    several = choose_threshold(Evidence(TAILS, near, camera=SEVERAL))
    one = choose_threshold(Evidence(TAILS, near, camera=ONE))
    poor = choose_threshold(Evidence(TAILS, near, camera=POOR))
    assert several == stranger_reach(TAILS, SEVERAL) < one < poor
    # a wide gap is shared, before one camera alone
    wide = choose_threshold(Evidence(TAILS, far, camera=ONE))
    assert one < wide < 9.0 - (wide - several)
    assert choose_threshold(Evidence(TAILS, far, camera=SEVERAL)) == several
    # whoever does not reach it himself is not let in with the strangers
    assert choose_threshold(Evidence(TAILS, np.full(20, 1.0), camera=ONE)) == one


def test_a_target_is_proven_by_counting() -> None:
    own, strangers = np.full(20, 7.0), np.append(np.linspace(-2, 3, 400), 5.0)
    given = Evidence(TAILS, own, camera=SEVERAL, strangers=strangers)
    assert choose_threshold(given, 0.001) > 5.0
    assert choose_threshold(given, 0.05) == choose_threshold(given) < 5.0


def test_more_heads_need_a_higher_level() -> None:
    levels = [level_for_heads(4.3, heads) for heads in (1, 2, 10)]
    assert levels[0] == 4.3 < levels[1] < levels[2] < 5.0


def test_hard_negatives_push_the_threshold_as_far_as_i_can_afford() -> None:
    own = np.linspace(6, 7, 100)
    assert choose_threshold(Evidence(TAILS, own, not_me=5.0)) > 5.2
    # above a twin who scores among my own pictures: no more than that
    twin = choose_threshold(Evidence(TAILS, own, not_me=6.3))
    assert 6.3 < twin < 6.31


def test_det_curve_is_what_counting_gives() -> None:
    rng = np.random.default_rng(0)
    own, strangers = rng.normal(3, 1, 40), rng.normal(0, 1, 300)
    thresholds, far, frr = det_curve(own, strangers)
    for t, a, r in zip(thresholds, far, frr, strict=True):
        assert a == pytest.approx(np.mean(strangers >= t))
        assert r == pytest.approx(np.mean(own < t))
    assert far[-1] == 0.0
    assert frr[-1] == 1.0
