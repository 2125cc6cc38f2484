"""Folding: the scaling of pixels taken into the first convolution, so that no operator does it.

A converter leaves the layer that scales pixels as a subtraction and a multiplication of every
pixel in int8, which rounds each of them twice. A scaling that is linear in a pixel's three channels
vanishes in the weights of a convolution that follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from trainer.networks.backbones import SCALED_PIXELS

_CLOSE = 0.995
"""Cosine of the outputs with and without folding, below which the network is left as it was.

They differ at the border: a convolution pads with 0, which is one grey of all channels afterwards.
"""

_PROBES = 8


@dataclass(frozen=True)
class Folding:
    """A network without its scaling.

    infer: from pixels - shift, float32[B, S, S, 3] RGB, to the outputs by role. shift: the grey,
    0..255, that the scaling maps nearest to 0, with which convolutions therefore pad.
    """

    infer: Callable[[Any], dict[str, Any]]
    shift: int


def fold(model: keras.Model) -> Folding:
    """`model` with its scaling in the weights of its first convolution; `model` keeps its own.

    Where it cannot be done, because no convolution follows the scaling or nothing scales, the
    network is handed back as it is, with shift 0.
    """
    plain = Folding(lambda pixels: model(pixels, training=False), 0)
    names = [layer.name for layer in model.layers]
    if SCALED_PIXELS not in names:
        return plain
    place = names.index(SCALED_PIXELS)
    first = _first_convolution(model.layers[place + 1 :])
    if first is None:
        return plain
    matrix, offset = _affine(model.layers[place])
    shift = _grey_of_zero(matrix, offset)
    values = _folded(*first, matrix, offset + shift * matrix.sum(axis=0))
    behind = keras.Model(model.layers[place].output, model.output)

    def infer(shifted: Any) -> dict[str, Any]:
        with keras.StatelessScope(state_mapping=values):
            outputs: dict[str, Any] = behind(shifted, training=False)
        return outputs

    folding = Folding(infer, shift)
    return folding if _same(model, folding) else plain


def _first_convolution(
    layers: list[keras.layers.Layer],
) -> tuple[keras.layers.Conv2D, keras.Variable] | None:
    """The convolution that sees scaled pixels, and what can take an offset of its output.

    That is its bias, or the mean of the batch normalization behind it, which is then taken off.
    """
    if layers and hasattr(layers[0], "layers"):
        layers = layers[0].layers
    inert = (keras.layers.InputLayer, keras.layers.ZeroPadding2D)
    rest = [layer for layer in layers if not isinstance(layer, inert)]
    if len(rest) < 2 or type(rest[0]) is not keras.layers.Conv2D or rest[0].groups != 1:
        return None
    if rest[0].use_bias:
        return rest[0], rest[0].bias
    linear = rest[0].activation is keras.activations.linear
    if linear and isinstance(rest[1], keras.layers.BatchNormalization):
        return rest[0], rest[1].moving_mean
    return None


def _affine(scaling: keras.layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    """matrix float64[3, 3] and offset float64[3], scaled = pixel @ matrix + offset."""
    probes = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)])
    seen = np.asarray(scaling(probes.reshape(4, 1, 1, 3).astype(np.float32)), np.float64)
    seen = seen.reshape(4, 3)
    return (seen[1:] - seen[0]) / 255, seen[0]


def _grey_of_zero(matrix: np.ndarray, offset: np.ndarray) -> int:
    colour = np.linalg.lstsq(matrix.T, -offset, rcond=None)[0]
    return int(np.clip(np.rint(colour.mean()), 0, 255))


def _folded(
    convolution: keras.layers.Conv2D,
    receiver: keras.Variable,
    matrix: np.ndarray,
    offset: np.ndarray,
) -> list[tuple[keras.Variable, Any]]:
    """Both variables and the values with which the convolution sees pixels as they are."""
    kernel = np.asarray(convolution.kernel, np.float64)
    through = np.einsum("hwio,i->o", kernel, offset)
    sign = 1 if convolution.use_bias else -1
    changed = np.asarray(receiver, np.float64) + sign * through
    return [
        (convolution.kernel, _like(np.einsum("ij,hwjo->hwio", matrix, kernel), convolution.kernel)),
        (receiver, _like(changed, receiver)),
    ]


def _like(values: np.ndarray, variable: keras.Variable) -> Any:
    return keras.ops.convert_to_tensor(values.astype(np.float32), dtype=variable.dtype)


def _same(model: keras.Model, folding: Folding) -> bool:
    """Whether both say the same of smooth images of many colors, but for their borders."""
    side = int(model.input_shape[1])
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 255, (_PROBES, 2, 2, 3)).astype(np.float32)
    pixels = keras.ops.image.resize(corners, (side, side), interpolation="bilinear")
    expected = model(pixels, training=False)
    folded = folding.infer(pixels - np.float32(folding.shift))
    return all(_cosine(expected[role], folded[role]) >= _CLOSE for role in expected)


def _cosine(one: Any, other: Any) -> float:
    """The lowest over rows of float[N, D]; 1 where both are 0."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.where(lengths > 0, (a * b).sum(axis=1) / np.maximum(lengths, 1e-30), 1).min())
