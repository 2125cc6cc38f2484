"""Corrections: pictures of others that were taken for somebody, made hard negatives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle.reader import Bundle
from edge.enrolment.samples import SampleSet
from edge.enrolment.session import read_files
from edge.errors import InputError, UsageError
from edge.people.encryption import Encryption
from edge.people.event_pictures import events_folder, kept_faces
from edge.people.registry import Correction, Registry, open_register
from edge.people.store import only_writer, people_folder, undo_people
from edge.tracking.direction import EAGER, Direction


@dataclass(frozen=True)
class CorrectionOptions:
    """The options of `edge-recognize not-me`, as its help explains them."""

    name: str | None = None
    last: int = 5
    photos: tuple[Path, ...] = ()
    events_folder: Path | None = None
    bundle: Path | None = None
    key_file: Path | None = None
    detector_model: Path | None = None
    threads: int | None = None
    quiet: bool = False


def run_correction(options: CorrectionOptions) -> Correction:
    """Find the pictures, embed them and set everything again. Raises a `ToolkitError`."""
    with (
        only_writer(people_folder()),
        open_register(options.bundle, options.key_file) as register,
    ):
        name = options.name or _only_one(register)
        register.find(name)
        register.cohort()
        album = _others(options, register.bundle, name).album()
        assert album.varied is not None and album.varied_of is not None
        return register.correct(
            name,
            np.concatenate([album.embeddings, album.varied]),
            np.concatenate([np.arange(len(album.embeddings)), album.varied_of]),
        )


def run_undo(key_file: Path | None) -> tuple[str, ...]:
    """Take the last correction back; the names of who is enrolled or corrected here then.

    Raises `PeopleError` where something else has changed since, or nothing was corrected.
    """
    folder = people_folder()
    with only_writer(folder):
        known = undo_people(folder, Encryption.open(key_file))
    return tuple(person.name for person in known.persons)


def _only_one(register: Registry) -> str:
    names = [known.head.name for known in register.known()]
    if len(names) == 1:
        return names[0]
    raise UsageError(
        f"{len(names)} people are known, and none is named",
        hint=f"give --name, known: {', '.join(names) or 'nobody'}",
    )


def _others(options: CorrectionOptions, bundle: Bundle, name: str) -> SampleSet:
    """The usable faces of others. Raises `InputError` when there is none."""
    paths = options.photos or _kept(options, name)
    book = SampleSet.open(bundle, options.detector_model, options.threads)
    read_files(paths, book, lambda: Direction(config=EAGER), quiet=options.quiet)
    if not book.looks:
        reasons = ", ".join(sorted(book.refused)) or "no pictures"
        raise InputError(
            f"none of the pictures shows a usable face ({reasons})",
            hint="give sharp, well lit pictures with one face each",
        )
    return book


def _kept(options: CorrectionOptions, name: str) -> tuple[Path, ...]:
    folder = options.events_folder or events_folder()
    found = kept_faces(folder, name)[-options.last :]
    if not found:
        raise InputError(
            f"{folder} holds no event in which {name} was recognized",
            hint="run edge-recognize with --keep-events 20, or give pictures by --photos",
        )
    return tuple(face.path for face in found)
