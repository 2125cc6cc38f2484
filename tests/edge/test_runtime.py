"""Runtimes are proved by an inference, and their failures become one clear line."""

from __future__ import annotations

import os
import sys
import threading
import types

import numpy as np
import pytest

from edge.console.native_output import stderr_hidden
from edge.errors import ModelError, RuntimeMissing
from edge.models import runtime
from edge.models.runtime import available_runtimes, open_model


class BrokenInterpreter:
    """Imports well and fails in use, as tflite-runtime does beside NumPy 2."""

    def __init__(self, **_: object) -> None:
        raise SystemError("_ARRAY_API not found")


def _broken_module(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.Interpreter = BrokenInterpreter  # type: ignore[attr-defined]
    return module


def test_what_is_no_model_is_refused_in_one_line() -> None:
    with pytest.raises(
        ModelError, match="no installed runtime can run this tflite-int8 model"
    ) as e:
        open_model(b"these are not the bytes of a model", "tflite-int8")
    assert "\n" not in str(e.value)


def test_a_runtime_that_imports_but_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "TFLITE_MODULES", {"tflite-runtime": "broken_interpreter"})
    monkeypatch.setitem(sys.modules, "broken_interpreter", _broken_module("broken_interpreter"))
    with pytest.raises(ModelError, match="tflite-runtime: SystemError: _ARRAY_API not found"):
        open_model(b"x", "tflite-int8")


def test_no_runtime_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "TFLITE_MODULES", {"ai-edge-litert": "no_such_module_here"})
    with pytest.raises(RuntimeMissing, match="pip install ai-edge-litert"):
        open_model(b"x", "tflite-int8")


def test_native_lines_are_hidden_and_the_stream_comes_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with stderr_hidden():
        os.write(2, b"chatter")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_the_installed_runtime_is_found() -> None:
    found = available_runtimes()
    assert {"ai-edge-litert", "tflite-runtime"} & set(found)


def test_integers_are_scaled_both_ways() -> None:
    detail = {"dtype": np.int8, "quantization": (0.5, -3)}
    values = np.array([-100.0, 0.0, 1.0, 100.0], np.float32)
    packed = runtime._quantized(values, detail)
    assert packed.tolist() == [-128, -3, -1, 127]
    assert runtime._dequantized(packed, detail).tolist() == [-62.5, 0.0, 1.0, 65.0]


def test_threads_hide_together_and_the_stream_comes_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The first one out does not turn the stream back for the others, the last one does."""
    first_out = threading.Event()
    both_in = threading.Barrier(2)

    def stay() -> None:
        with stderr_hidden():
            both_in.wait(10)
            first_out.wait(10)
            os.write(2, b"lost\n")

    other = threading.Thread(target=stay)
    other.start()
    with stderr_hidden():
        both_in.wait(10)
    first_out.set()
    other.join(10)
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"
