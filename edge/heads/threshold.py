"""False accepts and false rejects: counting them, exact bounds, and what a sample can prove.

Looks of one stranger resemble each other, so strangers are counted and not looks: somebody counts
as accepted when any of their looks is. The bounds are Clopper and Pearson's (Biometrika 1934),
one-sided at 95 %: after 0 events in N trials the rate is below 3/N (Hanley, Lippman-Hand, JAMA
1983).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from edge.errors import InputError, RefusedError

CONFIDENCE = 0.95

SEVERAL, ONE, POOR = "several", "one", "poor"
"""Who took somebody's pictures: several cameras, one, or one that shows faces without colour or in
few pixels, so that people look more alike."""

CAMERAS = (SEVERAL, ONE, POOR)

STRANGER_LEVEL = 3.1
"""Score that one in a thousand strangers of the cohort reaches (of a normal distribution)."""

SEVERAL_LEVEL = 3.55
"""Score below which strangers stay whose pictures are by other cameras than the cohort's. Measured
on photographs of 144 people by many photographers: see RESULTS.md."""

CAMERA_SHARES = {ONE: 0.30, POOR: 0.44}
"""Strangers before the camera that took my pictures stay below the stranger's level by this share
of the way to the score of my own pictures. Measured on clips of four people before one webcam and
on thirteen people in one room: see RESULTS.md."""

POOR_LEVEL = 4.7
"""Before a poor camera the threshold is at least this, also where few of my own pictures reach it:
an embedder that sets people little apart sets them hardly apart there. Measured as above."""

OWN_REACH = 0.9
"""Share of my own scores below which the threshold stays for the camera's sake."""

NOT_ME_GAP = 0.5
"""By how much the threshold is above the highest held-out score of hard negatives: of five pictures
of somebody, others score higher."""

NOT_ME_COST = 0.01
"""Share of my own scores that may be rejected for it."""

PROVEN = "proven"
ESTIMATED = "estimated, not proven"


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
        return f"{self.events} of {self.trials} (95 % bound {100 * self.upper:.2g} %)"

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


def check_target(target_far: float, people: int, *, strict: bool = False) -> str:
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
    numbers = np.unique(groups)
    lost = [float(np.mean(scores[groups == group] < threshold)) > 0.5 for group in numbers]
    return Rate(int(sum(lost)), len(numbers))


def level_for_heads(level: float, heads: int) -> float:
    """The level, in standard deviations of a normal distribution, at which `heads` heads together
    let through what one lets through at `level`.
    """
    normal = NormalDist()
    return normal.inv_cdf(1.0 - (1.0 - normal.cdf(level)) / heads) if heads > 1 else level


@dataclass(frozen=True)
class Evidence:
    """What a threshold is chosen from. Scores in standard deviations over strangers.

    strangers: float64[P], the highest score of each stranger who had no part in the fit, of any
    head where there are several. own: float64[N], my scores by heads that had not seen them.
    likeness: what the pictures score that the head was fitted on, which tells how far apart the
    embedder sets people. not_me: the highest score of a hard negative, None without. camera: one of
    `CAMERAS`. heads: how many look at a face.
    """

    strangers: np.ndarray
    own: np.ndarray
    likeness: float
    not_me: float | None = None
    camera: str = ONE
    heads: int = 1


def choose_threshold(evidence: Evidence, target_far: float | None = None) -> float:
    """The threshold that keeps out strangers, those before my own camera too, and the hard ones.

    At least the strangers' bound for `target_far`, see `stranger_bound`; by default one in 1,000
    strangers may pass, so that a single one does not decide. At least the level that strangers
    before my camera stay below, unless the most of my own scores do not reach it either; before a
    poor camera at least `POOR_LEVEL` all the same. Above the hard negatives, as far as my own
    scores allow.
    """
    bound = stranger_bound(evidence.strangers, target_far)
    level = level_for_heads(camera_level(evidence.camera, evidence.likeness), evidence.heads)
    reachable = float(np.quantile(evidence.own, OWN_REACH)) if len(evidence.own) else level
    threshold = max(bound, min(level, reachable))
    if evidence.camera == POOR:
        threshold = max(threshold, POOR_LEVEL)
    if evidence.not_me is not None:
        threshold = max(threshold, _above_not_me(evidence.not_me, evidence.own, threshold))
    return threshold


def camera_level(camera: str, likeness: float) -> float:
    """The score below which strangers stay before such a camera, see `Evidence`."""
    if camera == SEVERAL:
        return SEVERAL_LEVEL
    return STRANGER_LEVEL + CAMERA_SHARES[camera] * max(0.0, likeness - STRANGER_LEVEL)


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
