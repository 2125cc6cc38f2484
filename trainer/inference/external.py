"""A teacher: any face embedding from which a network learns by distillation.

The teacher sees the clean aligned crop and its mirror image, once; what it says is cached. The
student sees the augmented crop. Where the embedding has fewer dimensions than the teacher's, the
teacher's are projected by the orthonormal basis that keeps most of their inner products, so that
cosines between people stay what they were (Hinton et al., 2015; Park et al., CVPR 2019).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.console.progress import progress_bar
from edge.errors import ModelError
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE
from edge.files.model_file import read_model_file, sha256_of
from edge.models.embedder import Embedder, l2_normalized
from edge.models.spec import Network, NetworkInput
from trainer.data.cache import cache_folder, cached_array, pictures_key
from trainer.data.crops import CropSource, crop_array
from trainer.data.landmarks import Landmarks
from trainer.data.table import FaceTable

PRESETS: dict[str, tuple[NetworkInput, str, int]] = {
    "mobilefacenet": (
        NetworkInput(
            frame=ARCFACE,
            window=ARCFACE_WHOLE,
            size_px=112,
            colour_order="rgb",
            dtype="float32",
            mean=(127.5, 127.5, 127.5),
            std=(128.0, 128.0, 128.0),
            batch=2,
        ),
        "embeddings",
        192,
    )
}
"""Known teachers by the stem of their file in lower case: input, output's name, dimensions.

MobileFaceNet: Chen et al., CCBR 2018."""

_CHUNK = 256


@dataclass(frozen=True)
class Teacher:
    """A face embedding: how its file is used, and its bytes."""

    network: Network
    data: bytes


def read_teacher(path: Path, sidecar: Path | None = None) -> Teacher:
    """The teacher in `path` (.tflite or .onnx).

    sidecar: JSON as `Network.to_json` writes it (sha256 may be left out), by default the file
    beside the model with the suffix .json. Known files need none. Raises `ModelError` where the
    model is unreadable, or unknown and not described.
    """
    path = Path(path)
    data = read_model_file(path)
    beside = sidecar or path.with_suffix(".json")
    if sidecar is not None or beside.is_file():
        return Teacher(_described(beside, data), data)
    preset = PRESETS.get(path.stem.lower())
    if preset is None:
        raise ModelError(
            f"nothing says how the teacher {path.name} wants its faces",
            hint=f"describe its input in {beside.name} beside it (frame, window, size_px, mean, …)",
        )
    network_input, output, size = preset
    network = Network(
        format="tflite-float32" if path.suffix == ".tflite" else "onnx-float32",
        sha256=sha256_of(data),
        input=network_input,
        outputs={"embedding": output},
        embedding_size=size,
        mirrored=True,
        source=path.name,
    )
    return Teacher(network, data)


def _described(sidecar: Path, data: bytes) -> Network:
    try:
        described = json.loads(sidecar.read_text())
    except (OSError, ValueError) as problem:
        raise ModelError(f"cannot read the teacher's description {sidecar}: {problem}") from None
    if not isinstance(described, dict):
        raise ModelError(f"the teacher's description {sidecar} is no JSON object")
    defaults = {"attributes": [], "attribute_thresholds": [], "embedding_size": 0}
    network = Network.from_json({**defaults, **described, "sha256": sha256_of(data)})
    if "embedding" not in network.outputs:
        raise ModelError(f"the description {sidecar} names no output 'embedding'")
    return network


def teacher_embeddings(
    table: FaceTable,
    landmarks: Landmarks,
    teacher: Teacher,
    *,
    cache_dir: Path | None = None,
    threads: int = 2,
    quiet: bool = False,
) -> np.ndarray:
    """The teacher's embeddings, float32[N, D] of length 1, each the mean of crop and mirror image.

    Faces without usable landmarks get zeros: there is nothing to learn from them. Cached under
    the pictures, their landmarks and the teacher's file and description. Raises `ModelError`
    where the teacher cannot be run.
    """
    facts = json.dumps(teacher.network.to_json(), sort_keys=True)
    words = ("teacher", 1, facts, landmarks.points.tobytes().hex(), landmarks.usable.tobytes())

    def ask() -> np.ndarray:
        crops = teacher_crops(table, landmarks, teacher, cache_dir=cache_dir, quiet=quiet)
        embeddings = ask_teacher(crops, teacher, threads=threads, quiet=quiet)
        embeddings[~landmarks.usable] = 0.0
        return embeddings

    key = pictures_key(table.paths, *words)
    return cached_array(cache_folder(cache_dir) / "teacher" / f"{key}.npy", ask)


def teacher_crops(
    table: FaceTable,
    landmarks: Landmarks,
    teacher: Teacher,
    *,
    cache_dir: Path | None = None,
    quiet: bool = False,
) -> np.ndarray:
    """The crops of all faces as the teacher wants them, uint8[N, S, S, 3] BGR, cached."""
    expects = teacher.network.input
    return crop_array(
        table,
        landmarks,
        expects.frame,
        expects.window,
        expects.size_px,
        cache_dir=cache_dir,
        quiet=quiet,
    )


def ask_teacher(
    crops: CropSource, teacher: Teacher, *, threads: int = 2, quiet: bool = False
) -> np.ndarray:
    """The teacher's embeddings of crops uint8[N, S, S, 3] BGR: float32[N, D] of length 1, the mean
    of each crop and its mirror image. Raises `ModelError` where the teacher cannot be run.
    """
    embedder = Embedder(replace(teacher.network, mirrored=True), teacher.data, threads=threads)
    parts = []
    with progress_bar("asking the teacher", len(crops), quiet=quiet) as bar:
        for first in range(0, len(crops), _CHUNK):
            rows = range(first, min(first + _CHUNK, len(crops)))
            chunk = np.stack([crops[row] for row in rows])
            embeddings = embedder.embed(chunk).embeddings
            assert embeddings is not None
            parts.append(embeddings)
            bar.advance(len(chunk))
    return np.concatenate(parts) if parts else np.zeros((0, teacher.network.embedding_size), "f")


def projection(embeddings: np.ndarray, size: int) -> np.ndarray:
    """The orthonormal float32[D, size] that keeps most of the inner products of float32[N, D].

    These are the leading right singular vectors, without taking off the mean (Eckart and Young,
    1936). With size >= D it is the identity, with columns of zeros to fill up.
    """
    dimensions = embeddings.shape[1]
    if size >= dimensions:
        return np.eye(dimensions, size, dtype=np.float32)
    moments = embeddings.T.astype(np.float64) @ embeddings
    _, vectors = np.linalg.eigh(moments)
    leading = vectors[:, ::-1][:, :size]
    signs = np.sign(leading[np.argmax(np.abs(leading), axis=0), np.arange(size)])
    return (leading * signs).astype(np.float32)


def targets(embeddings: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Teacher's embeddings float32[N, D] in `basis` float32[D, E], of length 1; zeros stay."""
    return l2_normalized(embeddings @ basis)
