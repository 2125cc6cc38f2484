"""Ways to set a threshold, compared on the same heads and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import edge.heads.fitting
from edge.heads.calibration import highest_scores
from edge.heads.cohort import Cohort
from edge.heads.enrol import enrol
from edge.heads.head import Head
from edge.heads.normalization import Normalization, NormalizationKind, likeness_to
from edge.heads.threshold import SEVERAL, CameraKind, stranger_bound

FAR = 0.001
TOP = 200
ROWS = 1000


@dataclass(frozen=True)
class Enrolment:
    """What a strategy is given. arguments: of `edge.heads.enrol.enrol`, without name and cohort."""

    embeddings: np.ndarray
    groups: np.ndarray
    arguments: dict[str, Any]
    camera: CameraKind


Strategy = Callable[[Enrolment, Cohort], Head]


def strangers_alone(given: Enrolment, cohort: Cohort) -> Head:
    """A logistic head; one stranger in a thousand may pass."""
    head = _logistic(given, cohort)
    return replace(head, threshold=_bound(head, cohort))


def halfway(given: Enrolment, cohort: Cohort) -> Head:
    """The same head; halfway between the strangers' bound and the median of my held-out scores."""
    head = _logistic(given, cohort)
    own = float(np.median(head.facts.own_scores))
    bound = _bound(head, cohort)
    return replace(head, threshold=bound + 0.5 * max(0.0, own - bound))


def t_norm(given: Enrolment, cohort: Cohort) -> Head:
    """The same head, scores less how alike a face is to all strangers; the strangers' bound."""
    return _compared(given, cohort, "t", 0)


def as_norm(given: Enrolment, cohort: Cohort) -> Head:
    """The same head, scores less how alike a face is to the nearest strangers; the bound."""
    return _compared(given, cohort, "as", TOP)


def as_norm_halfway(given: Enrolment, cohort: Cohort) -> Head:
    """As `as_norm`, halfway to the median of my pictures' scores."""
    head = _compared(given, cohort, "as", TOP)
    own = float(np.median(head.score(given.embeddings)))
    return replace(head, threshold=head.threshold + 0.5 * max(0.0, own - head.threshold))


def without_camera(given: Enrolment, cohort: Cohort) -> Head:
    """With the nearest own picture, but as if there were several cameras."""
    return _enrolled(given, cohort, SEVERAL)


def shipped(given: Enrolment, cohort: Cohort) -> Head:
    """What `edge-train person` does: camera shift, nearest picture, camera level."""
    return _enrolled(given, cohort, given.camera)


STRATEGIES: dict[str, Strategy] = {
    "strangers alone (FAR 0.1 %)": strangers_alone,
    "halfway to my median": halfway,
    "T-norm, strangers alone": t_norm,
    "AS-norm, strangers alone": as_norm,
    "AS-norm, halfway": as_norm_halfway,
    "nearest picture, no camera": without_camera,
    "camera level (the one used)": shipped,
}


def _enrolled(given: Enrolment, cohort: Cohort, camera: CameraKind) -> Head:
    return enrol("me", given.embeddings, given.groups, cohort, camera=camera, **given.arguments)


def _logistic(given: Enrolment, cohort: Cohort) -> Head:
    """Logistic regression on the pictures alone, Z-normalized."""
    before = edge.heads.fitting.NEAREST_WEIGHT
    edge.heads.fitting.NEAREST_WEIGHT = 0.0
    try:
        return enrol("me", given.embeddings, given.groups, cohort, camera=SEVERAL)
    finally:
        edge.heads.fitting.NEAREST_WEIGHT = before


def _bound(head: Head, cohort: Cohort) -> float:
    highest = highest_scores(head, cohort)
    ranked = np.sort(highest)
    return float(np.nextafter(ranked[-1 - int(FAR * len(ranked))], np.inf))


def _compared(given: Enrolment, cohort: Cohort, kind: NormalizationKind, top: int) -> Head:
    head = _logistic(given, cohort)
    train, hold = cohort.halves()
    step = max(1, len(train) // ROWS)
    rows = train.embeddings[::step][:ROWS]
    vectors = hold.vectors()
    raw, likeness = head.raw(vectors), likeness_to(vectors, rows, top)
    norm = Normalization(
        kind=kind,
        mean=float(raw.mean()),
        std=float(raw.std()),
        rows=rows,
        top=top,
        weight=1.0,
        centre=float(likeness.mean()),
        spread=float(likeness.std()),
    )
    head = replace(head, normalization=norm)
    return replace(head, threshold=stranger_bound(highest_scores(head, cohort)))
