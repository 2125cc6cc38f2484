"""The detector's file for LiteRT: converted again, it answers as the shipped one."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import ModelError
from edge.faces.yunet import SHIPPED_DETECTOR, TWIN
from edge.files.interpreter import TFLITE_MODULES, open_interpreter
from export.convert.yunet import convert

SHAPE = (1, 97, 129, 3)


def answers(data: bytes, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """By the name of the output."""
    one = open_interpreter(TFLITE_MODULES["ai-edge-litert"], data, 1, SHAPE)
    one.set_tensor(one.get_input_details()[0]["index"], pixels)
    one.invoke()
    return {each["name"]: one.get_tensor(each["index"]) for each in one.get_output_details()}


def test_the_shipped_file_is_what_conversion_gives() -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, SHAPE).astype(np.float32)
    made, shipped = (answers(d, pixels) for d in (convert(SHIPPED_DETECTOR.read_bytes()),
                                                  TWIN.read_bytes()))  # fmt: skip
    assert list(made) == list(shipped) == ["stride_8", "stride_16", "stride_32"]
    for name, values in made.items():
        assert np.allclose(values, shipped[name], atol=1e-3), name
        assert values.std() > 0.1


def test_what_is_no_detector_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot be converted"):
        convert(b"no network")
