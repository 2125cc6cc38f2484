"""The int8 file of a base: what it takes and gives, that it is the network, and the same again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from training_factory import ATTRIBUTES, EMBEDDING, NETWORK, SIDE_PX, some_arrays

from edge.errors import ModelError
from edge.faces.canonical import WIDE
from edge.models.embedder import Embedder
from edge.models.spec import Network
from trainer.console.quiet import quiet_native
from trainer.networks.face_network import build, unnormalized
from trainer.networks.quantization import agreement, describe, quantize

NAMES = tuple(f"attribute {number}" for number in range(ATTRIBUTES))


@lru_cache(maxsize=1)
def crops() -> np.ndarray:
    """uint8[60, SIDE_PX, SIDE_PX, 3] BGR, from dark to bright."""
    return some_arrays(60, seed=3).windows(np.arange(60), SIDE_PX)


@lru_cache(maxsize=1)
def model() -> Any:
    """A network whose moving statistics and outputs suit the crops."""
    made = build(NETWORK)
    pixels = crops()[..., ::-1].astype(np.float32)
    for layer in made.layers:
        if hasattr(layer, "layers"):
            for inner in layer.layers:
                inner.momentum = 0.0
    made(pixels, training=True)
    return made


@lru_cache(maxsize=1)
def data() -> bytes:
    return quantize(model(), crops()[:40])


def network(content: bytes, *, embedding_size: int = EMBEDDING) -> Network:
    return describe(
        content,
        window=WIDE,
        size_px=SIDE_PX,
        attributes=NAMES,
        embedding_size=embedding_size,
    )


def interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content)


def test_pixels_go_in_as_they_are() -> None:
    detail = interpreter(data()).get_input_details()[0]
    assert detail["dtype"] == np.uint8
    assert detail["quantization"] == (1.0, 0)
    assert detail["shape"].tolist() == [1, SIDE_PX, SIDE_PX, 3]
    assert detail["name"] == "pixels"


def test_outputs_have_their_names_and_are_float32() -> None:
    details = interpreter(data()).get_output_details()
    assert {d["name"]: d["shape"].tolist() for d in details} == {
        "attributes": [1, ATTRIBUTES],
        "embedding": [1, EMBEDDING],
    }
    assert {d["dtype"] for d in details} == {np.float32}
    runner = interpreter(data()).get_signature_runner("serving_default")
    seen = runner(pixels=crops()[:1, :, :, ::-1])
    assert seen["embedding"].shape == (1, EMBEDDING)
    assert seen["attributes"].shape == (1, ATTRIBUTES)


def test_everything_within_is_int8() -> None:
    kinds = {np.dtype(d["dtype"]).name for d in interpreter(data()).get_tensor_details()}
    floats = [
        d["name"] for d in interpreter(data()).get_tensor_details() if d["dtype"] == np.float32
    ]
    assert sorted(floats) == ["attributes", "embedding"]
    assert "int8" in kinds


def test_the_file_decides_as_keras_does() -> None:
    close = agreement(model(), network(data()), data(), crops()[40:])
    assert close.pictures == 20
    assert close.mean_cosine > 0.97
    assert close.low_cosine <= close.mean_cosine
    assert close.flips <= 0.1


def test_the_embedding_is_the_one_before_its_normalization() -> None:
    runner = interpreter(data()).get_signature_runner("serving_default")
    picture = crops()[:1, :, :, ::-1]
    expected = np.asarray(unnormalized(model())(picture.astype(np.float32))["embedding"])
    np.testing.assert_allclose(
        runner(pixels=picture)["embedding"], expected, atol=0.1 * np.abs(expected).max()
    )


def test_the_same_bytes_again() -> None:
    assert quantize(model(), crops()[:40]) == data()


def test_black_and_white_are_calibrated_whatever_the_crops() -> None:
    dull = np.full((4, SIDE_PX, SIDE_PX, 3), 100, np.uint8)
    detail = interpreter(quantize(model(), dull)).get_input_details()[0]
    assert detail["quantization"] == (1.0, 0)


def test_a_network_of_attributes_alone() -> None:
    from dataclasses import replace

    alone = build(replace(NETWORK, embedding_size=0))
    content = quantize(alone, crops()[:8])
    described = network(content, embedding_size=0)
    assert described.outputs == {"attributes": "attributes"}
    seen = Embedder(described, content).embed(crops()[:2])
    assert seen.embeddings is None
    assert seen.attributes is not None
    assert seen.attributes.shape == (2, ATTRIBUTES)


def test_the_description() -> None:
    described = network(data())
    assert described.format == "tflite-int8"
    assert described.input.dtype == "uint8"
    assert described.input.colour_order == "rgb"
    assert described.outputs == {"attributes": "attributes", "embedding": "embedding"}
    assert Network.from_json(described.to_json()) == described


def test_a_file_without_weights_is_refused() -> None:
    """`from_concrete_functions([f], model)` with a Keras 3 model: it succeeds, and lies."""
    import tensorflow as tf

    network_of = model()
    function = tf.function(lambda pixels: network_of(pixels, training=False))
    spec = tf.TensorSpec([1, SIDE_PX, SIDE_PX, 3], tf.float32)
    concrete = function.get_concrete_function(spec)
    with quiet_native():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network_of)
        content = converter.convert()
    names = [d["name"] for d in interpreter(content).get_output_details()]
    sizes = [int(d["shape"][-1]) for d in interpreter(content).get_output_details()]
    from dataclasses import replace

    described = network(content)
    lying = replace(
        described,
        format="tflite-float32",
        input=replace(described.input, dtype="float32"),
        outputs={"embedding": names[sizes.index(EMBEDDING)]},
        attributes=(),
    )
    with pytest.raises(ModelError):
        agreement(network_of, lying, content, crops()[40:])


def test_a_file_that_decides_otherwise_is_refused() -> None:
    shuffled = build(NETWORK)
    for weight in shuffled.get_layer("embedding_features").weights:
        weight.assign(-np.asarray(weight)[::-1] + 0.1)
    with pytest.raises(ModelError, match="decides otherwise than its network"):
        agreement(shuffled, network(data()), data(), crops()[40:])


def test_a_constant_network_is_refused() -> None:
    constant = build(NETWORK)
    for name in ("embedding_features", "attributes"):
        kernel, bias = constant.get_layer(name).weights
        kernel.assign(np.zeros(kernel.shape))
        bias.assign(np.ones(bias.shape))
    content = quantize(constant, crops()[:8])
    with pytest.raises(ModelError, match="the same embedding for every picture"):
        agreement(constant, network(content), content, crops()[40:])
