"""`edge-train evaluate-person`: measure a person's run on pictures that it has never seen."""

from __future__ import annotations

from pathlib import Path

import click

from edge.commands import (
    PATH,
    command,
    detector_option,
    emit_json,
    json_option,
    quiet_option,
    threads_option,
)


@command(
    "evaluate-person",
    examples="""
    edge-train evaluate-person runs/anna --photos new-photos --others friends
    edge-train evaluate-person runs/anna --photos holiday.mp4 --json
    edge-train evaluate-person runs/anna --others people --name anna --json
    """,
)
@click.argument("run", type=PATH, metavar="RUN")
@click.option(
    "--photos", type=PATH, multiple=True, metavar="PATH", help="Fresh pictures of the person."
)
@click.option(
    "--others",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="Pictures of others; a folder with a folder per person tells these apart.",
)
@click.option("--name", default="", help="Which head, where the run holds several.")
@detector_option()
@threads_option()
@json_option()
@quiet_option()
def evaluate_person_command(
    run: Path,
    photos: tuple[Path, ...],
    others: tuple[Path, ...],
    name: str,
    detector_model: Path | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure a person's run: who of fresh pictures is accepted, with exact bounds.

    Pictures that the person was enrolled with are an error, for on them any head looks good.
    """
    from edge.errors import UsageError
    from trainer.person_check import check_person

    if not photos and not others:
        raise UsageError("nothing to measure on", hint="give --photos, --others or both")
    evaluation, folder = check_person(
        run,
        photos,
        others,
        name=name,
        detector_model=detector_model,
        threads=threads,
        quiet=quiet,
    )
    if as_json:
        emit_json({"run": str(folder), "name": evaluation.head.name, **evaluation.figures()})
        return
    for line in evaluation.lines():
        click.echo(line)
