"""Compensation: the last layers learn what quantization does to their features.

The features of an int8 network differ from the float ones, for the most part by noise, in part
always in the same way (Nagel et al., "Data-free quantization through weight equalization and bias
correction", ICCV 2019, correct their means). The embedding and the attributes are linear layers on
these features, so the part that is linear can be put right in their weights, by ridge regression
from the int8 features to what the float network says, on pictures of the training part.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from edge.models.embedder import l2_normalized
from edge.models.runtime import open_model
from trainer.networks.face_network import EMBEDDING_FEATURES, feature_layer, unnormalized
from trainer.networks.quantization import quantize

FEWEST_CROPS = 500
"""Below, the many weights would be fitted to chance."""

RIDGE = 0.3
"""Of the regression, relative to the mean variance of a feature."""

CHECKED = 5
"""Every so manieth picture does not fit but decides whether the weights are better than before."""

_LAST_LAYERS = {"embedding": EMBEDDING_FEATURES, "attributes": "attributes"}

_FEATURES = "features"
"""Output of the file that is made to read the features."""


@dataclass(frozen=True, eq=False)
class Compensation:
    """Weights of a last layer for the int8 file: kernel float32[F, E], bias float32[E].

    before, after: how near the int8 output is to the float one on the pictures that did not fit,
    see `_nearness`.
    """

    layer: str
    kernel: np.ndarray
    bias: np.ndarray
    before: float
    after: float

    @property
    def pays(self) -> bool:
        return self.after > self.before


def quantize_compensated(
    model: keras.Model, representative_bgr: np.ndarray, crops_bgr: np.ndarray
) -> bytes:
    """The int8 file of `trainer.networks.quantization.quantize`, compensated if that pays.

    representative_bgr: uint8[N, S, S, 3] BGR for calibration. crops_bgr: likewise, many and varied,
    of people that are trained on. A network whose embedding has no layer of its own, or with
    fewer than `FEWEST_CROPS` crops, is quantized as it is. `model` is as before afterwards.
    """
    if len(crops_bgr) < FEWEST_CROPS or not _has_layer(model):
        return quantize(model, representative_bgr)
    paying = [found for found in compensate(model, representative_bgr, crops_bgr) if found.pays]
    before = {found.layer: model.get_layer(found.layer).get_weights() for found in paying}
    try:
        for found in paying:
            model.get_layer(found.layer).set_weights([found.kernel, found.bias])
        return quantize(model, representative_bgr)
    finally:
        for name, weights in before.items():
            model.get_layer(name).set_weights(weights)


def compensate(
    model: keras.Model, representative_bgr: np.ndarray, crops_bgr: np.ndarray
) -> tuple[Compensation, ...]:
    """What the last layers should be behind int8 features, the embedding's first; the attributes'
    where they read the same features. Arguments as above.
    """
    reader = keras.Model(model.input, {_FEATURES: feature_layer(model).output})
    seen = _int8_features(quantize(reader, representative_bgr), crops_bgr)
    pixels = np.ascontiguousarray(crops_bgr[..., ::-1]).astype(np.float32)
    wanted = unnormalized(model).predict(pixels, verbose=0)
    width = seen.shape[1]
    layers = {role: model.get_layer(name) for role, name in _LAST_LAYERS.items() if role in wanted}
    return tuple(
        _fitted(layer, role, seen, wanted[role])
        for role, layer in layers.items()
        if layer.kernel.shape[0] == width
    )


def _fitted(
    layer: keras.layers.Layer, role: str, seen: np.ndarray, said: np.ndarray
) -> Compensation:
    wanted = np.asarray(said, np.float64)
    kernel, bias = (np.asarray(w, np.float64) for w in layer.get_weights())
    check = np.arange(len(seen)) % CHECKED == 0
    centre = seen[~check].mean(axis=0)
    away = wanted - (seen @ kernel + bias)
    change, shift = _ridge(seen[~check] - centre, away[~check])
    fitted = kernel + change, bias + shift - centre @ change
    return Compensation(
        layer=layer.name,
        kernel=fitted[0].astype(np.float32),
        bias=fitted[1].astype(np.float32),
        before=_nearness(role, seen[check] @ kernel + bias, wanted[check]),
        after=_nearness(role, seen[check] @ fitted[0] + fitted[1], wanted[check]),
    )


def _has_layer(model: keras.Model) -> bool:
    return "embedding" in model.output and bool(model.get_layer(EMBEDDING_FEATURES).weights)


def _nearness(role: str, one: np.ndarray, other: np.ndarray) -> float:
    """Of embeddings the mean cosine, of attributes minus the mean difference of logits."""
    return _cosine(one, other) if role == "embedding" else -float(np.abs(one - other).mean())


def _int8_features(data: bytes, crops_bgr: np.ndarray) -> np.ndarray:
    """float64[N, F]: what the int8 network hands to the embedding's layer."""
    model = open_model(data, "tflite-int8", threads=1)
    rows = []
    for crop in crops_bgr:
        rows.append(model.run(np.ascontiguousarray(crop[None, ..., ::-1]))[_FEATURES][0])
    return np.asarray(rows, np.float64)


def _ridge(centred: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of the kernel, float64[F, E], and of the bias, float64[E]."""
    strength = RIDGE * len(centred) * float(centred.var(axis=0).mean())
    mean = away.mean(axis=0)
    squares = centred.T @ centred + strength * np.eye(centred.shape[1])
    return np.linalg.solve(squares, centred.T @ (away - mean)), mean


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean(np.sum(l2_normalized(one) * l2_normalized(other), axis=1)))
