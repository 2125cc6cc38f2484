"""Sinks: where results go. Each has its own thread and a bounded queue before it."""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import numpy as np

from edge.console.display_text import without_secrets_of
from edge.errors import SinkError
from edge.recognition.result import FrameResult
from edge.tracking.presence import Event

log = logging.getLogger(__name__)

QUEUE_FRAMES = 8
"""Results that wait before a sink that takes each one, or pictures with them."""

QUEUE_EVENTS = 256
"""Results that wait before a sink that takes only events, and no pictures."""

LAST_WRITE_S = 6.0
"""How long it waits for the write under way of one that must be closed. Less than a service has
until it is killed (`TimeoutStopSec`)."""

CLOSING_S = 1.0
"""How long a stopping program waits for all its sinks together."""

FINISHING_S = 15.0
"""How long a program that has come to its end waits for them."""


@dataclass(frozen=True)
class Judged:
    """A picture with what was found in it.

    image_bgr: uint8[H, W, 3] BGR, not to be written to; None where there was none or the sink
    does not want it. events: what has changed with this picture. label: which of several sources it
    is from; "" where there is only one. blurs: whether strangers' faces are not to be shown.
    """

    image_bgr: np.ndarray | None
    result: FrameResult
    events: tuple[Event, ...] = field(default=())
    label: str = ""
    blurs: bool = False

    @cached_property
    def shown_bgr(self) -> np.ndarray | None:
        """The picture as it may be shown and kept: with `blurs` a copy without strangers' faces."""
        if self.image_bgr is None or not self.blurs:
            return self.image_bgr
        from edge.recognition.blur import blur_strangers

        return blur_strangers(self.image_bgr, self.result)

    @cached_property
    def annotated_bgr(self) -> np.ndarray | None:
        """A copy of what may be shown with boxes, names and figures drawn in."""
        if self.shown_bgr is None:
            return None
        from edge.recognition.annotate import annotate

        return annotate(self.shown_bgr, self.result)


class Sink:
    """Takes results, used as a context manager that opens and closes it.

    name: for messages. wants_images: whether `write` needs pictures. only_events: whether it is
    called only when something has changed. essential: whether the program ends when it fails.
    inline: whether `write` has to be called from the main thread. must_close: whether what it has
    written is lost unless it is closed, as a file is; a stopping program waits for the write that
    is under way.

    Everything but the construction happens in the sink's own thread, unless it is inline.
    """

    name = "sink"
    wants_images = False
    only_events = False
    essential = False
    inline = False
    must_close = False

    def __enter__(self) -> Sink:
        """Open. Raises `ToolkitError` when it cannot work at all."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close. With an exception, nothing unfinished may stay behind."""

    def write(self, judged: Judged) -> None:
        """Take one result. May be slow; what it raises is logged and counted."""

    def know(self, people: Sequence[str]) -> None:
        """From now on these people are known and no others, whose names are not to be shown any
        more. Called from the main thread, and has to be quick."""


@runtime_checkable
class Teller(Protocol):
    """A sink that can say more than results: facts under a topic."""

    def tell(self, topic: str, facts: Any) -> None:
        """Say facts, JSON values. Called from any thread, and has to be quick."""


