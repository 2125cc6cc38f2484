"""About this device: which software, bundle and cameras run, for whoever looks after many."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge import __version__
from edge.bundle.locate import Located
from edge.recognition.recognizer import Recognizer

STATUS = "status"
"""The topic under which sinks tell it."""

MODEL = Path("/proc/device-tree/model")


def about(located: Located, recognizer: Recognizer, sources: Sequence[str]) -> dict[str, Any]:
    """JSON values. bundle: file, None for the shipped base alone. base: start of the SHA-256 of the
    file that gives the embedding. people: how many are known. loaded_s: seconds since 1970."""
    return {
        "schema": 1,
        "software": __version__,
        "bundle": None if located.path is None else located.path.name,
        "base": recognizer.embedder.network.sha256[:12],
        "people": sum(not head.is_task for head in recognizer.heads),
        "sources": list(sources),
        "model": _model(),
        "loaded_s": round(time.time()),
    }


def _model() -> str | None:
    """Of the board, None where it does not say."""
    try:
        return MODEL.read_text("utf-8", "replace").strip("\0\n ") or None
    except OSError:
        return None
