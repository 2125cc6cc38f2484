"""Crowds: what the number of people who are known together costs each of them.

Every head is one more chance for a stranger, so that thresholds rise with their number, and whoever
was near the threshold is missed. What that costs is counted on the looks that people were enrolled
with, each scored by a head that had not seen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.heads.calibration import threshold_alone
from edge.heads.head import Head
from edge.heads.threshold import false_rejects

COSTLY = 0.02
"""Share of the own looks that may be lost before it is said. Chosen, not tuned."""


@dataclass(frozen=True)
class Crowd:
    """heads: people who are known together. looks: independent ones that they were enrolled with.
    rejected: of these, by the thresholds for all of them; alone: by those that each head would
    have if it were the only one."""

    heads: int
    looks: int
    rejected: int
    alone: int

    @property
    def lost(self) -> float:
        """Share of the looks that is rejected for the others' sake."""
        return max(0, self.rejected - self.alone) / self.looks if self.looks else 0.0

    @property
    def is_costly(self) -> bool:
        return self.lost > COSTLY

    def __str__(self) -> str:
        return (
            f"{self.heads} people are known together: {self.rejected} of {self.looks} of their own "
            f"looks are rejected, {self.alone} would be if each were the only one"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to say where it costs more than `COSTLY`."""
        if not self.is_costly:
            return ()
        return (f"{self}; bundles of fewer people, or more sittings of each, make up for it",)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "lost": round(self.lost, 4)}


def crowd_of(heads: Sequence[Head]) -> Crowd:
    """The cost for heads with thresholds for all of them together. Heads of tasks are no people;
    those that do not say how their threshold was set are counted, and their looks are not."""
    people = [head for head in heads if not head.is_task]
    looks = rejected = alone = 0
    for head in people:
        lonely = threshold_alone(head)
        if lonely is None:
            continue
        own = np.array(head.facts.own_scores, np.float64)
        groups = np.array(head.facts.own_groups, np.int64)
        now = false_rejects(own, groups, head.threshold)
        looks += now.trials
        rejected += now.events
        alone += false_rejects(own, groups, lonely).events
    return Crowd(len(people), looks, rejected, alone)
