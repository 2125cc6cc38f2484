"""MobileFaceNet's body: it takes over a teacher's weights, and is fast and exact as int8."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from edge.errors import ModelError, UsageError
from trainer.networks.face_network import NetworkConfig, build
from trainer.networks.mobilefacenet import ChannelPReLU, even_out_features, start_from_file

SIDE_PX, SIZE = 64, 24


def _prelu(x: Any) -> Any:
    slopes = keras.initializers.RandomUniform(-1.8, 1.8)
    return keras.layers.PReLU(slopes, shared_axes=[1, 2])(x)


def _teacher() -> keras.Model:
    """The paper's network with few late units, random weights and slopes on both sides of 1."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    bias = keras.initializers.RandomNormal(stddev=0.1)

    def conv(x: Any, channels: int, kernel: int = 1, stride: int = 1) -> Any:
        return layers.Conv2D(channels, kernel, stride, "same", bias_initializer=bias)(x)

    def depthwise(x: Any, stride: int = 1) -> Any:
        return layers.DepthwiseConv2D(3, stride, "same", bias_initializer=bias)(x)

    pixels = x = keras.Input((SIDE_PX, SIDE_PX, 3))
    x = _prelu(conv(x, 64, 3, 2))
    x = conv(_prelu(depthwise(x)), 64)
    units = [(128, 64, 2), *[(128, 64, 1)] * 4, (256, 128, 2), *[(256, 128, 1)] * 6]
    for expanded, channels, stride in [*units, (512, 128, 2), *[(256, 128, 1)] * 2]:
        y = _prelu(depthwise(_prelu(conv(x, expanded)), stride))
        y = conv(y, channels)
        x = layers.Add()([y, x]) if stride == 1 else y
    x = _prelu(conv(x, 512))
    x = layers.DepthwiseConv2D(x.shape[1], bias_initializer=bias)(x)
    return keras.Model(pixels, layers.Flatten()(conv(conv(x, 512), SIZE)))


@pytest.fixture(scope="module")
def teacher() -> tuple[keras.Model, bytes]:
    model = _teacher()
    return model, _frozen_file(model)


def _frozen_file(model: keras.Model) -> bytes:
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    call = tf.function(lambda pixels: model(pixels, training=False))
    spec = tf.TensorSpec([1, SIDE_PX, SIDE_PX, 3], tf.float32)
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(spec))
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()


def _base(size_px: int = SIDE_PX, size: int = SIZE) -> keras.Model:
    return build(
        NetworkConfig(arch="mobilefacenet", input_size=size_px, attributes=3, embedding_size=size)
    )


def _crops(count: int = 6, side: int = SIDE_PX) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_a_started_base_says_what_its_teacher_says(teacher: tuple[keras.Model, bytes]) -> None:
    model, data = teacher
    crops = _crops()
    said = model.predict((crops.astype(np.float32) - 127.5) / 128.0, verbose=0)
    base = _base()
    start_from_file(base, data, np.eye(SIZE, dtype=np.float32), crops)
    embedding = base.predict(crops.astype(np.float32), verbose=0)["embedding"]
    expected = said / np.linalg.norm(said, axis=1, keepdims=True)
    np.testing.assert_allclose(embedding, expected, atol=1e-3)
    slopes = [w for v in base.variables if "slope" in v.path for w in np.asarray(v)]
    assert max(slopes) <= 1.0 + 1e-6
    basis = np.linalg.qr(np.random.default_rng(2).normal(size=(SIZE, 8)))[0].astype(np.float32)
    narrow = _base(size=8)
    start_from_file(narrow, data, basis, crops)
    embedding = narrow.predict(crops.astype(np.float32), verbose=0)["embedding"]
    projected = said @ basis
    expected = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    np.testing.assert_allclose(embedding, expected, atol=1e-3)


def test_another_input_size_starts_too(teacher: tuple[keras.Model, bytes]) -> None:
    base = _base(48)
    before = base.get_layer("mobilefacenet").get_layer("whole").get_weights()[0]
    start_from_file(base, teacher[1], np.eye(SIZE, dtype=np.float32), _crops(side=48))
    after = base.get_layer("mobilefacenet").get_layer("whole").get_weights()[0]
    assert after.shape == before.shape == (3, 3, 512, 1)
    assert np.abs(after - before).max() > 1e-3


def test_evened_features_say_the_same_and_fill_one_range() -> None:
    keras.utils.set_random_seed(2)
    model = build(NetworkConfig(arch="mobilefacenet", input_size=SIDE_PX, attributes=4))
    branch = model.get_layer("mobilefacenet").get_layer("branch")
    branch.set_weights([0.01 * weights for weights in branch.get_weights()])
    crops = np.random.default_rng(2).integers(0, 256, (40, SIDE_PX, SIDE_PX, 3), np.uint8)
    pixels = crops.astype(np.float32)
    before = model.predict(pixels, verbose=0)
    even_out_features(model, crops)
    after = model.predict(pixels, verbose=0)
    for role in before:
        np.testing.assert_allclose(after[role], before[role], rtol=1e-3, atol=1e-4)
    features = keras.Model(model.input, model.get_layer("features").output)
    reach = np.abs(features.predict(pixels, verbose=0)).max(axis=0)
    assert np.median(reach[:512]) == pytest.approx(np.median(reach[512:][reach[512:] > 0.5]), 0.1)


def test_only_the_same_body_starts_from_a_teacher(teacher: tuple[keras.Model, bytes]) -> None:
    eye = np.eye(SIZE, dtype=np.float32)
    resnet = build(NetworkConfig(arch="resnet", input_size=32, attributes=1, embedding_size=SIZE))
    with pytest.raises(UsageError, match="teacher's kind"):
        start_from_file(resnet, teacher[1], eye, _crops(side=32))
    pixels = keras.Input((SIDE_PX, SIDE_PX, 3))
    small = keras.Model(pixels, keras.layers.Conv2D(4, 3)(pixels))
    with pytest.raises(ModelError, match="no MobileFaceNet"):
        start_from_file(_base(), _frozen_file(small), eye, _crops())


def test_the_activation_is_prelu_and_its_cheap_gradient_is_right() -> None:
    layer = ChannelPReLU()
    layer.build((None, 4))
    layer.set_weights([np.array([-0.8, 0.0, 0.5, 1.0], np.float32)])
    x = tf.constant(np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32))
    plain = np.where(x > 0, x, x * np.array([-0.8, 0.0, 0.5, 1.0]))
    np.testing.assert_allclose(layer(x, training=False), plain, atol=1e-6)
    np.testing.assert_allclose(layer(x, training=True), plain, atol=1e-6)
    found = []
    for training in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(layer(x, training=training)))
        found.append(tape.gradient(loss, [x, layer.slope.value]))
    for cheap, exact in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(cheap[..., :3], exact[..., :3], atol=1e-5)


def test_a_saved_body_is_the_same_again(tmp_path: Any) -> None:
    from trainer.networks.face_network import load_base

    base = _base(48)
    base.save(tmp_path / "base.keras")
    again = load_base(tmp_path / "base.keras")
    pixels = _crops(2, 48).astype(np.float32)
    for role, value in base.predict(pixels, verbose=0).items():
        np.testing.assert_allclose(again.predict(pixels, verbose=0)[role], value, atol=1e-5)
