"""Run folders as `edge-train` writes them, from a tiny network with random weights.

The weights are random but the answers are not alike: the embedding's and the attributes' layers are
set so that their outputs have mean 0 and spread 1 over the crops. Faces are stripes and blobs.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge.faces.canonical import CELEBA, WIDE
from edge.files.atomic import atomic_folder
from edge.files.model_file import sha256_of
from edge.heads.cohort import Cohort
from edge.heads.head import Head
from edge.models.embedder import Embedder
from edge.models.spec import Network, NetworkInput

SIZE_PX = 48
EMBEDDING_SIZE = 16
ATTRIBUTES = ("Eyeglasses", "Male", "Smiling", "Wearing_Hat")


ANNA = 39
"""Seed of crops that the random network tells from its strangers far enough to pass a threshold."""


def some_crops(count: int, seed: int) -> np.ndarray:
    """Pictures that differ in colour, light and shape: uint8[count, SIZE_PX, SIZE_PX, 3] BGR."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float64) / SIZE_PX
    crops = np.empty((count, SIZE_PX, SIZE_PX, 3))
    for crop in crops:
        crop[:] = rng.uniform(30, 220, 3)
        for _ in range(4):
            a, b, phase = rng.uniform(-9, 9), rng.uniform(-9, 9), rng.uniform(0, 6.3)
            crop += np.sin(a * x + b * y + phase)[..., None] * rng.uniform(-45, 45, 3)
        cx, cy, radius = rng.uniform(0.2, 0.8, 3) * (1, 1, 0.5)
        crop[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] += rng.uniform(-90, 90, 3)
        crop += rng.normal(0, 6, crop.shape)
    return np.clip(np.rint(crops), 0, 255).astype(np.uint8)


def float_model(seed: int = 0) -> Any:
    """A tiny base: float32 pixels 0..255 RGB in, `attributes` logits and `embedding` out."""
    import keras

    keras.utils.set_random_seed(seed)
    pixels = keras.Input((SIZE_PX, SIZE_PX, 3), name="pixels")
    scaled = keras.layers.Normalization(mean=[124.0, 116.0, 104.0], variance=[3400.0] * 3)
    hidden = scaled(pixels)
    for width in (8, 16, 24):
        hidden = keras.layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(hidden)
        hidden = keras.layers.BatchNormalization()(hidden)
        hidden = keras.layers.ReLU(6.0)(hidden)
        hidden = keras.layers.DepthwiseConv2D(3, padding="same")(hidden)
    features = keras.layers.GlobalAveragePooling2D(name="features")(hidden)
    attributes = keras.layers.Dense(len(ATTRIBUTES), name="attributes")(features)
    raw = keras.layers.Dense(EMBEDDING_SIZE, name="embedding_features")(features)
    embedding = keras.layers.UnitNormalization(name="embedding")(raw)
    model = keras.Model(pixels, {"attributes": attributes, "embedding": embedding})
    _spread_out(model, features, some_crops(64, 99))
    return model


def _spread_out(model: Any, features: Any, crops_bgr: np.ndarray) -> None:
    """Give both outputs mean 0 and spread 1 over the crops, in most directions of the features."""
    import keras

    reader = keras.Model(model.inputs, features)
    seen = reader.predict(crops_bgr[..., ::-1].astype(np.float32), verbose=0)
    rng = np.random.default_rng(5)
    for name in ("attributes", "embedding_features"):
        layer = model.get_layer(name)
        _, spreads, directions = np.linalg.svd(seen - seen.mean(axis=0), full_matrices=False)
        used = min(6, len(spreads))
        scale = np.sqrt(len(seen)) / spreads[:used]
        mix = rng.normal(size=(used, layer.units)) / np.sqrt(used)
        kernel = (directions[:used].T * scale) @ mix
        layer.set_weights([kernel, -seen.mean(axis=0) @ kernel])


