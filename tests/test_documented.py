"""What docs/architecture.md says against what is there: modules, and fields of JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faked import ADA, result

from edge.presence import Event, Presence

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
BEHIND = re.compile(r".*(_cli|_command)$")
"""Modules of commands, which the table names by their endings."""


def tables(heading: str) -> list[list[str]]:
    """Of each table under a heading, what stands as code in its first column."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert section, f"no section '{heading}'"
    found: list[list[str]] = [[]]
    for line in section.splitlines():
        if not line.startswith("|"):
            found.append([])
        found[-1] += re.findall(r"`([^`]+)`", line.split("|")[1] if "|" in line else "")
    return [names for names in found if names]


def a_frame() -> dict[str, Any]:
    return result(ADA).to_json()


@pytest.mark.parametrize(
    ("heading", "table", "fields"),
    [
        ("JSON per frame (schema 1)", 0, a_frame),
        ("JSON per frame (schema 1)", 1, lambda: a_frame()["faces"][0]),
        ("JSON per frame (schema 1)", 2, lambda: a_frame()["latency_ms"]),
        ("JSON per event", 0, lambda: Event("left", None, 0.0, "x").to_json()),
    ],
)
def test_fields_are_those_that_are_documented(
    heading: str, table: int, fields: Callable[[], dict[str, Any]]
) -> None:
    assert sorted(tables(heading)[table]) == sorted(fields())


def test_the_event_of_a_run_has_these_fields_too() -> None:
    presence = Presence(alone=True)
    (event,) = presence.update(result(ADA))
    assert sorted(event.to_json()) == sorted(tables("JSON per event")[0])


def test_every_module_of_edge_has_its_place_and_no_other_is_named() -> None:
    (named,) = tables("`edge`: one noun, one module")
    modules = {path.stem for path in (ROOT / "edge").glob("*.py") if path.stem != "__init__"}
    folders = {f"{path.name}/…" for path in (ROOT / "edge").iterdir() if list(path.glob("*.py"))}
    commands = {name for name in modules if BEHIND.match(name)}
    assert {*named} - {"…_cli", "…_command"} == (modules - commands) | folders
    assert len(named) == len({*named}), "each once"
