"""Does more than int8 pay? A base with 16-bit activations beside its int8 file and float32.

    python -m benchmarks.studies.int16_activations --celeba DIR --pictures 300

DIR holds CelebA of people that the base has never seen. What int8 loses against float32 is also the
most that quantization-aware training could win back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge.console.commands import PATH, command


@command(
    "int16-activations",
    examples="""
    python -m benchmarks.studies.int16_activations --celeba heldout/celeba --pictures 300
    """,
)
@click.argument("base", default="shipped", metavar="[shipped|RUN]")
@click.option("--celeba", required=True, type=PATH, help="Faces with attributes.")
@click.option("--pictures", type=click.IntRange(20), help="Use at most N images.")
@click.option("--rounds", type=click.IntRange(1), default=100, help="Timed calls of each file.")
def main(base: str, celeba: Path, pictures: int | None, rounds: int) -> None:
    """Convert BASE with int8 weights and int16 activations and compare."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchmarks.studies.format_runs import LITERT, latency_ratio, run
    from benchmarks.studies.format_table import labelled_crops
    from export.convert import tflite
    from export.convert.description import described
    from export.convert.float_model import FloatModel
    from trainer.evaluation.base import attribute_report
    from trainer.inference.source import open_subject

    subject = open_subject(base)
    if subject.keras is None:
        raise click.UsageError(f"{base} has no float model to convert")
    model = FloatModel(subject.keras)
    calibration, crops, labelled = labelled_crops(subject, celeba, pictures, None)
    deployed = subject.base.network
    float32 = tflite.convert(model, "tflite-float32")
    int16 = convert_int16(subject.keras, calibration)
    reference = (described(deployed, "tflite-float32", float32), float32)
    files = {
        "float32": reference,
        "int8": (deployed, subject.base.data),
        "int16 activations": (described(deployed, "tflite-float32", int16), int16),
    }
    expected = model.perceive(crops).embeddings
    assert expected is not None
    click.echo(f"\n{len(crops)} pictures\n\n| file | MB | latency ratio | cosine | attributes |")
    click.echo("|---|---|---|---|---|")
    for name, (network, data) in files.items():
        said = run(network, data, LITERT, crops, None)
        head = f"| {name} | {len(data) / 1e6:.2f} |"
        if said.problem:
            click.echo(f"{head} – | refused: {said.problem[:120]} | – |")
            continue
        ratio = latency_ratio(network, data, LITERT, reference, crops[0], rounds=rounds)
        cosine = np.sum(said.embeddings * expected, axis=1)
        right = attribute_report(said.logits, network, labelled, tuned=False).mean.accuracy
        click.echo(
            f"{head} {ratio:.2f} | {cosine.mean():.4f} (1 %: {np.percentile(cosine, 1):.4f}) | "
            f"{right:.4f} |"
        )


def convert_int16(keras_file: Path, crops_bgr: np.ndarray) -> bytes:
    """A TFLite file with int8 weights and int16 activations, calibrated on crops uint8[N, S, S, 3]
    BGR; float32 in and out, the embedding not normalized, whose division int16 does not survive.
    Raises what the converter raises.
    """
    import tensorflow as tf

    from export.convert.float_model import FloatModel
    from export.convert.tflite import named
    from trainer.networks.face_network import unnormalized

    model = FloatModel(keras_file)
    model.keras = unnormalized(model.keras)

    def feeds() -> Iterator[list[np.ndarray]]:
        for crop in (*crops_bgr, np.zeros_like(crops_bgr[0]), np.full_like(crops_bgr[0], 255)):
            yield [np.ascontiguousarray(crop[None, ..., ::-1]).astype(np.float32)]

    converter: Any = tf.lite.TFLiteConverter.from_concrete_functions([model.frozen()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = feeds
    wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [wide, tf.lite.OpsSet.TFLITE_BUILTINS]
    return named(converter.convert(), model.widths)


if __name__ == "__main__":
    main()
