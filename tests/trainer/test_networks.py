"""Architectures: what they are made of, what they take and give, what they start from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edge.errors import InputError, ModelError, UsageError
from edge.models.embedder import l2_normalized
from trainer.networks import backbones
from trainer.networks.backbones import IMAGENET_MEAN, IMAGENET_STD, PIXEL_SCALES, pixel_scale_name
from trainer.networks.face_network import (
    NetworkConfig,
    all_layers,
    build,
    feature_layer,
    freeze,
    load_base,
    unnormalized,
    with_features,
)
from trainer.networks.folding import fold

SMALL = NetworkConfig(arch="resnet", input_size=32, attributes=5, embedding_size=8)


def trainable(model: keras.Model) -> int:
    return sum(math.prod(w.shape) for w in model.trainable_weights)


def pixels(size: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize(("arch", "parameters"), [("cnn-32", 56_520), ("cnn-16", 74_680)])
def test_plain_networks_have_exactly_their_parameters(arch: str, parameters: int) -> None:
    model = build(NetworkConfig(arch=arch, input_size=192, embedding_size=0))
    assert model.count_params() == parameters
    assert list(model.output) == ["attributes"]


def test_features_take_the_place_of_an_embedding() -> None:
    """Below a head of 128 units and one: 4,353 numbers on the 32 features of cnn-32."""
    model = build(NetworkConfig(arch="cnn-32", input_size=192, embedding_size=0))
    whole = with_features(model)
    assert whole.count_params() == model.count_params()
    said = whole(pixels(192))
    features = keras.Model(model.input, feature_layer(model).output)(pixels(192))
    np.testing.assert_allclose(said["embedding"], l2_normalized(np.asarray(features)), atol=1e-5)
    np.testing.assert_allclose(unnormalized(whole)(pixels(192))["embedding"], features, atol=1e-5)
    known = build(SMALL)
    assert with_features(known) is known


def test_mobilenet_has_exactly_its_parameters() -> None:
    config = NetworkConfig(input_size=128, attributes=1, embedding_size=0, frozen_layers=100)
    model = build(config)
    backbone = next(layer for layer in model.layers if hasattr(layer, "layers"))
    assert backbone.count_params() == 2_257_984
    assert trainable(model) == 1_862_721


def test_outputs_and_their_scale() -> None:
    model = build(SMALL)
    outputs = model(pixels(32))
    assert outputs["attributes"].shape == (3, 5)
    lengths = np.linalg.norm(outputs["embedding"], axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)
    raw = np.asarray(unnormalized(model)(pixels(32))["embedding"])
    assert not np.allclose(np.linalg.norm(raw, axis=1), 1.0, atol=1e-3)
    np.testing.assert_allclose(
        raw / np.linalg.norm(raw, axis=1, keepdims=True), outputs["embedding"], atol=1e-5
    )
    assert feature_layer(model).output.shape[-1] == 256


def test_batch_normalization_follows_the_setting() -> None:
    model = build(NetworkConfig(alpha=0.35, input_size=32, batch_norm_momentum=0.9))
    momenta = {
        layer.momentum
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert momenta == {0.9}


def test_a_saved_network_is_the_same(tmp_path: Path) -> None:
    model = build(SMALL)
    model.save(tmp_path / "model.keras")
    again = load_base(tmp_path / "model.keras")
    for role, value in model(pixels(32)).items():
        np.testing.assert_array_equal(again(pixels(32))[role], value)
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"broken\.keras"):
        load_base(tmp_path / "broken.keras")


def test_imagenet_scale_is_that_of_torchvision() -> None:
    seen = np.asarray(PIXEL_SCALES["imagenet"]()(pixels(16)))
    wanted = (pixels(16) / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    np.testing.assert_allclose(seen, wanted, atol=1e-5)


@pytest.mark.parametrize(("scale", "mode"), [("symmetric", "tf"), ("caffe", "caffe")])
def test_scales_are_those_of_keras(scale: str, mode: str) -> None:
    from keras.src.applications.imagenet_utils import preprocess_input

    seen = np.asarray(PIXEL_SCALES[scale]()(pixels(16)))
    wanted = preprocess_input(pixels(16).copy(), data_format="channels_last", mode=mode)
    np.testing.assert_allclose(seen, wanted, atol=1e-3)


def test_which_scale_is_chosen() -> None:
    assert pixel_scale_name("mobilenet_v2", "imagenet") == "symmetric"
    assert pixel_scale_name("mobilenet_v2", "some.weights.h5") == "imagenet"
    assert pixel_scale_name("keras:VGG16", "imagenet") == "caffe"
    assert pixel_scale_name("keras:EfficientNetB0", "none") == "none"
    assert pixel_scale_name("cnn-32", "none") == "unit"
    assert pixel_scale_name("mobilenet_v2", "imagenet", "unit") == "unit"
    with pytest.raises(UsageError, match="unknown pixel scale"):
        pixel_scale_name("cnn-32", "none", "percent")


def test_weights_from_a_file(tmp_path: Path) -> None:
    small = {"input_size": 32, "alpha": 0.35, "attributes": 2, "embedding_size": 4}
    source = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None
    )
    path = tmp_path / "some.weights.h5"
    source.save_weights(path)
    model = build(NetworkConfig(weights=str(path), **small))
    backbone = next(layer for layer in model.layers if hasattr(layer, "layers"))
    for mine, theirs in zip(backbone.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(InputError, match=r"do not fit the network.*; check --arch"):
        build(NetworkConfig(weights=str(path), **{**small, "alpha": 0.5}))
    with pytest.raises(InputError, match="there is no weights file"):
        build(NetworkConfig(weights=str(tmp_path / "none.h5"), **small))


def test_imagenet_weights_without_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(**given: Any) -> None:
        raise Exception("URL fetch failure on https://storage: None -- [Errno -2]\nmore")

    monkeypatch.setattr(backbones.keras.applications, "MobileNetV2", offline)
    with pytest.raises(InputError) as caught:
        build(NetworkConfig(weights="imagenet", input_size=32))
    assert "could not be fetched" in str(caught.value)
    assert "--weights FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_application_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    config = NetworkConfig(
        arch="keras:MobileNet", input_size=32, attributes=2, embedding_size=4, frozen_layers=-1
    )
    model = build(config)
    assert trainable(model) == 1024 * 2 + 2 + 1024 * 4 + 4
    with pytest.raises(UsageError, match="has no 'Nothing'"):
        build(NetworkConfig(arch="keras:Nothing"))
    with pytest.raises(UsageError, match="VGG16 cannot be built at 16 px"):
        build(NetworkConfig(arch="keras:VGG16", input_size=16))


def old_network() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            keras.layers.Conv2D(6, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(7),
        ]
    )


def test_an_old_h5_model_is_a_base(tmp_path: Path) -> None:
    old = old_network()
    old.save(tmp_path / "old.h5")
    config = NetworkConfig(
        arch=f"file:{tmp_path / 'old.h5'}", input_size=24, attributes=2, embedding_size=4
    )
    model = build(config)
    assert feature_layer(model).output.shape == (None, 6)
    features = old.layers[1](old.layers[0](pixels(24) / 255))
    seen = keras.Model(model.input, feature_layer(model).output)(pixels(24))
    np.testing.assert_allclose(seen, np.asarray(features).mean(axis=(1, 2)), atol=1e-5)
    with pytest.raises(ModelError, match="choose its --input-size"):
        build(NetworkConfig(arch=config.arch, input_size=32))


def test_an_old_saved_model_is_a_base(tmp_path: Path) -> None:
    old = old_network()
    old.export(str(tmp_path / "saved"), verbose=False)
    arch = f"file:{tmp_path / 'saved'}"
    model = build(NetworkConfig(arch=arch, input_size=24, attributes=2, embedding_size=4))
    seen = keras.Model(model.input, feature_layer(model).output)(pixels(24))
    np.testing.assert_allclose(seen, old(pixels(24) / 255), atol=1e-4)
    with pytest.raises(ModelError, match="does not take 32 px"):
        build(NetworkConfig(arch=arch, input_size=32))


def test_what_is_no_old_model(tmp_path: Path) -> None:
    (tmp_path / "page.h5").write_bytes(b"<html>no model</html>")
    (tmp_path / "empty").mkdir()
    cases = [
        ("missing.h5", InputError, "there is no model"),
        ("page.h5", ModelError, "is a web page"),
        ("empty", ModelError, r"without saved_model\.pb"),
    ]
    for name, error, text in cases:
        with pytest.raises(error, match=text):
            build(NetworkConfig(arch=f"file:{tmp_path / name}", input_size=24))


def test_freezing() -> None:
    model = build(SMALL)
    backbone = next(layer for layer in model.layers if hasattr(layer, "layers"))
    freeze(backbone, 5)
    assert [layer.trainable for layer in backbone.layers[:6]] == [False] * 5 + [True]
    freeze(backbone, 0)
    assert all(layer.trainable for layer in backbone.layers)
    with pytest.raises(UsageError, match="cannot freeze"):
        freeze(backbone, 1000)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"arch": "resnet50000"}, "unknown architecture"),
        ({"arch": "cnn-32", "input_size": 96}, "at least 190 px"),
        ({"arch": "cnn-16", "input_size": 192, "weights": "imagenet"}, "no ImageNet weights"),
        ({"input_size": 8}, "not possible"),
        ({"attributes": 0, "embedding_size": 0}, "nothing to learn"),
    ],
)
def test_impossible_networks(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        build(NetworkConfig(**settings))


def test_a_base_goes_on_from_its_own_backbone_and_scale(tmp_path: Path) -> None:
    first = build(NetworkConfig(arch="resnet", input_size=32, attributes=5, pixel_scale="imagenet"))
    first.save(tmp_path / "base.keras")
    again = build(NetworkConfig(arch=f"file:{tmp_path / 'base.keras'}", input_size=32))
    for model in (first, again):
        assert any(layer.name == "scaled_pixels" for layer in model.layers)
    features = [keras.Model(m.input, feature_layer(m).output)(pixels(32)) for m in (first, again)]
    np.testing.assert_allclose(*features, atol=1e-5)
    nested = next(layer for layer in again.layers if hasattr(layer, "layers"))
    assert len(nested.layers) > 20


def test_the_shipped_base_is_a_start() -> None:
    assert backbones.SHIPPED.is_file()
    model = build(NetworkConfig(arch="shipped", input_size=96, attributes=3, embedding_size=16))
    nested = next(layer for layer in model.layers if hasattr(layer, "layers"))
    assert nested.count_params() == 1_003_072
    assert fold(model).shift > 0


@pytest.mark.parametrize("arch", ["mobilenet_v2", "resnet"])
def test_a_base_goes_on_at_another_size(tmp_path: Path, arch: str) -> None:
    first = build(NetworkConfig(arch=arch, input_size=32, attributes=5))
    first.save(tmp_path / "base.keras")
    config = NetworkConfig(arch=f"file:{tmp_path / 'base.keras'}", input_size=40)
    again, new = build(config), build(NetworkConfig(arch=arch, input_size=40))
    inner = [next(x for x in m.layers if hasattr(x, "layers")) for m in (first, again, new)]
    for old, kept in zip(inner[0].get_weights(), inner[1].get_weights(), strict=True):
        np.testing.assert_array_equal(old, kept)
    inner[2].set_weights(inner[0].get_weights())
    scaled = pixels(40).astype(np.float32) / 255
    np.testing.assert_allclose(inner[1](scaled), inner[2](scaled), atol=1e-5)
