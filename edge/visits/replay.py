"""Replaying: what other heads would have decided of visits, by the vote that decides live."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.faces.face import Face
from edge.heads.decision import Decision, HeadScore
from edge.heads.head import Head
from edge.heads.lead import with_lead
from edge.recognition.observation import Observation
from edge.tracking.vote import Vote, VoteConfig
from edge.visits.visit import MATCH, Visit

_SOME_FACE = Face((0.0, 0.0, 1.0, 1.0), ((0.0, 0.0),) * 5, 1.0)
"""Votes do not depend on where a face was."""


@dataclass(frozen=True)
class Change:
    """A visit that would be decided otherwise: what it is now, and what it would be."""

    visit: int
    before: str
    after: str

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Foresight:
    """What a change of heads does to the visits. checked: how many could be decided by both.
    changed: those decided otherwise. untold: visits of which too little is kept to tell."""

    checked: int = 0
    changed: tuple[Change, ...] = ()
    untold: int = 0

    def text(self) -> str:
        """One line for people."""
        words = f"{len(self.changed)} of the last {self.checked} visits would be decided otherwise"
        if self.untold:
            words += f"; {self.untold} more cannot be told, as no faces were kept of them"
        return words

    def to_json(self) -> dict[str, Any]:
        return {
            "checked": self.checked,
            "changed": [change.to_json() for change in self.changed],
            "untold": self.untold,
        }


def foresee(
    visits: Iterable[Visit],
    before: Sequence[Head],
    after: Sequence[Head],
    votes: VoteConfig | None = None,
) -> Foresight:
    """What would be decided otherwise, were the heads `after` in place of `before`."""
    checked, untold, changed = 0, 0, []
    for visit in visits:
        old, new = decided(visit, before, votes), decided(visit, after, votes)
        if old is None or new is None:
            untold += 1
            continue
        checked += 1
        if says(old) != says(new):
            changed.append(Change(visit.number, says(old), says(new)))
    return Foresight(checked, tuple(changed), untold)


def decided(
    visit: Visit, heads: Sequence[Head], votes: VoteConfig | None = None
) -> Decision | None:
    """What these heads decide of a visit: the last match of its looks, else what they settle on.

    None where a head has not scored its looks and their embeddings are not kept.
    """
    heads = [head for head in heads if not head.is_task]
    columns = []
    for head in heads:
        scores = _scores(visit, head)
        if scores is None:
            return None
        columns.append(scores)
    vote = Vote(votes)
    match: Decision | None = None
    for row, time_s in enumerate(visit.looks.time_s):
        scored = tuple(
            HeadScore(head.name, float(column[row]), head.threshold, head.margin, head.key)
            for head, column in zip(heads, columns, strict=True)
            if np.isfinite(column[row])
        )
        vote.add(Observation(_SOME_FACE, scores=with_lead(scored)), float(time_s))
        decision = vote.decision()
        match = decision if decision.state == MATCH else match
    return match or vote.decision()


def says(decision: Decision) -> str:
    """A decision in one word: the name of a match, else its state in brackets, which no name
    has."""
    return decision.person or f"({decision.state})"


def _scores(visit: Visit, head: Head) -> np.ndarray | None:
    looks = visit.looks
    if head.key in looks.heads:
        return np.asarray(looks.scores[:, looks.heads.index(head.key)], np.float64)
    fits = looks.embedder_sha256 == head.embedder_sha256 and looks.has_embeddings
    if not fits or looks.embeddings.shape[1] != head.size:
        return None
    return head.score(looks.embeddings)
