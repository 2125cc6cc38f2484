"""A stream: one source with what follows its faces, knows who is there, and turns its frames."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Protocol

import numpy as np

from edge.heads.head import Head
from edge.recognition.observation import Observer
from edge.recognition.result import FaceResult, FrameResult, Latency
from edge.sinks.base import Judged
from edge.sources.files import Frame, Source
from edge.tracking.direction import Direction
from edge.tracking.presence import Presence
from edge.tracking.schedule import SLACK_S

KEPT_LATENCIES = 10_000
"""Latencies of so many last pictures are remembered for the summary."""

log = logging.getLogger(__name__)


class ImageRecognizer(Observer, Protocol):
    """Finds and recognizes faces; `edge.recognition.recognizer.Recognizer` is one. heads: of the
    people it knows."""

    @property
    def heads(self) -> Sequence[Head]: ...

    def recognize(self, image_bgr: np.ndarray) -> FrameResult:
        """All faces of an image, uint8[H, W, 3] BGR, and the time they took."""


class Tracker(Protocol):
    """What follows faces from one picture to the next and lets decisions settle;
    `edge.tracking.follower.Follower` is one."""

    def needs(self, time_s: float) -> bool:
        """Whether the picture of this time may be searched."""

    def follow(
        self, looker: Observer, image_bgr: np.ndarray | None, time_s: float
    ) -> tuple[tuple[FaceResult, ...], Latency]:
        """All faces of the next picture, uint8[H, W, 3] BGR, with their tracks' numbers and
        decisions, and the time they took; without a picture those that should be there by now."""


@dataclass
class Tally:
    """What a run has seen. people: name to number of pictures. latencies_ms: of the last
    ones in which a network ran."""

    frames: int = 0
    faces: int = 0
    errors: int = 0
    people: Counter[str] = field(default_factory=Counter)
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_LATENCIES))

    def add(self, result: FrameResult) -> None:
        """Count one result."""
        self.frames += 1
        if result.error is not None:
            self.errors += 1
            return
        self.faces += len(result.faces)
        names = {face.decision.person for face in result.faces}
        self.people.update(name for name in names if name is not None)
        if not result.latency.only_followed:
            self.latencies_ms.append(result.latency.total_ms)

    def latency_ms(self, percent: float) -> float:
        """A percentile of the latencies, 0 where there are none."""
        return float(np.percentile(self.latencies_ms, percent)) if self.latencies_ms else 0.0

    @classmethod
    def of(cls, tallies: Sequence[Tally]) -> Tally:
        """All together."""
        if len(tallies) == 1:
            return tallies[0]
        total = cls(latencies_ms=deque())
        for one in tallies:
            total.frames += one.frames
            total.faces += one.faces
            total.errors += one.errors
            total.people.update(one.people)
            total.latencies_ms.extend(one.latencies_ms)
        return total


def recognized(
    frame: Frame, recognizer: ImageRecognizer, tracker: Tracker | None = None
) -> FrameResult:
    """One frame of a source with everybody in it. tracker: follows faces; None where each frame
    stands for itself."""
    age_ms = None
    if frame.captured_at_s is not None:
        age_ms = max(0.0, 1000 * (time.monotonic() - frame.captured_at_s))
    faces: tuple[FaceResult, ...] = ()
    latency = Latency()
    if tracker is not None and frame.error is None:
        faces, latency = tracker.follow(recognizer, frame.image_bgr, frame.time_s)
    elif frame.image_bgr is not None:
        found = recognizer.recognize(frame.image_bgr)
        faces, latency = found.faces, found.latency
    return FrameResult(
        source=frame.source,
        frame=frame.number,
        time_s=frame.time_s,
        faces=faces,
        latency=latency,
        frame_age_ms=age_ms,
        error=frame.error,
    )


class Stream:
    """One source of a run.

    tracker: follows faces, else each frame stands for itself. direction: turns frames. most_fps: of
    a live source, no more frames a second are searched; for where there is no tracker that spaces
    them. shown: names of attributes to show where they are more likely than not. label: a short
    name that tells it from the other sources; "" where it is the only one.
    """

    def __init__(
        self,
        source: Source,
        *,
        tracker: Tracker | None = None,
        presence: Presence | None = None,
        direction: Direction | None = None,
        most_fps: float | None = None,
        label: str = "",
        shown: Sequence[str] = (),
    ) -> None:
        self.source = source
        self.tracker = tracker
        self.presence = presence or Presence(alone=source.kind in ("picture", "folder"))
        self.label = label
        self._shown = tuple(shown)
        self.tally = Tally()
        self._direction = direction or Direction(search=False)
        self._least_gap_s = 0.0 if most_fps is None else 1.0 / most_fps
        self._judged_s: float | None = None
        self._attempts = 0
        self._number = 0

    def spare_pictures(self) -> None:
        """Let pictures that are not searched stay undecoded where the source can. For runs whose
        results go without pictures; before the source is opened."""
        if self.tracker is not None:
            self.source.wanted = self._needs

    def _needs(self, time_s: float) -> bool:
        assert self.tracker is not None
        return self._direction.needs(time_s) or self.tracker.needs(time_s)

    def judged(self, grab: Frame, recognizer: ImageRecognizer) -> Judged:
        """One picture, judged."""
        if grab.number > self._number + 1:
            passed = grab.number - self._number - 1
            log.debug("%d frames of %s passed unseen", passed, grab.source)
        self._number = grab.number
        grab = self._direction.turned(grab, recognizer.detect)
        result = recognized(grab, recognizer, self.tracker)
        if not any(face.predicted for face in result.faces):
            self._direction.saw([face.face for face in result.faces])
        if self._shown:
            result = replace(result, faces=tuple(map(self._with_shown, result.faces)))
        self.tally.add(result)
        events = self.presence.update(result)
        return Judged(grab.image_bgr, result, events, label=self.label)

    def _with_shown(self, face: FaceResult) -> FaceResult:
        names = (name for name in self._shown if face.attributes.get(name, 0.0) >= 0.5)
        return replace(face, shown=tuple(names))

    def is_due(self, grab: Frame) -> bool:
        """Whether a picture does not come too soon after the one judged last; a loss never does."""
        if grab.image_bgr is None or not self.source.live:
            return True
        before_s, now_s = self._judged_s, grab.time_s
        if before_s is not None and 0 <= now_s - before_s + SLACK_S < self._least_gap_s:
            return False
        self._judged_s = now_s
        return True

    def take_attempt(self) -> bool:
        """Whether a lost camera was looked for again since the last call, which is progress unless
        a hanging read keeps it busy for ever."""
        source = self.source
        if source.attempts == self._attempts or source.hanging:
            return False
        self._attempts = source.attempts
        return True

    def expired(self) -> Judged | None:
        """Who was there when a camera was lost is not there for ever."""
        source = self.source
        if not source.live or source.connected:
            return None
        now_s = source.elapsed_s()
        events = self.presence.expire(now_s, source.name)
        if not events:
            return None
        error = f"{source.name} is still away"
        result = FrameResult(source.name, self._number, now_s, error=error)
        return Judged(None, result, events, label=self.label)


def labels_of(names: Sequence[str]) -> tuple[str, ...]:
    """A short label for each of several sources, by their names, without two alike: the last part
    of a path, the host of a URL; "" where there is only one."""
    if len(names) < 2:
        return ("",) * len(names)
    shorts = [_short(name) for name in names]
    return tuple(
        short if shorts.count(short) == 1 else f"{short}-{shorts[: number + 1].count(short)}"
        for number, short in enumerate(shorts)
    )


def _short(name: str) -> str:
    scheme, is_url, rest = name.partition("://")
    if is_url:
        return rest.rpartition("@")[2].partition("/")[0] or scheme
    return PurePath(name).name or name
