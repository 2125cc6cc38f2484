"""`python -m benchmarks.scaling`: measure, record as JSON; `--write` puts it into RESULTS.md."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks.scaling.recorded import (
    RECORDED,
    RESULTS,
    RecordedTable,
    recorded_tables,
    with_tables,
)
from edge.console.commands import PATH, command, quiet_option
from edge.errors import UsageError
from edge.files.atomic import atomic_file

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
@click.option("--shared", type=PATH, envvar="EDGE_SHARED", help="Real people, for the last four.")
@click.option("--folder", type=PATH, default=RECORDED, help="Where tables are kept.")
@click.option("--write", is_flag=True, help="Put all kept tables into RESULTS.md.")
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
        text = with_tables(RESULTS.read_text("utf-8"), recorded_tables(folder))
        with atomic_file(RESULTS) as temporary:
            temporary.write_text(text, "utf-8")
        click.echo(f"wrote {RESULTS.name}")


def _measured(
    studies: tuple[str, ...], shared: Path | None, quiet: bool
) -> Iterator[RecordedTable]:
    import cv2

    cv2.setNumThreads(1)
    if "faces-in-a-frame" in studies:
        from benchmarks.scaling import faces

        yield _table("faces-in-a-frame", faces.COLUMNS_SHOWN, faces.rows(), "nothing of this",
                     notes=("1280x720, drawn people, each frame alone, one thread.",))  # fmt: skip
    if "heads-cost" in studies:
        from benchmarks.scaling import heads

        yield _table("heads-cost", heads.COST_COLUMNS, heads.cost_rows(), "nothing of this",
                     notes=(f"{heads.FACES} crops, one thread, in turns.",))  # fmt: skip
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
        yield _table("photos", ("photos", *COLUMNS), of_people.photo_rows(known), tuned,
                     notes=(f"{shown}; at most ten of a person's photographs enrol.",))  # fmt: skip
    if "strangers" in studies:
        yield _table("strangers", ("strangers in the cohort", *COLUMNS),
                     of_people.stranger_rows(known), tuned, notes=(f"{shown}.",))  # fmt: skip
    if {"heads-far", "groups"} & set(studies):
        judging = known.judged()
        if "heads-far" in studies:
            columns = ("heads", "strangers' pictures that any accepts", "strangers, of one draw")
            yield _table("heads-far", columns, of_people.head_rows(judging), tuned,
                         notes=(f"{shown}; means of 20 draws of heads.",))  # fmt: skip
        if "groups" in studies:
            groups = of_people.attribute_groups(shared, GROUPS, sorted(unseen))
            rows, said = of_people.group_rows(judging, groups)
            columns = ("people", "mostly rejected", "taken for anybody else")
            yield _table("groups", columns, rows, tuned, notes=("", *said))


def _table(
    name: str,
    columns: tuple[str, ...],
    rows: list[tuple[str, ...]],
    tuned_on: str,
    notes: tuple[str, ...] = (),
) -> RecordedTable:
    from edge.bundle.locate import shipped_bundle

    with shipped_bundle() as bundle:
        base = bundle.base.sha256[:12]
    shared = " --shared ../shared" if name in ON_PEOPLE else ""
    line = f"python -m benchmarks.scaling{shared} {name}"
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return RecordedTable(name, line, day, base, tuned_on, columns, tuple(rows), notes)


if __name__ == "__main__":
    main()
