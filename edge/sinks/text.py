"""Lines for people: one whenever the answer changes, for folders one per picture."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TextIO

from edge.console.display_text import for_terminal
from edge.heads.decision import NO_HEADS, tasks_in_words
from edge.recognition.annotate import clock, spoken
from edge.recognition.result import FaceResult, FrameResult
from edge.sinks.base import Judged, Sink
from edge.tracking.presence import Event

_FACE = "face"
"""One about which nothing but tasks is asked."""


class TextLines(Sink):
    """Writes readable lines on a text stream, by default standard output.

    `alone`: each picture is a line of its own, as for folders; else each event is one, with the
    label of its source where there are several.
    """

    name = "text"
    essential = True

    def __init__(self, stream: TextIO | None = None, *, alone: bool = False) -> None:
        self.only_events = False
        self._stream = stream
        self._alone = alone

    def write(self, judged: Judged) -> None:
        result = judged.result
        where = f"{judged.label}: " if judged.label and not self._alone else ""
        if result.error is not None:
            self._say(f"{_stamp(result, self._alone)}  {where}{result.error}")
        elif self._alone:
            self._say(f"{_stamp(result, True)}  {describe(result)}")
        for event in () if self._alone else judged.events:
            words = f"{where}{describe_event(event)}{_tasks(event, result)}"
            self._say(f"{clock(event.time_s):>9}  {words}")

    def _say(self, line: str) -> None:
        stream = self._stream or sys.stdout
        stream.write(for_terminal(line) + "\n")
        stream.flush()


def describe(result: FrameResult) -> str:
    """Who is in a picture, in words."""
    if not result.faces:
        return "no face"
    words = [
        f"{face.decision.person} ({face.decision.score or 0.0:.2f}){_in_words(face)}"
        for face in result.faces
        if face.decision.state == "match"
    ]
    unnamed = [face for face in result.faces if face.decision.state != "match"]
    others = Counter((_unnamed(face), _in_words(face)) for face in unnamed)
    for (name, tasks), count in others.items():
        many = f"{count} {name}s" if name == _FACE else f"{count} {name}"
        words.append((name if count == 1 else many) + tasks)
    return ", ".join(words)


def _unnamed(face: FaceResult) -> str:
    """Words for a face without a name: its state and the reason."""
    decision = face.decision
    if decision == NO_HEADS and face.tasks:
        return _FACE
    if decision.state == "rejected":
        return decision.reason or decision.state
    if decision.state == "uncertain" and decision.reason:
        return f"uncertain: {decision.reason}"
    return decision.state


def describe_event(event: Event) -> str:
    """An event in words."""
    who = event.who
    if event.kind == "left":
        return f"{who} left, seen for {event.seen_s or 0.0:.1f} s"
    if event.score is None or event.threshold is None:
        return f"{who} arrived"
    return f"{who} arrived, score {event.score:.2f} (threshold {event.threshold:.2f})"


def _in_words(face: FaceResult) -> str:
    shown = "".join(f", {spoken(name)}" for name in face.shown)
    return tasks_in_words(face.tasks, all_of_them=True) + shown


def _tasks(event: Event, result: FrameResult) -> str:
    """The answers of the tasks for the face of an arrival."""
    faces = [
        face
        for face in result.faces
        if (face.track, face.decision.person) == (event.track, event.person)
    ]
    return _in_words(faces[0]) if faces and event.kind == "arrived" else ""


def _stamp(result: FrameResult, alone: bool) -> str:
    return Path(result.source).name if alone else f"{clock(result.time_s):>9}"
