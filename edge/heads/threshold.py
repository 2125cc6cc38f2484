"""False accepts and false rejects: counting them, exact bounds, and what a sample can prove.

Looks of one stranger resemble each other, so strangers are counted and not looks: somebody counts
as accepted when any of their looks is. The bounds are Clopper and Pearson's (Biometrika 1934),
one-sided at 95 %: after 0 events in N trials the rate is below 3/N (Hanley, Lippman-Hand, JAMA
1983).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np

from edge.errors import InputError, RefusedError

CONFIDENCE = 0.95

CameraKind = Literal["several", "one", "poor"]

SEVERAL: Final = "several"
ONE: Final = "one"
POOR: Final = "poor"
"""Who took somebody's pictures: several cameras, one, or one that shows faces without colour or in
few pixels, so that people look more alike."""

CAMERAS: tuple[CameraKind, ...] = (SEVERAL, ONE, POOR)

STRANGER_LEVEL = 3.1
"""Standard deviations above the mean that one in a thousand strangers reaches (of a normal
distribution)."""

GAP_SHARE = 0.2
"""Where strangers stay far below me, the threshold of pictures by one camera lies at least this
share of the way from their bound to the median of my own held-out scores. Measured with
`CAMERA_EFFECTS`, see there."""

NOT_ME_GAP = 0.5
"""By how much the threshold is above the highest held-out score of hard negatives: of five pictures
of somebody, others score higher."""

NOT_ME_COST = 0.01
"""Share of my own scores that may be rejected for it."""

Proof = Literal["proven", "estimated, not proven"]

PROVEN: Final = "proven"
ESTIMATED: Final = "estimated, not proven"
PROOFS: tuple[Proof, ...] = (PROVEN, ESTIMATED)


@dataclass(frozen=True)
class Rate:
    """Events in trials, with the exact one-sided 95 % upper bound of the rate."""

    events: int
    trials: int

    @property
    def value(self) -> float:
        """The share observed, NaN without trials."""
        return self.events / self.trials if self.trials else float("nan")

    @property
    def upper(self) -> float:
        return upper_bound(self.events, self.trials)

    def __str__(self) -> str:
        percent = 100 * self.upper
        bound = "100" if percent >= 99.5 else f"{percent:.2g}"
        return f"{self.events} of {self.trials} (95 % bound {bound} %)"

    def to_json(self) -> dict[str, Any]:
        value = None if not self.trials else self.value
        return {
            "events": self.events,
            "trials": self.trials,
            "rate": value,
            "upper_95": self.upper,
        }


def upper_bound(events: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided upper bound of a rate after `events` in `trials`; 1 without trials."""
    if not 0 <= events <= trials:
        raise InputError(f"{events} events in {trials} trials cannot be")
    if events == trials:
        return 1.0
    if events == 0:
        return float(-math.expm1(math.log(1.0 - confidence) / trials))
    low, high = events / trials, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if _binomial_cdf(events, trials, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def people_needed(far: float) -> int:
    """Number of strangers, none accepted, that prove a rate below `far`: about 3 / far."""
    return math.ceil(math.log(1.0 - CONFIDENCE) / math.log1p(-far))


def provable_far(people: int) -> float:
    """The lowest rate that `people` strangers, none of them accepted, can prove: about 3 / N."""
    return upper_bound(0, people)


def check_target(target_far: float, people: int, *, strict: bool = False) -> Proof:
    """`PROVEN` or `ESTIMATED`: what `people` strangers can prove of a target.

    Raises `InputError` for a target outside 0..1, `RefusedError` for one below 1/N, and, when
    `strict`, for one that cannot be proven.
    """
    if not 0.0 < target_far < 1.0:
        raise InputError(f"the target FAR must lie between 0 and 1, got {target_far}")
    if target_far * people < 1.0 - 1e-9:
        raise RefusedError(
            f"a FAR of {target_far:g} cannot be seen with {people} strangers",
            hint=f"it takes at least {math.ceil(1 / target_far - 1e-9)}, "
            f"and {people_needed(target_far)} to prove it; add some by --others",
        )
    if provable_far(people) <= target_far * (1 + 1e-9):
        return PROVEN
    if strict:
        raise RefusedError(
            f"a FAR of {target_far:g} cannot be proven with {people} strangers",
            hint=f"it takes {people_needed(target_far)}; add some by --others, or drop --strict",
        )
    return ESTIMATED


def highest_per_person(scores: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """The highest score of each person, ascending: float64[P] of scores float[N], int[N]."""
    _, order = np.unique(identity, return_inverse=True)
    order = order.reshape(-1)
    highest = np.full(int(order.max()) + 1, -np.inf)
    np.maximum.at(highest, order, np.asarray(scores, np.float64))
    return np.sort(highest)


def stranger_bound(highest: np.ndarray, target_far: float | None = None) -> float:
    """The threshold that keeps strangers out, from the highest score of each, float64[P].

    As many may pass as leave the 95 % bound at or below the target, none where it cannot be
    proven; one in 1,000 where there is no target. The threshold lies just above the score of the
    first who may not.
    """
    people = len(highest)
    ranked = np.sort(np.asarray(highest, np.float64))
    passing = people // 1000
    if target_far is not None:
        passing = 0
        while passing + 1 < people and upper_bound(passing + 1, people) <= target_far:
            passing += 1
    return float(np.nextafter(ranked[people - 1 - passing], np.inf))


def false_accepts(scores: np.ndarray, identity: np.ndarray, threshold: float) -> Rate:
    """Strangers with a look at or above the threshold; scores float[N], identity int[N]."""
    highest = highest_per_person(scores, identity)
    return Rate(int((highest >= threshold).sum()), len(highest))


def false_rejects(scores: np.ndarray, groups: np.ndarray, threshold: float) -> Rate:
    """Independent groups of my pictures of which most are rejected; float[N], int[N]."""
    numbers, order = np.unique(groups, return_inverse=True)
    order = order.reshape(-1)
    lost = np.bincount(order, scores < threshold) > 0.5 * np.bincount(order)
    return Rate(int(lost.sum()), len(numbers))


def level_for_heads(level: float, heads: int) -> float:
    """The level, in standard deviations of a normal distribution, at which `heads` heads together
    let through what one lets through at `level`.
    """
    normal = NormalDist()
    return normal.inv_cdf(1.0 - (1.0 - normal.cdf(level)) / heads) if heads > 1 else level


@dataclass(frozen=True)
class CameraEffect:
    """By how much a camera lifts the scores of all strangers who come before it: mean and spread
    over cameras, in standard deviations over strangers."""

    mean: float = 0.0
    spread: float = 0.0


CAMERA_EFFECTS = {
    SEVERAL: CameraEffect(),
    ONE: CameraEffect(0.3, 0.3),
    POOR: CameraEffect(1.44, 0.0),
}
"""`ONE`: with `GAP_SHARE` among the lowest of a grid by which strangers stay 0.19 or more below the
threshold before each of four cameras (NUAA's webcam, CASIA-FaceV5's booth, Faces94's curtain, the
webcam of `data/video`), and before any of them when it is left out of the choice. Strangers before
these cameras lie 0.77, 0.18, 0.60 and 0.88 above the highest group of the cohort, with the shipped
base; that all of it is added is not needed, since few of a thousand come before a camera. `POOR`:
one grey room of 13 people alone (1.64 measured); no other poor camera could confirm it. Measured by
`benchmarks.studies.camera_effect`."""


@dataclass(frozen=True)
class Tail:
    """How strangers of a group score before a head: a normal distribution's mean and spread, fitted
    to `people` who had no part in the head."""

    group: str
    mean: float
    spread: float
    people: int

    def reach(self, level: float, camera: CameraEffect = CAMERA_EFFECTS[SEVERAL]) -> float:
        """The score `level` standard deviations above the mean, before such a camera."""
        return self.mean + camera.mean + level * math.hypot(self.spread, camera.spread)


@dataclass(frozen=True)
class Evidence:
    """What a threshold is chosen from. Scores in standard deviations over strangers.

    tails: of each group of strangers who had no part in the fit. own: float64[N], my scores by
    heads that had not seen them. not_me: the highest score of a hard negative, None without.
    camera: one of `CAMERAS`. heads: how many look at a face. strangers: float64[P], the highest
    score of each stranger at any head, by which a target is proven; None without a target.
    """

    tails: tuple[Tail, ...]
    own: np.ndarray
    not_me: float | None = None
    camera: CameraKind = ONE
    heads: int = 1
    strangers: np.ndarray | None = None


def nearest_tail(tails: tuple[Tail, ...]) -> Tail:
    """Of the group that scores highest before a head: whom the head may take for me first."""
    return max(tails, key=lambda tail: tail.reach(STRANGER_LEVEL))


def stranger_reach(
    tails: tuple[Tail, ...], camera: CameraKind, heads: int = 1, target_far: float | None = None
) -> float:
    """The score that strangers before such a camera stay below, whatever group they are of: one in
    1,000 of the highest group passes, or `target_far` where that is less, at `heads` heads."""
    level, effect = _stranger_level(heads, target_far), CAMERA_EFFECTS[camera]
    return max(tail.reach(level, effect) for tail in tails)


@lru_cache(maxsize=64)
def _stranger_level(heads: int, target_far: float | None) -> float:
    """In standard deviations of a normal distribution, what `stranger_reach` says."""
    level = STRANGER_LEVEL
    if target_far is not None:
        level = max(level, NormalDist().inv_cdf(1.0 - target_far))
    return level_for_heads(level, heads)


def choose_threshold(evidence: Evidence, target_far: float | None = None) -> float:
    """The threshold that keeps out strangers of every group, those before my own camera too, and
    the hard negatives.

    At least what strangers reach, see `stranger_reach`, also where few of my own pictures do. With
    a target at least the bound that proves it, see `stranger_bound`. Where the pictures may be of
    one camera and score far above strangers, it moves into the gap, see `GAP_SHARE`. Above the hard
    negatives, as far as my own scores allow.
    """
    threshold = stranger_reach(evidence.tails, evidence.camera, evidence.heads, target_far)
    if target_far is not None and evidence.strangers is not None:
        threshold = max(threshold, stranger_bound(evidence.strangers, target_far))
    if evidence.camera != SEVERAL and len(evidence.own):
        bound = stranger_reach(evidence.tails, SEVERAL, evidence.heads, target_far)
        gap = float(np.median(evidence.own)) - bound
        threshold = max(threshold, bound + GAP_SHARE * max(0.0, gap))
    if evidence.not_me is not None:
        threshold = max(threshold, _above_not_me(evidence.not_me, evidence.own, threshold))
    return threshold


def _above_not_me(not_me: float, own: np.ndarray, threshold: float) -> float:
    """`NOT_ME_GAP` above the hard negatives, or as far as that rejects at most `NOT_ME_COST` of my
    own scores beyond those rejected already, but above them in any case."""
    passing = np.sort(own[own >= threshold])
    spared = int(NOT_ME_COST * len(own))
    highest = float(passing[spared]) if spared < len(passing) else np.inf
    return max(min(not_me + NOT_ME_GAP, highest), float(np.nextafter(not_me, np.inf)))


def det_curve(own: np.ndarray, strangers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds, FAR and FRR, float64[T] each, at every score that changes one of them."""
    thresholds = np.unique(np.concatenate([own, strangers, [np.inf]]).astype(np.float64))
    own, strangers = np.sort(own), np.sort(strangers)
    far = 1.0 - np.searchsorted(strangers, thresholds, side="left") / max(len(strangers), 1)
    frr = np.searchsorted(own, thresholds, side="left") / max(len(own), 1)
    return thresholds, far, frr


def _binomial_cdf(events: int, trials: int, rate: float) -> float:
    """P(X <= events), summed in logarithms."""
    if rate <= 0.0 or rate >= 1.0:
        return 1.0 if rate <= 0.0 else float(events >= trials)
    terms = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(rate)
        + (trials - k) * math.log1p(-rate)
        for k in range(events + 1)
    ]
    largest = max(terms)
    return min(1.0, math.exp(largest) * sum(math.exp(term - largest) for term in terms))
