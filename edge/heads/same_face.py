"""Same faces: somebody who is enrolled under two names, and is then recognized under neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.heads.calibration import shift_of
from edge.heads.camera_shift import plain_rows
from edge.heads.cohort import Cohort
from edge.heads.head import Head

MOST = 0.5
"""Share of somebody's looks from which the head that accepts them is of the same face. Chosen: a
head accepts nearly all looks of its own person, and of a stranger none."""


@dataclass(frozen=True)
class SameFace:
    """`looks` looks were offered to the head of `name`, which accepts `accepted`."""

    name: str
    accepted: int
    looks: int

    def __str__(self) -> str:
        return (
            f"this is {self.name} already ({self.accepted} of {self.looks} looks): a face with two "
            "names is recognized under neither; enroll it under one"
        )


def same_faces(name: str, looks: np.ndarray, heads: Sequence[Head]) -> tuple[SameFace, ...]:
    """Under which other names somebody is known already, by heads that accept most of their looks.

    looks: float32[N, D] of length 1, by the heads' embedder. Heads of tasks are no people.
    """
    found = []
    for head in heads:
        if head.name == name or head.is_task or not len(looks):
            continue
        accepted = int(head.accepts(looks).sum())
        if accepted > MOST * len(looks):
            found.append(SameFace(head.name, accepted, len(looks)))
    return tuple(found)


def same_faces_of(heads: Sequence[Head], cohort: Cohort) -> tuple[str, ...]:
    """The warnings about heads of one face: each pair once, the later one by its own pictures,
    as far as it carries them."""
    said = []
    for number, head in enumerate(heads):
        looks = pictures_of(head, cohort)
        said += [f"{head.name}: {each}" for each in same_faces(head.name, looks, heads[:number])]
    return tuple(said)


def pictures_of(head: Head, cohort: Cohort) -> np.ndarray:
    """The embeddings of the person's pictures that travel with a head, float32[R, D] of length 1,
    but for the camera's part; none with heads of other kinds or of another embedder."""
    nobody = np.zeros((0, cohort.size), np.float32)
    if head.normalization.kind != "own" or head.embedder_sha256 != cohort.embedder_sha256:
        return nobody
    if head.is_task:
        return nobody
    hold = cohort.halves()[1]
    plain = hold.select(plain_rows(hold)).vectors()
    middle = shift_of(head, cohort).moved(plain).mean(axis=0)
    looks = head.normalization.rows.astype(np.float64) + middle
    lengths = np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    return np.asarray(looks / lengths, np.float32)
