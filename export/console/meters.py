"""One table of progress for several devices, on standard error."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any

from edge.console.progress import on_terminal


class Meters:
    """A context; each device has a line with a bar for its upload and what it is doing.

    Where standard error is no terminal, a line is written for each note instead. Thread-safe.
    """

    def __init__(self, total_kib: int | None, *, quiet: bool = False) -> None:
        self._total_kib = total_kib
        self._quiet = quiet
        self._lock = threading.Lock()
        self._table: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Meters:
        if on_terminal() and not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[note]}", markup=False),
            )
            self._table = Progress(*columns, console=Console(stderr=True), transient=True)
            self._table.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._table is not None:
            self._table.stop()
            self._table = None

    def sent(self, host: str, count_bytes: int) -> None:
        """Add bytes that went to a device."""
        if self._table is not None:
            self._table.update(self._task(host), advance=count_bytes / 1024)

    def note(self, host: str, text: str) -> None:
        """What a device is doing now."""
        if self._table is not None:
            self._table.update(self._task(host), note=text)
        elif not self._quiet:
            print(f"{host}: {text} …", file=sys.stderr, flush=True)

    def _task(self, host: str) -> Any:
        with self._lock:
            if host not in self._tasks:
                self._tasks[host] = self._table.add_task(host, total=self._total_kib, note="")
            return self._tasks[host]
