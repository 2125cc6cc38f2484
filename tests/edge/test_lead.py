"""The lead: what the next heads say of a look among many, and that few heads stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from embedding_factory import World
from register_factory import a_cohort, head_of

from edge.heads.calibration import recalibrate
from edge.heads.decision import HeadScore, decide
from edge.heads.lead import (
    FEWEST_LED,
    LEAD_SHARE,
    MOST_LEAD,
    RIVALS,
    usually_behind,
    with_lead,
)
from edge.heads.together import HeadsTogether
from edge.models.embedder import Embedder, Perception
from edge.recognition.recognizer import Recognizer

WORLD = World(5)
COHORT = a_cohort(WORLD, people=120)
PEOPLE = [WORLD.person() for _ in range(FEWEST_LED + 2)]
HEADS = recalibrate(
    [head_of(f"p{n}", WORLD.pictures(each, 8), COHORT) for n, each in enumerate(PEOPLE)], COHORT
)


def look(best: float, *others: float) -> tuple[HeadScore, ...]:
    """Scores of a look, all thresholds at 4."""
    return tuple(HeadScore(f"p{n}", 4.0 + e, 4.0, 0.08) for n, e in enumerate((best, *others)))


def test_few_heads_stay_as_they_are() -> None:
    few = look(0.2, *[-1.0] * (FEWEST_LED - 2))
    assert with_lead(few) == few
    assert with_lead(()) == ()


def test_rivals_that_stay_behind_lower_the_threshold_and_near_ones_raise_it() -> None:
    usual = usually_behind(10)
    for behind in (usual - 1.0, usual, usual + 0.5):
        found = with_lead(look(0.0, *[-behind] * 9))
        fall = LEAD_SHARE * (behind - usual)
        assert [s.threshold for s in found] == pytest.approx([4.0 - fall] * 10)
        assert [s.score for s in found] == [s.score for s in look(0.0, *[-behind] * 9)]
    assert with_lead(look(0.0, *[-50.0] * 9))[0].threshold == 4.0 - MOST_LEAD
    missed = look(-0.2, *[-usual - 1.0] * 9)
    assert (decide(missed).state, decide(with_lead(missed)).state) == ("unknown", "match")
    wolf = look(0.2, *[1.0 - usual] * RIVALS, *[-9.0] * 4)
    assert (decide(wolf).state, decide(with_lead(wolf)).state) == ("match", "unknown")


def test_rivals_of_strangers_are_nearer_the_more_heads_there_are() -> None:
    usual = [usually_behind(count) for count in (8, 10, 30, 100, 1000)]
    assert usual == sorted(usual, reverse=True)
    assert usual[-1] > 0


def test_recognizing_takes_the_lead_into_account() -> None:
    embedder = object.__new__(Embedder)  # not asked: the look is given
    recognizer = Recognizer(object(), embedder, HEADS)  # type: ignore[arg-type]
    looks = np.concatenate([WORLD.pictures(person, 3) for person in PEOPLE])
    looks = np.concatenate([looks, *(WORLD.pictures(WORLD.person(), 1) for _ in range(20))])
    moved = 0
    for one in looks:
        found = recognizer.scores(Perception(one[None], None))
        alone = tuple(
            HeadScore(h.name, float(h.score(one[None])[0]), h.threshold, h.margin, h.key)
            for h in HEADS
        )
        wanted = with_lead(alone)
        assert decide(found) == decide(wanted), "as with each head asked by itself"
        assert decide(found).threshold == pytest.approx(decide(wanted).threshold, abs=1e-12)
        moved += found[0].threshold != HeadsTogether(HEADS).scores(one)[0].threshold
    assert moved == len(looks)
