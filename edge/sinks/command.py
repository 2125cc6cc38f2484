"""A command that is run when somebody was recognized, came unknown, or left."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

from edge.errors import SinkError, UsageError
from edge.sinks.base import Judged, Sink
from edge.tracking.presence import Event

TIMEOUT_S = 30.0
PLACES = ("{person}", "{score}", "{source}", "{at}")


class MatchCommand(Sink):
    """Runs a command for each person who arrives, one after the other, without a shell; with `on`
    "unknown" for each unknown one, with "left" for whoever leaves, named or not.

    The words of `line` may hold `PLACES`; without `{person}` the name becomes the last argument.
    There a name is only what no shell obeys and no program takes for an option, see `as_argument`;
    exactly as it is, it stands in the environment as `EDGE_PERSON`, beside `EDGE_SCORE`,
    `EDGE_SOURCE` and `EDGE_AT`. What it prints goes to standard error. It is ended after
    `timeout_s`.
    """

    name = "--on-match"
    only_events = True

    def __init__(self, line: str, *, on: str = "match", timeout_s: float = TIMEOUT_S) -> None:
        """Raises `UsageError` when the command cannot be read or does not exist."""
        option = f"--on-{on}"
        self._on = on
        try:
            self._words = shlex.split(line)
        except ValueError as problem:
            raise UsageError(f"{option} cannot be read: {problem}") from None
        if not self._words:
            raise UsageError(f"{option} is empty", hint="give a command")
        if shutil.which(self._words[0]) is None:
            raise UsageError(
                f"{option}: there is no program {self._words[0]}", hint="give its full path"
            )
        self.name = f"{option} {self._words[0]}"
        self._timeout_s = timeout_s

    def write(self, judged: Judged) -> None:
        for event in judged.events:
            if event.on == self._on:
                self._run(event)

    def arguments(self, event: Event) -> list[str]:
        """The words of the command for an event."""
        shown = [as_argument(value) for value in _values(event)]
        values = dict(zip(PLACES, shown, strict=True))
        words = [_filled(word, values) for word in self._words]
        return (
            words
            if any(PLACES[0] in word for word in self._words)
            else [*words, values["{person}"]]
        )

    def _run(self, event: Event) -> None:
        names = ("EDGE_PERSON", "EDGE_SCORE", "EDGE_SOURCE", "EDGE_AT")
        environment = {**os.environ, **dict(zip(names, _values(event), strict=True))}
        process = subprocess.Popen(
            self.arguments(event),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__,
            start_new_session=True,
        )
        try:
            code = process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise SinkError(f"ended after {self._timeout_s:g} s") from None
        if code:
            raise SinkError(f"left with {code}")


def as_argument(value: str) -> str:
    """A name or source as a part of a command line: letters, digits, spaces and `_ . / : -` stay,
    an apostrophe becomes `’`, everything else `_`; it never begins with `-`."""
    return re.sub(r"[^\w ./:’-]", "_", value.replace("'", "’")).lstrip("- ") or "_" * bool(value)


def _values(event: Event) -> tuple[str, ...]:
    score = "" if event.score is None else f"{event.score:.4f}"
    return (event.person or "", score, event.source, event.at)


def _filled(word: str, values: dict[str, str]) -> str:
    """`word` with its places filled, each once, so that a name cannot bring places of its own."""
    for place, value in values.items():
        if place in word:
            before, _, after = word.partition(place)
            return _filled(before, values) + value + _filled(after, values)
    return word
