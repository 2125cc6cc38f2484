"""Old TFLite files: made for one crop a call, their PReLUs of few operators, the same answers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from edge.models.runtime import open_model
from export.convert.operators import operators
from export.convert.tflite_slim import slimmed

PIXELS = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)


def spelled_out(slopes: tuple[np.ndarray, np.ndarray]) -> bytes:
    """A small network for two crops, with PReLUs as relu(x) + slope / 2 * (x - |x|)."""
    import tensorflow as tf

    rng = np.random.default_rng(1)
    kernels = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 3, 3, 8), (3, 3, 8, 8))]

    @tf.function(input_signature=[tf.TensorSpec([2, 16, 16, 3], tf.float32)])
    def infer(x: Any) -> Any:
        for kernel, slope in zip(kernels, slopes, strict=True):
            x = tf.nn.conv2d(x, kernel, 2, "SAME")
            x = tf.nn.relu(x) + tf.constant(slope / 2) * (x - tf.abs(x))
        return tf.reshape(x, [2, 4 * 4 * 8])

    return bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([infer.get_concrete_function()]).convert()
    )


def answers(data: bytes, batch: int) -> np.ndarray:
    model = open_model(data, "tflite-float32")
    assert model.input_shape[0] == batch
    parts = [model.run(PIXELS[n : n + batch]) for n in range(0, 2, batch)]
    return np.concatenate([next(iter(part.values())) for part in parts])


SMALL = np.linspace(-0.2, 0.9, 8).astype(np.float32)
LARGE = np.linspace(0.1, 1.7, 8).astype(np.float32)


@pytest.fixture(scope="module")
def old() -> bytes:
    return spelled_out((SMALL, LARGE))


def test_one_operator_and_one_crop(old: bytes) -> None:
    assert {"ABS", "SUB"} <= set(operators(old))
    made = slimmed(old, integer=False)
    np.testing.assert_allclose(answers(made, 1), answers(old, 2), rtol=1e-4, atol=1e-4)
    assert _count(made) == Counter({"CONV_2D": 2, "PRELU": 2, "RESHAPE": 1})


def test_what_integer_runtimes_do_fast(old: bytes) -> None:
    made = slimmed(old, integer=True)
    np.testing.assert_allclose(answers(made, 1), answers(old, 2), rtol=1e-4, atol=1e-4)
    count = _count(made)
    assert count["PRELU"] == count["ABS"] == 0
    assert (count["MAXIMUM"], count["MUL"], count["RELU"], count["SUB"]) == (1, 2, 1, 1)
    again = slimmed(slimmed(old, integer=False), integer=True)
    np.testing.assert_allclose(answers(again, 1), answers(old, 2), rtol=1e-4, atol=1e-4)
    assert _count(again) == count


def _count(data: bytes) -> Counter[str]:
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    return Counter(names[codes[o.opcodeIndex]] for o in model.subgraphs[0].operators)
