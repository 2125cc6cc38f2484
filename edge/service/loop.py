"""The loop: frames from one or several sources through a recognizer into sinks, until the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from edge.errors import ToolkitError
from edge.service.service import Notifier, Signals, SilentNotifier
from edge.service.stream import ImageRecognizer, Stream, Tally
from edge.sinks.base import FanOut
from edge.sources.files import Frame
from edge.tracking.budget import Budget

log = logging.getLogger(__name__)

WAIT_S = 0.1
"""How long a picture is waited for before signals are looked at again."""


class Loop:
    """Runs until all sources have ended, `limit` pictures are done, or a signal asks for a stop.

    Of several streams each has its turn: the one served longest ago comes first. `budget` makes the
    loop pause where it has used too much. `reload` makes a new recognizer when SIGHUP asks for it;
    when it fails, the old one stays.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        recognizer: ImageRecognizer,
        sinks: FanOut,
        *,
        signals: Signals,
        budget: Budget | None = None,
        notifier: Notifier | None = None,
        reload: Callable[[], ImageRecognizer] | None = None,
        limit: int | None = None,
    ) -> None:
        self.streams = tuple(streams)
        self._turns = list(streams)
        self._recognizer = recognizer
        self._sinks = sinks
        self._signals = signals
        self._budget = budget
        self._notifier = notifier or SilentNotifier()
        self._reload = reload
        self._limit = limit
        self._fresh = threading.Event()
        if len(self._turns) > 1:
            for stream in self._turns:
                stream.source.on_fresh = self._fresh.set

    @property
    def tally(self) -> Tally:
        """What all streams have seen."""
        return Tally.of([stream.tally for stream in self.streams])

    def run(self) -> Tally:
        """Raises what an essential sink has failed with."""
        self._notifier.ready()
        while not self._signals.stopping and not self._is_enough():
            if self._signals.take_reload():
                self._reload_recognizer()
            found = self._take()
            if found is not None:
                stream, grab = found
                if stream.is_due(grab):
                    self._sinks.put(stream.judged(grab, self._recognizer))
                self._notifier.progress()
            elif not self._turns:
                break
            else:
                self._idle()
            self._notifier.status(self._status())
            self._rest()
        self._notifier.stopping()
        return self.tally

    def _take(self) -> tuple[Stream, Frame] | None:
        """The next frame of the stream that was served longest ago among those that have one; None
        where none came, and `_turns` is empty where none ever will."""
        self._fresh.clear()
        alone = len(self._turns) == 1
        for stream in list(self._turns):
            grab = stream.source.take(WAIT_S if alone else 0.0)
            if grab is not None:
                self._turns.remove(stream)
                self._turns.append(stream)
                return stream, grab
            if stream.source.ended:
                self._turns.remove(stream)
        if self._turns and not alone:
            self._fresh.wait(WAIT_S)
        return None

    def _rest(self) -> None:
        """Pause until the budget is no longer overdrawn."""
        if self._budget is None:
            return
        while self._budget.pause() and not self._signals.stopping:
            self._notifier.progress()

    def _is_enough(self) -> bool:
        done = sum(stream.tally.frames for stream in self.streams)
        return self._limit is not None and done >= self._limit

    def _reload_recognizer(self) -> None:
        if self._reload is None:
            return
        self._notifier.reloading()
        try:
            self._recognizer = self._reload()
            people = [head.name for head in self._recognizer.heads if not head.is_task]
            for stream in self.streams:
                stream.presence.keep(people)
            self._sinks.know(people)
            log.info("the bundle was read again")
        except ToolkitError as problem:
            log.error("the bundle was not read again, the old one stays: %s", problem)
        except Exception as problem:  # whatever a file makes a library raise, the service goes on
            words = " ".join(f"{type(problem).__name__}: {problem}".split())
            log.error("the bundle was not read again, the old one stays: unexpected %s", words)
        self._notifier.ready()

    def _idle(self) -> None:
        """No picture came."""
        self._sinks.check()
        for stream in self._turns:
            if stream.take_attempt():
                self._notifier.progress()
            expired = stream.expired()
            if expired is not None:
                self._sinks.put(expired)

    def _status(self) -> str:
        lost = [stream.source.name for stream in self._turns if not stream.source.connected]
        if lost and len(lost) == len(self._turns):
            return f"waiting for {', '.join(lost)}"
        people = sorted({name for each in self.streams for name in each.presence.people})
        away = f"; waiting for {', '.join(lost)}" if lost else ""
        latencies_ms = [
            each.tally.latencies_ms[-1] for each in self.streams if each.tally.latencies_ms
        ]
        mean_ms = sum(latencies_ms) / len(latencies_ms) if latencies_ms else 0.0
        frames = sum(each.tally.frames for each in self.streams)
        return f"{', '.join(people) or 'nobody'}; {frames} pictures, {mean_ms:.0f} ms each{away}"
