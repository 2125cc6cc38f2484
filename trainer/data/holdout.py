"""Pictures that a run must never see: a list of people and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.errors import DataError, InputError
from trainer.data.label_files import read_text
from trainer.data.table import FaceTable, identity_number


def read_hold_out(path: Path) -> frozenset[str]:
    """The lines of a hold-out file: an identity (CelebA number or folder name) or a picture.

    Pictures are named by file name, or by folder and file name. Empty lines and lines that start
    with # do not count. Raises `InputError` for a missing or empty file.
    """
    try:
        text = read_text(Path(path))
    except DataError as problem:
        raise InputError(f"cannot read the hold-out file: {problem.message}") from None
    lines = [line.strip().strip('"') for line in text.splitlines()]
    names = frozenset(line for line in lines if line and not line.startswith("#"))
    if not names:
        raise InputError(f"the hold-out file {path} names nobody")
    return names


def held_out(table: FaceTable, names: frozenset[str]) -> np.ndarray:
    """bool[N]: rows whose person or picture is named."""
    numbers = {int(name) for name in names if name.isdigit()}
    numbers |= {identity_number(name) for name in names if not name.isdigit()}
    people = np.isin(table.identity, np.fromiter(numbers, np.int64, len(numbers)))
    pictures = [
        path.name in names or f"{path.parent.name}/{path.name}" in names or str(path) in names
        for path in table.paths
    ]
    return people | np.array(pictures, dtype=bool)
