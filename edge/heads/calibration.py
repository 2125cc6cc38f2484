"""Calibration: the thresholds of all heads of a bundle, and the facts about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edge.errors import InputError, ModelError
from edge.heads.calibration_record import PersonCalibration, Scored, Unstated
from edge.heads.camera_shift import CameraShift, no_shift, plain_rows, shift_by_looks
from edge.heads.cohort import EVERYBODY, Cohort
from edge.heads.head import Head
from edge.heads.threshold import (
    ESTIMATED,
    PROVEN,
    SEVERAL,
    Evidence,
    Proof,
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

_ASKED_FOR = {"target_far", "camera", "looks", "own_scores", "own_groups", "not_me", "likeness"}


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
    asked = [head.facts.target_far for head in heads if head.facts.target_far]
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
    kept = head.facts.scored
    if kept is not None and kept.cohort == fingerprint and kept.tails:
        return kept
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


def proof_of(target_far: float | None, people: int, strict: bool = False) -> Proof:
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
    if head.facts.camera == SEVERAL:
        return no_shift(cohort.size)
    return shift_by_looks(head.facts.looks, cohort)


def threshold_alone(head: Head) -> float | None:
    """The threshold that a head would have if nobody else were known, by what it keeps of the
    strangers; None where it does not say."""
    facts = head.stated
    if facts is None or facts.scored is None:
        return None  # a head by an earlier version
    scored = facts.scored
    highest = np.full(scored.people, -np.inf)
    highest[: len(scored.nearest)] = [score for _, score in scored.nearest]
    return _threshold(head, scored.tails, highest, 1, facts.target_far)


def rates_to_json(head: Head) -> dict[str, dict[str, Any]]:
    """`far` over strangers and `frr` over my own groups as thresholds were set, with exact bounds
    and beside what trivial answers give."""
    facts = head.facts
    return {
        "far": {
            "events": facts.far.events,
            "trials": facts.far.trials,
            "upper_95": facts.far_upper_95,
            "baseline_accept_all": 1.0,
        },
        "frr": {
            "events": facts.frr.events,
            "trials": facts.frr.trials,
            "upper_95": facts.frr_upper_95,
            "baseline_reject_all": 1.0,
        },
    }


def _check(head: Head, cohort: Cohort) -> None:
    if head.embedder_sha256 != cohort.embedder_sha256 or head.size != cohort.size:
        raise ModelError(
            f"the cohort is of another embedder than the head of {head.name}",
            hint="give the cohort that the person was enrolled with",
        )
    if isinstance(head.calibration, Unstated) and head.calibration.values.keys() >= _ASKED_FOR:
        raise InputError(
            f"the calibration of {head.name} contradicts itself: {head.calibration.problem}",
            hint="enroll again",
        )


def _threshold(
    head: Head, tails: tuple[Tail, ...], joint: np.ndarray | None, heads: int, target: float | None
) -> float:
    facts = head.facts
    evidence = Evidence(
        tails=tails,
        strangers=joint,
        own=np.array(facts.own_scores, np.float64),
        not_me=facts.not_me,
        camera=facts.camera,
        heads=heads,
    )
    return choose_threshold(evidence, target)


def _with_facts(
    head: Head,
    *,
    threshold: float,
    proof: Proof,
    target: float | None,
    alone: Rate,
    bundle: Rate,
    scored: Scored,
    heads: int,
) -> Head:
    own = np.array(head.facts.own_scores, np.float64)
    groups = np.array(head.facts.own_groups, np.int64)
    facts = replace(
        head.facts,
        strategy=STRATEGY,
        heads=heads,
        target_far=target,
        proof=proof,
        stranger_bound=round(stranger_reach(scored.tails, SEVERAL, heads, target), 5),
        nearest_group=nearest_tail(scored.tails).group,
        scored=scored,
        far=bundle,
        far_alone=alone,
        frr=false_rejects(own, groups, threshold),
    )
    facts = replace(facts, warnings=tuple(_warnings(facts, threshold)))
    return replace(head, threshold=threshold, calibration=facts)


def _warnings(facts: PersonCalibration, threshold: float) -> list[str]:
    """What somebody who relies on the head should know, in plain words."""
    found = []
    if facts.frr.trials < FEW_LOOKS:
        found.append(
            f"only {facts.frr.trials} independent looks: nothing better than at most "
            f"{100 * facts.frr_upper_95:.0f} % false rejects can be proven, "
            f"{FEW_LOOKS} or more would say more"
        )
    if facts.one_sitting:
        found.append(
            "all pictures are of one sitting: expect to be missed in other light and on other "
            "days; add a second sitting (enrol --add, or more photos)"
        )
    if facts.proof == ESTIMATED:
        found.append(
            f"a FAR of {facts.target_far:g} is estimated, not proven, "
            f"by {facts.far.trials} strangers"
        )
    if facts.frr.events:
        found.append(f"{facts.frr.events} of {facts.frr.trials} looks of the person were rejected")
    if facts.not_me is not None and facts.not_me >= threshold:
        found.append("somebody of --not-me is as much like the person as the person's own pictures")
    if facts.left_out:
        found.append(f"{len(facts.left_out)} pictures look like somebody else and were left out")
    return found
