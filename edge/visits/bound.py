"""A bound for my camera: what strangers' visits before it prove, what they ask of a threshold, and
whether the owner's own visits still look as they did.

The levels of strangers' visits (`edge.visits.visit.level_of`) are counted per head and camera.
Their mean is that of the cohort's strangers plus the camera's effect, which has a normal prior (an
empirical Bayes estimate: Efron, Morris, JASA 1973), so that few visits move it little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edge.heads.head import Head
from edge.heads.threshold import Rate, false_rejects

BIN = 0.05
"""Width of a bin of the histogram, in the scores' standard deviations over strangers."""

EFFECT_SPREAD = 1.0
"""Standard deviation of cameras' effects before any visit was seen."""

SPREAD_WEIGHT = 10
"""Visits that the cohort's spread counts for beside that of the visits."""

STRANGER_LEVEL = 3.1
"""Of a normal distribution, one in a thousand lies above, as `edge.heads.threshold` has it."""

GAP = 0.1
"""A threshold lies so far above the highest stranger who was seen."""

FEWEST_TO_RAISE, FEWEST_TO_LOWER = 8, 20
LEAST_RAISE, LEAST_LOWER = 0.1, 0.2
"""Smaller changes are not worth a word."""

WIDEST = 1.5
"""The spread of visits counts as at most so many times the cohort's: levels that are spread wider
are no camera's doing, and whoever comes on purpose could widen them."""

LOST_BY_ITSELF = 0.1
"""A threshold that is raised without the owner's word rejects no more own looks than this."""

FRR_WORD = 0.01
"""A rise of somebody's false rejects by more than this is said."""

OWN_FIRST, OWN_LAST = 30, 10
"""Own visits that later ones are compared with, and how many later ones."""

FALL, FALL_SIGMA = 0.5, 3.5
"""Own visits score lower when their mean has fallen by so much, and by so many standard errors:
with normal scores of spread 0.7, 4 of 30,000 visits raise a false alarm, and a fall of 1.4 is found
within 10 visits in 9 of 10 cases."""


