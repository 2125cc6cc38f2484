"""Where what converters print goes, see `edge.console.native_output`: a log."""

from __future__ import annotations

import os
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
