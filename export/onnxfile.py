"""ONNX files from the float model: float32 by tf2onnx, int8 by ONNX Runtime's quantization."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from export.floatmodel import INPUT_NAME, FloatModel

OPSET = 17
IR_VERSION = 8
"""The IR that belongs to opset 17: ONNX Runtime 1.12 and all later ones read it."""

_QUANTIZED = ("Conv", "Gemm", "MatMul", "Add", "GlobalAveragePool", "ReduceMean", "Relu", "Clip")
"""Operators that int8 is worth it for; the embedding's normalization stays float."""


def convert(model: FloatModel, properties: dict[str, str]) -> bytes:
    """float32: input `pixels` float32[1, S, S, 3] RGB 0..255, outputs named by role.

    properties: goes into the file's metadata. Raises `ModelError` when tf2onnx refuses it.
    """
    return convert_function(model.function(), model.widths, properties)


def convert_function(function: Any, widths: dict[str, int], properties: dict[str, str]) -> bytes:
    """As `convert`, for a `tf.function` that returns a dict with these widths."""
    import tf2onnx

    try:
        made, _ = tf2onnx.convert.from_function(
            function, input_signature=list(function.input_signature), opset=OPSET
        )
    except Exception as problem:  # tf2onnx raises anything
        first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ModelError(f"tf2onnx cannot convert the model: {first}") from None
    return _finished(made, widths, properties)


def quantize(data: bytes, representative_bgr: np.ndarray, properties: dict[str, str]) -> bytes:
    """int8 of a file that `convert` made, calibrated on crops uint8[N, S, S, 3] BGR.

    Weights per channel, activations uint8 with zero point (QDQ form, standard operators only).
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="edge-export-") as folder:
        plain, ready, done = (Path(folder) / name for name in ("plain", "ready", "done"))
        plain.write_bytes(data)
        try:
            quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
            quantize_static(
                str(ready),
                str(done),
                _Reader(representative_bgr),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_QUANTIZED),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                extra_options={"ActivationSymmetric": False},
            )
        except Exception as problem:  # onnxruntime raises anything
            first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            raise ModelError(f"ONNX Runtime cannot quantize the model: {first}") from None
        made = onnx.load(str(done))
    widths = {o.name: o.type.tensor_type.shape.dim[1].dim_value for o in made.graph.output}
    return _finished(made, widths, properties)


class _Reader:
    """Calibration data in the form that ONNX Runtime asks for."""

    def __init__(self, crops_bgr: np.ndarray) -> None:
        self._feeds = self._each(crops_bgr)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)

    @staticmethod
    def _each(crops_bgr: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """The crops, a black and a white one, so that the input's range is 0..255."""
        size = crops_bgr.shape[1]
        black = np.zeros((1, size, size, 3), np.uint8)
        for crops in (crops_bgr, black, 255 - black):
            for crop in crops:
                pixels = np.ascontiguousarray(crop[None, ..., ::-1]).astype(np.float32)
                yield {INPUT_NAME: pixels}


def _finished(made: Any, widths: dict[str, int], properties: dict[str, str]) -> bytes:
    """Names and shapes as promised, metadata filled in, checked; the same bytes every time."""
    import onnx

    _rename(made.graph, made.graph.input[0].name, INPUT_NAME)
    found = {output.name.partition(":")[0]: output.name for output in made.graph.output}
    for role, width in widths.items():
        if role not in found:
            raise ModelError(f"the ONNX file lost its output '{role}'")
        _rename(made.graph, found[role], role)
        shape = _output(made.graph, role).type.tensor_type.shape
        if len(shape.dim) != 2 or (shape.dim[1].dim_value or width) != width:
            raise ModelError(f"the ONNX file's output for '{role}' has another width")
        shape.dim[0].dim_value, shape.dim[1].dim_value = 1, width
    made.ir_version = IR_VERSION
    made.producer_name, made.producer_version, made.doc_string = "edge-recognize", "", ""
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, dict(sorted(properties.items())))
    try:
        onnx.checker.check_model(made, full_check=True)
    except Exception as problem:
        first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ModelError(f"the ONNX file is not valid: {first}") from None
    return bytes(made.SerializeToString(deterministic=True))


def _output(graph: Any, name: str) -> Any:
    return next(output for output in graph.output if output.name == name)


def _rename(graph: Any, old: str, new: str) -> None:
    """Rename a tensor everywhere."""
    if old == new:
        return
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = new if value.name == old else value.name
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
