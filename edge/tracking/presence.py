"""Presence: who is in front of the camera, from decisions that may flicker."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal

from edge.heads.decision import NO_HEADS
from edge.recognition.result import FaceResult, FrameResult

UNKNOWN = "unknown"
"""Stands for all people without a name."""


@dataclass(frozen=True)
class PresenceConfig:
    """arrive_frames: somebody is there after this many frames in a row. leave_s: and is gone when
    not seen for so many seconds."""

    arrive_frames: int = 2
    leave_s: float = 2.0


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


EventKind = Literal["arrived", "left"]


@dataclass(frozen=True)
class Event:
    """Somebody has come or gone.

    person: a name, or None for somebody unknown. score, threshold: of
    the decision, None for who has left. seen_s: how long they were there, for who has left. at:
    when it was noticed, ISO 8601 in UTC. track: of the face that was seen last, None where faces
    are not tracked. asked: whether there are people with names, so that it could have been one.
    shown: of who has arrived, the chosen attributes, see `FaceResult`.
    """

    kind: EventKind
    person: str | None
    time_s: float
    source: str
    score: float | None = None
    threshold: float | None = None
    seen_s: float | None = None
    at: str = field(default_factory=_now)
    track: int | None = None
    asked: bool = True
    shown: tuple[str, ...] = ()

    @property
    def who(self) -> str:
        """In words: the name, "somebody unknown", or "somebody" where nobody has a name."""
        return self.person or ("somebody unknown" if self.asked else "somebody")

    @property
    def is_match(self) -> bool:
        return self.kind == "arrived" and self.person is not None

    @property
    def on(self) -> Literal["match", "unknown", "left"]:
        """As which of `--on-match`, `--on-unknown` and `--on-left` it counts."""
        if self.kind == "left":
            return "left"
        return "match" if self.is_match else "unknown"

    def to_json(self) -> dict[str, Any]:
        return {
            "event": self.kind,
            "on": self.on,
            "at": self.at,
            "person": self.person,
            "who": self.who,
            "track": self.track,
            "time_s": round(self.time_s, 3),
            "source": self.source,
            "score": None if self.score is None else round(self.score, 5),
            "threshold": None if self.threshold is None else round(self.threshold, 5),
            "seen_s": None if self.seen_s is None else round(self.seen_s, 3),
            "shown": list(self.shown),
        }


@dataclass
class _Sighting:
    first_s: float
    last_s: float
    frames: int
    there: bool = False
    track: int | None = None
    asked: bool = True


class Presence:
    """Turns results into events. With `alone`, each picture stands for itself: nobody leaves."""

    def __init__(self, config: PresenceConfig | None = None, *, alone: bool = False) -> None:
        self.config = config or PresenceConfig()
        self._alone = alone
        self._sightings: dict[str, _Sighting] = {}

    @property
    def people(self) -> tuple[str, ...]:
        """Names of who is there, sorted, strangers last as "unknown"."""
        there = [key for key, sighting in self._sightings.items() if sighting.there]
        return tuple(sorted(there, key=lambda key: (key == UNKNOWN, key)))

    def update(self, result: FrameResult) -> tuple[Event, ...]:
        """What has changed with this result."""
        if self._alone:
            self._sightings = {}
        seen = _seen(result)
        events = [event for event in (self._see(k, f, result) for k, f in seen.items()) if event]
        return (*events, *self._miss(seen, result.time_s, result.source))

    def keep(self, people: Collection[str]) -> None:
        """Drop whoever is called otherwise, without a word: they are to be forgotten."""
        kept = {*people, UNKNOWN}
        self._sightings = {key: one for key, one in self._sightings.items() if key in kept}

    def expire(self, time_s: float, source: str) -> tuple[Event, ...]:
        """Who has gone by `time_s` although no picture has come since."""
        return tuple(self._miss({}, time_s, source))

    def _see(self, key: str, face: FaceResult, result: FrameResult) -> Event | None:
        sighting = self._sightings.get(key)
        if sighting is None:
            sighting = _Sighting(result.time_s, result.time_s, 0)
            self._sightings[key] = sighting
        sighting.last_s = result.time_s
        sighting.frames += 1
        sighting.track = face.track
        sighting.asked = face.decision != NO_HEADS
        wanted = 1 if self._alone else self.config.arrive_frames
        if sighting.there or sighting.frames < wanted:
            return None
        sighting.there = True
        decision = face.decision
        return Event(
            "arrived",
            decision.person,
            result.time_s,
            result.source,
            decision.score,
            decision.threshold,
            track=face.track,
            shown=face.shown,
            asked=sighting.asked,
        )

    def _miss(self, seen: dict[str, FaceResult], time_s: float, source: str) -> list[Event]:
        """Who has gone; a face seen once and then not again was none."""
        events = []
        for key, sighting in list(self._sightings.items()):
            if key in seen:
                continue
            if not sighting.there:
                del self._sightings[key]
            elif time_s - sighting.last_s >= self.config.leave_s:
                del self._sightings[key]
                person = None if key == UNKNOWN else key
                seen_s = sighting.last_s - sighting.first_s
                event = Event("left", person, time_s, source, seen_s=seen_s)
                events.append(replace(event, track=sighting.track, asked=sighting.asked))
        return events


def _seen(result: FrameResult) -> dict[str, FaceResult]:
    """Who can be seen: one face per name, the best one, and one for all strangers."""
    seen: dict[str, FaceResult] = {}
    for face in result.faces:
        decision = face.decision
        key = decision.person if decision.state == "match" else UNKNOWN
        if key is None or decision.state not in ("match", "unknown"):
            continue
        if key not in seen or (decision.score or 0.0) > (seen[key].decision.score or 0.0):
            seen[key] = face
    return seen
