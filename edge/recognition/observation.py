"""A look: what one detected face of one picture gave, before anything is decided over time.

Faces gathered to enroll somebody are in `edge.enrolment.samples`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from edge.faces.face import Face
from edge.faces.quality import NO_FACE_REASONS
from edge.heads.decision import Decision, HeadScore, TaskAnswer, decide, rejected
from edge.recognition.result import FaceResult, Latency


@dataclass(frozen=True, eq=False)
class Observation:
    """One face, looked at once.

    reason: why it could not be judged, None where it could; the rest is then empty. scores: one per
    person's head. embedding: float32[D] of length 1, of the network that feeds the heads.
    attributes: name to probability, 0..1. tasks: name to answer, of heads that are nobody's.
    align_s, embed_s, decide_s: seconds spent; the gate is in `decide_s`.
    """

    face: Face
    reason: str | None = None
    scores: Sequence[HeadScore] = ()
    embedding: np.ndarray | None = None
    attributes: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, TaskAnswer] = field(default_factory=dict)
    align_s: float = 0.0
    embed_s: float = 0.0
    decide_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the face could be judged."""
        return self.reason is None

    @property
    def is_no_face(self) -> bool:
        """Whether the gate says that there is no face at all."""
        return self.reason in NO_FACE_REASONS

    @property
    def decision(self) -> Decision:
        """The decision from this look alone."""
        return decide(self.scores) if self.reason is None else rejected(self.reason)

    def result(self) -> FaceResult:
        """As the result of a picture that stands for itself."""
        return FaceResult(
            self.face,
            self.decision,
            attributes=self.attributes,
            tasks=self.tasks,
            scores=self.scores,
            embedding=self.embedding,
        )


class Observer(Protocol):
    """What finds faces and looks at them one by one; `edge.recognition.recognizer.Recognizer` is
    one."""

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """All faces of a picture, uint8[H, W, 3] BGR, largest first."""

    def settled(self, image_bgr: np.ndarray, face: Face) -> Face:
        """A face that was found in this picture, with the landmarks that it is to be looked at
        by."""

    def look(self, image_bgr: np.ndarray, face: Face) -> Observation:
        """One settled face of a picture through gate, alignment, embedding and heads."""


def latency_of(
    looks: Iterable[Observation], *, detect_s: float, total_s: float, track_s: float = 0.0
) -> Latency:
    """The times of one picture, from those of its looks."""
    kept = list(looks)
    return Latency(
        detect_ms=1000 * detect_s,
        align_ms=1000 * sum(look.align_s for look in kept),
        embed_ms=1000 * sum(look.embed_s for look in kept),
        decide_ms=1000 * sum(look.decide_s for look in kept),
        total_ms=1000 * total_s,
        track_ms=1000 * track_s,
    )
