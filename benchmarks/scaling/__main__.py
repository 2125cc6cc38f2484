"""`python -m benchmarks.scaling`: measure, record as JSON; `--write` puts it into RESULTS.md."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks.scaling.plot import Plot, Series
from benchmarks.scaling.recorded import (
    RECORDED,
    RESULTS,
    RecordedTable,
    draw,
    recorded_tables,
    with_tables,
)
from edge.console.commands import PATH, command, quiet_option
from edge.errors import UsageError
from edge.files.atomic import atomic_file

if TYPE_CHECKING:
    from benchmarks.scaling.people import People
    from benchmarks.studies.person_data import Bench

OFFLINE = ("faces-in-a-frame", "heads-cost")
ON_PEOPLE = ("photos", "strangers", "heads-far", "groups")
GROUPS = ("Male", "Young", "Pale_Skin", "Eyeglasses", "No_Beard")
COLUMNS = ("enrolments", "own rejected", "strangers' pictures accepted", "pairs with any accepted")


@command(
    "scaling",
    examples="""
    python -m benchmarks.scaling faces-in-a-frame heads-cost
    python -m benchmarks.scaling --shared ../shared photos strangers heads-far groups
    python -m benchmarks.scaling --write
    """,
)
@click.argument("studies", type=click.Choice([*OFFLINE, *ON_PEOPLE]), nargs=-1)
@click.option(
    "--shared",
    type=PATH,
    envvar="EDGE_SHARED",
    help="Folder of real people, for the last four studies.",
)
@click.option("--folder", type=PATH, default=RECORDED, help="Folder of the kept tables.")
@click.option("--write", is_flag=True, help="Put all kept tables into RESULTS.md, and draw them.")
@quiet_option()
def main(
    studies: tuple[str, ...], shared: Path | None, folder: Path, write: bool, quiet: bool
) -> None:
    """Measure what becomes of time and errors with more faces, heads, strangers and photos."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if any(name in ON_PEOPLE for name in studies) and shared is None:
        raise UsageError(f"{', '.join(ON_PEOPLE)} need real people", hint="give --shared DIR")
    for table in _measured(studies, shared, quiet):
        click.echo(f"{table.save(folder)}\n{table.markdown()}\n")
    if write:
        tables = recorded_tables(folder)
        text = with_tables(RESULTS.read_text("utf-8"), tables)
        with atomic_file(RESULTS) as temporary:
            temporary.write_text(text, "utf-8")
        plots = draw(tables)
        click.echo(f"wrote {RESULTS.name} and {len(plots)} plots")


def _measured(
    studies: tuple[str, ...], shared: Path | None, quiet: bool
) -> Iterator[RecordedTable]:
    import cv2

    cv2.setNumThreads(1)
    if "faces-in-a-frame" in studies:
        from benchmarks.scaling import faces

        rows = faces.rows()
        points = tuple((float(row[0]), float(row[2])) for row in rows)
        drawn = Plot("Faces in a frame of 1280x720", "faces", "processor ms a frame, one thread",
                     (Series("each frame alone", points),))  # fmt: skip
        yield _table("faces-in-a-frame", faces.COLUMNS_SHOWN, rows, "nothing of this",
                     ("1280x720, drawn people, each frame alone, one thread.",), drawn)  # fmt: skip
    if "heads-cost" in studies:
        from benchmarks.scaling import heads

        yield _table("heads-cost", heads.COST_COLUMNS, heads.cost_rows(), "nothing of this",
                     (f"{heads.FACES} crops, one thread, in turns.",))  # fmt: skip
    if any(name in ON_PEOPLE for name in studies):
        assert shared is not None
        yield from _on_people(studies, shared, quiet)


