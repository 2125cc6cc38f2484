"""Steps per second of `edge-train attributes` beside a bare `model.fit` on the same data.

    python -m benchmarks.studies.steps_per_second [--alpha 1.0] [--input-size 96] [--gate 0.95]

Both train the same network on the same crops with the same losses, in turns within one process, so
that what else the machine does meets both. The bare one has neither augmentation nor degradation
nor checkpoints.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from edge.console.commands import command, emit_json, json_option, threads_option
from edge.errors import GateFailed

if TYPE_CHECKING:
    from trainer.networks.face_network import NetworkConfig
    from trainer.training.batches import FaceArrays

ATTRIBUTES, EMBEDDING = 40, 128


@dataclass(frozen=True)
class Speeds:
    """Steps per second by round, ours and of the bare fit."""

    ours: tuple[float, ...]
    bare: tuple[float, ...]
    batch_size: int

    @property
    def ratio(self) -> float:
        """Median over the rounds of ours against the bare fit of the same round."""
        return float(np.median(np.array(self.ours) / np.array(self.bare)))

    def to_json(self) -> dict[str, Any]:
        return {
            "steps_per_second": [round(s, 3) for s in self.ours],
            "bare_steps_per_second": [round(s, 3) for s in self.bare],
            "images_per_second": round(float(np.median(self.ours)) * self.batch_size, 1),
            "ratio": round(self.ratio, 4),
        }


def measure(network: NetworkConfig, *, batch_size: int, steps: int, rounds: int) -> Speeds:
    """Train both in turns, `rounds` times `steps` steps, after one round that is not counted."""
    from trainer.training.augmentation import Augmentation
    from trainer.training.loop import Training, TrainingConfig
    from trainer.training.objective import ObjectiveConfig

    arrays = some_faces(batch_size * steps, network.input_size, Augmentation().margin)
    bare = BareFit(network, arrays, batch_size)
    ours_s, bare_s = [], []

    def after_epoch(epoch: int, figures: dict[str, float]) -> None:
        ours_s.append(figures["seconds"])
        bare_s.append(bare.epoch())

    with tempfile.TemporaryDirectory() as folder:
        Training(
            network,
            ObjectiveConfig(teacher_weight=1.0),
            TrainingConfig(epochs=rounds + 1, batch_size=batch_size, schedule="constant"),
            Augmentation(),
            arrays,
            arrays.select(np.arange(1)),
            Path(folder),
            on_epoch=after_epoch,
            quiet=True,
        ).run()
    return Speeds(
        tuple(steps / s for s in ours_s[1:]), tuple(steps / s for s in bare_s[1:]), batch_size
    )


class BareFit:
    """The same network under `model.compile` and `model.fit`."""

    def __init__(self, network: NetworkConfig, arrays: FaceArrays, batch_size: int) -> None:
        import keras
        import tensorflow as tf

        from trainer.networks.face_network import build

        self._model = build(network)
        self._model.compile(
            keras.optimizers.Adam(1e-3),
            {
                "attributes": keras.losses.BinaryCrossentropy(from_logits=True),
                "embedding": keras.losses.CosineSimilarity(),
            },
        )
        windows = arrays.windows(np.arange(len(arrays)), network.input_size)[..., ::-1]
        wanted = {"attributes": arrays.labels.astype(np.float32), "embedding": arrays.targets}
        data = tf.data.Dataset.from_tensor_slices((np.ascontiguousarray(windows), wanted))
        data = data.shuffle(len(arrays)).batch(batch_size)
        self._data = data.map(lambda x, y: (tf.cast(x, tf.float32), y)).prefetch(2)

    def epoch(self) -> float:
        """Seconds of one epoch."""
        began = time.perf_counter()
        self._model.fit(self._data, verbose=0)
        return time.perf_counter() - began


def some_faces(count: int, size_px: int, margin: float) -> FaceArrays:
    """Smooth random pictures with labels and targets; what is in them does not matter here."""
    import cv2

    from trainer.training.batches import Crops, FaceArrays

    rng = np.random.default_rng(0)
    margin_px = round(margin * size_px)
    side = size_px + 2 * margin_px
    crops = np.empty((count, side, side, 3), np.uint8)
    for crop in crops:
        coarse = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        cv2.resize(coarse, (side, side), dst=crop, interpolation=cv2.INTER_CUBIC)
    targets = rng.normal(size=(count, EMBEDDING)).astype(np.float32)
    return FaceArrays(
        crops=Crops(crops),
        margin_px=margin_px,
        labels=rng.integers(0, 2, (count, ATTRIBUTES)).astype(np.int8),
        targets=targets / np.linalg.norm(targets, axis=1, keepdims=True),
        classes=np.full(count, -1, np.int32),
        kinds=np.zeros(count, np.int8),
    )


@command(
    "steps-per-second",
    examples="""
    python -m benchmarks.studies.steps_per_second
    python -m benchmarks.studies.steps_per_second --alpha 0.35 --gate 0.95 --json
    """,
)
@click.option("--alpha", default=1.0, help="Width multiplier of MobileNetV2.")
@click.option(
    "--input-size", default=96, metavar="PX", help="Side of the network's input in pixels."
)
@click.option("--batch-size", default=32, help="Images per step.")
@click.option("--steps", default=20, help="Steps in a round.")
@click.option("--rounds", default=5, help="Number of rounds of each.")
@click.option("--gate", type=float, metavar="RATIO", help="Fail below this ratio.")
@threads_option()
@json_option()
def main(
    alpha: float,
    input_size: int,
    batch_size: int,
    steps: int,
    rounds: int,
    gate: float | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure steps per second of training beside a bare model.fit, in turns."""
    from trainer.networks.start import start_tensorflow

    start_tensorflow(threads)
    from trainer.networks.face_network import NetworkConfig

    network = NetworkConfig(
        alpha=alpha, input_size=input_size, attributes=ATTRIBUTES, embedding_size=EMBEDDING
    )
    speeds = measure(network, batch_size=batch_size, steps=steps, rounds=rounds)
    if as_json:
        emit_json(speeds.to_json())
    else:
        ours, bare = np.median(speeds.ours), np.median(speeds.bare)
        click.echo(
            f"{ours:.2f} steps/s, {ours * batch_size:.1f} images/s; bare model.fit {bare:.2f}; "
            f"ratio {speeds.ratio:.3f}"
        )
    if gate is not None and speeds.ratio < gate:
        raise GateFailed(f"{speeds.ratio:.3f} of a bare model.fit, at least {gate} is wanted")


if __name__ == "__main__":
    main()