@dataclass(frozen=True)
class Histogram:
    """How often each level was seen: number of the bin to count. No faces, no vectors, no names."""

    counts: Mapping[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def mean(self) -> float:
        return sum(BIN * (k + 0.5) * n for k, n in self.counts.items()) / max(self.count, 1)

    @property
    def highest(self) -> float:
        """The upper edge of the highest bin, -inf without any."""
        return BIN * (max(self.counts) + 1) if self.counts else -math.inf

    @property
    def squares(self) -> float:
        """Sum of the squared distances from the mean."""
        mean = self.mean
        return sum(n * (BIN * (k + 0.5) - mean) ** 2 for k, n in self.counts.items())

    def reaching(self, threshold: float) -> Rate:
        """How many reach a threshold; those in its own bin count by the bin's middle."""
        reached = sum(n for k, n in self.counts.items() if BIN * (k + 0.5) >= threshold)
        return Rate(reached, self.count)

    def with_level(self, level: float, times: int = 1) -> Histogram:
        """With a level once more, or `times` -1 once less, where it is there."""
        number = math.floor(max(-20.0, min(60.0, level)) / BIN)
        left = max(0, self.counts.get(number, 0) + times)
        counts = {k: n for k, n in self.counts.items() if k != number}
        return Histogram({**counts, number: left} if left else counts)


@dataclass(frozen=True)
class Expected:
    """The highest scores of the cohort's strangers by a head: mean and standard deviation."""

    mean: float
    spread: float


@dataclass(frozen=True)
class OwnVisits:
    """Scores of somebody's own visits before one camera: the first ones and the last ones.

    since: when the first was, ISO 8601.
    """

    first: tuple[float, ...] = ()
    last: tuple[float, ...] = ()
    since: str = ""

    def with_score(self, score: float, at: str) -> OwnVisits:
        """With one more visit."""
        if len(self.first) < OWN_FIRST:
            return OwnVisits((*self.first, round(score, 2)), self.last, self.since or at)
        return OwnVisits(self.first, (*self.last, round(score, 2))[-OWN_LAST:], self.since)

    @property
    def fall(self) -> float | None:
        """By how much the last ones score lower than the first, where that is no chance."""
        if len(self.last) < OWN_LAST:
            return None
        (mean, spread), (now, now_spread) = _moments(self.first), _moments(self.last)
        spread = max(spread, now_spread, 0.2)
        error = spread * math.sqrt(1 / len(self.first) + 1 / len(self.last))
        fall = mean - now
        return fall if fall >= max(FALL, FALL_SIGMA * error) else None


@dataclass(frozen=True)
class CameraBound:
    """The evidence of visits before one camera about one head.

    accepted: strangers' visits that the head could accept, of all that were counted. effect,
    effect_error: how much higher strangers score there than the cohort's, and its standard error.
    needed: the threshold that keeps one in a thousand out by these visits, None for too few.
    advice: "raise", "lower" or None. own_rejected, own_rejected_then: of the person's own looks,
    now and by `needed`. fall: how much lower the person's own visits score than at first, else
    None; since: when these were.
    """

    person: str
    source: str
    threshold: float
    accepted: Rate
    effect: float
    effect_error: float
    needed: float | None = None
    advice: Literal["raise", "lower"] | None = None
    own_rejected: Rate = Rate(0, 0)
    own_rejected_then: Rate = Rate(0, 0)
    fall: float | None = None
    since: str = ""

    def lines(self) -> list[str]:
        """What is to be said, for people."""
        rate, found = self.accepted, []
        if rate.trials:
            found.append(
                f"before {self.source}: {rate.events} of {rate.trials} strangers' visits accepted, "
                f"below {100 * rate.upper:.2g} % with 95 % confidence"
            )
        if self.advice is not None and self.needed is not None:
            lost, then = self.own_rejected, self.own_rejected_then
            found.append(
                f"these visits ask for a threshold of {self.needed:.2f}, it is "
                f"{self.threshold:.2f}: {self.advice} it by 'edge-recognize adapt {self.person}' "
                f"(own looks rejected: {lost.events} now, {then.events} then, of {lost.trials})"
            )
        if self.fall is not None:
            found.append(
                f"enroll again: {self.person} scores {self.fall:.1f} lower before {self.source} "
                f"than in {self.since[:7]}; camera, light or looks have changed"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "strangers": self.accepted.to_json(),
            "effect": round(self.effect, 2),
            "effect_error": round(self.effect_error, 2),
            "threshold_needed": None if self.needed is None else round(self.needed, 3),
            "advice": self.advice,
            "own_looks_rejected": self.own_rejected.to_json(),
            "own_looks_rejected_then": self.own_rejected_then.to_json(),
            "own_fall": None if self.fall is None else round(self.fall, 2),
        }


def bound_of(
    head: Head,
    source: str,
    strangers: Histogram,
    expected: Expected,
    own: OwnVisits = OwnVisits(),
) -> CameraBound:
    """The evidence of visits before a camera about a head, at its threshold."""
    effect, error = _effect(strangers, expected)
    needed = _needed(head, strangers, expected, effect, error)
    advice: Literal["raise", "lower"] | None = None
    if needed is not None and needed > head.threshold + LEAST_RAISE:
        advice = "raise"
    elif needed is not None and needed < head.threshold - LEAST_LOWER:
        advice = "lower" if strangers.count >= FEWEST_TO_LOWER else None
    return CameraBound(
        head.name,
        source,
        head.threshold,
        strangers.reaching(head.threshold),
        effect,
        error,
        needed,
        advice,
        own_rejects(head, head.threshold),
        own_rejects(head, head.threshold if needed is None else needed),
        own.fall,
        own.since,
    )


def own_rejects(head: Head, threshold: float) -> Rate:
    """Independent own looks that a threshold rejects, by heads that had not seen them."""
    import numpy as np

    facts = head.stated
    if facts is None:
        return Rate(0, 0)
    own, groups = np.array(facts.own_scores, np.float64), np.array(facts.own_groups, np.int64)
    return false_rejects(own, groups, threshold)


def own_reach(head: Head) -> float:
    """The score that nine tenths of the person's own looks reach, by heads that had not seen them;
    infinite where none are known."""
    scores = sorted(head.stated.own_scores) if head.stated is not None else []
    return float(scores[int(LOST_BY_ITSELF * len(scores))]) if scores else math.inf


def _effect(strangers: Histogram, expected: Expected) -> tuple[float, float]:
    """The camera's effect and its standard error, after its visits."""
    spread = _spread(strangers, expected)
    precision = strangers.count / spread**2 + 1 / EFFECT_SPREAD**2
    moved = strangers.count * (strangers.mean - expected.mean) / spread**2
    return moved / precision if strangers.count else 0.0, math.sqrt(1 / precision)


def _spread(strangers: Histogram, expected: Expected) -> float:
    own = SPREAD_WEIGHT * expected.spread**2
    pooled = (own + strangers.squares) / (SPREAD_WEIGHT + max(0, strangers.count - 1))
    return min(math.sqrt(pooled), WIDEST * expected.spread)


def _needed(
    head: Head, strangers: Histogram, expected: Expected, effect: float, error: float
) -> float | None:
    """Where one in a thousand strangers before this camera would reach, told with caution: above
    all that were seen, and never below what the cohort's strangers ask for."""
    if strangers.count < FEWEST_TO_RAISE:
        return None
    spread = math.hypot(_spread(strangers, expected), error)
    level = expected.mean + effect + STRANGER_LEVEL * spread
    bound = None if head.stated is None else head.stated.stranger_bound
    return max(level, strangers.highest + GAP, -math.inf if bound is None else bound)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1))
