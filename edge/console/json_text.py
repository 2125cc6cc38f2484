"""JSON as the commands write it: strict, so that every reader takes it."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import click


def emit_json(value: Any, *, indent: int | None = None) -> None:
    """Print `value` on standard output as one line, or indented where it is a document to read."""
    click.echo(json_text(value, indent=indent))


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON text of plain values, dataclasses, paths, dates, enums, NumPy scalars and arrays.

    JSON has no NaN and no infinities: they become null. Raises TypeError for what has no JSON form.
    """
    return json.dumps(_plain(value), indent=indent, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return [_plain(item) for item in sorted(value)]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if callable(getattr(value, "tolist", None)):  # NumPy, without importing it for a help text
        return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form")