def int8_file(
    model: Any,
    calibration: np.ndarray,
    *,
    change: Callable[[Any], Any] = lambda pixels: pixels,
    outputs: Callable[[dict[str, Any]], dict[str, Any]] = lambda said: said,
) -> bytes:
    """Full int8 TFLite as the trainer makes it; `change` spoils the pixels, `outputs` the answers.

    calibration: float32[N, S, S, 3] RGB, what the representative set is taken for.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    from export.convert.tflite import named

    @tf.function(autograph=False)
    def infer(pixels: Any) -> list[Any]:
        said = outputs(model(change(pixels), training=False))
        return [said[role] for role in sorted(said)]

    spec = tf.TensorSpec([1, SIZE_PX, SIZE_PX, 3], tf.float32, name="pixels")
    frozen = convert_variables_to_constants_v2(infer.get_concrete_function(spec))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _feeds(calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.float32
    widths = {"attributes": len(ATTRIBUTES), "embedding": EMBEDDING_SIZE}
    return named(converter.convert(), widths)


def _feeds(calibration: np.ndarray) -> Iterator[list[np.ndarray]]:
    for pixels in calibration:
        yield [pixels[None]]


def calibration_pixels(crops_bgr: np.ndarray) -> np.ndarray:
    """What the trainer calibrates with: the crops, one black and one white, as RGB floats."""
    pixels = crops_bgr[..., ::-1].astype(np.float32)
    return np.concatenate([pixels, np.zeros_like(pixels[:1]), np.full_like(pixels[:1], 255)])


def deployed_network(data: bytes) -> Network:
    """The description of a file that `int8_file` made."""
    return Network(
        format="tflite-int8",
        sha256=sha256_of(data),
        input=NetworkInput(CELEBA, WIDE, SIZE_PX),
        outputs={"attributes": "attributes", "embedding": "embedding"},
        embedding_size=EMBEDDING_SIZE,
        attributes=ATTRIBUTES,
        attribute_thresholds=(0.5, 0.45, 0.5, 0.6),
        mirrored=True,
        source="random weights",
        licence="CC0-1.0",
    )


def write_run(folder: Path, network: Network, data: bytes, *, kind: str = "base") -> None:
    """run.json and the deployed file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.int8.tflite").write_bytes(data)
    fields = {
        "schema": 1,
        "kind": kind,
        "command": "edge-train attributes --data celeba",
        "seed": 0,
        "versions": {"keras": "3"},
        "data": {"pictures": 10},
        "network": network.to_json(),
        "embedder": None,
        "figures": {"accuracy": {"value": 0.8, "baseline": 0.7}},
        "warnings": [],
        "learned_something": True,
    }
    (folder / "run.json").write_text(json.dumps(fields))


def base_run(folder: Path, seed: int = 0) -> Path:
    """A whole run of `edge-train attributes`, with a cohort and golden crops."""
    model = float_model(seed)
    crops, held_out = some_crops(60, 1), some_crops(120, 2)
    data = int8_file(model, calibration_pixels(crops))
    write_run(folder, deployed_network(data), data)
    model.save(folder / "model.keras")
    np.savez(folder / "representative.npz", crops=crops, held_out=held_out)
    golden = np.concatenate([some_crops(5, 3), some_crops(1, ANNA)])  # the last is Anna's
    np.savez(folder / "golden.npz", crops=golden)
    add_cohort(folder)
    return folder


def network_of(folder: Path) -> Network:
    """The description in a run's run.json."""
    return Network.from_json(json.loads((folder / "run.json").read_text())["network"])


def embeddings_of(folder: Path, crops_bgr: np.ndarray) -> np.ndarray:
    """By the deployed file of a run."""
    data = (folder / "model.int8.tflite").read_bytes()
    said = Embedder(network_of(folder), data).embed(crops_bgr).embeddings
    assert said is not None
    return said


def add_cohort(folder: Path) -> None:
    """Strangers, by the run's deployed file."""
    embeddings = embeddings_of(folder, some_crops(40, 4)).astype(np.float16)
    Cohort(
        embeddings=embeddings,
        identity=np.arange(40, dtype=np.int32),
        variant=np.zeros(40, np.uint8),
        variants=("plain",),
        embedder_sha256=network_of(folder).sha256,
        source="stripes and blobs",
        licence="CC0-1.0",
    ).save(folder / "cohort.npz")


def own_crops(seed: int = ANNA, count: int = 12) -> np.ndarray:
    """Looks at one "person": one crop with other light and noise, uint8[count, S, S, 3] BGR."""
    rng = np.random.default_rng(seed)
    crop = some_crops(1, seed)[0].astype(np.float64)
    light = rng.uniform(0.97, 1.03, (count, 1, 1, 1))
    return np.clip(crop * light + rng.normal(0, 4, (count, *crop.shape)), 0, 255).astype(np.uint8)


def a_head(folder: Path, name: str = "Anna", seed: int = ANNA) -> Head:
    """Enrolled on the run's deployed file against its cohort."""
    from edge.heads.enrol import enrol

    own = embeddings_of(folder, own_crops(seed))
    cohort = Cohort.load(folder / "cohort.npz")
    return enrol(name, own, np.arange(len(own)), cohort, target_far=0.2)


def person_run(folder: Path, base: Path, name: str = "Anna", seed: int = ANNA) -> Path:
    """A run of `edge-train person`: the base's deployed file, a cohort, golden crops, a head."""
    data = (base / "model.int8.tflite").read_bytes()
    write_run(folder, network_of(base), data, kind="person")
    for part in ("cohort.npz", "golden.npz"):
        shutil.copy(base / part, folder / part)
    (folder / "heads").mkdir()
    a_head(base, name, seed).save(folder / "heads" / f"{name}.npz")
    return folder


def shared_base(folder: Path) -> Path:
    """One base run for all test files of a session: made by whoever needs it first."""
    target = folder / "edge-base-run"
    if not target.exists():
        with contextlib.suppress(OSError), atomic_folder(target) as temporary:
            base_run(temporary)
    return target
