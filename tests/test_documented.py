"""What docs/architecture.md says against what is there: modules, and fields of JSON."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faked import ADA, result

from edge.tracking.presence import Event, Presence

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")


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


def listing(package: str) -> str:
    """The rooms of a package and what stands in each, from their own docstrings."""
    rows = ["| room | what it is | modules |", "|---|---|---|"]
    folders = [path for path in (ROOT / package).rglob("__init__.py") if path.parent.name != "data"]
    for path in sorted(folders, key=lambda path: path.parent.relative_to(ROOT).parts):
        first = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").splitlines()[0]
        names = sorted(p.stem for p in path.parent.glob("*.py") if p.stem != "__init__")
        room = path.parent.relative_to(ROOT)
        modules = ", ".join(f"`{name}`" for name in names)
        rows.append(f"| `{room}/` | {first} | {modules} |")
    return "\n".join(rows)


@pytest.mark.parametrize("package", ["edge", "trainer", "export", "benchmarks"])
def test_the_listing_is_that_of_the_folders(package: str) -> None:
    """Where it differs, the text that belongs there is the assertion's right side."""
    begin, end = f"<!-- listing of {package} -->\n", "\n<!-- end of listing -->"
    assert begin in TEXT
    assert TEXT.partition(begin)[2].partition(end)[0] == listing(package)
