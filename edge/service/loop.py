"""The loop: pictures from a source through a recognizer into sinks, until the end or a signal."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from edge.errors import ToolkitError
from edge.heads.head import Head
from edge.recognition.observation import Observer
from edge.recognition.result import FaceResult, FrameResult, Latency
from edge.service.service import Notifier, Signals, SilentNotifier
from edge.sinks.base import FanOut, Judged
from edge.sources.files import Frame, Source
from edge.tracking.budget import Budget
from edge.tracking.direction import Direction
from edge.tracking.presence import Presence
from edge.tracking.schedule import SLACK_S

log = logging.getLogger(__name__)

WAIT_S = 0.1
"""How long a picture is waited for before signals are looked at again."""

KEPT_LATENCIES = 10_000
"""Latencies of so many last pictures are remembered for the summary."""


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

    def follow(
        self, looker: Observer, image_bgr: np.ndarray, time_s: float
    ) -> tuple[tuple[FaceResult, ...], Latency]:
        """All faces of the next picture, uint8[H, W, 3] BGR, with their tracks' numbers and
        decisions, and the time they took."""


@dataclass
class Tally:
    """What a run has seen. people: name to number of pictures. latencies_ms: of the last ones."""

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
        self.latencies_ms.append(result.latency.total_ms)

    def latency_ms(self, percent: float) -> float:
        """A percentile of the latencies, 0 where there are none."""
        return float(np.percentile(self.latencies_ms, percent)) if self.latencies_ms else 0.0


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
    if frame.image_bgr is not None:
        if tracker is None:
            found = recognizer.recognize(frame.image_bgr)
            faces, latency = found.faces, found.latency
        else:
            faces, latency = tracker.follow(recognizer, frame.image_bgr, frame.time_s)
    return FrameResult(
        source=frame.source,
        frame=frame.number,
        time_s=frame.time_s,
        faces=faces,
        latency=latency,
        frame_age_ms=age_ms,
        error=frame.error,
    )


class Loop:
    """Runs until the source ends, `limit` pictures are done, or a signal asks for a stop.

    `tracker` follows faces, else each frame stands for itself. `direction` turns frames. `budget`
    makes it pause where it has used too much. `reload` makes a new recognizer when SIGHUP asks for
    it; when it fails, the old one stays. `most_fps`: of a live source, no more frames a second are
    searched; for where there is no tracker that spaces them.
    """

    def __init__(
        self,
        source: Source,
        recognizer: ImageRecognizer,
        sinks: FanOut,
        *,
        signals: Signals,
        presence: Presence | None = None,
        tracker: Tracker | None = None,
        direction: Direction | None = None,
        budget: Budget | None = None,
        notifier: Notifier | None = None,
        reload: Callable[[], ImageRecognizer] | None = None,
        limit: int | None = None,
        most_fps: float | None = None,
    ) -> None:
        self.tally = Tally()
        self.presence = presence or Presence(alone=source.kind in ("picture", "folder"))
        self._source = source
        self._recognizer = recognizer
        self._sinks = sinks
        self._signals = signals
        self._tracker = tracker
        self._direction = direction or Direction(search=False)
        self._budget = budget
        self._notifier = notifier or SilentNotifier()
        self._reload = reload
        self._limit = limit
        self._least_gap_s = 0.0 if most_fps is None else 1.0 / most_fps
        self._judged_s: float | None = None
        self._attempts = 0
        self._number = 0

    def run(self) -> Tally:
        """Raises what an essential sink has failed with."""
        self._notifier.ready()
        while not self._signals.stopping and not self._is_enough():
            if self._signals.take_reload():
                self._reload_recognizer()
            grab = self._source.take(WAIT_S)
            if grab is not None:
                if self._is_due(grab):
                    self._sinks.put(self.judged(grab))
                self._notifier.progress()
            elif self._source.ended:
                break
            else:
                self._idle()
            self._notifier.status(self._status())
            self._rest()
        self._notifier.stopping()
        return self.tally

    def judged(self, grab: Frame) -> Judged:
        """One picture, judged."""
        self._number = grab.number
        grab = self._direction.turned(grab, self._recognizer.detect)
        result = recognized(grab, self._recognizer, self._tracker)
        if not any(face.predicted for face in result.faces):
            self._direction.saw([face.face for face in result.faces])
        self.tally.add(result)
        return Judged(grab.image_bgr, result, self.presence.update(result))

    def _is_due(self, grab: Frame) -> bool:
        """Whether a picture does not come too soon after the one judged last; a loss never does."""
        if grab.image_bgr is None or not self._source.live:
            return True
        before_s, now_s = self._judged_s, grab.time_s
        if before_s is not None and 0 <= now_s - before_s + SLACK_S < self._least_gap_s:
            return False
        self._judged_s = now_s
        return True

    def _rest(self) -> None:
        """Pause until the budget is no longer overdrawn."""
        if self._budget is None:
            return
        while self._budget.pause() and not self._signals.stopping:
            self._notifier.progress()

    def _is_enough(self) -> bool:
        return self._limit is not None and self.tally.frames >= self._limit

    def _reload_recognizer(self) -> None:
        if self._reload is None:
            return
        self._notifier.reloading()
        try:
            self._recognizer = self._reload()
            people = [head.name for head in self._recognizer.heads if not head.is_task]
            self.presence.keep(people)
            self._sinks.know(people)
            log.info("the bundle was read again")
        except ToolkitError as problem:
            log.error("the bundle was not read again, the old one stays: %s", problem)
        except Exception as problem:  # whatever a file makes a library raise, the service goes on
            words = " ".join(f"{type(problem).__name__}: {problem}".split())
            log.error("the bundle was not read again, the old one stays: unexpected %s", words)
        self._notifier.ready()

    def _idle(self) -> None:
        """No picture came. Looking for a lost camera is progress, unless a hanging read keeps it
        busy for ever; who was there when it was lost is not there for ever."""
        self._sinks.check()
        source = self._source
        if source.attempts != self._attempts and not source.hanging:
            self._attempts = source.attempts
            self._notifier.progress()
        if source.live and not source.connected:
            now_s = source.elapsed_s()
            events = self.presence.expire(now_s, source.name)
            if events:
                error = f"{source.name} is still away"
                result = FrameResult(source.name, self._number, now_s, error=error)
                self._sinks.put(Judged(None, result, events))

    def _status(self) -> str:
        if not self._source.connected:
            return f"waiting for {self._source.name}"
        there = ", ".join(self.presence.people) or "nobody"
        latency_ms = self.tally.latencies_ms[-1] if self.tally.latencies_ms else 0.0
        return f"{there}; {self.tally.frames} pictures, {latency_ms:.0f} ms each"
