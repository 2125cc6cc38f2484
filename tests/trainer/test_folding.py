"""Pixel scaling folded into the first convolution: nothing changes but who does the work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from training_factory import NETWORK, SIDE_PX, some_arrays

from edge.faces.canonical import WIDE
from edge.models.embedder import Embedder
from trainer.networks.backbones import PIXEL_SCALES, SCALED_PIXELS
from trainer.networks.face_network import build
from trainer.networks.folding import fold
from trainer.networks.quantization import agreement, describe, quantize

GREYS = {"imagenet": 114, "symmetric": 128, "unit": 0, "caffe": 115, "none": 0, "face": 128}
"""The pixel that each scaling maps nearest to 0."""


def crops(count: int = 12) -> np.ndarray:
    return some_arrays(count, seed=5).windows(np.arange(count), SIDE_PX)


def network(scale: str) -> Any:
    keras.utils.set_random_seed(1)
    return build(replace(NETWORK, pixel_scale=scale))


def convolution(*, padding: str, use_bias: bool, groups: int = 1) -> keras.Model:
    """A model of one convolution behind scaled pixels, whose output is named `embedding`."""
    keras.utils.set_random_seed(2)
    pixels = keras.Input((SIDE_PX, SIDE_PX, 3))
    x = PIXEL_SCALES["imagenet"]()(pixels)
    activation = "relu" if use_bias else None
    x = keras.layers.Conv2D(
        6, 3, padding=padding, use_bias=use_bias, groups=groups, activation=activation
    )(x)
    if not use_bias:
        x = keras.layers.BatchNormalization()(x)
    return keras.Model(pixels, {"embedding": keras.layers.GlobalAveragePooling2D()(x)})


@pytest.mark.parametrize("scale", sorted(PIXEL_SCALES))
def test_the_folded_network_says_the_same(scale: str) -> None:
    model = network(scale)
    folding = fold(model)
    assert folding.shift == GREYS[scale]
    pixels = crops()[..., ::-1].astype(np.float32)
    expected = model(pixels, training=False)
    folded = folding.infer(pixels - folding.shift)
    cosine = np.sum(np.asarray(expected["embedding"]) * np.asarray(folded["embedding"]), axis=1)
    assert cosine.min() > 0.999
    assert expected["attributes"].shape == folded["attributes"].shape


@pytest.mark.parametrize("use_bias", [True, False])
def test_without_padding_it_is_exact(use_bias: bool) -> None:
    model = convolution(padding="valid", use_bias=use_bias)
    if not use_bias:
        model(crops().astype(np.float32), training=True)
    folding = fold(model)
    pixels = crops().astype(np.float32)
    assert folding.shift == GREYS["imagenet"]
    np.testing.assert_allclose(
        folding.infer(pixels - folding.shift)["embedding"],
        model(pixels, training=False)["embedding"],
        atol=1e-4,
    )


def test_the_model_keeps_its_weights() -> None:
    model = network("imagenet")
    before = [weight.numpy().copy() for weight in model.weights]
    fold(model).infer(crops().astype(np.float32))
    for old, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())


def test_where_no_plain_convolution_follows_nothing_is_folded() -> None:
    model = convolution(padding="same", use_bias=True, groups=3)
    folding = fold(model)
    pixels = crops().astype(np.float32)
    assert folding.shift == 0
    np.testing.assert_array_equal(
        folding.infer(pixels)["embedding"], model(pixels, training=False)["embedding"]
    )


def test_a_network_that_would_change_is_left_alone() -> None:
    """A second path from the scaled pixels past the convolution sees them unscaled otherwise."""
    pixels = keras.Input((SIDE_PX, SIDE_PX, 3))
    scaled = PIXEL_SCALES["imagenet"]()(pixels)
    x = keras.layers.Conv2D(3, 3, padding="same")(scaled)
    x = keras.layers.Concatenate()([x, scaled])
    model = keras.Model(pixels, {"embedding": keras.layers.GlobalAveragePooling2D()(x)})
    assert SCALED_PIXELS in [layer.name for layer in model.layers]
    assert fold(model).shift == 0


@pytest.mark.parametrize("scale", ["imagenet", "symmetric"])
def test_no_operator_scales_pixels_in_the_int8_file(scale: str) -> None:
    from export.convert.operators import operators

    model = network(scale)
    model(crops()[..., ::-1].astype(np.float32), training=True)
    data = quantize(model, crops())
    assert not {"SUB", "MUL", "ADD"} & set(operators(data))
    described = describe(data, window=WIDE, size_px=SIDE_PX, attributes=(), embedding_size=8)
    described = replace(described, outputs={"embedding": "embedding"})
    assert agreement(model, described, data, crops()).mean_cosine > 0.97
    seen = Embedder(described, data).embed(crops())
    assert seen.embeddings is not None
