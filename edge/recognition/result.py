"""Results: what was found in one frame, and its JSON form (schema 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.faces.face import Face
from edge.heads.decision import Decision, HeadScore, TaskAnswer

SCHEMA = 1
"""Version of the JSON lines. Fields may be added within a version; none is renamed or removed."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds spent on one frame; sums over the frame's faces. `track_ms`: following them."""

    detect_ms: float = 0.0
    align_ms: float = 0.0
    embed_ms: float = 0.0
    decide_ms: float = 0.0
    total_ms: float = 0.0
    track_ms: float = 0.0

    @property
    def only_followed(self) -> bool:
        """Whether no network ran: faces were moved on, and the time says nothing of recognizing."""
        return self.track_ms > 0 and not self.detect_ms and not self.embed_ms

    def to_json(self) -> dict[str, float]:
        return {
            "detect": round(self.detect_ms, 3),
            "align": round(self.align_ms, 3),
            "embed": round(self.embed_ms, 3),
            "decide": round(self.decide_ms, 3),
            "track": round(self.track_ms, 3),
            "total": round(self.total_ms, 3),
        }


@dataclass(frozen=True)
class FaceResult:
    """One face of a frame and the decision about it.

    Attributes:
        face: Where it is: box and landmarks in pixels of the frame.
        decision: Of this face alone, or, where faces are tracked, what the track has settled on.
        track: Number of the track that it belongs to, None where faces are not tracked.
        attributes: Name to probability, 0..1, over the track where there is one.
        shown: Names of the attributes that were chosen to be shown and are more likely than not.
        tasks: Name to answer of the bundle's yes-or-no questions, over the track likewise.
        predicted: Whether the detector did not run and the box is where the face should be by now.
        look: The decision of this frame alone, None where the track was not examined.
        scores: Of all heads in this frame's look; empty without one. Not part of the JSON.
        embedding: float32[D] of length 1 of this frame's look, else None. Not part of the JSON.
    """

    face: Face
    decision: Decision
    track: int | None = None
    attributes: dict[str, float] = field(default_factory=dict)
    predicted: bool = False
    look: Decision | None = None
    tasks: dict[str, TaskAnswer] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    scores: Sequence[HeadScore] = ()
    embedding: np.ndarray | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        decision = self.decision
        return {
            "box_px": [round(value, 1) for value in self.face.box_px],
            "detector_score": round(self.face.detector_score, 4),
            "track": self.track,
            "predicted": self.predicted,
            "look": None if self.look is None else self.look.state,
            "decision": decision.state,
            "person": decision.person,
            "score": _rounded(decision.score),
            "threshold": _rounded(decision.threshold),
            "reason": decision.reason,
            "attributes": {name: round(value, 4) for name, value in self.attributes.items()},
            "tasks": {name: task.to_json() for name, task in self.tasks.items()},
            "shown": list(self.shown),
        }


@dataclass(frozen=True)
class FrameResult:
    """One frame or image and who was recognized in it.

    Attributes:
        source: The camera, file or URL; for folders the image's path; "" for a bare image.
        frame: Number of the frame, from 0.
        time_s: Seconds since the source's start; in files the frame's own time.
        faces: One `FaceResult` per face, largest first.
        latency: Milliseconds spent, by step.
        frame_age_ms: Age of a live frame when its processing began, None for files.
        error: Why there is no image, else None.

    Example:
        >>> with edge.Recognizer.open("ana.edge") as recognizer:
        ...     result = recognizer.recognize(image)
        >>> sorted(result.to_json())[:4]
        ['error', 'faces', 'frame', 'frame_age_ms']
    """

    source: str = ""
    frame: int = 0
    time_s: float = 0.0
    faces: tuple[FaceResult, ...] = ()
    latency: Latency = Latency()
    frame_age_ms: float | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "source": self.source,
            "frame": self.frame,
            "time_s": round(self.time_s, 4),
            "frame_age_ms": None if self.frame_age_ms is None else round(self.frame_age_ms, 1),
            "error": self.error,
            "faces": [face.to_json() for face in self.faces],
            "latency_ms": self.latency.to_json(),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
