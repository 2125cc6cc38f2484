"""Native output: what C libraries print past Python, hidden for a while or sent into a file.

LiteRT, TensorFlow, libjpeg and the like write to the file descriptors 1 and 2 themselves, so that
is what is turned away meanwhile. Errors arrive as exceptions, as ever.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

_lock = threading.Lock()
_entered = 0
_kept: int | None = None


@contextlib.contextmanager
def stderr_hidden() -> Iterator[None]:
    """Drop what anything writes to file descriptor 2.

    May be entered by several threads at once and within itself: the first one turns the stream
    away, the last one turns it back. What Python's own threads write meanwhile is lost, too, so
    keep it short.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _entered, _kept
    with _lock:
        if _entered == 0:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stderr.flush()
            try:
                _kept = os.dup(2)
            except OSError:  # no error stream at all, as under some service managers
                _kept = None
            else:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 2)
                os.close(nowhere)
        _entered += 1


def _leave() -> None:
    global _entered, _kept
    with _lock:
        _entered -= 1
        if _entered == 0 and _kept is not None:
            os.dup2(_kept, 2)
            os.close(_kept)
            _kept = None


@contextlib.contextmanager
def output_into(path: Path) -> Iterator[None]:
    """Send standard output and error of this process, native libraries' too, to the end of `path`.

    Warnings and loggers write there as well, because they write to standard error. Not for several
    threads at once. Raises OSError where the file cannot be written to.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    handler = logging.FileHandler(path)
    root = logging.getLogger()
    python_streams = sys.stdout, sys.stderr
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        root.addHandler(handler)
        with (
            path.open("a", encoding="utf-8", errors="replace") as text,
            contextlib.redirect_stdout(text),
            contextlib.redirect_stderr(text),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("default")
            yield
    finally:
        sys.stdout, sys.stderr = python_streams
        root.removeHandler(handler)
        handler.close()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in (*kept, log):
            os.close(descriptor)
