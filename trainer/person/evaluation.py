"""How a head does on pictures that it has never seen: mine, and those of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.console.display_text import shortened
from edge.heads.decision import HeadScore, decide
from edge.heads.head import Head
from edge.heads.threshold import Rate
from trainer.photos.samples import FaceSamples

EVERYBODY, NOBODY = "accepting everybody", "rejecting everybody"


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores of looks, float64[N]. names: of the pictures. people: whose they are, where several
    are told apart; groups: looks that are not independent share a number, int[N]. crops:
    uint8[N, S, S, 3] BGR. dropped: faces and pictures that could not be judged. reasons: the file
    of each of these, and why.
    """

    scores: np.ndarray
    names: tuple[str, ...]
    people: tuple[str, ...]
    groups: np.ndarray
    crops: np.ndarray
    dropped: int = 0
    reasons: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class PersonEvaluation:
    """Figures on fresh pictures. me: None where there were none. others: None likewise."""

    head: Head
    me: Sample | None
    others: Sample | None

    def figures(self) -> dict[str, Any]:
        """Every figure beside what trivial answers give, JSON values."""
        found: dict[str, Any] = {"threshold": self.head.threshold, "margin": self.head.margin}
        if self.me is not None:
            found["me"] = {**decisions(self.head, self.me), **_rejects(self.head, self.me)}
        if self.others is not None:
            found["others"] = {
                **decisions(self.head, self.others),
                **_accepts(self.head, self.others),
            }
        if self.me is not None and self.others is not None:
            right = self.me.scores >= self.head.threshold
            wrong = self.others.scores >= self.head.threshold
            mine, theirs = len(right), len(wrong)
            found["accuracy"] = float((right.sum() + (~wrong).sum()) / (mine + theirs))
            found["majority_accuracy"] = max(mine, theirs) / (mine + theirs)
            found["balanced_accuracy"] = float(0.5 * (right.mean() + 1.0 - wrong.mean()))
            found["baselines"] = {EVERYBODY: 0.5, NOBODY: 0.5}
        return found

    def lines(self) -> list[str]:
        """For people."""
        said = []
        figures = self.figures()
        if self.me is not None:
            me = figures["me"]
            said.append(
                f"{self.head.name}: {me['accepted']} of {me['looks']} looks accepted "
                f"({100 * me['tar']:.1f} %), {me['groups_rejected']} of {me['groups']} independent "
                f"looks rejected (at most {100 * me['frr_upper_95']:.2g} % with 95 % confidence); "
                f"{self.me.dropped} could not be judged; a head that rejects everybody: "
                "0 % accepted"
            )
            said += _not_judged(self.me)
        if self.others is not None:
            them = figures["others"]
            said.append(
                f"others: {them['accepted']} of {them['looks']} looks accepted "
                f"({100 * them['far']:.2g} %), of {them['people_accepted']} of {them['people']} "
                f"people (at most {100 * them['far_upper_95']:.2g} % with 95 % confidence); "
                f"{self.others.dropped} could not be judged; a head that accepts everybody: "
                "100 %"
            )
            said += _not_judged(self.others)
        if self.me is not None and self.others is not None:
            said.append(
                f"accuracy {figures['accuracy']:.3f} (always the majority: "
                f"{figures['majority_accuracy']:.3f}), balanced "
                f"{figures['balanced_accuracy']:.3f} (chance: 0.5)"
            )
        return said


def sample_of(
    head: Head, looks: FaceSamples, embeddings: np.ndarray, roots: Sequence[Path]
) -> Sample:
    """Score looks; embeddings float32[N, D]. roots: what the user named: a folder of theirs with
    sub-folders tells people apart by these, else each file is a person of its own.
    """
    names = tuple(look.name for look in looks.kept)
    return Sample(
        scores=head.score(embeddings),
        names=names,
        people=tuple(person_of(look.print.file, roots) for look in looks.kept),
        groups=looks.groups,
        crops=looks.crops(),
        dropped=len(looks.dropped),
        reasons=tuple((one.name, one.reason) for one in looks.dropped),
    )


def _not_judged(sample: Sample) -> list[str]:
    """By name."""
    named = [f"  not judged: {name}: {reason}" for name, reason in sample.reasons]
    return shortened(named, "  not judged: {} more")


def person_of(file: str, roots: Sequence[Path]) -> str:
    """Whose picture a file is: the first folder below the named one, else the file itself."""
    path = Path(file)
    for root in roots:
        if root in path.parents and path.parent != root:
            return str(root / path.relative_to(root).parts[0])
    return file


def decisions(head: Head, sample: Sample) -> dict[str, Any]:
    """Looks by decision, as the device would say."""
    states = [
        decide([HeadScore(head.name, float(score), head.threshold, head.margin)]).state
        for score in sample.scores
    ]
    return {
        "looks": len(states),
        "accepted": int((sample.scores >= head.threshold).sum()),
        "match": states.count("match"),
        "uncertain": states.count("uncertain"),
        "unknown": states.count("unknown"),
        "not_judged": sample.dropped,
    }


def _rejects(head: Head, sample: Sample) -> dict[str, Any]:
    from edge.heads.threshold import false_rejects

    rate = false_rejects(sample.scores, sample.groups, head.threshold)
    return {
        "tar": float(np.mean(sample.scores >= head.threshold)),
        "groups": rate.trials,
        "groups_rejected": rate.events,
        "frr_upper_95": rate.upper,
    }


def _accepts(head: Head, sample: Sample) -> dict[str, Any]:
    accepted = sample.scores >= head.threshold
    people = set(sample.people)
    through = {p for p, a in zip(sample.people, accepted, strict=True) if a}
    rate = Rate(len(through), len(people))
    return {
        "far": float(np.mean(accepted)),
        "people": rate.trials,
        "people_accepted": rate.events,
        "far_upper_95": rate.upper,
    }
