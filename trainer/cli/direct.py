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
    overwrite_option,
    person_name_option,
    quiet_option,
    say,
    seed_option,
    threads_option,
)
from trainer.cli.network_options import (
    POSITIVE,
    batch_size_option,
    dropout_option,
    network_options,
    optimizer_option,
)
from trainer.cli.task_options import group_regex_option


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
    help="Images for which the answer is yes; may be repeated.",
)
@click.option(
    "--negative",
    type=PATH,
    multiple=True,
    required=True,
    metavar="PATH",
    help="Images for which the answer is no; may be repeated.",
)
@group_regex_option
@person_name_option()
@out_option(required=True)
@network_options(
    arch_help="Backbone, as for 'edge-train attributes'.",
    input_size=128,
    least_input_size=32,
    windows=("wide", "middle", "tight"),
    window_help="Part of the head in a crop.",
    weights="imagenet",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=10,
    help="Epochs in which only the answer is trained, on the frozen network.",
)
@click.option("--learning-rate", type=POSITIVE, default=1e-3, help="Learning rate of these epochs.")
@click.option(
    "--finetune-epochs",
    type=click.IntRange(0),
    default=10,
    help="Epochs after that, in which the last layers are trained, too.",
)
@click.option("--finetune-rate", type=POSITIVE, default=1e-5, help="Learning rate of these epochs.")
@click.option(
    "--from-layer",
    type=click.IntRange(0),
    default=100,
    metavar="N",
    help="First layer that fine-tuning trains.",
)
@optimizer_option("rmsprop", named="adam, adamw, sgd")
@dropout_option(0.2)
@batch_size_option()
@click.option(
    "--folds",
    type=click.IntRange(2, 20),
    default=3,
    metavar="K",
    help="Number of parts of the people; a network that was trained on the "
    "other parts answers each.",
)
@overwrite_option()
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
def direct_command(**options: Any) -> None:
    """Train a whole network for one yes-or-no question, starting from ImageNet.

    The network gives the answer itself: its SavedModel and three TFLite files need no head, and no
    detector if the images show faces alone. All images count, also those without a detected face.
    With few people a head on the shipped base (edge-train person --positive) is often as good and
    takes seconds.
    """
    from trainer.direct.run import train_direct
    from trainer.direct.settings import DirectSettings

    settings = DirectSettings(**options)
    result = train_direct(settings, command_line("edge-train"))
    if settings.as_json:
        emit_json(result.to_json())
    else:
        say(result.text())
