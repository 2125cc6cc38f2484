"""`edge-train person`: enroll somebody from photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.console.commands import (
    PATH,
    command,
    command_line,
    detector_option,
    emit_json,
    json_option,
    out_option,
    overwrite_option,
    person_name_option,
    quiet_option,
    say,
    seed_option,
    threads_option,
)
from edge.errors import UsageError
from trainer.cli.augmentation_options import RANGES, augmentation_options
from trainer.cli.task_options import group_regex_option

if TYPE_CHECKING:
    from trainer.person.settings import PersonSettings

WITHOUT_PATHS = "edge-train person … --privacy (the other options may name files and are left out)"
"""The command line of a private run, as it is kept."""


@command(
    "person",
    examples="""
    edge-train person --photos ~/photos/anna --name anna --out runs/anna
    edge-train person --photos selfie.mp4 --name anna --base runs/base --out runs/anna
    edge-train person --photos me --not-me brother --name ben --out runs/ben --json
    edge-train person --photos me --others ~/strangers --mode finetune --name ben --out runs/ben
    edge-train person --positive with --negative without --name sunglasses --out runs/sunglasses
    """,
)
@click.option(
    "--photos",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="Images, videos or folders of the person; may be repeated.",
)
@click.option(
    "--positive",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="For a yes-or-no question, instead of --photos: faces for which the "
    "answer is yes; may be repeated.",
)
@click.option(
    "--negative",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="Faces for which the answer is no; may be repeated.",
)
@group_regex_option
@person_name_option()
@out_option(required=True)
@click.option(
    "--base", default="shipped", metavar="shipped|RUN", help="Base that computes the embeddings."
)
@click.option(
    "--embedding",
    type=PATH,
    metavar="MODEL",
    help="Use this face embedding (.tflite or .onnx) instead of the base's.",
)
@click.option(
    "--cohort", type=PATH, metavar="FILE", help="Cohort of strangers, from 'edge-train cohort'."
)
@click.option(
    "--others",
    type=PATH,
    multiple=True,
    metavar="DIR",
    help="Add faces of strangers; may be repeated.",
)
@click.option(
    "--not-me",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="Photos of people who look alike and must be rejected; may be repeated.",
)
@click.option(
    "--target-far",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of strangers that may be accepted.",
)
@click.option("--strict", is_flag=True, help="Refuse a target that the strangers cannot prove.")
@click.option(
    "--camera",
    type=click.Choice(["auto", "one", "poor", "several"]),
    default="auto",
    help="What took the photos: one camera in one place (strangers before it "
    "look more like you), a poor one that shows small or gray faces, or "
    "several; auto finds out from the photos.",
)
@click.option(
    "--head",
    type=click.Choice(["auto", "linear", "dense-128", "kernel"]),
    default="auto",
    help="Kind of head: linear or dense-128 (needs TensorFlow), for "
    "--positive and --negative also kernel; auto takes linear, and for "
    "these the better of linear and kernel.",
)
@click.option(
    "--mode",
    type=click.Choice(["features", "finetune"]),
    default="features",
    help="With finetune, also train a copy of the base; needs TensorFlow and --others.",
)
@click.option(
    "--from-layer",
    type=click.IntRange(0),
    default=100,
    metavar="N",
    help="First layer that --mode finetune trains.",
)
@click.option(
    "--save-augmented",
    type=PATH,
    metavar="DIR",
    help="Write sheets of the augmented images that the head is fitted on.",
)
@augmentation_options
@overwrite_option()
@click.option(
    "--privacy",
    is_flag=True,
    help="Keep images and file names out of the run and its report; only a "
    "fine-tuned base keeps crops, for its export.",
)
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
def person_command(
    positive: tuple[Path, ...],
    negative: tuple[Path, ...],
    group_regex: str,
    export_augmented: Path | None,
    per_photo: int,
    **options: Any,
) -> None:
    """Enroll a person: fit a head and set a threshold from about 20 photos.

    The file that the device runs computes the embeddings. Photos without exactly one usable face
    are dropped with a reason. The threshold is set on strangers and on the person's own samples.

    With --positive and --negative it answers any other yes-or-no question, such as sunglasses.
    """
    # Small matrices gain nothing from threads, and sums come out the same on every machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from trainer.person.settings import PersonSettings

    ranges = {name: options.pop(name) for name in RANGES}
    settings = PersonSettings(**options)
    line = command_line("edge-train") if not settings.privacy else WITHOUT_PATHS
    result: Any
    _export(settings, (positive, negative), export_augmented, per_photo, ranges)
    if positive or negative:
        _check_task(settings, positive, negative)
        from trainer.task.train import train_task

        result = train_task(settings, positive, negative, group_regex, line)
    else:
        if group_regex:
            raise UsageError("--group-regex goes with --positive and --negative")
        import trainer

        options.pop("as_json")
        result = trainer.enrol_person(**options, command=line)
    if settings.as_json:
        emit_json(result.to_json())
    else:
        say(result.text())


def _export(
    settings: PersonSettings,
    answers: tuple[tuple[Path, ...], tuple[Path, ...]],
    folder: Path | None,
    per_photo: int,
    ranges: dict[str, float | None],
) -> None:
    """Augmented pictures of the photos, or of both answers, as files."""
    if folder is None:
        if any(value is not None for value in ranges.values()):
            raise UsageError(
                "--rotation and the like say how --export-augmented changes pictures",
                hint="give a folder by --export-augmented; the head varies its photos by itself",
            )
        return
    if settings.privacy:
        raise UsageError(
            "--export-augmented writes pictures and --privacy leaves them out", hint="give one"
        )
    from trainer.photos.album import open_album
    from trainer.task.train import picture_files
    from trainer.training.augmentation import Augmentation, wider
    from trainer.training.exported import export_augmented

    shown = (
        open_album(settings.photos, settings.name).me
        if settings.photos
        else (*answers[0], *answers[1])
    )
    count = export_augmented(
        picture_files(shown),
        folder,
        per_photo=per_photo,
        settings=wider(Augmentation(), **ranges),
        seed=settings.seed,
        quiet=settings.quiet,
    )
    say(f"wrote {count} augmented pictures to {folder}", err=True)


def _check_task(
    settings: PersonSettings, positive: tuple[Path, ...], negative: tuple[Path, ...]
) -> None:
    if not (positive and negative):
        raise UsageError("--positive and --negative go together", hint="give both")
    of_people = ("photos", "others", "not_me", "cohort", "target_far", "strict", "save_augmented")
    for name in of_people:
        if getattr(settings, name):
            raise UsageError(
                f"--{name.replace('_', '-')} is about a person, not about --positive and --negative"
            )
    from trainer.person.settings import check_mode

    check_mode(settings)