def _on_people(studies: tuple[str, ...], shared: Path, quiet: bool) -> Iterator[RecordedTable]:
    from benchmarks.scaling import people as of_people
    from benchmarks.shipped_base.hold_out import held_out_people
    from benchmarks.studies.person_data import Bench, people
    from trainer.cohort.choose import find_cohort
    from trainer.inference.source import open_subject

    deployed = open_subject("shipped").embedder
    bench = Bench(deployed, quiet=quiet)
    unseen = set(held_out_people(shared)["people"])
    trials = list(people(bench, shared, unseen.__contains__))
    known = of_people.People(bench, trials, find_cohort(deployed))
    tuned = "these photographs, among others"
    shown = f"{len(trials)} people of {len(trials[0].judged.person)} photographs"
    if "photos" in studies:
        yield _photos(bench, known, shared, tuned)
    if "strangers" in studies:
        by_count = of_people.by_strangers(known)
        drawn = Plot("Strangers that a head is made against", "strangers in the cohort",
                     "strangers' pictures accepted (%)",
                     (of_people.passed(f"{len(trials)} people, many cameras", by_count),),
                     log_x=True)  # fmt: skip
        yield _table("strangers", ("strangers in the cohort", *COLUMNS),
                     of_people.rows_of(by_count), tuned, (f"{shown}.",), drawn)  # fmt: skip
    if {"heads-far", "groups"} & set(studies):
        judging = known.judged()
        if "heads-far" in studies:
            columns = ("heads", "strangers' pictures that any accepts", "strangers, of one draw")
            yield _table("heads-far", columns, of_people.head_rows(judging), tuned,
                         (f"{shown}; means of 20 draws of heads.",))  # fmt: skip
        if "groups" in studies:
            groups = of_people.attribute_groups(shared, GROUPS, sorted(unseen))
            rows, said = of_people.group_rows(judging, groups)
            columns = ("people", "mostly rejected", "taken for anybody else")
            yield _table("groups", columns, rows, tuned, ("", *said))


def _photos(bench: Bench, known: People, shared: Path, tuned: str) -> RecordedTable:
    """How many photos do I need? On photographs, in one room, and on drawn people."""
    import tempfile

    from benchmarks.scaling import people as of_people

    found = {"many cameras": of_people.by_photos(known, of_people.PHOTOS)}
    sizes = {"many cameras": len(known.trials)}
    with tempfile.TemporaryDirectory() as folder:
        for name, trials, counts in (
            ("one gray room", of_people.room_trials(bench, shared), of_people.ROOM_PHOTOS),
            ("drawn people", of_people.drawn_trials(bench, Path(folder)), of_people.DRAWN_PHOTOS),
        ):
            people = of_people.People(bench, trials, known.cohort)
            found[name], sizes[name] = of_people.by_photos(people, counts), len(trials)
    rows = [
        row
        for name, by_count in found.items()
        for row in of_people.rows_of(by_count, (f"{name}, {sizes[name]} people",))
    ]
    plot = Plot("How many photos do I need?", "photos that enrol", "own pictures rejected (%)",
                tuple(of_people.rejected(f"{name}, {sizes[name]} people", by_count)
                      for name, by_count in found.items()))  # fmt: skip
    notes = ("Photos of one row that test are those of the other rows of its set. Bars: 95 %.",)
    return _table("photos", ("pictures", "photos", *COLUMNS), rows, f"{tuned}, and the room",
                  notes, plot)  # fmt: skip


def _table(
    name: str,
    columns: tuple[str, ...],
    rows: list[tuple[str, ...]],
    tuned_on: str,
    notes: tuple[str, ...] = (),
    plot: Plot | None = None,
) -> RecordedTable:
    from edge.bundle.locate import shipped_bundle

    with shipped_bundle() as bundle:
        base = bundle.base.sha256[:12]
    shared = " --shared ../shared" if name in ON_PEOPLE else ""
    line = f"python -m benchmarks.scaling{shared} {name}"
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return RecordedTable(name, line, day, base, tuned_on, columns, tuple(rows), notes, plot)


if __name__ == "__main__":
    main()
