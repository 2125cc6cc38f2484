"""Progress on standard error: a bar on a terminal, a sparse line elsewhere, nothing when quick."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Any, TypeVar

from edge.console.display_text import for_terminal

Item = TypeVar("Item")

BAR_AFTER_S = 2.0
"""A bar appears only for what takes longer than this."""

LINE_EVERY_S = 10.0
"""Where standard error is no terminal, a line is written this often."""


class ProgressBar:
    """A context that is told what is done; see `progress_bar`."""

    def __init__(self, label: str, total: int | None, quiet: bool) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._quiet = quiet
        self._note = ""
        self._start = time.monotonic()
        self._line_at = self._start + LINE_EVERY_S
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def advance(self, count: int = 1, *, note: str = "") -> None:
        """Say that `count` more are done; `note` is a few words shown beside the count."""
        self.done += count
        self._note = note or self._note
        if self._quiet:
            return
        now = time.monotonic()
        if on_terminal():
            if self._bar is None and now - self._start >= BAR_AFTER_S:
                self._open_bar()
            if self._bar is not None:
                self._bar.update(self._task, completed=self.done, note=self._note)
        elif now >= self._line_at:
            self._line_at = now + LINE_EVERY_S
            print(for_terminal(self._line(now)), file=sys.stderr, flush=True)

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as TimeLeft

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeLeft(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self.label, total=self.total, note=self._note)
        self._bar.start()

    def _line(self, now: float) -> str:
        parts = [f"{self.label}: {self.done}"]
        if self.total:
            left_s = (now - self._start) / max(self.done, 1) * max(self.total - self.done, 0)
            parts = [f"{self.label}: {self.done}/{self.total}", f"about {left_s:.0f} s left"]
        return ", ".join([*parts, self._note] if self._note else parts)


def progress_bar(label: str, total: int | None = None, *, quiet: bool = False) -> ProgressBar:
    """Context manager; report progress to its value with `advance(count, note=...)`."""
    return ProgressBar(label, total, quiet)


def progress(
    iterable: Iterable[Item], *, label: str, total: int | None = None, quiet: bool = False
) -> Iterator[Item]:
    """Pass the items through and show how many are done; `total` defaults to `len(iterable)`."""
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with progress_bar(label, total, quiet=quiet) as bar:
        for item in iterable:
            yield item
            bar.advance()


def on_terminal() -> bool:
    """Whether standard error is a terminal that can show a bar."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
