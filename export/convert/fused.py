"""Fused graphs: base and heads as one file, for programs that are not ours.

Image in, `pixels` float32[1, S, S, 3] RGB 0..255; `probability` float32[1, H] out, one per head:
0.5 at the head's threshold, so that >= 0.5 is what `edge` accepts, and its logit is the distance of
the score from the threshold in units of the head's raw output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bundle.entry import FUSED, FileEntry
from edge.errors import GateFailed, InputError
from edge.models.runtime import open_model
from edge.models.spec import Network
from export.convert import onnx_models as onnxfile
from export.convert import tflite
from export.convert.description import described
from export.convert.float_model import FloatModel

if TYPE_CHECKING:
    from edge.heads.head import Head

OUTPUT = "probability"
_SUFFIX = {"tflite-float32": "tflite", "onnx-float32": "onnx"}


def fuse(
    model: FloatModel, heads: Sequence[Head], properties: dict[str, str], *, mirrored: bool
) -> dict[str, bytes]:
    """The graph as "tflite-float32" and "onnx-float32". Raises `InputError` without heads.

    mirrored: see `edge.models.spec.Network`; then the graph looks at the picture and its mirror
    image.
    """
    if not heads:
        raise InputError(
            "--fused joins a base and heads, and there are no heads", hint="add --head RUN"
        )
    import tensorflow as tf

    frozen = model.frozen(
        lambda said: [tf.concat([_probability(h, said["embedding"]) for h in heads], axis=1)],
        mirrored=mirrored,
    )
    widths = {OUTPUT: len(heads)}
    names = {**properties, "heads": ", ".join(head.name for head in heads)}
    return {
        "tflite-float32": tflite.convert_frozen(frozen, "tflite-float32", widths),
        "onnx-float32": onnxfile.convert_frozen(frozen, widths, names),
    }


def entries(files: dict[str, bytes], heads: Sequence[Head]) -> list[tuple[FileEntry, bytes]]:
    """The files as they go into a bundle."""
    words = f"RGB pixels 0..255 in, probabilities of {', '.join(h.name for h in heads)} out"
    return [
        (FileEntry(f"models/fused.float32.{_SUFFIX[kind]}", f"{FUSED}-{kind}", words), data)
        for kind, data in files.items()
    ]


def check(
    files: dict[str, bytes],
    network: Network,
    heads: Sequence[Head],
    accepted: np.ndarray,
    crops_bgr: np.ndarray,
    agreement: float,
) -> None:
    """Run each file in its runtime: it must decide as base and heads do one after the other.

    accepted: bool[N, H], what they decide of crops uint8[N, S, S, 3] BGR. Raises `GateFailed`.
    """
    for kind, data in files.items():
        single = replace(described(network, kind, data), sha256="")
        runner = open_model(data, kind)
        tensor = single.input.tensor(crops_bgr)
        rows = [runner.run(tensor[n : n + 1])[OUTPUT].reshape(-1) for n in range(len(tensor))]
        found = np.stack(rows)
        share = float(np.mean((found >= 0.5) == accepted))
        if not np.isfinite(found).all() or share < agreement:
            raise GateFailed(
                f"the fused {kind} graph agrees in {share:.2%} of the decisions with base and "
                f"heads, at least {agreement:.2%} must",
                hint="pack without --fused",
            )


def _probability(head: Head, embedding: Any) -> Any:
    """float32[1, 1] of the embedding float32[1, D]."""
    import tensorflow as tf

    values = embedding
    for layer in head.layers:
        values = tf.matmul(values, tf.constant(layer.weights)) + tf.constant(layer.bias)
        activation = {
            "relu": tf.nn.relu, "tanh": tf.tanh, "sigmoid": tf.sigmoid, "exp": tf.exp
        }  # fmt: skip
        values = activation.get(layer.activation, tf.identity)(values)
    norm = head.normalization
    score = (values - np.float32(norm.mean)) / np.float32(norm.std)
    if norm.kind in ("t", "as"):
        rows = tf.constant(norm.rows.astype(np.float32).T)
        cosines = tf.matmul(embedding, rows)
        if norm.kind == "as" and 0 < norm.top < len(norm.rows):
            cosines = tf.math.top_k(cosines, k=norm.top, sorted=False).values
        likeness = tf.reduce_mean(cosines, axis=1, keepdims=True)
        weight = np.float32(norm.weight / norm.spread)
        score = score - weight * (likeness - np.float32(norm.centre))
    return tf.sigmoid(np.float32(norm.std) * (score - np.float32(head.threshold)))
