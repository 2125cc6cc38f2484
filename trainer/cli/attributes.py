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
    overwrite_option,
    quiet_option,
    say,
    seed_option,
    threads_option,
)
from trainer.cli.augmentation_options import augmentation_options
from trainer.cli.network_options import (
    POSITIVE,
    batch_size_option,
    dropout_option,
    network_options,
    optimizer_option,
)

_SHARE = click.FloatRange(0.0, 1.0)
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
    help="Train on these faces: CelebA as it comes, or one folder per person; may be repeated.",
)
@out_option(required=True)
@click.option("--resume", is_flag=True, help="Continue a run that was interrupted or has ended.")
@overwrite_option()
@names_option("--attributes", help="Train only these attributes; may be repeated.")
@network_options(
    arch_help="Backbone: mobilenet_v2, mobilefacenet, cnn-32, cnn-16, resnet, "
    "shipped, keras:NAME or file:PATH.",
    input_size=96,
    least_input_size=16,
    windows=("wide", "middle", "tight", "face"),
    window_help="Part of the head in a crop; 'face' is the crop of most face embeddings.",
    weights="none",
)
@click.option(
    "--pixel-scale",
    default="auto",
    metavar="NAME",
    help="Pixel scale of the weights: imagenet, symmetric, unit, caffe, none or auto.",
)
@click.option(
    "--freeze",
    type=click.IntRange(-1),
    default=0,
    metavar="N",
    help="Freeze the first N layers; -1 freezes the whole backbone.",
)
@click.option(
    "--embedding-size",
    type=click.IntRange(0, 1024),
    default=128,
    metavar="N",
    help="Length of the embedding; with 0 heads use the network's features.",
)
@click.option(
    "--batch-norm-momentum",
    type=click.FloatRange(0.5, 0.999),
    default=0.97,
    help="Momentum of the moving statistics of batch normalization.",
)
@dropout_option(0.0)
@click.option("--loss", default="bce", metavar="bce|focal|mse", help="Loss of the attributes.")
@click.option(
    "--attribute-weight", type=_NOT_NEGATIVE, default=1.0, help="Weight of the attributes' loss."
)
@click.option(
    "--teacher",
    type=PATH,
    metavar="MODEL",
    help="Learn identity from this face embedding (.tflite or .onnx).",
)
@click.option(
    "--teacher-description",
    type=PATH,
    metavar="JSON",
    help="Description of the teacher's input; by default the .json file beside it.",
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
    help="Weight of the loss that compares similarities within a batch with the teacher's.",
)
@click.option(
    "--margin",
    type=click.Choice(["none", "arcface", "cosface"]),
    default="none",
    help="Also train the embedding to separate the people of the data.",
)
@click.option("--margin-weight", type=_NOT_NEGATIVE, default=1.0, help="Weight of the margin loss.")
@click.option(
    "--epochs", type=click.IntRange(1), default=10, help="Number of epochs, earlier calls included."
)
@click.option(
    "--stop-after",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="End this call after N epochs; --resume continues.",
)
@batch_size_option()
@optimizer_option("adam", named="adam, adamw, sgd, rmsprop")
@click.option("--learning-rate", type=POSITIVE, default=1e-3, help="Highest learning rate.")
@click.option(
    "--weight-decay", type=_NOT_NEGATIVE, default=0.0, help="Decoupled weight decay of the kernels."
)
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "plateau", "constant"]),
    default="cosine",
    help="Course of the learning rate.",
)
@click.option(
    "--warmup",
    type=_NOT_NEGATIVE,
    default=0.3,
    metavar="EPOCHS",
    help="Epochs in which the learning rate rises.",
)
@click.option(
    "--early-stopping",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Stop after N epochs without a better validation loss; 0 never stops.",
)
@click.option(
    "--clip-norm",
    type=_NOT_NEGATIVE,
    default=5.0,
    help="Largest norm of the gradients; 0 does not clip.",
)
@click.option(
    "--progressive",
    default="",
    metavar="SIZE:EPOCHS",
    help="Train the first epochs at a smaller input, such as 64:3.",
)
@click.option(
    "--degradation",
    type=_SHARE,
    default=0.5,
    help="Share of images that are degraded as if a poor camera had taken them.",
)
@click.option(
    "--blends",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Also learn from the teacher on N blends of two people's faces.",
)
@click.option(
    "--blends-of-three", type=_SHARE, default=0.0, help="Share of blends of three people."
)
@click.option(
    "--singles",
    type=PATH,
    multiple=True,
    metavar="DIR",
    help="Also train on these faces, each image of a different person; may be repeated.",
)
@click.option(
    "--batch-mix",
    default="",
    metavar="D,S,B",
    help="Shares of --data, --singles and --blends in a batch; by default in "
    "proportion to their numbers.",
)
@click.option(
    "--webcam",
    type=_SHARE,
    default=0.0,
    help="Share of the degraded images that are dark before a bright room, as from a webcam.",
)
@click.option(
    "--average",
    type=click.FloatRange(0.0, 0.99999),
    default=0.0,
    metavar="M",
    help="Keep a moving average of the weights with this momentum; 0 keeps none.",
)
@click.option(
    "--start-from-teacher",
    is_flag=True,
    help="Start with the teacher's weights; --arch must be the teacher's.",
)
@click.option(
    "--start-from",
    type=PATH,
    metavar="FILE",
    help="Start with all weights of a saved network of the same layers (.keras or .h5).",
)
@click.option("--no-augmentation", is_flag=True, help="Train on unchanged crops.")
@augmentation_options
@click.option(
    "--save-format",
    type=click.Choice(["keras", "h5"]),
    default="keras",
    help="With h5, also write model.h5 for older programs.",
)
@click.option(
    "--hold-out",
    type=PATH,
    metavar="FILE",
    help="Never use the people and images that this file lists, one a line.",
)
@click.option(
    "--identities",
    type=PATH,
    metavar="FILE",
    help="Take who the pictures show from here: lines of a name and a number, as identity_CelebA.",
)
@click.option(
    "--calibrate-on",
    type=PATH,
    metavar="DIR",
    help="Faces that the int8 file is calibrated on, in place of those that are trained on.",
)
@click.option(
    "--fractions",
    default="0.8,0.1,0.1",
    metavar="T,V,T",
    help="Shares of people for training, validation and test.",
)
@click.option("--allow-random-split", is_flag=True, help="Split images without identity at random.")
@click.option(
    "--allow-missing", is_flag=True, help="Continue although many listed images are missing."
)
@click.option("--cache-dir", type=PATH, metavar="DIR", help="Folder of cached crops.")
@click.option(
    "--checkpoint-minutes",
    type=POSITIVE,
    default=5.0,
    help="Save a checkpoint after this many minutes within an epoch.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, help="Processes that augment images."
)
@click.option("--mixed-precision", is_flag=True, help="Compute in bfloat16, for GPUs.")
@click.option(
    "--strategy",
    type=click.Choice(["none", "mirrored", "multiworker"]),
    default="none",
    help="Train on one device, on all GPUs of this machine, or on the machines of TF_CONFIG.",
)
@click.option(
    "--tensorboard", type=PATH, metavar="DIR", help="Write curves for TensorBoard to this folder."
)
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
@click.pass_context
def attributes_command(context: click.Context, **options: Any) -> None:
    """Train a base: attributes, and with --teacher or --margin an embedding of identity.

    Writes a run folder with the Keras model and the int8 file for the device. Measures both on
    people who were not trained on, each figure beside that of always guessing the majority.
    --resume continues a run that was killed exactly where it stopped.
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
        say(result.text())
