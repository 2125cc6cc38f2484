"""Prompts: what a challenge asks of who is before the camera, on the terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from edge.console.display_text import for_terminal
from edge.sinks.base import Judged, Sink
from edge.tracking.challenge import PROMPT


class Prompts(Sink):
    """Writes each new order of a challenge on a text stream, by default standard error."""

    name = "prompts"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._said: dict[tuple[str, int | None], str] = {}

    def write(self, judged: Judged) -> None:
        said = {}
        for face in judged.result.faces:
            reason, key = face.decision.reason or "", (judged.label, face.track)
            if not reason.startswith(PROMPT):
                continue
            words = reason.partition(" s to try")[0].rstrip("0123456789")
            if self._said.get(key) != words:
                print(for_terminal(reason), file=self._stream or sys.stderr, flush=True)
            said[key] = words
        others = {key: words for key, words in self._said.items() if key[0] != judged.label}
        there = {(judged.label, face.track) for face in judged.result.faces}
        self._said = {**others, **{k: w for k, w in self._said.items() if k in there}, **said}
