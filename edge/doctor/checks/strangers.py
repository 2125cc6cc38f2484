"""Strangers: what those before this camera prove of the people known here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from edge.doctor.report import OK, PROBLEM, SKIPPED, WARNING, Finding, FindingState, Patient
from edge.errors import ToolkitError


def check_strangers(patient: Patient) -> Iterator[Finding]:
    """One finding a person and camera of which visits were counted."""
    from edge.people import KEY_FILE_VARIABLE
    from edge.people.registry import open_register
    from edge.visits.camera_book import book_path, read_book

    if not book_path().exists():
        yield Finding("strangers", SKIPPED, "no visits before a camera were counted yet")
        return
    key_file = os.environ.get(KEY_FILE_VARIABLE)
    try:
        book = read_book()
    except ToolkitError as problem:
        yield Finding("strangers", PROBLEM, problem.message, problem.hint)
        return
    try:
        with open_register(patient.bundle, Path(key_file) if key_file else None) as register:
            heads = register.heads
    except ToolkitError:  # said by the check of the bundle
        return
    for head in heads:
        for bound in book.bounds(head):
            if bound.accepted.trials:
                advised = f"edge-recognize adapt {head.name} --preview" if bound.advice else None
                state: FindingState = WARNING if bound.advice == "raise" else OK
                yield Finding("strangers", state, f"{head.name} {bound.lines()[0]}", advised)
            if bound.fall is not None:
                remedy = f"edge-recognize enrol --name {head.name} --camera 0 --add"
                yield Finding("own visits", WARNING, bound.lines()[-1], remedy)
