"""Decisions: from the scores of the heads to match, unknown, uncertain or rejected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from edge.heads.scores import HeadScore as HeadScore
from edge.heads.scores import best_scores

DecisionState = Literal["match", "unknown", "uncertain", "rejected"]
TaskState = Literal["yes", "no", "uncertain"]

STATES: tuple[DecisionState, ...] = get_args(DecisionState)

RIVAL_GAP = 0.5
"""Two heads that both accept a face must differ by this much in how far they do, in standard
deviations over strangers, or it is "uncertain" whose face it is."""


@dataclass(frozen=True)
class Decision:
    """The answer for one face.

    Attributes:
        state: "match", "unknown", "uncertain" or "rejected".
        person: The matched name, else None.
        score: Of the nearest head (the largest excess), None where no head was asked.
        threshold: Of the same head.
        reason: Why the face was rejected or is uncertain, else None.

    Example:
        >>> edge.Decision("match", "ana", score=4.1, threshold=3.2).person
        'ana'
    """

    state: DecisionState
    person: str | None = None
    score: float | None = None
    threshold: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class TaskAnswer:
    """The answer of a task, a yes-or-no question, for a face: an attribute of it, whoever
    that is.

    Attributes:
        score: From the threshold on it is a yes.
        threshold: Of the head.
        margin: Half width of the band around the threshold in which it is uncertain.

    Example:
        >>> edge.TaskAnswer(score=0.8, threshold=0.1).answer
        'yes'
    """

    score: float
    threshold: float
    margin: float = 0.0

    @property
    def answer(self) -> TaskState:
        """What it says about the face."""
        excess = self.score - self.threshold
        if abs(excess) < self.margin:
            return "uncertain"
        return "yes" if excess >= 0 else "no"

    def to_json(self) -> dict[str, object]:
        return {
            "answer": self.answer,
            "score": round(self.score, 5),
            "threshold": round(self.threshold, 5),
        }


def tasks_in_words(tasks: Mapping[str, TaskAnswer], *, all_of_them: bool) -> str:
    """As in " [sunglasses: yes, hat: no]", or, without `all_of_them`, " [sunglasses]" of those that
    are not answered with no; "" where there are none."""
    if all_of_them:
        said = [f"{name}: {task.answer}" for name, task in tasks.items()]
    else:
        marks: dict[TaskState, str] = {"yes": "", "uncertain": "?"}
        said = [n + marks[t.answer] for n, t in tasks.items() if t.answer in marks]
    return f" [{', '.join(said)}]" if said else ""


NO_HEADS = Decision("unknown", reason="no person is enrolled")


def rejected(reason: str) -> Decision:
    """The decision for a face that cannot be judged."""
    return Decision("rejected", reason=reason)


def decide(scores: Sequence[HeadScore], *, rival_gap: float = RIVAL_GAP) -> Decision:
    """Decide from the scores of all heads.

    A face inside a head's band, or one that two heads accept with excesses closer than
    `rival_gap`, is "uncertain".
    """
    if not scores:
        return NO_HEADS
    ranked = best_scores(scores)
    best = ranked[0]
    if abs(best.excess) < best.margin:
        return Decision(
            "uncertain",
            None,
            best.score,
            best.threshold,
            f"close to the threshold of {best.person}",
        )
    if best.excess < 0:
        return Decision("unknown", None, best.score, best.threshold)
    if len(ranked) > 1 and ranked[1].excess >= 0 and best.excess - ranked[1].excess < rival_gap:
        return Decision(
            "uncertain",
            None,
            best.score,
            best.threshold,
            f"between {best.person} and {ranked[1].person}",
        )
    return Decision("match", best.person, best.score, best.threshold)
