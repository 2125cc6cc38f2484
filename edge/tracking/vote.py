"""The vote: what the looks at one track settle on, so that one odd frame neither opens nor closes.

A look votes for what it says alone: a person, or nobody known. Looks that the quality gate rejects
do not vote. Something is settled once `votes` of the last `of` votes agree, and stays settled until
as many agree on something else (k-of-n with hysteresis).

A stranger who stays gives many chances to be accepted once, and looks that follow each other err
together. So a person is accepted only where the evidence of all remembered looks agrees, too: the
mean of their scores lies above the threshold. Who was seen as a stranger for long needs to be seen
as the person for long.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.errors import UsageError
from edge.faces.quality import NOT_A_FACE
from edge.heads.decision import NO_HEADS, Decision, DecisionState, TaskAnswer, rejected
from edge.heads.scores import HeadScore, most_alike, scores_of
from edge.recognition.observation import Observation

NOBODY = ""
"""The choice of a look that knows nobody; no head can be called so."""

TOO_FEW = "not seen often enough yet"
DISAGREEING = "its looks disagree"


@dataclass(frozen=True)
class VoteConfig:
    """votes, of: `votes` of the last `of` votes have to agree; more than half, at least two.

    memory: looks whose scores count as evidence. excess_limit: how much one of them counts at most,
    in the unit of the scores. hold_s: what was settled is forgotten when looks have been rejected
    for so long. no_face_share: of the remembered looks; from here on a track is no face. Tuned on
    webcam clips.
    """

    votes: int = 3
    of: int = 5
    memory: int = 20
    excess_limit: float = 1.0
    hold_s: float = 2.0
    no_face_share: float = 1 / 3

    def __post_init__(self) -> None:
        """Raises `UsageError` for numbers that cannot settle anything."""
        if not 2 <= self.votes <= self.of or 2 * self.votes <= self.of or self.of > 50:
            raise UsageError(
                f"{self.votes} of {self.of} votes cannot settle anything",
                hint="let more than half agree, and at least two, as in 3/5",
            )


@dataclass(frozen=True)
class _Ballot:
    """What one look said. choice: a name, `NOBODY`, or None where it abstains, for `reason`."""

    choice: str | None
    scores: Sequence[HeadScore]
    attributes: dict[str, float]
    tasks: dict[str, TaskAnswer]
    reason: str | None


class Vote:
    """The looks at one track and what they have settled on."""

    def __init__(self, config: VoteConfig | None = None) -> None:
        self.config = config or VoteConfig()
        self.choice: str | None = None
        self.looks = 0
        self._ballots: deque[_Ballot] = deque(maxlen=max(self.config.memory, self.config.of))
        self._no_faces: deque[bool] = deque(maxlen=2 * self.config.of)
        self._passed_s: float | None = None
        self._rejection: str | None = None
        self._attributes: dict[str, float] | None = None
        self._tasks: dict[str, TaskAnswer] | None = None
        self._decision: Decision | None = None

    @property
    def settled(self) -> bool:
        """Whether it is decided who this is, or that it is nobody known."""
        return self.choice is not None and not self.is_no_face

    @property
    def is_confirmed(self) -> bool:
        """Whether it is settled, and the last look agreed."""
        last = self._ballots[-1].choice if self._ballots else None
        return self.settled and self._rejection is None and last == self.choice

    @property
    def is_no_face(self) -> bool:
        """Whether enough samples found no face to discard the others."""
        count = sum(self._no_faces)
        return count >= 2 and count >= self.config.no_face_share * len(self._no_faces)

    @property
    def attributes(self) -> dict[str, float]:
        """Name to mean probability over the remembered looks. Not to be written to."""
        if self._attributes is None:
            self._attributes = _mean_attributes([b.attributes for b in self._ballots])
        return self._attributes

    @property
    def tasks(self) -> dict[str, TaskAnswer]:
        """Name to answer, with the mean score over the remembered looks. Not to be written to."""
        if self._tasks is None:
            self._tasks = _mean_tasks([ballot.tasks for ballot in self._ballots])
        return self._tasks

    def add(self, look: Observation, time_s: float) -> None:
        """Take one look into account."""
        self._attributes = self._tasks = self._decision = None
        self.looks += 1
        self._no_faces.append(look.is_no_face)
        self._rejection = look.reason
        if not look.passed:
            if self._passed_s is not None and time_s - self._passed_s > self.config.hold_s:
                self._forget()
            return
        self._passed_s = time_s
        self._ballots.append(_ballot(look))
        self._count()

    def decision(self) -> Decision:
        """What holds now; it changes with a look alone."""
        if self._decision is None:
            self._decision = self._decided()
        return self._decision

    def _decided(self) -> Decision:
        if self.is_no_face:
            return rejected(NOT_A_FACE)
        if not self._ballots:
            return rejected(self._rejection or "cannot be judged")
        recent = list(self._ballots)[-self.config.of :]
        if self.choice is None:
            reason = recent[-1].reason or (
                TOO_FEW if len(recent) < self.config.votes else DISAGREEING
            )
            return _stated("uncertain", None, recent, reason)
        if self.choice == NOBODY:
            return _stated("unknown", None, recent, None) if len(recent[-1].scores) else NO_HEADS
        return _stated("match", self.choice, recent, None)

    def _count(self) -> None:
        recent = list(self._ballots)[-self.config.of :]
        counts = Counter(ballot.choice for ballot in recent if ballot.choice is not None)
        for choice, count in counts.items():
            if choice == self.choice or count < self.config.votes:
                continue
            if choice == NOBODY or self._evidence(choice) >= 0:
                self.choice = choice
            else:
                self.choice = None

    def _evidence(self, person: str) -> float:
        """The mean of how far the remembered looks lie above the person's threshold."""
        limit = self.config.excess_limit
        found = [
            min(max(score.excess, -limit), limit)
            for ballot in self._ballots
            for score in scores_of(ballot.scores, person)
        ]
        return float(np.mean(found)) if found else -limit

    def _forget(self) -> None:
        self.choice = None
        self._ballots.clear()


