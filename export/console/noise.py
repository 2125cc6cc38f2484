"""Noise: what converters write to the screen goes into a log instead."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "1", "CUDA_VISIBLE_DEVICES": "-1"}
"""Set before TensorFlow is loaded; conversion needs no GPU."""


def default_log() -> Path:
    """`$XDG_STATE_HOME/edge-recognize/export.log`, by default in `~/.local/state`."""
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    folder = base if base.is_absolute() else Path.home() / ".local" / "state"
    return folder / "edge-recognize" / "export.log"


def start_log(path: Path) -> Path:
    """Empty the log, or, where its folder cannot be written to, throw everything away."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    except OSError:
        return Path(os.devnull)
    return path


@contextlib.contextmanager
def into_log(path: Path) -> Iterator[None]:
    """Send standard output and error of this process, native libraries' too, to the end of `path`.

    Warnings and loggers write there as well, because they write to standard error.
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
