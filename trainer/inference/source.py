"""What an evaluation or a cohort is about: the shipped base, a run, a bundle, or a model file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.bundle.locate import shipped_bundle
from edge.bundle.reader import SUFFIX, Bundle
from edge.errors import InputError, ModelError
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE
from edge.files.model_file import read_model_file, sha256_of
from edge.models.run_record import MODEL_KERAS, MODEL_TFLITE, RUN_JSON, Run, embedder_name
from edge.models.runtime import open_model
from edge.models.spec import Network, NetworkInput
from trainer.inference.external import PRESETS, read_teacher

SHIPPED_NAME = "shipped"

SHIPPED = Path(__file__).parents[1] / "shipped"
"""What the training package brings of the shipped base."""

_MODEL_SUFFIXES = {".tflite": "tflite-float32", ".onnx": "onnx-float32"}


@dataclass(frozen=True)
class Deployed:
    """A deployed model file and its description."""

    network: Network
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class ModelSource:
    """base: gives the attributes, and usually the embedding. embedder: gives the embedding. keras:
    the float model that `base` was made from, where it is at hand. run: how it was trained, where
    that is known.
    """

    name: str
    base: Deployed
    embedder: Deployed
    keras: Path | None = None
    run: Run | None = None


def open_subject(name: str) -> ModelSource:
    """Open what a user named: "shipped", a run folder, a bundle, or a model file.

    Raises `InputError` for anything else, `ModelError` or `BundleError` where it is damaged.
    """
    path = Path(name)
    if name == SHIPPED_NAME and not path.exists():
        with shipped_bundle() as bundle:
            return _of_bundle(name, bundle, keras=_shipped_keras(), run=_shipped_run())
    if path.is_dir():
        return _of_run(path)
    if path.suffix == SUFFIX:
        with Bundle.open(path) as bundle:
            return _of_bundle(path.name, bundle)
    if path.suffix.lower() in _MODEL_SUFFIXES:
        deployed = open_file(path)
        return ModelSource(path.name, deployed, deployed)
    raise InputError(
        f"{name} is neither a run folder, a bundle nor a model file",
        hint="give 'shipped', a folder that edge-train wrote, NAME.edge, or a .tflite or .onnx",
    )


def open_file(path: Path) -> Deployed:
    """A model file of any origin.

    It is described by a JSON file of the same stem beside it, see
    `trainer.inference.external.read_teacher`. Without that, only a face embedding of ArcFace's
    kind is understood: 112x112 px RGB, (x - 127.5) / 128, one output. Raises `ModelError` for any
    other.
    """
    if path.with_suffix(".json").is_file() or path.stem.lower() in PRESETS:
        described = read_teacher(path)
        return Deployed(described.network, described.data)
    data = read_model_file(path)
    return Deployed(_arcface_network(path, data), data)


def _arcface_network(path: Path, data: bytes) -> Network:
    kind = _MODEL_SUFFIXES[path.suffix.lower()]
    hint = f"describe the file in {path.stem}.json (frame, window, size, colors, outputs)"
    model = open_model(data, kind)
    shape = tuple(model.input_shape)
    layout = "nchw" if len(shape) == 4 and shape[1] == 3 else "nhwc"
    side = ARCFACE.width_px
    wanted = (3, side, side) if layout == "nchw" else (side, side, 3)
    if shape[1:] != wanted:
        raise ModelError(f"{path.name} takes {shape}, not crops of {side} px", hint=hint)
    batch = max(1, shape[0])
    outputs = model.run(np.zeros((batch, *wanted), np.float32))
    if len(outputs) != 1:
        raise ModelError(f"{path.name} has {len(outputs)} outputs, not one embedding", hint=hint)
    output, values = next(iter(outputs.items()))
    return Network(
        format=kind,
        sha256=sha256_of(data),
        input=NetworkInput(
            frame=ARCFACE,
            window=ARCFACE_WHOLE,
            size_px=side,
            dtype="float32",
            mean=(127.5, 127.5, 127.5),
            std=(128.0, 128.0, 128.0),
            layout=layout,
            batch=batch,
        ),
        outputs={"embedding": output},
        embedding_size=values.size // batch,
        mirrored=True,
        source=path.name,
    )


def _of_bundle(
    name: str, bundle: Bundle, *, keras: Path | None = None, run: Run | None = None
) -> ModelSource:
    base = Deployed(bundle.base, bundle.base_data)
    same = bundle.embedder.sha256 == bundle.base.sha256
    embedder = base if same else Deployed(bundle.embedder, bundle.embedder_data)
    return ModelSource(name, base, embedder, keras, run)


def _of_run(folder: Path) -> ModelSource:
    run = Run.load(folder)
    base = _deployed(folder / MODEL_TFLITE, run.network)
    embedder = base
    if run.embedder is not None:
        embedder = _deployed(folder / embedder_name(run.embedder), run.embedder)
    keras = folder / MODEL_KERAS
    return ModelSource(folder.name, base, embedder, keras if keras.is_file() else None, run)


def _deployed(path: Path, network: Network) -> Deployed:
    data = read_model_file(path)
    _check_hash(path, network, data)
    return Deployed(network, data)


def _check_hash(path: Path, network: Network, data: bytes) -> None:
    if network.sha256 != sha256_of(data):
        raise ModelError(
            f"{path} is not the file that its description is of", hint="make or fetch both again"
        )


def _shipped_keras() -> Path | None:
    """The float model of the shipped base, where the training package brings it."""
    return next(iter(sorted(SHIPPED.glob("*.keras"))), None)


def _shipped_run() -> Run | None:
    """How the shipped base was trained, where the training package brings that."""
    return Run.load(SHIPPED) if (SHIPPED / RUN_JSON).is_file() else None
