"""`edge-train attributes`: train a base."""

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
    names_option,
    out_option,
    quiet_option,
    seed_option,
    threads_option,
)
from trainer.cli.augmentation_options import augmentation_options

_SHARE = click.FloatRange(0.0, 1.0)
_POSITIVE = click.FloatRange(0.0, min_open=True)
_NOT_NEGATIVE = click.FloatRange(0.0)


@command(
    "attributes",
    examples="""
    edge-train attributes --data ~/celeba --out runs/base
    edge-train attributes --data ~/celeba --data ~/lfw --teacher face.tflite --out runs/base
    edge-train attributes --data ~/faces --arch shipped --window tight --out runs/mine
    edge-train attributes --data ~/celeba --arch cnn-32 --input-size 192 --out runs/small
    edge-train attributes --data ~/celeba --out runs/base --resume --learning-rate 0.0003
    edge-train attributes --data ~/celeba --rotation 20 --zoom 0.2 --shift 0.1 --out runs/turned
    edge-train attributes --data ~/celeba --start-from runs/base/model.h5 --out runs/more
    """,
)
@click.option(
    "--data",
    "folders",
    type=PATH,
    multiple=True,
    required=True,
    metavar="DIR",
    help="Faces: CelebA as it comes, or one folder per person; may be repeated.",
)
@out_option(required=True)
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted or ended.")
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
@names_option("--attributes", help="A subset; may be repeated.")
@click.option(
    "--arch",
    default="mobilenet_v2",
    metavar="NAME",
    help="mobilenet_v2, mobilefacenet, cnn-32, cnn-16, resnet, shipped, keras:NAME or file:PATH.",
)
@click.option(
    "--input-size",
    type=click.IntRange(16, 512),
    default=96,
    metavar="PX",
    help="Side of the network's input.",
)
@click.option(
    "--window",
    type=click.Choice(["wide", "middle", "tight", "face"]),
    default="tight",
    help="How much of the head it sees; face: as embeddings of faces want it.",
)
@click.option("--alpha", type=_POSITIVE, default=1.0, help="Width multiplier of MobileNetV2.")
@click.option(
    "--weights", default="none", metavar="imagenet|none|FILE", help="What the network starts from."
)
@click.option(
    "--pixel-scale",
    default="auto",
    metavar="NAME",
    help="What the weights expect: imagenet, symmetric, unit, caffe, none or auto.",
)
@click.option(
    "--freeze",
    type=click.IntRange(-1),
    default=0,
    metavar="N",
    help="Leave the first N layers as they are, -1 for the whole backbone.",
)
@click.option(
    "--embedding-size",
    type=click.IntRange(0, 1024),
    default=128,
    metavar="N",
    help="0 for attributes alone; heads then stand on the network's features.",
)
@click.option(
    "--batch-norm-momentum",
    type=click.FloatRange(0.5, 0.999),
    default=0.97,
    help="Of the moving statistics.",
)
@click.option("--dropout", type=click.FloatRange(0, 0.9), default=0.0, help="On the features.")
@click.option("--loss", default="bce", metavar="bce|focal|mse", help="Of the attributes.")
@click.option(
    "--attribute-weight", type=_NOT_NEGATIVE, default=1.0, help="Weight of the attributes' loss."
)
@click.option(
    "--teacher",
    type=PATH,
    metavar="MODEL",
    help="A face embedding, .tflite or .onnx, to learn identity from.",
)
@click.option(
    "--teacher-description",
    type=PATH,
    metavar="JSON",
    help="How it is used; by default the .json beside it.",
)
@click.option(
    "--teacher-weight",
    type=_NOT_NEGATIVE,
    default=2.0,
    help="Weight of the distance to the teacher.",
)
@click.option(
    "--relational-weight",
    type=_NOT_NEGATIVE,
    default=0.0,
    help="Weight of the difference of the similarities within a batch.",
)
@click.option(
    "--margin",
    type=click.Choice(["none", "arcface", "cosface"]),
    default="none",
    help="Also tell the people of the data apart.",
)
@click.option("--margin-weight", type=_NOT_NEGATIVE, default=1.0, help="Weight of that.")
@click.option("--epochs", type=click.IntRange(1), default=10, help="In all.")
@click.option(
    "--stop-after",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="End this call after N epochs, to be resumed.",
)
@click.option("--batch-size", type=click.IntRange(1), default=32, help="Pictures per step.")
@click.option("--optimizer", default="adam", metavar="NAME", help="adam, adamw, sgd, rmsprop, …")
@click.option("--learning-rate", type=_POSITIVE, default=1e-3, help="At its highest.")
@click.option("--weight-decay", type=_NOT_NEGATIVE, default=0.0, help="Decoupled, of kernels.")
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "plateau", "constant"]),
    default="cosine",
    help="Of the learning rate.",
)
@click.option("--warmup", type=_NOT_NEGATIVE, default=0.3, metavar="EPOCHS", help="Linear rise.")
@click.option(
    "--early-stopping",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="After N epochs without a better validation loss, 0 for never.",
)
@click.option("--clip-norm", type=_NOT_NEGATIVE, default=5.0, help="Of gradients, 0 for none.")
@click.option(
    "--progressive", default="", metavar="SIZE:EPOCHS", help="First epochs at a smaller input."
)
@click.option(
    "--degradation",
    type=_SHARE,
    default=0.5,
    help="Share of pictures that look as from a poor camera.",
)
@click.option(
    "--blends",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Also learn from the teacher about N faces that nobody has, blended of two people's.",
)
@click.option(
    "--blends-of-three", type=_SHARE, default=0.0, help="Share of the blends of three people."
)
@click.option(
    "--singles",
    type=PATH,
    multiple=True,
    metavar="DIR",
    help="Faces of which every picture shows another person; may be repeated.",
)
@click.option(
    "--batch-mix",
    default="",
    metavar="D,S,B",
    help="Shares of each batch from --data, --singles and --blends; by default as there are.",
)
@click.option(
    "--webcam",
    type=_SHARE,
    default=0.0,
    help="Share of those that are dark before a bright room, as a webcam sees them.",
)
@click.option(
    "--average",
    type=click.FloatRange(0.0, 0.99999),
    default=0.0,
    metavar="M",
    help="Keep a moving average of the weights with this momentum, 0 for none.",
)
@click.option(
    "--start-from-teacher",
    is_flag=True,
    help="Begin with the weights of the teacher, whose body --arch has.",
)
@click.option(
    "--start-from",
    type=PATH,
    metavar="FILE",
    help="Begin with all weights of a saved network of the same layers, .keras or .h5.",
)
@click.option("--no-augmentation", is_flag=True, help="Train on the crops as they are.")
@augmentation_options
@click.option(
    "--save-format",
    type=click.Choice(["keras", "h5"]),
    default="keras",
    help="h5 also writes model.h5, for older programs.",
)
@click.option(
    "--hold-out",
    type=PATH,
    metavar="FILE",
    help="People and pictures that are never used, one a line.",
)
@click.option(
    "--fractions",
    default="0.8,0.1,0.1",
    metavar="T,V,T",
    help="Shares of people for training, validation and test.",
)
@click.option("--allow-random-split", is_flag=True, help="Split pictures without identity.")
@click.option("--allow-missing", is_flag=True, help="Go on without many listed pictures.")
@click.option("--cache-dir", type=PATH, metavar="DIR", help="Where crops are kept.")
@click.option("--checkpoint-minutes", type=_POSITIVE, default=5.0, help="Within an epoch.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, help="Of the augmentation.")
@click.option("--mixed-precision", is_flag=True, help="Compute in bfloat16, for GPUs.")
@click.option(
    "--strategy",
    type=click.Choice(["none", "mirrored", "multiworker"]),
    default="none",
    help="One device, all GPUs of this machine, or the machines of TF_CONFIG.",
)
@click.option("--tensorboard", type=PATH, metavar="DIR", help="Write curves there.")
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
@click.pass_context
def attributes_command(context: click.Context, **options: Any) -> None:
    """Train a base: attributes, and with --teacher or --margin an embedding of identity.

    Writes a run folder with the Keras model and the int8 file for the device, measured on people
    that were not trained on, each figure beside what always guessing the majority gives. A run
    that was killed goes on with --resume exactly where it was.
    """

    import trainer

    as_json, data = options.pop("as_json"), options.pop("folders")
    out, quiet = options.pop("out"), options.pop("quiet")
    default = click.core.ParameterSource.DEFAULT
    given = {
        name: value
        for name, value in options.items()
        if context.get_parameter_source(name) != default
    }
    line = command_line("edge-train")
    result = trainer.train_attributes(data, out=out, quiet=quiet, command=line, **given)
    if as_json:
        emit_json(result.to_json())
    else:
        click.echo(result.text())
