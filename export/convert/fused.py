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
from edge.heads.head import HIGHEST_EXPONENT
from edge.heads.normalization import COMPARING
from edge.models.runtime import open_model
from edge.models.spec import Network
from export.convert import onnx_models as onnxfile
from export.convert import tflite
from export.convert.description import described
from export.convert.float_model import FloatModel
from export.inputs.near import differs, near_points

if TYPE_CHECKING:
    from edge.heads.head import Head

OUTPUT = "probability"

SAME_SCORE = 0.03
"""In standard deviations over strangers: what float32 may change, a third of a head's band."""

_SURE = 1e-4
"""Probabilities nearer to 0 and 1 do not say the score exactly."""

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
    crops_bgr: np.ndarray,
    embeddings: np.ndarray,
    exact: np.ndarray,
    agreement: float,
) -> None:
    """Run each file in its runtime: it must decide as base and heads do one after the other.

    crops: uint8[N, S, S, 3] BGR. embeddings: float32[N, D], what the file that the heads stand on
    says of them; exact: the same of the float model that the graph was made of. Compared are the
    decisions on these crops; near each threshold and on the person's own samples those of the
    graph's own arithmetic; and its scores on these crops, which must be the head's of `exact`.
    Raises `GateFailed`.
    """
    for head in heads:
        share = _share_near(head, embeddings)
        if share is not None and share < agreement:
            raise _missed(f"head of {head.name}, near its threshold,", share, agreement)
    for kind, data in files.items():
        single = replace(described(network, kind, data), sha256="")
        runner = open_model(data, kind)
        tensor = single.input.tensor(crops_bgr)
        rows = [runner.run(tensor[n : n + 1])[OUTPUT].reshape(-1) for n in range(len(tensor))]
        found = np.stack(rows).astype(np.float64)
        for place, head in enumerate(heads):
            share = _share(head, head.score(embeddings), found[:, place])
            apart = _apart(head, exact, found[:, place])
            if apart > SAME_SCORE:
                raise GateFailed(
                    f"the scores of the fused {kind} graph are not those of {head.name}: "
                    f"{apart:.3f} apart, at most {SAME_SCORE} is allowed",
                    hint="pack without --fused",
                )
            if not np.isfinite(found).all() or share < agreement:
                raise _missed(f"{kind} graph, {head.name},", share, agreement)


def scores_of(head: Head, probability: np.ndarray) -> np.ndarray:
    """The head's scores, float64[N], from the graph's probabilities; those that are too sure to be
    told apart come out alike."""
    sure = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
    logit = np.log(sure) - np.log1p(-sure)
    return np.asarray(logit / head.normalization.std + head.threshold)


def _share(head: Head, scores: np.ndarray, probability: np.ndarray) -> float:
    """Of equal decisions."""
    return 1.0 - float(np.mean(differs(head, scores, scores_of(head, probability))))


def _apart(head: Head, exact: np.ndarray, probability: np.ndarray) -> float:
    """Most difference of the graph's scores from the head's, where the graph is not too sure."""
    told = (probability > _SURE) & (probability < 1 - _SURE)
    return float(np.max(np.abs(scores_of(head, probability) - head.score(exact))[told], initial=0))


def _share_near(head: Head, embeddings: np.ndarray) -> float | None:
    """Of equal decisions of the graph's arithmetic, None where there are no points."""
    points, _ = near_points(head, embeddings)
    if not len(points):
        return None
    said = np.asarray(_probability(head, points)).reshape(-1)
    return _share(head, head.score(points), said)


def _missed(what: str, share: float, agreement: float) -> GateFailed:
    return GateFailed(
        f"the fused {what} agrees in {share:.2%} of the decisions with base and heads, at least "
        f"{agreement:.2%} must",
        hint="pack without --fused",
    )


def _probability(head: Head, embedding: Any) -> Any:
    """float32[N, 1] of embeddings float32[N, D], as `Head.score` and the threshold say."""
    import tensorflow as tf

    values = embedding
    for layer in head.layers:
        values = tf.matmul(values, tf.constant(layer.weights)) + tf.constant(layer.bias)
        activation = {
            "relu": tf.nn.relu, "tanh": tf.tanh, "sigmoid": tf.sigmoid,
            "exp": lambda x: tf.exp(tf.minimum(x, HIGHEST_EXPONENT)),
        }  # fmt: skip
        values = activation.get(layer.activation, tf.identity)(values)
    norm = head.normalization
    score = (values - np.float32(norm.mean)) / np.float32(norm.std)
    if norm.kind in COMPARING:
        rows = tf.constant(norm.rows.astype(np.float32).T)
        cosines = tf.matmul(embedding, rows)
        if 0 < norm.top < len(norm.rows):
            cosines = tf.math.top_k(cosines, k=norm.top, sorted=False).values
        likeness = tf.reduce_mean(cosines, axis=1, keepdims=True)
        weight = np.float32(norm.weight / norm.spread)
        score = score - weight * (likeness - np.float32(norm.centre))
    return tf.sigmoid(np.float32(norm.std) * (score - np.float32(head.threshold)))
