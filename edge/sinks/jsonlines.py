"""JSON lines: one object per picture, schema 1 of `edge.recognition.result`."""

from __future__ import annotations

import sys
from typing import TextIO

from edge.console.json_text import json_text
from edge.sinks.base import Judged, Sink


class JsonLines(Sink):
    """Writes one line per result on a text stream, by default standard output."""

    name = "JSON lines"
    essential = True

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def write(self, judged: Judged) -> None:
        stream = self._stream or sys.stdout
        stream.write(json_text(judged.result.to_json()) + "\n")
        stream.flush()
