"""Calibration: the thresholds of all heads of a bundle, and the facts about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from edge.errors import InputError, ModelError, RefusedError
from edge.heads.camera_shift import CameraShift, no_shift, plain_rows, shift_by_looks
from edge.heads.cohort import EVERYBODY, Cohort
from edge.heads.head import Head
from edge.heads.threshold import (
    CAMERAS,
    ESTIMATED,
    PROVEN,
    SEVERAL,
    Evidence,
    Rate,
    Tail,
    check_target,
    choose_threshold,
    false_rejects,
    nearest_tail,
    stranger_reach,
)

FEW_LOOKS = 15
"""Independent looks below which the false rejects cannot be told with any certainty."""

STRATEGY = "nearest group of strangers, camera effect and own held-out scores"

FEWEST_IN_TAIL = 50
"""Strangers of a group below which nothing can be said of its tail; they count with everybody."""

SET_TOGETHER = (
    "strategy",
    "heads",
    "target_far",
    "proof",
    "stranger_bound",
    "nearest_group",
    "strangers",
    "strangers_accepted",
    "far_upper_95",
    "far_alone",
    "groups",
    "groups_rejected",
    "frr_upper_95",
    "warnings",
)
"""Facts of a head that `recalibrate` finds anew whenever somebody joins or leaves; all others are
of the head itself."""

NEAREST = 64
"""Strangers with the highest scores that a head keeps, to be counted without scoring all again."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores that a head gives the strangers of a cohort's half that sets thresholds.

    tails: of each group. nearest: numbers and scores of the highest, at most `NEAREST`, the highest
    first. people: how many strangers there are. cohort: `Cohort.fingerprint` of which cohort.
    """

    tails: tuple[Tail, ...]
    nearest: tuple[tuple[int, float], ...]
    people: int
    cohort: str

    def accepted(self, threshold: float) -> set[int] | None:
        """Numbers of the strangers from a threshold on; None where not all of them are kept."""
        passing = {number for number, score in self.nearest if score >= threshold}
        return None if len(passing) == len(self.nearest) < self.people else passing

    @cached_property
    def as_kept(self) -> dict[str, Any]:
        """JSON values: what it was read from, or would be."""
        return {
            "cohort": self.cohort,
            "people": self.people,
            "tails": [vars(tail) for tail in self.tails],
            "nearest": [list(each) for each in self.nearest],
        }

    @classmethod
    def from_json(cls, data: Any) -> Scored:
        """Raises KeyError, TypeError or ValueError for what is no such description."""
        found = cls(
            tails=tuple(Tail(**tail) for tail in data["tails"]),
            nearest=tuple((int(number), float(score)) for number, score in data["nearest"]),
            people=int(data["people"]),
            cohort=str(data["cohort"]),
        )
        found.__dict__["as_kept"] = data
        return found


def recalibrate(
    heads: Sequence[Head],
    cohort: Cohort,
    *,
    target_far: float | None = None,
    strict: bool = False,
) -> tuple[Head, ...]:
    """The same heads with thresholds for a bundle that holds all of them and no other.

    Each head is one more chance for a stranger, so thresholds rise with their number. Without a
    target no stranger is scored again who was when the head was made. cohort: the one that the
    heads were enrolled with. target_far: of the whole bundle; None for the lowest that a head was
    made for, or what the cohort supports. Heads of another task than telling people (`edge-train
    person --positive`) stay as they are.

    Raises `RefusedError` for a head that does not say how it was calibrated and for a target that
    cannot be had, `ModelError` for a cohort of another embedder.
    """
    people = [head for head in heads if not head.is_task]
    if len(people) < len(heads):
        again = iter(recalibrate(people, cohort, target_far=target_far, strict=strict))
        return tuple(head if head.is_task else next(again) for head in heads)
    for head in heads:
        _check(head, cohort)
    if not heads:
        return ()
    asked = [h.calibration["target_far"] for h in heads if h.calibration["target_far"]]
    target = target_far if target_far is not None else min(asked, default=None)
    strangers = cohort.halves()[1].people
    proof = proof_of(target, strangers, strict)
    scored = [scored_strangers(head, cohort) for head in heads]
    joint = None
    if target is not None:
        joint = np.max([highest_scores(head, cohort) for head in heads], axis=0)
    thresholds = [
        _threshold(head, each.tails, joint, len(heads), target)
        for head, each in zip(heads, scored, strict=True)
    ]
    accepted = [
        _accepted(head, each, threshold, cohort)
        for head, each, threshold in zip(heads, scored, thresholds, strict=True)
    ]
    bundle = Rate(len(set().union(*accepted)), strangers)
    return tuple(
        _with_facts(
            head,
            threshold=threshold,
            proof=proof,
            target=target,
            alone=Rate(len(passing), strangers),
            bundle=bundle,
            scored=each,
            heads=len(heads),
        )
        for head, threshold, passing, each in zip(heads, thresholds, accepted, scored, strict=True)
    )


def scored_strangers(head: Head, cohort: Cohort) -> Scored:
    """Scores of strangers by the head, as kept in its calibration where it is of this cohort."""
    fingerprint = cohort.fingerprint
    try:
        kept = Scored.from_json(head.calibration["scored"])
        if kept.cohort == fingerprint and kept.tails:
            return kept
    except (KeyError, TypeError, ValueError):
        pass  # a head by an earlier version
    highest = highest_scores(head, cohort)
    order = np.argsort(-highest, kind="stable")[:NEAREST].tolist()
    return Scored(
        tails=tails_of(head, cohort),
        nearest=tuple((number, round(float(highest[number]), 5)) for number in order),
        people=len(highest),
        cohort=fingerprint,
    )


def tails_of(head: Head, cohort: Cohort) -> tuple[Tail, ...]:
    """How each group scores, in the plain look as the head's camera would show it.

    Groups of fewer than `FEWEST_IN_TAIL` strangers have no tail of their own; where there is one,
    everybody together has one.
    """
    hold = cohort.halves()[1]
    rows = plain_rows(hold)
    if not rows.any():
        rows = np.ones(len(hold), bool)
    scores = head.score(shift_of(head, cohort).moved(hold.vectors()[rows]).astype(np.float32))
    found, small = [], False
    for number, name in enumerate(hold.groups):
        inside = hold.group[rows] == number
        people = len(np.unique(hold.identity[rows][inside]))
        if people >= FEWEST_IN_TAIL:
            found.append(_tail(name, scores[inside], people))
        small = small or 0 < people < FEWEST_IN_TAIL
    if small:
        found.append(_tail(EVERYBODY, scores, len(np.unique(hold.identity[rows]))))
    return tuple(found)


def _tail(group: str, scores: np.ndarray, people: int) -> Tail:
    mean, spread = float(scores.mean()), max(float(scores.std()), 1e-9)
    return Tail(group, round(mean, 5), round(spread, 5), people)


def _accepted(head: Head, scored: Scored, threshold: float, cohort: Cohort) -> set[int]:
    kept = scored.accepted(threshold)
    if kept is not None:
        return kept
    return set(np.flatnonzero(highest_scores(head, cohort) >= threshold).tolist())


def proof_of(target_far: float | None, people: int, strict: bool = False) -> str:
    """What `people` strangers can prove of a target, see `check_target`; without one, a bound."""
    return PROVEN if target_far is None else check_target(target_far, people, strict=strict)


def highest_scores(head: Head, cohort: Cohort) -> np.ndarray:
    """The highest score of each stranger of the half that sets thresholds, in any look, float64[P].

    In the order of the identities, so that several heads can be compared. The plain look is moved
    to where the head's camera would show it.
    """
    hold = cohort.halves()[1]
    vectors = hold.vectors()
    shift = shift_of(head, cohort)
    scores = head.score(vectors)
    if shift.offset.any():
        plain = np.flatnonzero(plain_rows(hold))
        moved = shift.moved(vectors[plain]).astype(np.float32)
        scores[plain] = np.maximum(scores[plain], head.score(moved))
    _, order = np.unique(hold.identity, return_inverse=True)
    highest = np.full(hold.people, -np.inf)
    np.maximum.at(highest, order.reshape(-1), scores)
    return highest


def shift_of(head: Head, cohort: Cohort) -> CameraShift:
    """What the camera of the head's pictures does to embeddings, as found at enrolment."""
    if head.calibration["camera"] == SEVERAL:
        return no_shift(cohort.size)
    return shift_by_looks(head.calibration["looks"], cohort)


