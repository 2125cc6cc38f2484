"""Strangers by group: counted over people, and never called equal where so many do not carry it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from embedding_factory import World
from register_factory import a_cohort, head_of, write_bundle

from edge.heads.calibration import highest_scores, recalibrate
from edge.heads.calibration_record import Unstated
from edge.heads.group_rates import (
    ALL,
    GroupRates,
    group_rates,
    lower_bound,
    measured_for,
    rates_of_all,
)
from edge.heads.threshold import Rate, upper_bound
from export.verify.contents import inspect

WORLD = World(12, noise=0.9)
PLAIN = a_cohort(WORLD, people=240)
COHORT = replace(
    PLAIN, group=(PLAIN.identity % 3 == 0).astype(np.uint8), groups=("press", "portraits")
)
HEADS = [head_of(f"p{n}", WORLD.pictures(WORLD.person(), 10), COHORT) for n in range(3)]


def test_strangers_are_counted_by_their_group() -> None:
    low = [replace(head, threshold=2.0) for head in HEADS]  # so that some get in
    hold = COHORT.halves()[1]
    group = hold.group_of_people()
    accepted = np.any([highest_scores(head, COHORT) >= 2.0 for head in low], axis=0)
    assert accepted.sum() > 5
    found = dict(group_rates(low, COHORT).groups)
    assert found == {
        name: Rate(int(accepted[group == n].sum()), int((group == n).sum()))
        for n, name in enumerate(("press", "portraits"))
    }
    names = [name for name, _ in rates_of_all(low, COHORT)]
    assert names == ["p0", "p1", "p2", ALL]
    one = dict(rates_of_all(low[:1], COHORT))["p0"]
    assert sum(rate.events for _, rate in one.groups) <= accepted.sum()


def test_heads_that_cannot_be_asked_are_left_out() -> None:
    head = HEADS[0]
    others = [
        replace(head, embedder_sha256="cd" * 32),
        replace(head, calibration=Unstated()),
    ]
    assert group_rates(others, COHORT).groups == ()
    assert rates_of_all(others, COHORT) == ()
    assert [name for name, _ in rates_of_all([*others, head], COHORT)] == ["p0"]


def test_equal_is_refused_where_so_few_do_not_carry_it() -> None:
    few = GroupRates((("a", Rate(0, 100)), ("b", Rate(0, 1000))))
    assert (few.worst[0], few.best[0]) == ("a", "b")
    assert few.ratio == (0.0, math.inf)
    assert few.verdict == "neither equal nor different: 100 and 1000 people do not carry it"
    assert few.to_json()["ratio"] == [0.0, None]
    many = GroupRates((("a", Rate(5200, 50_000)), ("b", Rate(5000, 50_000))))
    assert many.verdict == "equal within a factor of 2"
    least, most = many.ratio
    assert least < 5200 / 5000 < most
    apart = GroupRates((("a", Rate(30, 100)), ("b", Rate(1, 100))))
    assert apart.verdict == "different: a is accepted more often than b"
    assert "worst over best 4.8 to 7" in str(apart)
    assert apart.ratio[0] == lower_bound(Rate(30, 100)) / upper_bound(1, 100)


def test_a_cohort_of_one_group_measures_nothing_of_groups() -> None:
    (only,) = rates_of_all(HEADS[:1], PLAIN)
    assert str(only[1]) == "the strangers are of one group: nobody has measured others"
    assert only[1].to_json()["ratio"] is None
    known, unknown = measured_for(PLAIN)
    assert known.endswith("strangers, of whom nothing is told")
    assert unknown.startswith("any age, origin, sex by itself")
    known, unknown = measured_for(COHORT)
    assert "press" in known and "portraits" in known
    assert unknown.startswith("sex, glasses")


def test_inspect_names_the_groups(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "family.edge", COHORT, recalibrate(HEADS, COHORT))
    seen = inspect(path)
    assert seen.groups == rates_of_all(recalibrate(HEADS, COHORT), COHORT)
    text = "\n".join(seen.lines())
    assert f"groups    {ALL}: most often accepted " in text
    assert "nobody has for: sex, glasses" in text
    assert [each["who"] for each in seen.to_json()["groups"]] == ["p0", "p1", "p2", ALL]
