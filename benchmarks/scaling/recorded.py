"""Recorded tables: what a study measured, as JSON; of it RESULTS.md and the docs' plots are made.

No figure there is typed by hand: `make bench` puts each table between its marks,
`<!-- recorded: NAME -->` and `<!-- end of NAME -->`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scaling.plot import Plot
from edge.errors import InputError
from edge.files.atomic import atomic_file

SCHEMA = 1
RECORDED = Path(__file__).parents[1] / "recorded"
RESULTS = Path(__file__).parents[1] / "RESULTS.md"
PLOTS = Path(__file__).parents[2] / "docs" / "images"


@dataclass(frozen=True)
class RecordedTable:
    """name: of its file and its marks. command: by which it is made. base: start of the SHA-256 of
    the base that was measured, empty where none was. tuned_on: what was looked at while levels were
    chosen, of the data measured. columns, rows: as they are shown. notes: below the table.
    plot: of the same figures, in the docs as NAME.png.
    """

    name: str
    command: str
    when: str
    base: str
    tuned_on: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    plot: Plot | None = None

    def to_json(self) -> dict[str, Any]:
        shown = {} if self.plot is None else {"plot": self.plot.to_json()}
        return {"schema": SCHEMA, **vars(self), **shown}

    def save(self, folder: Path = RECORDED) -> Path:
        """Write it under its name; returns where."""
        path = folder / f"{self.name}.json"
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n", "utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> RecordedTable:
        """Raises `InputError` where the file is no recorded table."""
        try:
            said = json.loads(path.read_text("utf-8"))
            if said.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            rows = tuple(tuple(str(cell) for cell in row) for row in said.pop("rows"))
            columns, notes = tuple(said.pop("columns")), tuple(said.pop("notes"))
            drawn = said.pop("plot")
            plot = None if drawn is None else Plot.of_json(drawn)
            return cls(columns=columns, rows=rows, notes=notes, plot=plot, **said)
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise InputError(f"{path} is no recorded table: {problem!r}") from None

    def markdown(self) -> str:
        """The command, the table and what is to be said about it."""
        of = f", base {self.base}" if self.base else ""
        lines = ["```sh", self.command, "```", "", "| " + " | ".join(self.columns) + " |"]
        lines.append("|" + "---|" * len(self.columns))
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += ["", f"Recorded {self.when}{of}. Levels were chosen on: {self.tuned_on}."]
        lines += list(self.notes)
        return "\n".join(lines)


def with_tables(text: str, tables: Sequence[RecordedTable]) -> str:
    """A page with each table between its marks. Raises `InputError` where marks are missing."""
    for one in tables:
        begin, end = f"<!-- recorded: {one.name} -->", f"<!-- end of {one.name} -->"
        found = re.search(re.escape(begin) + ".*?" + re.escape(end), text, re.DOTALL)
        if found is None:
            raise InputError(
                f"the page has no place for {one.name}", hint=f"put {begin} and {end} there"
            )
        made = f"{begin}\n{one.markdown()}\n{end}"
        text = text[: found.start()] + made + text[found.end() :]
    return text


def draw(tables: Sequence[RecordedTable], folder: Path = PLOTS) -> list[Path]:
    """The plot of each table that has one; returns where."""
    made = []
    for one in tables:
        if one.plot is not None:
            made.append(folder / f"{one.name}.png")
            one.plot.save(made[-1])
    return made


def recorded_tables(folder: Path = RECORDED) -> list[RecordedTable]:
    """All that are kept, by name."""
    return [RecordedTable.load(path) for path in sorted(folder.glob("*.json"))]
