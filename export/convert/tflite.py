"""TFLite files from the float model: float32, float16 and dynamic range.

Full int8 is not among them: that is the run's own file, on which heads are enrolled.
"""

from __future__ import annotations

from typing import Any

from edge.errors import ModelError
from export.convert.float_model import INPUT_NAME, FloatModel

KINDS = ("tflite-float32", "tflite-float16", "tflite-dynamic")


def convert(model: FloatModel, kind: str) -> bytes:
    """One of `KINDS`: input `pixels` float32[1, S, S, 3] RGB 0..255, outputs named by role."""
    return convert_frozen(model.frozen(), kind, model.widths)


def convert_frozen(frozen: Any, kind: str, widths: dict[str, int]) -> bytes:
    """A frozen function whose outputs have these widths, in this order.

    Raises `ModelError` when the converter refuses it.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if kind != "tflite-float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "tflite-float16":
        converter.target_spec.supported_types = [tf.float16]
    try:
        data = converter.convert()
    except Exception as problem:  # the converter raises anything
        first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ModelError(f"the TFLite converter refuses {kind}: {first}") from None
    return named(data, widths)


def named(data: bytes, widths: dict[str, int]) -> bytes:
    """The file with inputs and outputs named by role, and a signature that says the same.

    Converters name outputs Identity, Identity_1, …, in their order; inner tensors bear counters of
    the process that converted, so they are renamed too, for the same bytes every time.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    graph = model.subgraphs[0]
    outputs = sorted(
        graph.outputs, key=lambda i: (len(graph.tensors[i].name), graph.tensors[i].name)
    )
    for number, tensor in enumerate(graph.tensors):
        tensor.name = f"t{number}".encode()
    graph.tensors[graph.inputs[0]].name = INPUT_NAME.encode()
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs = [tensor_map(schema, INPUT_NAME, graph.inputs[0])]
    signature.outputs = []
    for (role, width), index in zip(widths.items(), outputs, strict=True):
        if int(graph.tensors[index].shape[-1]) != width:
            raise ModelError(f"the converted file's output for '{role}' has another width")
        graph.tensors[index].name = role.encode()
        signature.outputs.append(tensor_map(schema, role, index))
    model.signatureDefs = [signature]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def tensor_map(schema: Any, name: str, index: int) -> Any:
    """An input or output of a signature: its name and its tensor. schema: the module."""
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), int(index)
    return entry
