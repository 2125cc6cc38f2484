"""Smaller TFLite files from a float one of any origin, by ai-edge-quantizer."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from edge.errors import ModelError
from edge.models.spec import NetworkInput
from export.inputs.crops import tensors

KINDS = ("tflite-float16", "tflite-dynamic", "tflite-int8")
"""Formats that `quantize` makes."""

_SIGNATURE = "serving_default"
_SMALLER = 0.9
"""Share of the float file's size above which next to nothing was quantized."""


def quantize(data: bytes, kind: str, expects: NetworkInput, crops_bgr: np.ndarray) -> bytes:
    """One of `KINDS` of a float32 file; names and shapes of inputs and outputs stay.

    tflite-float16: weights as float16. tflite-dynamic: weights as int8 per channel, computed with
    in float. (With activations in int8 as well, quantized as they come, the embedding of
    MobileFaceNet had a mean cosine of 0.981 to float, so 0.9995.) tflite-int8: activations too, in
    ranges seen on `crops_bgr`, uint8[N, S, S, 3] BGR; input and output become int8.

    Raises `ModelError` where the quantizer refuses the file, or knows none of its operators.
    """
    from ai_edge_quantizer import calibrator, quantizer, recipe
    from ai_edge_quantizer.utils import qsv_utils

    recipes = {
        "tflite-float16": _float16,
        "tflite-dynamic": recipe.weight_only_wi8_afp32,
        "tflite-int8": recipe.static_wi8_ai8,
    }
    try:
        with warnings.catch_warnings():  # of the runtime, at calibration
            warnings.simplefilter("ignore")
            ready, name = _readable(data)
            worker = quantizer.Quantizer(bytearray(ready), recipes[kind]())
            ranges = None
            if worker.need_calibration:
                feeds = [{name: tensor} for tensor in tensors(expects, crops_bgr)]
                # Ranges over all crops: the default, a moving average, cuts off what few reach.
                widest = qsv_utils.min_max_update
                seen = calibrator.Calibrator(ready, num_threads=1, qsv_update_func=widest)
                seen.calibrate({_SIGNATURE: feeds}, _manager(recipes[kind]()))
                ranges = seen.get_model_qsvs()
            made = bytes(worker.quantize(ranges, enable_progress_report=False).quantized_model)
    except ModuleNotFoundError:
        raise
    except Exception as problem:  # the quantizer raises anything
        first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ModelError(f"ai-edge-quantizer refuses {kind}: {first}") from None
    if len(made) > _SMALLER * len(data):
        raise ModelError(f"ai-edge-quantizer knows next to none of its operators for {kind}")
    return made


def is_float(data: bytes) -> bool:
    """Whether all weights of a TFLite file are float32. Raises `ModelError` for a damaged file."""
    from tensorflow.lite.python import schema_py_generated as schema

    types = schema.TensorType
    small = {types.FLOAT16, types.INT8, types.UINT8, types.INT16, types.INT4}
    model = _parsed(data)
    return not any(
        tensor.type in small for graph in model.subgraphs for tensor in graph.tensors
    )  # fmt: skip


def _parsed(data: bytes) -> Any:
    from tensorflow.lite.tools import flatbuffer_utils

    if data[4:8] != b"TFL3":
        raise ModelError("the embedder is no TFLite file")
    try:
        return flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    except Exception:
        raise ModelError("the TFLite file cannot be read") from None


def _readable(data: bytes) -> tuple[bytes, str]:
    """The file as the quantizer reads it, and its input's name.

    Files of old converters number their operators in one field alone, in which the quantizer does
    not look (all would be ADD, number 0), and have no signature, by which it feeds them.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    from export.convert.tflite import tensor_map

    model = _parsed(data)
    for code in model.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    graph = model.subgraphs[0]
    names = {index: tensor.name.decode() for index, tensor in enumerate(graph.tensors)}
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = _SIGNATURE.encode(), 0
    signature.inputs = [tensor_map(schema, names[index], index) for index in graph.inputs]
    signature.outputs = [tensor_map(schema, names[index], index) for index in graph.outputs]
    model.signatureDefs = [signature]
    ready = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return ready, names[int(graph.inputs[0])]


def _manager(recipe: Any) -> Any:
    from ai_edge_quantizer import recipe_manager

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    return manager


def _float16() -> Any:
    """Weights cast to float16; the package brings no recipe for it."""
    from ai_edge_quantizer import qtyping, recipe_manager

    manager = recipe_manager.RecipeManager()
    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    manager.add_quantization_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
        algorithm_key="float_casting",
    )
    return manager.get_quantization_recipe()
