"""Repeated enrolment: a person's head on another embedder, from the pictures that the run names.

The head is fitted by `edge.heads.enrol`, from the same looks in the same groups, varied by the same
seed, as `edge-train person` would fit it on that base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.enrolment.augment import PER_PICTURE, variations
from edge.enrolment.samples import embeddings_of, usable_face
from edge.errors import RefusedError
from edge.faces.detector import Detector
from edge.faces.quality import QualityGate
from edge.heads.calibration_record import Unstated
from edge.heads.cohort import Cohort
from edge.heads.enrol import enrol
from edge.heads.head import LINEAR, Head
from edge.heads.threshold import CameraKind
from edge.models.embedder import Embedder
from export.inputs.find_photos import Named, images, locate
from export.inputs.run_folder import RunFolder


@dataclass(frozen=True)
class Plan:
    """How somebody was enrolled. pictures: those that the head was fitted on. groups: of each, see
    `edge.heads.enrol.Album`. The others are arguments of `edge.heads.enrol.enrol`.
    """

    name: str
    pictures: tuple[Named, ...]
    groups: tuple[int, ...]
    target_far: float | None
    camera: CameraKind
    one_sitting: bool
    strict: bool
    seed: int


@dataclass(frozen=True, eq=False)
class Sight:
    """What the new head looks through: embedder, detector, and strangers by the same embedder."""

    embedder: Embedder
    detector: Detector
    cohort: Cohort


def plan_of(run: RunFolder, head: Head) -> Plan:
    """How the person was enrolled, by the run. Raises `RefusedError` where that cannot be
    done again from it, with the reason.
    """
    _check(run, head)
    if isinstance(head.calibration, Unstated):
        raise _refused(run, head, f"the run does not say how ({head.calibration.problem})")
    facts = head.facts
    try:
        pictures = [
            Named(number, str(one["file"]), str(one["sha256"]))
            for number, one in enumerate(run.record.data["pictures"])
        ]
        left_out = set(facts.left_out)
        plan = Plan(
            name=head.name,
            pictures=tuple(one for one in pictures if one.number not in left_out),
            groups=facts.own_groups,
            target_far=facts.target_far,
            camera=facts.camera,
            one_sitting=facts.one_sitting,
            strict=facts.strict,
            seed=facts.seed,
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise _refused(run, head, f"the run does not say how ({problem!r})") from None
    if len(plan.pictures) != len(plan.groups):
        raise _refused(
            run, head, f"the run names {len(plan.pictures)} pictures and {len(plan.groups)} scores"
        )
    return plan


def enrolled_again(plan: Plan, sight: Sight, folders: Sequence[Path]) -> Head:
    """The person's head on the embedder of `sight`, from the pictures in files or folders.

    Raises as `export.inputs.find_photos.locate` and `images`, `edge.heads.enrol.enrol`, and
    `RefusedError` where a picture shows no usable face.
    """
    crops, varied = _crops(plan, sight, folders)
    return enrol(
        plan.name,
        embeddings_of(sight.embedder, crops),
        np.array(plan.groups, np.int64),
        sight.cohort,
        varied=embeddings_of(sight.embedder, varied),
        varied_of=np.repeat(np.arange(len(crops)), PER_PICTURE),
        target_far=plan.target_far,
        camera=plan.camera,
        one_sitting=plan.one_sitting,
        strict=plan.strict,
        seed=plan.seed,
    )


def _check(run: RunFolder, head: Head) -> None:
    """Raises `RefusedError` for heads that pictures of the person alone do not give."""
    if run.kind != "person":
        raise _refused(run, head, "the run is no person's and names no pictures")
    if head.is_task:
        raise _refused(run, head, "it tells something else than people (--positive)")
    if head.kind != LINEAR:
        raise _refused(run, head, f"a head of the kind {head.kind} is fitted by edge-train alone")
    if head.stated is not None and head.stated.not_me is not None:
        raise _refused(run, head, "the run does not name the pictures of --not-me")


def _refused(run: RunFolder, head: Head, reason: str) -> RefusedError:
    return RefusedError(
        f"{head.name} of {run.path} cannot be enrolled again from pictures: {reason}",
        hint="enroll with 'edge-train person --base' on the run that is packed",
    )


def _crops(plan: Plan, sight: Sight, folders: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Crops uint8[N, S, S, 3] BGR in the order of the plan, and their variations, PER_PICTURE of
    each, uint8[M, S, S, 3]."""
    embedder, gate = sight.embedder, QualityGate()
    crops: dict[int, np.ndarray] = {}
    varied: dict[int, np.ndarray] = {}
    for one, image in images(locate(plan.pictures, folders)):
        found = usable_face(image, sight.detector, gate)
        if isinstance(found, str):
            raise RefusedError(
                f"{one.file} shows no usable face with this detector ({found})",
                hint="give the detector that it was enrolled with (--detector-model)",
            )
        seed = plan.seed + one.number
        crops[one.number] = embedder.crop(image, found[0])
        varied[one.number] = variations(
            image, found[0], embedder.network.input, count=PER_PICTURE, seed=seed
        )
    order = [one.number for one in plan.pictures]
    return np.stack([crops[n] for n in order]), np.concatenate([varied[n] for n in order])
