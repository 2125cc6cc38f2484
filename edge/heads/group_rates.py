"""Group rates: which kinds of strangers a head, or a bundle, lets in, and what that many can show.

Strangers of a cohort's half that thresholds are set on, each counted once, with exact bounds over
people. Two groups are called equal only where the bounds carry it, which takes thousands of people
in each where one in a thousand gets in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.heads.calibration import highest_scores, scored_strangers
from edge.heads.cohort import EVERYBODY, Cohort
from edge.heads.head import Head
from edge.heads.threshold import Rate, upper_bound

ALL = "all together"

ALIKE = 2.0
"""Rates that differ by no more than this factor count as equal. Chosen, not tuned."""

NOBODY_MEASURED = (
    "sex, glasses and head-covers, relatives and twins, and whoever is in none of the groups"
)
"""What the groups of a cohort do not tell apart."""


@dataclass(frozen=True)
class GroupRates:
    """By group the strangers who are accepted, of those there are; in the cohort's order."""

    groups: tuple[tuple[str, Rate], ...]

    @property
    def are_told(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.groups) > 1

    @property
    def worst(self) -> tuple[str, Rate]:
        """The group with the highest rate, of several the one that the bounds say least of."""
        return max(self.groups, key=lambda each: (each[1].value, each[1].upper))

    @property
    def best(self) -> tuple[str, Rate]:
        """The group with the lowest rate, of several the one that the bounds say most of."""
        return min(self.groups, key=lambda each: (each[1].value, each[1].upper))

    @property
    def ratio(self) -> tuple[float, float]:
        """Worst over best: the least and the most that the 95 % bounds of both leave possible."""
        worst, best = self.worst[1], self.best[1]
        least = lower_bound(worst) / best.upper
        low = lower_bound(best)
        return least, worst.upper / low if low else math.inf

    @property
    def verdict(self) -> str:
        """Whether the groups may be called equal, in words."""
        least, most = self.ratio
        worst, best = self.worst, self.best
        if most <= ALIKE:
            return f"equal within a factor of {ALIKE:g}"
        if least > 1.0:
            return f"different: {worst[0]} is accepted more often than {best[0]}"
        return (
            f"neither equal nor different: {worst[1].trials} and {best[1].trials} people do not "
            "carry it"
        )

    def __str__(self) -> str:
        if not self.are_told:
            return "the strangers are of one group: nobody has measured others"
        (worst, high), (best, low) = self.worst, self.best
        least, most = self.ratio
        upto = "any number" if math.isinf(most) else f"{most:.2g}"
        return (
            f"most often accepted {worst}: {high}; least {best}: {low}; worst over best "
            f"{least:.2g} to {upto}, {self.verdict}"
        )

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"groups": {name: rate.to_json() for name, rate in self.groups}}
        if not self.are_told:
            return {**found, "worst": None, "best": None, "ratio": None, "verdict": str(self)}
        least, most = self.ratio
        return {
            **found,
            "worst": self.worst[0],
            "best": self.best[0],
            "ratio": [round(least, 4), None if math.isinf(most) else round(most, 4)],
            "verdict": self.verdict,
        }


def group_rates(heads: Sequence[Head], cohort: Cohort) -> GroupRates:
    """The strangers whom any of the heads accepts, by the cohort's groups. Heads of tasks, of
    another embedder, and those that do not say how they were made are left out; no groups where
    none is left."""
    people = [head for head in heads if _can_be_asked(head, cohort)]
    if not people:
        return GroupRates(())
    hold = cohort.halves()[1]
    group = hold.group_of_people()
    accepted = np.zeros(len(group), bool)
    for head in people:
        passing = scored_strangers(head, cohort).accepted(head.threshold)
        if passing is None:
            accepted |= highest_scores(head, cohort) >= head.threshold
        else:
            accepted[list(passing)] = True
    rates = (
        (name, Rate(int(accepted[group == number].sum()), int((group == number).sum())))
        for number, name in enumerate(hold.groups)
    )
    return GroupRates(tuple((name, rate) for name, rate in rates if rate.trials))


def rates_of_all(heads: Sequence[Head], cohort: Cohort) -> tuple[tuple[str, GroupRates], ...]:
    """Of each head by its name, and of all of them where there are several, as `ALL`."""
    people = [head for head in heads if _can_be_asked(head, cohort)]
    found = [(head.name, group_rates([head], cohort)) for head in people]
    if len(people) > 1:
        found.append((ALL, group_rates(people, cohort)))
    return tuple(found)


def _can_be_asked(head: Head, cohort: Cohort) -> bool:
    fits = head.embedder_sha256 == cohort.embedder_sha256 and head.size == cohort.size
    return fits and not head.is_task and head.stated is not None


def measured_for(cohort: Cohort) -> tuple[str, str]:
    """For whom a cohort measures how often strangers are accepted, and for whom nobody has."""
    hold = cohort.halves()[1]
    counts = hold.people_of_groups
    if set(counts) == {EVERYBODY} or len(counts) < 2:
        name, people = next(iter(counts.items()))
        return (
            f"{people} {name}, of whom nothing is told",
            f"any age, origin, sex by itself; {NOBODY_MEASURED}",
        )
    parts = ", ".join(f"{people} {name}" for name, people in counts.items())
    return f"{hold.people} strangers: {parts}", NOBODY_MEASURED


def lower_bound(rate: Rate) -> float:
    """Exact one-sided lower bound at 95 %."""
    return 1.0 - upper_bound(rate.trials - rate.events, rate.trials)
