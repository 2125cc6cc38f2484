"""Made-up faces, looks and a looker that plays a script, for tests of what happens over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.faces.face import Face
from edge.heads.decision import HeadScore
from edge.recognition.observation import Observation

SIZE_PX = 80.0
THRESHOLD = 4.0
BLANK = np.zeros((4, 4, 3), np.uint8)


def a_face(x_px: float = 100.0, y_px: float = 100.0, side_px: float = SIZE_PX) -> Face:
    """A frontal face whose box has its corner at x, y."""
    places = ((0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75))
    points = tuple((x_px + u * side_px, y_px + v * side_px) for u, v in places)
    return Face((x_px, y_px, side_px, side_px), points, 0.95)


def embedding_of(number: int) -> np.ndarray:
    """float32[8] of length 1; those of different numbers are orthogonal."""
    return np.eye(8, dtype=np.float32)[number]


def a_look(
    excess: float, *, of: str = "Ada", face: Face | None = None, who: int = 0, **more: float
) -> Observation:
    """A look by the head of one person, or by more of them: name to excess."""
    scores = tuple(
        HeadScore(name, THRESHOLD + value, THRESHOLD, 0.08)
        for name, value in {of: excess, **more}.items()
    )
    return Observation(face or a_face(), None, scores, embedding_of(who), {"Smiling": 0.5})


def a_rejection(reason: str, face: Face | None = None) -> Observation:
    return Observation(face or a_face(), reason)


@dataclass(frozen=True)
class Person:
    """Somebody in a scene: where at a time (None: not there), and how a look at them comes out.

    excess: above the threshold of Ada's head. reason: why the gate rejects them.
    """

    who: int
    at: Callable[[float], tuple[float, float] | None]
    excess: Callable[[float], float] = lambda time_s: -1.5
    reason: str | None = None


@dataclass
class Scene:
    """A looker for scripted people. Set `time_s` to the time of the picture that is judged.

    detections, looks: times at which it was asked.
    """

    people: Sequence[Person]
    time_s: float = 0.0
    detections: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        self.detections.append(self.time_s)
        return tuple(face for face, _ in self._there())

    def settled(self, image_bgr: np.ndarray, face: Face) -> Face:
        return face

    def look(self, image_bgr: np.ndarray, face: Face) -> Observation:
        self.looks.append(self.time_s)
        person = next(p for f, p in self._there() if f.box_px == face.box_px)
        if person.reason is not None:
            return a_rejection(person.reason, face)
        return a_look(person.excess(self.time_s), face=face, who=person.who)

    def _there(self) -> list[tuple[Face, Person]]:
        places = [(person, person.at(self.time_s)) for person in self.people]
        return [(a_face(*place), person) for person, place in places if place is not None]
