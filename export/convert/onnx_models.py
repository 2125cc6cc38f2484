"""ONNX files from the float model: float32 by tf2onnx, int8 by ONNX Runtime's quantization."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge.enrolment.degrade import with_ends
from edge.errors import ModelError
from edge.models.onnx_runtime import forbid_telemetry, onnx_runtime
from edge.models.spec import NetworkInput
from export.convert.float_model import INPUT_NAME, FloatModel
from export.inputs.crops import tensors

OPSET = 17
IR_VERSION = 8
"""The IR that belongs to opset 17: ONNX Runtime 1.12 and all later ones read it."""

_QUANTIZED = ("Conv", "Gemm", "MatMul", "Add", "GlobalAveragePool", "ReduceMean", "Relu", "Clip")
"""Operators that int8 is worth it for; the embedding's normalization stays float."""


def convert(model: FloatModel, properties: dict[str, str]) -> bytes:
    """float32: input `pixels` float32[1, S, S, 3] RGB 0..255, outputs named by role.

    properties: goes into the file's metadata. Raises `ModelError` when tf2onnx refuses it.
    """
    return convert_frozen(model.frozen(), model.widths, properties)


def convert_frozen(frozen: Any, widths: dict[str, int], properties: dict[str, str]) -> bytes:
    """As `convert`, for a frozen function whose outputs have these widths, in this order.

    tf2onnx's `from_function` freezes variables alone: the mean and variance of a Normalization
    layer, which are constants, would become inputs of the file.
    """
    forbid_telemetry()
    import tf2onnx

    outputs = [tensor.name for tensor in frozen.outputs]
    try:
        made, _ = tf2onnx.convert.from_graph_def(
            frozen.graph.as_graph_def(),
            input_names=[tensor.name for tensor in frozen.inputs],
            output_names=outputs,
            opset=OPSET,
        )
    except Exception as problem:  # tf2onnx raises anything
        first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ModelError(f"tf2onnx cannot convert the model: {first}") from None
    return _finished(made, dict(zip(outputs, widths, strict=True)), widths, properties)


def quantize(data: bytes, representative_bgr: np.ndarray, properties: dict[str, str]) -> bytes:
    """int8 of a file that `convert` made, calibrated on crops uint8[N, S, S, 3] BGR, a black and a
    white one, so that the input's range is 0..255.
    """
    crops = with_ends(representative_bgr)
    pixels = (np.ascontiguousarray(crop[None, ..., ::-1]).astype(np.float32) for crop in crops)
    made = _quantized(data, INPUT_NAME, pixels)
    widths = {o.name: o.type.tensor_type.shape.dim[1].dim_value for o in made.graph.output}
    return _finished(made, {role: role for role in widths}, widths, properties)


def quantize_any(data: bytes, expects: NetworkInput, crops_bgr: np.ndarray) -> bytes:
    """int8 of a float32 file of any origin, calibrated on crops uint8[N, S, S, 3] BGR; names,
    shapes and float32 of inputs and outputs stay. Raises `ModelError` where it cannot be.
    """
    import onnx

    name = onnx.load_from_string(data).graph.input[0].name
    made = _quantized(data, name, tensors(expects, crops_bgr))
    if not any(node.op_type == "QuantizeLinear" for node in made.graph.node):
        raise ModelError("ONNX Runtime's quantization knows none of its operators")
    return bytes(made.SerializeToString(deterministic=True))


def is_float(data: bytes) -> bool:
    """Whether all weights of an ONNX file are float32. Raises `ModelError` for a damaged file."""
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception:
        raise ModelError("the ONNX file cannot be read") from None
    small = {onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT16}
    return not any(constant.data_type in small for constant in model.graph.initializer)


def _quantized(data: bytes, name: str, inputs: Iterator[np.ndarray]) -> Any:
    """The quantized model. name: of the input that the tensors are fed to.

    Weights per channel, everything uint8 with zero point, QDQ form, standard operators only. Signed
    weights saturate on x86 without VNNI (documentation of ONNX Runtime's quantization; seen here:
    mean cosine 0.19 instead of 0.996).
    """
    import onnx

    quantization = onnx_runtime("quantization")
    quant_pre_process = onnx_runtime("quantization.shape_inference").quant_pre_process
    quant_type = quantization.QuantType

    with tempfile.TemporaryDirectory(prefix="edge-export-") as folder:
        plain, ready, done = (Path(folder) / name for name in ("plain", "ready", "done"))
        plain.write_bytes(data)
        try:
            quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(ready),
                str(done),
                _Reader(name, inputs),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(_QUANTIZED),
                per_channel=True,
                activation_type=quant_type.QUInt8,
                weight_type=quant_type.QUInt8,
            )
        except Exception as problem:  # onnxruntime raises anything
            first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            raise ModelError(f"ONNX Runtime cannot quantize the model: {first}") from None
        return onnx.load(str(done))


class _Reader:
    """Calibration data in the form that ONNX Runtime asks for."""

    def __init__(self, name: str, inputs: Iterator[np.ndarray]) -> None:
        self._name, self._inputs = name, inputs

    def get_next(self) -> dict[str, np.ndarray] | None:
        tensor = next(self._inputs, None)
        return None if tensor is None else {self._name: tensor}


def _finished(
    made: Any, roles: dict[str, str], widths: dict[str, int], properties: dict[str, str]
) -> bytes:
    """Names and shapes as promised, metadata filled in, checked; the same bytes every time.

    roles: name of each output as it is to its role.
    """
    import onnx

    graph = made.graph
    if len(graph.input) != 1:
        raise ModelError(f"the ONNX file has {len(graph.input)} inputs instead of one")
    kept = {graph.input[0].name: INPUT_NAME}
    found = {roles.get(output.name): output for output in graph.output}
    for role, width in widths.items():
        if role not in found:
            raise ModelError(f"the ONNX file lost its output '{role}'")
        shape = found[role].type.tensor_type.shape
        if len(shape.dim) != 2 or (shape.dim[1].dim_value or width) != width:
            raise ModelError(f"the ONNX file's output for '{role}' has another width")
        shape.dim[0].dim_value, shape.dim[1].dim_value = 1, width
        kept[found[role].name] = role
    _rename(graph, kept)
    used = {node.domain for node in graph.node} | {""}
    opsets = [entry for entry in made.opset_import if entry.domain in used]
    del made.opset_import[:]
    made.opset_import.extend(opsets)
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


def _rename(graph: Any, kept: dict[str, str]) -> None:
    """Rename tensors: those in `kept` as it says, all others by number.

    Converters' names bear counters of the process that converted.
    """
    names = dict(kept)

    def named(old: str) -> str:
        return names.setdefault(old, f"t{len(names)}") if old else old

    del graph.value_info[:]
    for number, node in enumerate(graph.node):
        node.name, node.doc_string = f"n{number}", ""
        node.input[:] = [named(name) for name in node.input]
        node.output[:] = [named(name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = named(value.name)
    constants = sorted(graph.initializer, key=lambda constant: str(constant.name))
    del graph.initializer[:]
    graph.initializer.extend(constants)
    graph.name, graph.doc_string = "base", ""
