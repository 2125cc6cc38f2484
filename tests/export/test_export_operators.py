"""Operators of a model file: read from its bytes, and compared with what runtimes know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ModelError
from export.convert.operators import minimal_runtimes, obstacles, operators


def converted(*, dynamic: bool) -> bytes:
    """One dense layer, large enough for the converter to quantize it."""
    import tensorflow as tf

    weights = tf.constant(np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([1, 64], tf.float32)])
    def dense(x: Any) -> Any:
        return tf.matmul(x, weights)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([dense.get_concrete_function()])
    if dynamic:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    data: bytes = converter.convert()
    return data


@pytest.fixture(scope="module")
def dynamic() -> bytes:
    return converted(dynamic=True)


@pytest.fixture(scope="module")
def plain() -> bytes:
    return converted(dynamic=False)


def test_versions_are_read_from_the_file(dynamic: bytes, plain: bytes) -> None:
    assert operators(plain) == {"FULLY_CONNECTED": 1}
    assert operators(dynamic)["FULLY_CONNECTED"] >= 12


def test_what_tflite_runtime_does_not_know_is_found(dynamic: bytes, plain: bytes) -> None:
    version = operators(dynamic)["FULLY_CONNECTED"]
    found = obstacles(dynamic, "tflite-runtime 2.14")
    assert found == (f"FULLY_CONNECTED version {version}",)
    assert obstacles(plain, "tflite-runtime 2.14") == ()
    assert "tflite-runtime" not in minimal_runtimes(dynamic, "tflite-dynamic")
    assert minimal_runtimes(plain, "tflite-float32") == {
        "tflite-runtime": "2.14",
        "ai-edge-litert": "2.0",
    }


def test_the_same_is_read_as_by_tensorflow(dynamic: bytes) -> None:
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(dynamic))
    assert sorted(operators(dynamic).values()) == sorted(c.version for c in model.operatorCodes)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"x" * 100, b"\xff\xff\xff\xffTFL3" + b"\xff" * 40])
def test_what_is_no_tflite_file(data: bytes) -> None:
    with pytest.raises(ModelError, match="cannot read the operators"):
        operators(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_or_read(plain: bytes, data: st.DataObject) -> None:
    changed = bytearray(plain[: data.draw(st.integers(0, len(plain)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if changed:
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        operators(bytes(changed))
    except ModelError:
        return