def threshold_alone(head: Head) -> float | None:
    """The threshold that a head would have if nobody else were known, by what it keeps of the
    strangers; None where it does not say."""
    facts = head.calibration
    try:
        scored = Scored.from_json(facts["scored"])
        highest = np.full(scored.people, -np.inf)
        highest[: len(scored.nearest)] = [score for _, score in scored.nearest]
        return _threshold(head, scored.tails, highest, 1, facts["target_far"])
    except (KeyError, TypeError, ValueError):
        return None  # a head by an earlier version


def rates_to_json(head: Head) -> dict[str, dict[str, Any]]:
    """`far` over strangers and `frr` over my own groups as thresholds were set, with exact bounds
    and beside what trivial answers give."""
    facts = head.calibration
    return {
        "far": {
            "events": facts["strangers_accepted"],
            "trials": facts["strangers"],
            "upper_95": facts["far_upper_95"],
            "baseline_accept_all": 1.0,
        },
        "frr": {
            "events": facts["groups_rejected"],
            "trials": facts["groups"],
            "upper_95": facts["frr_upper_95"],
            "baseline_reject_all": 1.0,
        },
    }


def _check(head: Head, cohort: Cohort) -> None:
    if head.embedder_sha256 != cohort.embedder_sha256 or head.size != cohort.size:
        raise ModelError(
            f"the cohort is of another embedder than the head of {head.name}",
            hint="give the cohort that the person was enrolled with",
        )
    known = {"target_far", "camera", "looks", "own_scores", "own_groups", "not_me", "likeness"}
    missing = known - set(head.calibration)
    if missing:
        raise RefusedError(
            f"the head of {head.name} does not say how it was calibrated",
            hint="enroll again, so that thresholds can be set for all heads together",
        )
    scores, groups = head.calibration["own_scores"], head.calibration["own_groups"]
    known_camera = head.calibration["camera"] in CAMERAS
    if (
        not known_camera
        or not isinstance(scores, list)
        or not isinstance(groups, list)
        or len(scores) != len(groups)
    ):
        raise InputError(f"the calibration of {head.name} contradicts itself", hint="enroll again")


