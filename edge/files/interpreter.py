"""The interpreter of TFLite files, of whichever distribution is installed, made without a word."""

from __future__ import annotations

import importlib
from typing import Any

from edge.console.native_output import stderr_hidden

TFLITE_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
"""Distributions that bring a TFLite interpreter, best first, and the module that holds it."""


def open_interpreter(
    module: str, data: bytes, threads: int, shape: tuple[int, ...] | None = None
) -> Any:
    """An interpreter of one of `TFLITE_MODULES`, ready to run. shape: of the input, where it is to
    be another one than the file's.

    Raises `ModuleNotFoundError` where it is not installed, and whatever the module raises.
    """
    interpreter_type = importlib.import_module(module).Interpreter
    with stderr_hidden():
        interpreter = interpreter_type(model_content=data, num_threads=threads)
        if shape is not None:
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape)
        interpreter.allocate_tensors()
    return interpreter