class _Lane:
    """One sink with its queue and thread."""

    def __init__(self, sink: Sink, *, lossless: bool, hurried: Callable[[], bool]) -> None:
        self.sink = sink
        self.dropped = 0
        self.failed = 0
        self.problem: BaseException | None = None
        self.lossless = lossless and sink.essential
        self._hurried = hurried
        is_light = sink.only_events and not sink.wants_images
        self._limit = QUEUE_EVENTS if is_light else QUEUE_FRAMES
        self._queue: collections.deque[Judged] = collections.deque()
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=f"sink {sink.name}", daemon=True)

    def start(self) -> None:
        if not self.sink.inline:
            self._thread.start()

    def put(self, judged: Judged) -> None:
        if self.sink.only_events and not judged.events:
            return
        if not self.sink.wants_images:
            judged = replace(judged, image_bgr=None)
        if self.sink.inline:
            self._write(judged)
            return
        with self._changed:
            while self.lossless and self._is_full() and not self._hurried():
                self._changed.wait(0.1)
            if self.problem is not None:
                self.dropped += 1
                return
            if self._is_full():
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(judged)
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return len(self._queue) >= self._limit and self.problem is None

    def end(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Whether the sink has taken all that is queued."""
        if self.sink.inline:
            return True
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def drop(self) -> None:
        """Take nothing more but what is being written now; the rest is counted as dropped."""
        with self._changed:
            self.dropped += len(self._queue)
            self._queue.clear()

    @property
    def queued(self) -> int:
        return len(self._queue)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._ending:
                    self._changed.wait()
                if not self._queue:
                    return
                judged = self._queue.popleft()
                self._changed.notify_all()
            self._write(judged)

    def _write(self, judged: Judged) -> None:
        if self.problem is not None:
            return
        try:
            self.sink.write(judged)
        except Exception as problem:
            self.failed += 1
            if self.sink.essential:
                self.problem = problem
            else:
                log.warning("%s: %s", self.sink.name, without_secrets_of(str(problem)))


class FanOut:
    """Hands each result to several sinks, so that none of them slows the others or the caller.

    A sink that is too slow loses results, the oldest first, and the losses are counted; with
    `lossless` (files) the caller waits for the essential ones instead. At the end the sinks have
    `FINISHING_S`, and as soon as `hurried` says so `CLOSING_S`, to take what is queued. With
    `blurs` strangers' faces are blurred wherever pictures are shown or kept.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        lossless: bool = False,
        hurried: Callable[[], bool] = lambda: False,
        blurs: bool = False,
    ) -> None:
        self._hurried = hurried
        self._blurs = blurs
        self._hurried_at_s: float | None = None
        self._lanes = [_Lane(sink, lossless=lossless, hurried=hurried) for sink in sinks]
        self._opened: list[_Lane] = []

    def __enter__(self) -> FanOut:
        """Open all sinks. Where one cannot be opened, the others are closed and it raises."""
        try:
            for lane in self._lanes:
                lane.sink.__enter__()
                self._opened.append(lane)
                lane.start()
        except BaseException as problem:
            self._close(problem)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(problem)
        if problem is None:
            self.check()

    def put(self, judged: Judged) -> None:
        """Hand one result to all sinks. Raises what an essential sink has failed with."""
        if self._blurs:
            judged = replace(judged, blurs=True)
        for lane in self._lanes:
            lane.put(judged)
        self.check()

    def know(self, people: Sequence[str]) -> None:
        """Tell all sinks who is known from now on."""
        for lane in self._lanes:
            lane.sink.know(people)

    def check(self) -> None:
        """Raise what an essential sink has failed with."""
        for lane in self._lanes:
            if lane.problem is not None:
                raise lane.problem

    @property
    def dropped(self) -> dict[str, int]:
        """Name of each sink to the number of results that it has not got."""
        return {lane.sink.name: lane.dropped for lane in self._lanes}

    @property
    def failed(self) -> dict[str, int]:
        """Name of each sink to the number of results that it has failed on."""
        return {lane.sink.name: lane.failed for lane in self._lanes}

    def _close(self, problem: BaseException | None) -> None:
        """Close all sinks that were opened. A reader that has left spoils none of the others."""
        opened, self._opened = self._opened, []
        for lane in opened:
            lane.end()
        started_at_s = time.monotonic()
        self._hurried_at_s = None if problem is None else started_at_s
        for lane in reversed(opened):
            if not self._wait(lane, started_at_s) and not self._finishes(lane):
                continue
            shared = None if isinstance(problem, BrokenPipeError) else problem
            self._close_one(lane, lane.problem or shared)

    def _finishes(self, lane: _Lane) -> bool:
        """Whether a lane that is late can be closed after the write that is under way."""
        lane.drop()
        if lane.sink.must_close and lane.wait(LAST_WRITE_S):
            log.warning("%s leaves out what it had not written yet", lane.sink.name)
            return True
        log.warning("%s did not finish in time", lane.sink.name)
        if lane.sink.must_close and lane.problem is None:
            lane.problem = SinkError(
                f"{lane.sink.name}: what was being written is lost, it did not end within "
                f"{LAST_WRITE_S:g} s",
                hint="save smaller pictures, or on a faster disk",
            )
        return False

    def _wait(self, lane: _Lane, started_at_s: float) -> bool:
        while not lane.wait(0.05):
            now_s = time.monotonic()
            if self._hurried_at_s is None and self._hurried():
                self._hurried_at_s = now_s
            if self._hurried_at_s is not None and now_s - self._hurried_at_s > CLOSING_S:
                return False
            if not lane.lossless and now_s - started_at_s > FINISHING_S:
                return False
        return True

    def _close_one(self, lane: _Lane, cause: BaseException | None) -> None:
        try:
            lane.sink.__exit__(type(cause) if cause else None, cause, None)
        except Exception as failure:
            lane.failed += 1
            if lane.sink.essential and lane.problem is None:
                lane.problem = failure
            else:
                said = without_secrets_of(str(failure))
                log.warning("closing %s failed: %s", lane.sink.name, said)