def _mean_attributes(looks: list[dict[str, float]]) -> dict[str, float]:
    kept = [look for look in looks if look]
    if not kept:
        return {}
    names = list(kept[-1])
    means = np.array([[look[name] for name in names] for look in kept]).mean(axis=0)
    return dict(zip(names, means.tolist(), strict=True))


def _mean_tasks(looks: list[dict[str, TaskAnswer]]) -> dict[str, TaskAnswer]:
    last = looks[-1] if looks else {}
    return {
        name: replace(
            answer, score=float(np.mean([one[name].score for one in looks if name in one]))
        )
        for name, answer in last.items()
    }


def _ballot(look: Observation) -> _Ballot:
    decision = look.decision
    choice: str | None = None
    if decision.state == "match":
        choice = decision.person
    elif decision.state == "unknown":
        choice = NOBODY
    reason = decision.reason if choice is None else None
    return _Ballot(choice, look.scores, look.attributes, look.tasks, reason)


def _stated(
    state: DecisionState, person: str | None, ballots: Iterable[_Ballot], reason: str | None
) -> Decision:
    """A decision with the mean score of a person, by default of who is most alike."""
    looks = [ballot.scores for ballot in ballots]
    kept = [score for look in looks for score in scores_of(look, person or "")]
    if not kept:
        nearest = most_alike(looks)
        if nearest is None:
            return Decision(state, person, reason=reason)
        kept = [score for look in looks for score in scores_of(look, nearest)]
    mean = float(np.mean([score.score for score in kept]))
    limits = [score.threshold for score in kept]
    threshold = limits[-1] if len(set(limits)) == 1 else float(np.mean(limits))
    return Decision(state, person, mean, threshold, reason)
