"""Paths as programs give them: one or several, as text or as `Path`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PathLike = str | Path
Paths = PathLike | Iterable[PathLike]


def as_path(value: PathLike | None) -> Path | None:
    """One path, or None where there is none."""
    return None if value is None else Path(value)


def as_paths(value: Paths) -> tuple[Path, ...]:
    """All of them; a single one is a tuple of one."""
    return (Path(value),) if isinstance(value, (str, Path)) else tuple(Path(one) for one in value)
