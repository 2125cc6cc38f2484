"""Enrolling on the page: by photos that are dropped, or before the camera that runs."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge.bundle.locate import data_folder
from edge.enrolment.guide import Guide
from edge.enrolment.samples import SampleSet
from edge.enrolment.session import FEWEST_GOOD_LOOKS, refuse_too_few
from edge.errors import InputError
from edge.files.atomic import atomic_file
from edge.files.image import decode_picture
from edge.heads.crowd import crowd_of
from edge.heads.threshold import ONE, SEVERAL
from edge.people.registry import open_register
from edge.people.store import only_writer, people_folder
from edge.person_name import checked_person_name

WANTED = 20
"""Looks after which a sitting before the camera is enough."""

SITTING_S = 600.0
"""An enrolment that nobody goes on with is dropped after so long."""

MOST_PHOTOS = 200
CONSENT = "consent.txt"
LONGEST_CONSENT = 10_000

By = Literal["photos", "camera"]


@dataclass
class _Sitting:
    key: str
    name: str
    add: bool
    by: By
    book: SampleSet
    guide: Guide
    words: str
    pictures: int = 0
    at_s: float = field(default_factory=time.monotonic)


class Enrolments:
    """One enrolment at a time; a new one takes the place of the one before. Thread-safe."""

    def __init__(
        self, bundle: Path | None, key_file: Path | None, detector_model: Path | None
    ) -> None:
        self._bundle = bundle
        self._key_file = key_file
        self._detector_model = detector_model
        self._lock = threading.Lock()
        self._sitting: _Sitting | None = None

    @property
    def looks(self) -> bool:
        """Whether somebody sits before the camera."""
        sitting = self._sitting
        return sitting is not None and sitting.by == "camera"

    def start(self, name: str, *, add: bool, by: By) -> dict[str, Any]:
        """Begin. Raises `RefusedError` for a name that is taken, or with `add` not enrolled here,
        and as `Recognizer.open`."""
        checked_person_name(name)
        with open_register(self._bundle, self._key_file) as register:
            register.check_name(name, add=add)
            register.cohort()
            book = SampleSet.open(
                register.bundle, self._detector_model, 1, keep=register.vault.is_locked
            )
        guide = Guide(WANTED if by == "camera" else FEWEST_GOOD_LOOKS)
        words = guide.missing().words if by == "camera" else ""
        with self._lock:
            self._sitting = _Sitting(secrets.token_hex(8), name, add, by, book, guide, words)
            return self._state(self._sitting)

    def photo(self, key: str, data: bytes) -> dict[str, Any]:
        """Take a photo; `reason` says why one does not count. Raises `PictureError`."""
        image = decode_picture(data, "the photo")
        with self._lock:
            sitting = self._find(key)
            if sitting.pictures >= MOST_PHOTOS:
                raise InputError(f"{MOST_PHOTOS} photos are enough")
            return {**self._state(sitting), **self._offer(sitting, image, None)}

    def see(self, image_bgr: np.ndarray, time_s: float, source: str) -> None:
        """A picture of the camera, uint8[H, W, 3] BGR, while somebody sits before it."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            sitting = self._sitting
            if sitting is None or sitting.by != "camera" or len(sitting.book.looks) >= WANTED:
                return
            if time.monotonic() - sitting.at_s > SITTING_S:
                self._sitting = None
                return
            self._offer(sitting, image_bgr, time_s, source)
        finally:
            self._lock.release()

    def state(self, key: str) -> dict[str, Any]:
        """How far it is. Raises `InputError` where it is not there any more."""
        with self._lock:
            return self._state(self._find(key))

    def finish(self, key: str) -> dict[str, Any]:
        """Enrol. Raises `RefusedError` for too few looks, and as `Registry.enrol`."""
        with self._lock:
            sitting = self._find(key)
            refuse_too_few(sitting.book, sitting.guide)
            camera = sitting.book.origin().camera
            live = sitting.by == "camera"
            if live and camera == SEVERAL:  # one camera, whatever the background does
                camera = ONE
            with (
                only_writer(people_folder()),
                open_register(self._bundle, self._key_file) as register,
            ):
                head = register.enrol(
                    sitting.name,
                    sitting.book.album(),
                    camera=camera,
                    one_sitting=live,
                    add=sitting.add,
                )
                crowd = crowd_of(register.heads)
            self._sitting = None
            warnings = [*head.facts.warnings, *crowd.warnings]
            looks = len(sitting.book.looks)
            return {"schema": 1, "name": sitting.name, "looks": looks, "warnings": warnings}

    def _find(self, key: str) -> _Sitting:
        sitting = self._sitting
        if sitting is None or sitting.key != key or time.monotonic() - sitting.at_s > SITTING_S:
            raise InputError("this enrolment is over", hint="begin again")
        return sitting

    def _offer(
        self, sitting: _Sitting, image_bgr: np.ndarray, time_s: float | None, of: str = ""
    ) -> dict[str, Any]:
        sitting.at_s = time.monotonic()
        sitting.pictures += 1
        offer = sitting.book.offer(image_bgr, time_s=time_s, of=of)
        if offer.look is not None:
            sitting.guide.took(offer.look)
        sitting.words = sitting.guide.next_words(offer, sitting.book.looks)
        taken = offer.look is not None
        return {"taken": taken, "reason": offer.reason, **self._state(sitting)}

    def _state(self, sitting: _Sitting) -> dict[str, Any]:
        wanted = WANTED if sitting.by == "camera" else FEWEST_GOOD_LOOKS
        return {
            "enrolment": sitting.key,
            "name": sitting.name,
            "by": sitting.by,
            "looks": len(sitting.book.looks),
            "wanted": wanted,
            "words": sitting.words,
            "refused": dict(sitting.book.refused),
        }


def consent_text() -> str | None:
    """The owner's own text, None where it was not written yet."""
    try:
        return (data_folder() / CONSENT).read_text("utf-8")
    except FileNotFoundError:
        return None


def keep_consent_text(text: str) -> None:
    """Keep the owner's text. Raises `InputError` for one that is too long."""
    if len(text) > LONGEST_CONSENT:
        raise InputError(f"the text has more than {LONGEST_CONSENT} characters")
    with atomic_file(data_folder() / CONSENT, private=True) as temporary:
        temporary.write_text(text, "utf-8")
