"""Copies: files that hold another file's picture at a smaller size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from edge.files.image import picture_header

SMALLER_COPY = "a smaller copy of another picture"
"""Why such a file is not used."""

_NAME = re.compile(r"(.+)_([2-9]|1[0-6])")
"""How such copies are called: `name_2` is the picture `name` at half its size, as in CMU Face
Images (Mitchell, 1997; UCI Machine Learning Repository)."""


def smaller_copies(files: Sequence[Path]) -> frozenset[Path]:
    """The files that are called `NAME_2`, `NAME_4`, …, lie beside `NAME` and are this many times
    smaller. A copy whose original is not among the files is none, nor is a file of another size.
    """
    known = set(files)
    found = set()
    for path in files:
        called = _NAME.fullmatch(path.stem)
        if called is None:
            continue
        original = path.with_name(called.group(1) + path.suffix)
        if original in known and _is_scaled(path, original, int(called.group(2))):
            found.add(path)
    return frozenset(found)


def _is_scaled(path: Path, original: Path, times: int) -> bool:
    small, large = _size(path), _size(original)
    if small is None or large is None:
        return False
    return all(abs(a * times - b) < times for a, b in zip(small, large, strict=True))


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels, None of what is no picture."""
    header = picture_header(path)
    return None if header is None else (header.width_px, header.height_px)
