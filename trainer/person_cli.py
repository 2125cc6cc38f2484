"""`edge-train person`: enrol somebody from photos."""

from __future__ import annotations

import os
from typing import Any

import click

from edge.commands import (
    PATH,
    command,
    command_line,
    detector_option,
    emit_json,
    json_option,
    out_option,
    quiet_option,
    seed_option,
    threads_option,
)


@command(
    "person",
    examples="""
    edge-train person --photos ~/photos/anna --name anna --out runs/anna
    edge-train person --photos selfie.mp4 --name anna --base runs/base --out runs/anna
    edge-train person --photos me --not-me brother --name ben --out runs/ben --json
    """,
)
@click.option(
    "--photos",
    type=PATH,
    multiple=True,
    required=True,
    metavar="PATH",
    help="Pictures, videos or folders of the person; may be repeated.",
)
@click.option("--name", required=True, help="What the person is called in results.")
@out_option(required=True)
@click.option("--base", default="shipped", metavar="shipped|RUN", help="What it stands on.")
@click.option(
    "--embedding", type=PATH, metavar="MODEL", help="Another face embedding, .tflite or .onnx."
)
@click.option("--cohort", type=PATH, metavar="FILE", help="Strangers, from 'edge-train cohort'.")
@click.option(
    "--others", type=PATH, multiple=True, metavar="DIR", help="Faces of more strangers; repeatable."
)
@click.option(
    "--not-me", type=PATH, multiple=True, metavar="PATH", help="Others who look alike; repeatable."
)
@click.option(
    "--target-far", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="At most this."
)
@click.option("--strict", is_flag=True, help="Refuse a target that the strangers cannot prove.")
@click.option(
    "--camera",
    type=click.Choice(["auto", "one", "poor", "several"]),
    default="auto",
    help="What took the photos: one camera in one place (strangers before it look more like you), "
    "one that shows small or grey faces, or several; by default as the photos show.",
)
@click.option(
    "--head",
    type=click.Choice(["linear", "dense-128"]),
    default="linear",
    help="What is fitted; dense-128 needs TensorFlow.",
)
@click.option(
    "--save-augmented",
    type=PATH,
    metavar="DIR",
    help="Write sheets of the varied pictures that the head is fitted on.",
)
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
@click.option("--privacy", is_flag=True, help="Leave all pictures out of the report.")
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
def person_command(**options: Any) -> None:
    """Enrol somebody: a head and a threshold from about 20 photos.

    Embeddings come from the very file that the device runs. Photos without exactly one usable face
    are dropped with a reason; the threshold is set on strangers and on the person's own looks.
    """
    # Small matrices gain nothing from threads, and sums come out the same on every machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from trainer.person import PersonSettings, train_person

    settings = PersonSettings(**options)
    result = train_person(settings, command_line("edge-train"))
    if settings.as_json:
        emit_json(result.to_json())
    else:
        click.echo(result.text())
