"""The person of a file, by a pattern in its name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from edge.errors import UsageError


def pattern_of(text: str) -> re.Pattern[str] | None:
    """--group-regex, None where none was given. Raises `UsageError` for no regular expression."""
    try:
        return re.compile(text) if text else None
    except re.error as problem:
        raise UsageError(f"--group-regex is no regular expression: {problem}") from None


def names_by(pattern: re.Pattern[str], files: Iterable[str]) -> tuple[str, ...]:
    """What the pattern finds in each file's name, else in its path: its first bracket where it has
    one. Raises `UsageError` naming a file in which it finds nothing.
    """
    names = []
    for file in files:
        found = pattern.search(Path(file).name) or pattern.search(file)
        if found is None:
            raise UsageError(
                f"--group-regex finds nothing in {file}",
                hint="it should match the person's part of each name",
            )
        names.append(str(found.group(1) if pattern.groups else found.group()))
    return tuple(names)
