"""Calibration: the thresholds of all heads of a bundle, and the facts about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edge.errors import InputError, ModelError, RefusedError
from edge.heads.camera_shift import CameraShift, no_shift, plain_rows, shift_by_looks
from edge.heads.cohort import Cohort
from edge.heads.head import Head
from edge.heads.threshold import (
    CAMERAS,
    ESTIMATED,
    PROVEN,
    SEVERAL,
    Evidence,
    Rate,
    check_target,
    choose_threshold,
    false_rejects,
    stranger_bound,
)

FEW_LOOKS = 15
"""Independent looks below which the false rejects cannot be told with any certainty."""

STRATEGY = "strangers, camera level and own held-out scores"


def recalibrate(
    heads: Sequence[Head],
    cohort: Cohort,
    *,
    target_far: float | None = None,
    strict: bool = False,
) -> tuple[Head, ...]:
    """The same heads with thresholds for a bundle that holds all of them and no other.

    Each head is one more chance for a stranger, so thresholds are set on the highest score over
    heads. cohort: the one that the heads were enrolled with. target_far: of the whole bundle; None
    for the lowest that a head was made for, or what the cohort supports. Heads of another task than
    telling people (`edge-train person --positive`) stay as they are.

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
    hold = cohort.halves()[1]
    proof = proof_of(target, hold.people, strict)
    highest = np.stack([highest_scores(head, cohort) for head in heads])
    joint = highest.max(axis=0)
    thresholds = np.array([_threshold(head, joint, len(heads), target) for head in heads])
    accepted = highest >= thresholds[:, None]
    bundle = Rate(int(accepted.any(axis=0).sum()), hold.people)
    return tuple(
        _with_facts(
            head,
            threshold=float(threshold),
            proof=proof,
            target=target,
            alone=Rate(int(row.sum()), hold.people),
            bundle=bundle,
            bound=stranger_bound(joint, target),
            heads=len(heads),
        )
        for head, threshold, row in zip(heads, thresholds, accepted, strict=True)
    )


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


def _threshold(head: Head, joint: np.ndarray, heads: int, target: float | None) -> float:
    facts = head.calibration
    evidence = Evidence(
        strangers=joint,
        own=np.array(facts["own_scores"], np.float64),
        likeness=float(facts["likeness"]),
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
    bound: float,
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
        "stranger_bound": round(bound, 5),
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
            "all pictures are of one sitting: the false rejects are those within it, another day, "
            "light or haircut may do worse"
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
