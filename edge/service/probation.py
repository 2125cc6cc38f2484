"""Probation: a bundle that has never run on this machine is tried before it is relied on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

from edge.bundle.locate import Located, before, data_folder
from edge.errors import ModelError
from edge.files.atomic import atomic_file
from edge.models.runtime import available_runtimes
from edge.recognition.trial import try_bundle

log = logging.getLogger(__name__)

TRIED = "tried"
"""The file below the data folder that remembers which bundles have passed."""

KEPT = 20
"""So many of them are remembered."""


def proved(
    located: Located, *, fall_back: bool = True, on_wait: Callable[[], None] = lambda: None
) -> Located:
    """The bundle itself where its parts run here, by `try_bundle` or by what is remembered of it.

    What is remembered holds for the same content under the same versions of the runtimes. With
    `fall_back` the flashed bundle before it is taken where it fails, and the log says why. The
    shipped base needs no trial.
    Raises `ModelError` where it fails and there is none before it, and as `Located.open`.
    """
    if located.path is None:
        return located
    with located.open() as bundle:
        mark = _mark(bundle.manifest.to_bytes())
    known = _known()
    if mark in known:
        return located
    try:
        try_bundle(located.path, on_wait=on_wait)
    except ModelError as problem:
        other = before(located) if fall_back else None
        if other is None:
            raise
        log.error("%s; the bundle before it is used, %s", problem, other.path)
        return proved(other, fall_back=False, on_wait=on_wait)
    _remember([*known, mark][-KEPT:])
    return located


def _mark(manifest: bytes) -> str:
    """Stands for a bundle's content and what would run it."""
    versions = "".join(f"{name} {text}\n" for name, text in sorted(available_runtimes().items()))
    return hashlib.sha256(manifest + versions.encode()).hexdigest()


def _known() -> list[str]:
    try:
        return (data_folder() / TRIED).read_text("ascii", "replace").split()
    except OSError:
        return []


def _remember(marks: list[str]) -> None:
    """Where nothing can be written, the bundle is tried again the next time."""
    try:
        with atomic_file(data_folder() / TRIED) as temporary:
            temporary.write_text("".join(f"{mark}\n" for mark in marks), "ascii")
    except OSError as problem:
        log.info("cannot remember that the bundle runs here: %s", problem)
