"""`edge-train evaluate-person`: measure a person's or a task's run on pictures that it has never
seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.console.commands import (
    PATH,
    command,
    detector_option,
    emit_json,
    json_option,
    quiet_option,
    say,
    threads_option,
)
from edge.errors import UsageError

if TYPE_CHECKING:
    from trainer.person.evaluation import PersonEvaluation
    from trainer.task.evaluation import TaskEvaluation

Paths = tuple[Path, ...]


@command(
    "evaluate-person",
    examples="""
    edge-train evaluate-person runs/anna --photos new-photos --others friends
    edge-train evaluate-person runs/anna --photos holiday.mp4 --json
    edge-train evaluate-person runs/anna --others people --name anna --json
    edge-train evaluate-person runs/sunglasses --positive with --negative without
    edge-train evaluate-person runs/sunglasses --positive a --negative b --group-regex '^[a-z]+'
    """,
)
@click.argument("run", type=PATH, metavar="RUN")
@click.option(
    "--photos", type=PATH, multiple=True, metavar="PATH", help="New images of the person."
)
@click.option(
    "--others",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="Images of other people; with one folder per person, people are counted.",
)
@click.option(
    "--positive",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="For a task, instead of --photos: new faces for which the answer is yes; may be repeated.",
)
@click.option(
    "--negative",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="For a task, instead of --others: new faces for which the answer is no; may be repeated.",
)
@click.option(
    "--group-regex",
    default="",
    metavar="REGEX",
    help="For a task: regular expression that finds the person in a file's "
    "name; its first group, if it has one.",
)
@click.option("--name", default="", help="Head to measure, if the run holds several.")
@detector_option()
@threads_option()
@json_option()
@quiet_option()
def evaluate_person_command(
    run: Path,
    photos: Paths,
    others: Paths,
    positive: Paths,
    negative: Paths,
    group_regex: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure a person's run on new images: who is accepted, with exact bounds.

    Images that the person was enrolled with are an error, because any head looks good on them.

    For a run of --positive and --negative it counts the right answers by image and by person.
    """
    from edge.models.run_record import Run
    from trainer.task.check import check_task, is_task

    if (photos or others) and (positive or negative):
        raise UsageError(
            "--positive and --negative stand in place of --photos and --others",
            hint="give one pair or the other",
        )
    yes, no = photos or positive, others or negative
    if not yes and not no:
        raise UsageError(
            "nothing to measure on",
            hint="give --photos, --others or both; for a task --positive and --negative",
        )
    evaluation: PersonEvaluation | TaskEvaluation
    if is_task(Run.load(run)):
        evaluation = check_task(run, yes, no, group_regex=group_regex, **options)
    else:
        from trainer.person.check import check_person

        for given, option in ((positive or negative, "--positive"), (group_regex, "--group-regex")):
            if given:
                raise UsageError(
                    f"{run} is of a person, {option} is for a yes-or-no task",
                    hint="give --photos and --others",
                )
        evaluation = check_person(run, yes, no, **options)[0]
    if as_json:
        emit_json({"run": str(run), "name": evaluation.head.name, **evaluation.figures()})
        return
    for line in evaluation.lines():
        say(line)
