"""What many people in one bundle cost each of them, counted and said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from embedding_factory import World
from register_factory import a_cohort, album_of, head_of, open_bundle, write_bundle

from edge.heads.calibration import recalibrate, threshold_alone
from edge.heads.calibration_record import Unstated
from edge.heads.crowd import COSTLY, Crowd, crowd_of
from edge.heads.head import Head
from edge.heads.threshold import SEVERAL
from edge.people.registry import Registry
from export.verify.contents import inspect

WORLD = World(8, noise=1.1)
"""People whose pictures scatter widely, so that some lie near the threshold."""
COHORT = a_cohort(WORLD, people=160)
LOOKS = [WORLD.pictures(WORLD.person(), 12) for _ in range(4)]
HEADS = [head_of(f"p{number}", looks, COHORT) for number, looks in enumerate(LOOKS)]


def many(heads: list[Head], count: int) -> tuple[Head, ...]:
    """The heads under several names each, with thresholds for all of them."""
    names = (replace(heads[n % len(heads)], name=f"q{n}") for n in range(count))
    return recalibrate(list(names), COHORT)


def test_who_is_alone_loses_nothing() -> None:
    for head in HEADS:
        assert threshold_alone(head) == head.threshold
    with_target = recalibrate(HEADS[:1], COHORT, target_far=0.05)[0]
    assert threshold_alone(with_target) == with_target.threshold
    assert crowd_of(HEADS[:1]).lost == 0.0
    assert crowd_of([]).warnings == ()


def test_a_crowd_is_counted_by_its_own_looks() -> None:
    together = many(HEADS, 200)
    found = crowd_of(together)
    scores = [np.array(head.facts.own_scores) for head in together]
    assert (found.heads, found.looks) == (200, sum(map(len, scores)))
    assert found.rejected == sum(
        int((s < h.threshold).sum()) for s, h in zip(scores, together, strict=True)
    )
    assert found.alone == sum(int((s < HEADS[n % 4].threshold).sum()) for n, s in enumerate(scores))
    assert found.rejected > found.alone


def test_what_it_costs_is_said_with_figures() -> None:
    assert Crowd(30, 1000, 40, 20).warnings == (), f"no more than {COSTLY}"
    (said,) = Crowd(100, 1000, 81, 20).warnings
    assert said.startswith(
        "100 people are known together: 81 of 1000 of their own looks are rejected, 20 would be "
        "if each were the only one"
    )
    old = replace(HEADS[0], calibration=Unstated())
    assert crowd_of([old, HEADS[1]]).looks == 12, "of one who says how the threshold was set"


def test_enrolling_and_inspecting_tell_of_it(tmp_path: Path) -> None:
    together = many(HEADS, 60)
    path = write_bundle(tmp_path / "many.edge", COHORT, together)
    seen = inspect(path)
    assert seen.crowd == crowd_of(together)
    assert any(line.startswith("crowd     60 people") for line in seen.lines())
    found = Registry(open_bundle(path), folder=tmp_path / "people")
    found.enrol("Ana", album_of(LOOKS[0]), camera=SEVERAL, one_sitting=False)
    assert crowd_of(found.heads).heads == 61
    assert crowd_of(found.heads).rejected >= seen.crowd.rejected
