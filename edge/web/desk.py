"""The desk: what is asked and done while a device runs, behind the page and for programs."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.bundle.locate import locate
from edge.console.json_text import json_text
from edge.doctor.report import CHECKS, Patient, examine
from edge.errors import InputError
from edge.files.image import decode_picture
from edge.people.encryption import Encryption
from edge.people.registry import open_register
from edge.people.store import is_sealed, only_writer, people_folder
from edge.recognition.recognizer import Recognizer
from edge.sinks.base import Judged, Sink
from edge.visits.camera_book import read_book
from edge.visits.groups import grouped
from edge.visits.renaming import rename, take_back_rename
from edge.visits.rulings import Proposal, Ruling, apply, propose, take_back
from edge.visits.store import VisitStore
from edge.web.enrolments import Enrolments

KEPT_EVENTS = 100
KEPT_ERRORS = 10
MOST_PROPOSALS, PROPOSAL_S = 16, 600.0
HEARTBEAT_S = 10.0
"""A stream without events says so often that it is alive."""

MOST_LISTENERS = 8
BUSY_S = 2.0
"""How long a picture to recognize waits for the one before."""

QUICK_CHECKS = tuple(name for name in CHECKS if ".machine:" in name or ".strangers:" in name)


@dataclass(frozen=True)
class DeskOptions:
    """bundle, key_file, detector_model: as given to `edge-recognize`. forget: removes somebody.
    changed: called after who is known has changed."""

    bundle: Path | None = None
    key_file: Path | None = None
    detector_model: Path | None = None
    keeps_visits: bool = False
    forget: Callable[[str], Any] = lambda name: None
    changed: Callable[[], None] = lambda: None


@dataclass
class _Held:
    proposal: Proposal
    at_s: float = field(default_factory=time.monotonic)


class Desk(Sink):
    """Remembers the last events and errors, and does what the page asks. Thread-safe."""

    name = "desk"
    wants_images = True

    def __init__(self, options: DeskOptions) -> None:
        self.options = options
        self._news = threading.Condition()
        self._events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=KEPT_EVENTS)
        self._errors: deque[dict[str, str]] = deque(maxlen=KEPT_ERRORS)
        self._number = 0
        self._listeners = 0
        self._open = True
        self._proposals: OrderedDict[str, _Held] = OrderedDict()
        self._recognizer: Recognizer | None = None
        self._recognizing = threading.Lock()
        self._used = time.monotonic(), time.process_time()
        self._vault = Encryption.open(options.key_file)
        self._store = VisitStore(vault=self._vault)
        self.enrolments = Enrolments(options.bundle, options.key_file, options.detector_model)

    def write(self, judged: Judged) -> None:
        error = judged.result.error
        with self._news:
            for event in judged.events:
                self._number += 1
                self._events.append((self._number, event.to_json()))
            if error is not None and (not self._errors or self._errors[-1]["error"] != error):
                at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                self._errors.append({"at": at, "error": error})
            if judged.events:
                self._news.notify_all()
        if judged.image_bgr is not None and self.enrolments.looks:
            found = judged.result
            self.enrolments.see(judged.image_bgr, found.time_s, found.source)

    def know(self, people: Sequence[str]) -> None:
        shown = {*people, None}
        with self._news:
            kept = [one for one in self._events if one[1]["person"] in shown]
            self._events = deque(kept, maxlen=KEPT_EVENTS)
        with self._recognizing:  # its heads are those of before
            self._recognizer = None

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._open = False
            self._news.notify_all()
        with self._recognizing:
            if self._recognizer is not None:
                self._recognizer.close()

    def events(self, is_there: Callable[[], bool]) -> Iterator[bytes]:
        """Server-sent events (WHATWG HTML, 9.2): each event as JSON, from now on; where too many
        listen, the event `busy` and no more."""
        with self._news:
            if self._listeners >= MOST_LISTENERS:
                yield b"event: busy\ndata: {}\n\n"
                return
            self._listeners += 1
            seen = self._number
        try:
            yield b"retry: 3000\n\n"
            while True:
                with self._news:
                    if self._open and self._number == seen:
                        self._news.wait(HEARTBEAT_S)
                    fresh = [one for one in self._events if one[0] > seen]
                    if not self._open:
                        return
                if not is_there():
                    return
                for number, event in fresh:
                    yield f"id: {number}\nevent: visit\ndata: {json_text(event)}\n\n".encode()
                    seen = number
                if not fresh:
                    yield b": alive\n\n"
        finally:
            with self._news:
                self._listeners -= 1

    def recognize(self, data: bytes) -> dict[str, Any]:
        """The faces of one picture, as JSON schema 1. Raises `ToolkitError`."""
        image = decode_picture(data, "the picture")
        if not self._recognizing.acquire(timeout=BUSY_S):
            raise InputError("another picture is being recognized", hint="try again")
        try:
            if self._recognizer is None:
                self._recognizer = self._open_recognizer()
            return self._recognizer.recognize(image).to_json()
        finally:
            self._recognizing.release()

    def _open_recognizer(self) -> Recognizer:
        with open_register(self.options.bundle, self.options.key_file) as register:
            heads = read_book().applied(register.heads)
            model = self.options.detector_model
            return Recognizer.open(register.bundle, heads=heads, detector_model=model, threads=1)

    def visits(self, last: int) -> dict[str, Any]:
        """The last visits, the latest first."""
        found = self._store.visits(last)
        rows = [visit.to_json() for visit in reversed(found)]
        return {"schema": 1, "visits": rows, "kept": self.options.keeps_visits}

    def unknown(self) -> dict[str, Any]:
        """Unknown visitors in groups, see `edge.visits.groups`."""
        groups = [group.to_json() for group in grouped(self._store.visits())]
        return {"schema": 1, "groups": groups, "kept": self.options.keeps_visits}

    def face(self, number: int) -> bytes:
        """The best face of a visit, JPEG. Raises `InputError` where none is kept."""
        jpeg = self._store.find(number).face_jpeg
        if not jpeg:
            raise InputError(f"no face of visit {number} is kept")
        return jpeg

    def people(self) -> dict[str, Any]:
        """Who is known, with what visits prove."""
        with open_register(self.options.bundle, self.options.key_file) as register:
            known, book = [k for k in register.known() if not k.head.is_task], read_book()
        people = []
        for each in known:
            bounds = book.bounds(each.head)
            lines = [line for bound in bounds for line in bound.lines()]
            cameras = [bound.to_json() for bound in bounds]
            held = book.page(each.head).threshold(each.head)
            facts = {**each.to_json(), "threshold_held": round(held, 4), "cameras": cameras}
            people.append({**facts, "words": lines})
        sealed = is_sealed(people_folder())
        word = self._store.last_word() is not None
        return {"schema": 1, "encrypted": sealed, "people": people, "can_undo": word}

    def health(self) -> dict[str, Any]:
        """The doctor's quick findings, the last errors, and how busy the processor is."""
        patient = Patient(bundle=self.options.bundle)
        findings = [finding.to_json() for finding in examine(patient, QUICK_CHECKS)]
        with self._news:
            errors = list(self._errors)
        line = locate(self.options.bundle).line
        facts = {"bundle": line, "findings": findings, "errors": errors}
        return {"schema": 1, **facts, **self._processor()}

    def _processor(self) -> dict[str, Any]:
        """processor_share: of one core, that this program has used since this was asked before.
        load_1min: of the machine, None where it does not tell."""
        now = time.monotonic(), time.process_time()
        with self._news:
            before, self._used = self._used, now
        share = (now[1] - before[1]) / max(now[0] - before[0], 1e-3)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        cores = os.cpu_count() or 1
        return {"processor_share": round(share, 3), "cores": cores, "load_1min": load}

    def propose(self, ruling: Ruling) -> dict[str, Any]:
        """What a ruling would change, and the number to do it by. Raises `ToolkitError`."""
        with open_register(self.options.bundle, self.options.key_file) as register:
            proposal = propose(register, self._store, ruling)
        key = secrets.token_hex(8)
        with self._news:
            self._proposals[key] = _Held(proposal)
            while len(self._proposals) > MOST_PROPOSALS:
                self._proposals.popitem(last=False)
        return {"schema": 1, "proposal": key, **proposal.to_json()}

    def apply(self, key: str) -> dict[str, Any]:
        """Do what was proposed. Raises `InputError` where that is not there any more."""
        with self._news:
            held = self._proposals.pop(key, None)
        if held is None or time.monotonic() - held.at_s > PROPOSAL_S:
            raise InputError("this proposal is too old", hint="look again what it changes")
        options = self.options
        with (
            only_writer(people_folder()),
            open_register(options.bundle, options.key_file) as register,
        ):
            apply(register, self._store, held.proposal)
        self.options.changed()
        return {"schema": 1, "done": True, **held.proposal.to_json()}

    def undo(self) -> dict[str, Any]:
        """Take the last ruling or renaming back. Raises `PeopleError` where there is none."""
        with only_writer(people_folder()):
            with open_register(self.options.bundle, self.options.key_file) as register:
                renamed = take_back_rename(register, self._store)
                heads = register.heads
            numbers = () if renamed else take_back(self._store, self._vault, heads=heads)
        self.options.changed()
        return {"schema": 1, "undone": True, "visits": list(numbers)}

    def rename(self, old: str, new: str) -> dict[str, Any]:
        """Call somebody enrolled here otherwise. Raises `ToolkitError`."""
        options = self.options
        with (
            only_writer(people_folder()),
            open_register(options.bundle, options.key_file) as register,
        ):
            done = rename(register, self._store, old, new)
        self.options.changed()
        return done.to_json()

    def finish_enrolment(self, key: str) -> dict[str, Any]:
        """Enrol who has sat for it, or was shown. Raises `ToolkitError`."""
        done = self.enrolments.finish(key)
        self.options.changed()
        return done

    def forget(self, name: str) -> dict[str, Any]:
        """Remove somebody from this device. Raises `ToolkitError`."""
        self.options.forget(name)
        self.options.changed()
        return {"schema": 1, "forgotten": name}