def _threshold(
    head: Head, tails: tuple[Tail, ...], joint: np.ndarray | None, heads: int, target: float | None
) -> float:
    facts = head.calibration
    evidence = Evidence(
        tails=tails,
        strangers=joint,
        own=np.array(facts["own_scores"], np.float64),
        not_me=facts["not_me"],
        camera=facts["camera"],
        heads=heads,
    )
    return choose_threshold(evidence, target)


def _with_facts(
    head: Head,
    *,
    threshold: float,
    proof: str,
    target: float | None,
    alone: Rate,
    bundle: Rate,
    scored: Scored,
    heads: int,
) -> Head:
    own = np.array(head.calibration["own_scores"], np.float64)
    groups = np.array(head.calibration["own_groups"], np.int64)
    rejects = false_rejects(own, groups, threshold)
    facts: dict[str, Any] = {
        "strategy": STRATEGY,
        "heads": heads,
        "target_far": target,
        "proof": proof,
        "stranger_bound": round(stranger_reach(scored.tails, SEVERAL, heads, target), 5),
        "nearest_group": nearest_tail(scored.tails).group,
        "scored": scored.as_kept,
        "strangers": bundle.trials,
        "strangers_accepted": bundle.events,
        "far_upper_95": round(bundle.upper, 6),
        "far_alone": alone.to_json(),
        "groups": rejects.trials,
        "groups_rejected": rejects.events,
        "frr_upper_95": round(rejects.upper, 4),
    }
    facts["warnings"] = _warnings({**head.calibration, **facts}, own, threshold)
    return replace(head, threshold=threshold, calibration={**head.calibration, **facts})


def _warnings(facts: dict[str, Any], own: np.ndarray, threshold: float) -> list[str]:
    """What somebody who relies on the head should know, in plain words."""
    found = []
    if facts["groups"] < FEW_LOOKS:
        found.append(
            f"only {facts['groups']} independent looks: nothing better than at most "
            f"{100 * facts['frr_upper_95']:.0f} % false rejects can be proven, "
            f"{FEW_LOOKS} or more would say more"
        )
    if facts.get("one_sitting"):
        found.append(
            "all pictures are of one sitting: expect to be missed in other light and on other "
            "days; add a second sitting (enrol --add, or more photos)"
        )
    if facts["proof"] == ESTIMATED:
        found.append(
            f"a FAR of {facts['target_far']:g} is estimated, not proven, "
            f"by {facts['strangers']} strangers"
        )
    if facts["groups_rejected"]:
        found.append(
            f"{facts['groups_rejected']} of {facts['groups']} looks of the person were rejected"
        )
    if facts["not_me"] is not None and facts["not_me"] >= threshold:
        found.append("somebody of --not-me is as much like the person as the person's own pictures")
    if facts.get("left_out"):
        found.append(f"{len(facts['left_out'])} pictures look like somebody else and were left out")
    return found
