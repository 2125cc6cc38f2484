"""`edge-train direct`: a whole network for one yes-or-no question."""

from __future__ import annotations

from typing import Any

import click

from edge.console.commands import (
    PATH,
    command,
    command_line,
    detector_option,
    emit_json,
    json_option,
    out_option,
    person_name_option,
    quiet_option,
    seed_option,
    threads_option,
)

_POSITIVE = click.FloatRange(0.0, min_open=True)


@command(
    "direct",
    examples="""
    edge-train direct --positive with --negative without --name sunglasses --out runs/direct
    edge-train direct --positive with --negative without --group-regex '^[a-z0-9]+' \\
        --weights mobilenet.h5 --from-layer 100 --name sunglasses --out runs/direct
    """,
)
@click.option(
    "--positive",
    type=PATH,
    multiple=True,
    required=True,
    metavar="PATH",
    help="Pictures to say yes to; may be repeated.",
)
@click.option(
    "--negative",
    type=PATH,
    multiple=True,
    required=True,
    metavar="PATH",
    help="Pictures to say no to; may be repeated.",
)
@click.option(
    "--group-regex",
    default="",
    metavar="REGEX",
    help="What in a file's name says whose picture it is; its first bracket, if it has one.",
)
@person_name_option()
@out_option(required=True)
@click.option("--arch", default="mobilenet_v2", metavar="NAME", help="As edge-train attributes.")
@click.option("--alpha", type=_POSITIVE, default=1.0, help="Width multiplier of MobileNetV2.")
@click.option(
    "--weights",
    default="imagenet",
    metavar="imagenet|none|FILE",
    help="What the network starts from.",
)
@click.option(
    "--input-size",
    type=click.IntRange(32, 512),
    default=128,
    metavar="PX",
    help="Side of the network's input.",
)
@click.option(
    "--window",
    type=click.Choice(["wide", "middle", "tight"]),
    default="tight",
    help="How much of the head it sees.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=10, help="Of the answer on the frozen network."
)
@click.option("--learning-rate", type=_POSITIVE, default=1e-3, help="Of these.")
@click.option(
    "--finetune-epochs", type=click.IntRange(0), default=10, help="After that, of its last layers."
)
@click.option("--finetune-rate", type=_POSITIVE, default=1e-5, help="Of these.")
@click.option(
    "--from-layer",
    type=click.IntRange(0),
    default=100,
    metavar="N",
    help="The first layer that fine-tuning trains.",
)
@click.option("--optimizer", default="rmsprop", metavar="NAME", help="adam, adamw, sgd, …")
@click.option("--dropout", type=click.FloatRange(0, 0.9), default=0.2, help="On the features.")
@click.option("--batch-size", type=click.IntRange(1), default=32, help="Pictures per step.")
@click.option(
    "--folds",
    type=click.IntRange(2, 20),
    default=3,
    metavar="K",
    help="Parts of the people; each is answered by a network that has seen the others alone.",
)
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
def direct_command(**options: Any) -> None:
    """Train a network straight from ImageNet to one question, the whole of it.

    The answer is inside: a SavedModel and three TFLite files need no head, and no detector where
    the pictures show faces alone. All pictures count, also those in which no face is found. With
    few people a head on the shipped base (edge-train person --positive) often does as well, in
    seconds.
    """
    from trainer.direct.run import train_direct
    from trainer.direct.settings import DirectSettings

    settings = DirectSettings(**options)
    result = train_direct(settings, command_line("edge-train"))
    if settings.as_json:
        emit_json(result.to_json())
    else:
        click.echo(result.text())
