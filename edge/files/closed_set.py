"""Closed sets: what a file may say, read back as one of the values that the code knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Member = TypeVar("Member")


def one_of(value: object, known: Sequence[Member]) -> Member:
    """The member of `known` that equals `value`. Raises ValueError where there is none."""
    for member in known:
        if member == value:
            return member
    raise ValueError(f"'{value}' is none of {', '.join(map(str, known))}")
