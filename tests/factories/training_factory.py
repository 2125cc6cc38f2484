"""Small things to train on: smooth pictures whose attributes can be seen, and people in them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trainer.networks.face_network import NetworkConfig
from trainer.training.augmentation import NO_AUGMENTATION, Augmentation
from trainer.training.batches import Crops, FaceArrays
from trainer.training.loop import Training, TrainingConfig
from trainer.training.objective import ObjectiveConfig

SIDE_PX, MARGIN_PX, ATTRIBUTES, EMBEDDING = 32, 4, 4, 8


def _tiny_backbone() -> str:
    """The path of a network of two convolutions, for inputs of any size: quick to compile."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((None, None, 3))])
    for channels in (8, 16):
        model.add(keras.layers.Conv2D(channels, 3, 2, padding="same", use_bias=False))
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.ReLU())
    path = Path(folder) / "tiny.keras"
    model.save(path)
    return str(path)


NETWORK = NetworkConfig(
    arch=f"file:{_tiny_backbone()}",
    input_size=SIDE_PX,
    attributes=ATTRIBUTES,
    embedding_size=EMBEDDING,
)

TAUGHT = ObjectiveConfig(teacher_weight=1.0)


def some_arrays(count: int = 48, *, people: int = 8, seed: int = 0) -> FaceArrays:
    """`count` pictures of `people`: each person has colours, each attribute a pattern."""
    rng = np.random.default_rng(seed)
    side = SIDE_PX + 2 * MARGIN_PX
    who = np.arange(count) % people
    labels = rng.integers(0, 2, (count, ATTRIBUTES)).astype(np.int8)
    ramp = np.linspace(-30, 30, side)
    pictures = np.empty((count, side, side, 3))
    y, x = np.mgrid[0:side, 0:side]
    waves = (x // 2 % 2, y // 2 % 2, (x + y) // 2 % 2, np.ones_like(x))
    patterns = 40.0 * np.stack(waves)[..., None]
    colours = rng.uniform(60, 160, (people, 3))
    for row in range(count):
        pictures[row] = colours[who[row]] + ramp[None, :, None] + rng.normal(0, 4, (side, side, 1))
        pictures[row] += (labels[row][:, None, None, None] * patterns).sum(axis=0)
    directions = rng.normal(size=(people, EMBEDDING)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return FaceArrays(
        crops=Crops(pictures.clip(0, 255).astype(np.uint8)),
        margin_px=MARGIN_PX,
        labels=labels,
        targets=directions[who],
        classes=who.astype(np.int32),
        kinds=np.zeros(count, np.int8),
    )


def some_training(
    folder: Path,
    arrays: FaceArrays | None = None,
    *,
    network: NetworkConfig = NETWORK,
    objective: ObjectiveConfig = TAUGHT,
    augmentation: Augmentation = NO_AUGMENTATION,
    report: Any = lambda line: None,
    **config: Any,
) -> Training:
    """A run over `arrays`, watched on a third of them, with batches of 8."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = arrays or some_arrays()
    settings = {"batch_size": 8, "epochs": 2, "warmup_epochs": 0.0, **config}
    return Training(
        network,
        objective,
        TrainingConfig(**settings),
        augmentation,
        arrays,
        arrays.select(np.arange(0, len(arrays), 3)),
        folder,
        report=report,
        quiet=True,
    )


if __name__ == "__main__":  # a run to be killed: folder, epochs
    import sys

    FOLDER, EPOCHS = Path(sys.argv[1]), int(sys.argv[2])
    RUN = some_training(
        FOLDER,
        augmentation=Augmentation(margin=MARGIN_PX / SIDE_PX),
        epochs=EPOCHS,
        checkpoint_minutes=1e-9,
        report=lambda line: print(line, flush=True),
    )
    RUN.run()
