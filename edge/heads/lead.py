"""The lead: where many people are known, whoever a face is of stands far before all others.

A stranger who comes near one of many heads comes near some others, too. So the threshold that keeps
strangers out of all heads together falls for a look whose next heads stay further behind than those
of strangers do, and rises for one whose next heads are near: for all heads of that look alike, so
that their order stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from edge.heads.scores import HeadScore, ScoreTable
from edge.heads.threshold import STRANGER_LEVEL, level_for_heads

FEWEST_LED = 8
"""Heads from which a lead says anything."""

RIVALS = 5
"""Heads behind the best one whose mean it leads."""

LEAD_SHARE = 0.4
"""Of what the rivals are further behind than usual, by so much the threshold falls. Tuned on the
142 people of `data/people`, see `benchmarks.scaling.crowds`."""

LEAD_SCALE = 1.47
"""How far the rivals of strangers near a threshold usually stay below theirs: so much of what they
would with independent normal scores, and `LEAD_SHIFT`. Tuned on the same people."""

LEAD_SHIFT = -2.2
"""See `LEAD_SCALE`. Tuned on 72 of the people: of four the lowest at which 10, 30 and 60 heads let
strangers in no more often, in the mean, than one."""

MOST_LEAD = 0.5
"""By no more than this the threshold falls. Tuned on the 72 people, of 0.5 and 1."""


def with_lead(scores: Sequence[HeadScore]) -> Sequence[HeadScore]:
    """The scores of one look with the thresholds that its lead gives; fewer than `FEWEST_LED` heads
    stay as they are."""
    if len(scores) < FEWEST_LED:
        return scores
    if isinstance(scores, ScoreTable):
        return ScoreTable(scores.asked, scores.values, _fall(scores.excesses))
    fall = _fall(np.array([score.excess for score in scores]))
    return tuple(replace(score, threshold=score.threshold - fall) for score in scores)


def _fall(excesses: np.ndarray) -> float:
    """Of the thresholds, from how far each head's score lies above its own, float64[H]."""
    behind = float(np.sort(-excesses)[1 : RIVALS + 1].mean())
    return min(MOST_LEAD, LEAD_SHARE * (behind - usually_behind(len(excesses))))


@lru_cache(maxsize=64)
def usually_behind(heads: int) -> float:
    """How far the rivals of a stranger near the threshold of one of that many heads usually stay
    below theirs, in standard deviations over strangers.

    Ranks of normal scores by Blom's approximation (Statistical Estimates and Transformed
    Beta-Variables, 1958).
    """
    normal = NormalDist()
    ranks = range(2, RIVALS + 2)
    usual = [normal.inv_cdf((heads - rank + 0.625) / (heads + 0.25)) for rank in ranks]
    return (
        LEAD_SCALE * (level_for_heads(STRANGER_LEVEL, heads) - float(np.mean(usual))) + LEAD_SHIFT
    )
