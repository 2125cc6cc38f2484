"""Life as a service: signals, systemd's notifications, and a log that journald can take."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from edge.console.verbosity import ForTerminal, is_verbose, spoken_for

LOG_SAME_EVERY_S = 60.0
"""The same message is logged at most this often."""

_PRIORITY = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""Log levels as syslog's priorities (sd-daemon(3))."""


class Signals:
    """While entered, SIGTERM and SIGINT ask for a stop and SIGHUP for a reload.

    A second SIGINT interrupts at once. Elsewhere than in the main thread it does nothing.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._reload = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            handlers = {
                signal.SIGTERM: self._stop,
                signal.SIGINT: self._interrupt,
            }
            if hasattr(signal, "SIGHUP"):  # not on Windows
                handlers[signal.SIGHUP] = self._hang_up
            for number, handler in handlers.items():
                self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def take_reload(self) -> bool:
        """Whether a reload was asked for since the last call."""
        wanted, self._reload = self._reload, False
        return wanted

    def stop(self) -> None:
        """Ask for a stop as SIGTERM does."""
        self.stopping = True

    def ask_reload(self) -> None:
        """Ask for a reload as SIGHUP does."""
        self._reload = True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            raise KeyboardInterrupt
        self.stopping = True

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        self._reload = True


class Notifier:
    """Tells systemd how the service is (sd_notify(3)); does nothing where nobody listens.

    `address` is that of a datagram socket, by default `$NOTIFY_SOCKET`. `watchdog_s`: how often
    systemd wants to hear of progress, by default from `$WATCHDOG_USEC`; None for never.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self.address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self.watchdog_s = _watchdog_s() if watchdog_s is None else watchdog_s
        self._fed_at_s = -1e9
        self._status = ""
        self._status_at_s = -1e9

    def ready(self) -> None:
        """The service works."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The service reads its bundle again; `ready` says when it is done."""
        self._send(
            f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
        )

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1")

    def status(self, text: str, *, every_s: float = 1.0) -> None:
        """The line that `systemctl status` shows; sent when it changes, not too often."""
        now_s = time.monotonic()
        if text != self._status and now_s - self._status_at_s >= every_s:
            self._status, self._status_at_s = text, now_s
            self._send("STATUS=" + " ".join(text.split()))

    def progress(self) -> None:
        """Feed the watchdog; to be called when something was achieved, and only then."""
        if self.watchdog_s is None:
            return
        now_s = time.monotonic()
        if now_s - self._fed_at_s >= self.watchdog_s / 4:
            self._fed_at_s = now_s
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as end,
        ):
            end.setblocking(False)
            end.sendto(text.encode(), address)


class SilentNotifier(Notifier):
    """For programs that are no service: nothing is ever sent."""

    def __init__(self) -> None:
        super().__init__("", None)
        self.watchdog_s = None


class RateLimit(logging.Filter):
    """Lets the same message through once in a while, and says then how often it was held back.

    Messages are the same where their text and the first name in it are, so that one output's
    troubles do not hide another's.
    """

    def __init__(self, every_s: float = LOG_SAME_EVERY_S, *, keep: int = 200) -> None:
        super().__init__()
        self._every_s = every_s
        self._keep = keep
        self._seen: dict[tuple[str, str, str], list[float]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno <= logging.DEBUG:
            return True
        first = record.args[0] if isinstance(record.args, tuple) and record.args else None
        key = (record.name, str(record.msg), first if isinstance(first, str) else "")
        now_s = time.monotonic()
        with self._lock:
            entry = self._seen.get(key)
            if entry is not None and now_s - entry[0] < self._every_s:
                entry[1] += 1
                return False
            if len(self._seen) >= self._keep:
                self._seen.pop(next(iter(self._seen)))
            held = int(entry[1]) if entry else 0
            self._seen[key] = [now_s, 0]
        if held:
            record.msg = f"{record.getMessage()} ({held} more like this)"
            record.args = ()
        return True


class _Priority(ForTerminal):
    """`<4>message`, as journald reads priorities from standard error."""

    def format(self, record: logging.LogRecord) -> str:
        text = " ".join(super().format(record).splitlines())
        return f"<{_PRIORITY.get(record.levelname, 6)}>{text}"


@contextlib.contextmanager
def logging_to_stderr(*, journal: bool = False, quiet: bool = False) -> Any:
    """While entered, what `edge` logs goes to standard error, one line a message.

    journal: with syslog's priorities. quiet: errors alone, and what goes wrong with outputs. Where
    the command was asked to be verbose, everything.
    """
    logger = logging.getLogger("edge")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Priority("%(message)s") if journal else ForTerminal("%(message)s"))
    handler.addFilter(RateLimit())
    level = logger.level
    usual = logging.ERROR if quiet else logging.INFO
    logger.setLevel(logging.DEBUG if is_verbose() else usual)
    outputs = logging.getLogger("edge.sinks")
    before = outputs.level
    outputs.setLevel(min(logger.level, logging.WARNING))
    logger.addHandler(handler)
    try:
        with spoken_for(logger):
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        outputs.setLevel(before)


def _watchdog_s() -> float | None:
    """The interval that systemd asks this process for."""
    try:
        if int(os.environ.get("WATCHDOG_PID", os.getpid())) != os.getpid():
            return None
        return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None
