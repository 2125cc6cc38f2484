"""The guide: what to ask of somebody before the camera, so that they are seen from all sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.enrolment.samples import NO_FACE, SEEN_ALREADY, SEVERAL_FACES, Offer, Sample

WORDS = {
    NO_FACE: "I see no face: stand before the camera",
    SEVERAL_FACES: "one person alone, please",
    "too small": "come closer",
    "cut by the picture's edge": "move into the middle of the picture",
    "too dark": "more light, please: on your face, not behind you",
    "too bright": "less light, please",
    "without contrast": "more light from one side, please",
    "blurred": "hold still for a moment; is the lens clean?",
    "turned too far to the side": "not so far: turn back towards the camera a little",
    "turned too far up or down": "not so far: look towards the camera a little more",
}
"""What helps against each reason of the quality gate."""

NOT_SEEN = "I cannot see your face well: nothing before it, please"

SIDE_DEG = 14.0
"""A face is turned to a side from this yaw on, or between -it and it straight."""

LIFT_DEG = 8.0
"""Up and down begin so far from the middle pitch of the looks taken so far."""

CLOSER = 1.3
"""Closer means an eye distance of so many times that of the first look."""

EACH = 3
"""Looks wanted of each side."""


@dataclass(frozen=True)
class Side:
    """One side to be seen from. name: for reports. words: what is asked."""

    name: str
    words: str


SIDES = (
    Side("straight", "look into the camera"),
    Side("left", "turn your head a little to your left"),
    Side("right", "turn your head a little to your right"),
    Side("up", "lift your chin a little"),
    Side("down", "lower your chin a little"),
    Side("closer", "come closer, then back again, and talk or smile"),
)


class Guide:
    """Counts from where somebody was seen, and says what to do next."""

    def __init__(self, wanted: int) -> None:
        """wanted: looks after which it is enough."""
        self.wanted = wanted
        self.seen: dict[str, int] = {side.name: 0 for side in SIDES}
        self._pitches: list[float] = []
        self._first_px: float | None = None
        self._asked_for = 0

    def took(self, look: Sample) -> str:
        """Count a look; the name of the side that it shows."""
        side = self._side(look)
        self.seen[side] += 1
        return side

    def next_words(self, offer: Offer, looks: Sequence[Sample]) -> str:
        """What to ask for after a picture."""
        if offer.look is None and offer.reason not in (None, SEEN_ALREADY):
            return WORDS.get(offer.reason or "", NOT_SEEN)
        return self.missing().words

    def missing(self) -> Side:
        """The first side that was seen too seldom, in turns when all were."""
        share = max(1, min(EACH, self.wanted // len(SIDES)))
        for side in SIDES:
            if self.seen[side.name] < share:
                return side
        return min(SIDES, key=lambda side: self.seen[side.name])

    def _side(self, look: Sample) -> str:
        """By yaw first (positive to the picture's right, which is the person's left), then by eye
        distance and pitch."""
        measures = look.quality.measures
        yaw, pitch = measures.get("yaw_deg", 0.0), measures.get("pitch_deg", 0.0)
        middle = sorted(self._pitches)[len(self._pitches) // 2] if self._pitches else pitch
        self._pitches.append(pitch)
        eyes_px = measures.get("eye_distance_px", 0.0)
        self._first_px = self._first_px or eyes_px
        if abs(yaw) >= SIDE_DEG:
            return "left" if yaw > 0 else "right"
        if abs(pitch - middle) >= LIFT_DEG:
            return "down" if pitch > middle else "up"
        return "closer" if eyes_px >= CLOSER * self._first_px else "straight"
