"""Full int8 TFLite of a base: uint8 pixels in, float32 attributes and embedding out.

The graph is frozen first: `from_concrete_functions([f], model)` with a Keras 3 model succeeds with
a file that holds no weights and returns NaN. What comes out is compared with Keras before it is
handed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edge.console.display_text import counted
from edge.errors import ModelError
from edge.faces.canonical import CropRegion, canonical_of
from edge.files.model_file import sha256_of
from edge.models.embedder import Embedder, l2_normalized
from edge.models.spec import Network, NetworkInput
from trainer.console.quiet import quiet_native
from trainer.networks.face_network import unnormalized
from trainer.networks.folding import Folding, fold

INPUT_NAME = "pixels"

SMALLEST_COSINE = 0.9
"""Mean cosine between embeddings of the file and of Keras below which the file is refused."""

MOST_FLIPS = 0.1
"""Share of attribute decisions that differ from Keras' above which the file is refused."""

_COMPARED = 64


@dataclass(frozen=True)
class Agreement:
    """How the file compares with Keras on pictures. Shares and cosines, NaN without that output."""

    pictures: int
    mean_cosine: float
    low_cosine: float
    flips: float

    def to_json(self) -> dict[str, Any]:
        values = {"pictures": self.pictures, "mean_cosine": self.mean_cosine}
        values |= {"cosine_1pct": self.low_cosine, "attribute_flips": self.flips}
        return {k: None if v != v else round(v, 4) for k, v in values.items()}


def agreement_words(said: Mapping[str, Any]) -> str:
    """`Agreement.to_json` for people."""
    parts = [
        f"{text} {said[name]:{form}}"
        for name, text, form in (
            ("mean_cosine", "cosine of the embeddings, mean", ".4f"),
            ("cosine_1pct", "worst 1 %", ".4f"),
            ("attribute_flips", "attributes that flip", ".2%"),
        )
        if said[name] is not None
    ]
    return f"{', '.join(parts)}, of {counted(said['pictures'], 'picture')}"


def quantize(model: keras.Model, representative_bgr: np.ndarray) -> bytes:
    """The int8 file of `model`, calibrated on crops uint8[N, S, S, 3] BGR.

    The file takes uint8[1, S, S, 3] RGB, pixels as they are: its scale is 1, and its zero point is
    the grey that the network's scaling maps to 0 (`trainer.networks.folding`; 0 where nothing was
    folded). Its outputs are tensors named `attributes` and `embedding` (not normalized), also in
    the signature `serving_default`. The same model and crops give the same bytes. Raises
    `ModelError` where the input came out otherwise although calibration saw black and white.
    """
    import tensorflow as tf

    deployed = unnormalized(model)
    side = int(model.input_shape[1])
    folding = fold(deployed)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_frozen(folding, side)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _calibration(representative_bgr, folding.shift)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.float32
    with quiet_native():
        data = _named(converter.convert(), _widths(deployed))
    _check_input(data, folding.shift)
    return data


def describe(
    data: bytes,
    *,
    window: CropRegion,
    size_px: int,
    attributes: tuple[str, ...],
    embedding_size: int,
    thresholds: tuple[float, ...] = (),
    source: str = "",
    licence: str = "",
    mirrored: bool = True,
) -> Network:
    """The `Network` of a file that `quantize` made.

    mirrored: an embedding is the mean of a crop's and its mirror image's, at twice the time.
    """
    roles = (["attributes"] if attributes else []) + (["embedding"] if embedding_size else [])
    return Network(
        format="tflite-int8",
        sha256=sha256_of(data),
        input=NetworkInput(frame=canonical_of(window), window=window, size_px=size_px),
        outputs={role: role for role in roles},
        embedding_size=embedding_size,
        attributes=attributes,
        attribute_thresholds=thresholds,
        mirrored=mirrored and embedding_size > 0,
        source=source,
        licence=licence,
        minimal_runtimes={"ai-edge-litert": "2.0"},
    )


def agreement(
    model: keras.Model, network: Network, data: bytes, crops_bgr: np.ndarray
) -> Agreement:
    """Compare the file with Keras on crops, uint8[N, S, S, 3] BGR.

    Raises `ModelError` when the file returns numbers that are not finite, the same for every
    picture, or far from Keras'.
    """
    crops = np.asarray(crops_bgr)
    seen = Embedder(network, data).embed_once(crops)
    pixels = np.ascontiguousarray(crops[..., ::-1]).astype(np.float32)
    expected = {k: np.asarray(v) for k, v in model.predict(pixels, verbose=0).items()}
    cosine, flips = np.array([np.nan]), float("nan")
    if seen.embeddings is not None:
        _refuse_constant("embedding", seen.embeddings)
        cosine = np.sum(seen.embeddings * l2_normalized(expected["embedding"]), axis=1)
    if seen.attributes is not None:
        _refuse_constant("attributes", seen.attributes)
        flips = float(np.mean((seen.attributes > 0) != (expected["attributes"] > 0)))
    result = Agreement(len(crops), float(cosine.mean()), float(np.percentile(cosine, 1)), flips)
    if result.mean_cosine < SMALLEST_COSINE or result.flips > MOST_FLIPS:
        raise ModelError(
            f"the int8 file decides otherwise than its network (cosine {result.mean_cosine:.3f}, "
            f"{100 * result.flips:.1f} % of the attributes differ)",
            hint="calibrate on more varied pictures, or train longer with --degradation",
        )
    return result


def _frozen(folding: Folding, side: int) -> Any:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    @tf.function(autograph=False)
    def infer(pixels: Any) -> list[Any]:
        outputs = folding.infer(pixels)
        return [outputs[role] for role in sorted(outputs)]

    spec = tf.TensorSpec([1, side, side, 3], tf.float32, name=INPUT_NAME)
    return convert_variables_to_constants_v2(infer.get_concrete_function(spec))


def _calibration(crops_bgr: np.ndarray, shift: int) -> Iterator[list[np.ndarray]]:
    """The crops and, so that the input's range is 0..255, a black and a white one; less `shift`."""
    shape = crops_bgr.shape[1:]
    for crop in (*crops_bgr, np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)):
        yield [np.ascontiguousarray(crop[None, ..., ::-1]).astype(np.float32) - np.float32(shift)]


def _widths(model: keras.Model) -> dict[str, int]:
    return {role: int(model.output[role].shape[-1]) for role in sorted(model.output)}


def _named(data: bytes, widths: dict[str, int]) -> bytes:
    """The file with its outputs named by role and a signature, whatever the converter called them.

    The frozen function returns the roles in alphabetical order; their widths are checked where
    they differ.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    graph = model.subgraphs[0]
    indices = _in_order(graph, list(graph.outputs), widths)
    for number, tensor in enumerate(graph.tensors):
        tensor.name = f"t{number}".encode()  # Keras counts its names up from call to call
    graph.tensors[graph.inputs[0]].name = INPUT_NAME.encode()
    signature = schema.SignatureDefT()
    signature.signatureKey = b"serving_default"
    signature.subgraphIndex = 0
    signature.inputs = [_tensor_map(schema, INPUT_NAME, graph.inputs[0])]
    signature.outputs = []
    for role, index in indices.items():
        graph.tensors[index].name = role.encode()
        signature.outputs.append(_tensor_map(schema, role, index))
    model.signatureDefs = [signature]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _in_order(graph: Any, outputs: list[int], widths: dict[str, int]) -> dict[str, int]:
    """Role to tensor. Converters name the outputs Identity, Identity_1, … in their order."""
    named = sorted(
        outputs, key=lambda index: (len(graph.tensors[index].name), graph.tensors[index].name)
    )
    result = dict(zip(widths, named, strict=True))
    for role, index in result.items():
        if int(graph.tensors[index].shape[-1]) != widths[role]:
            raise ModelError(f"the converted file's output for '{role}' has another width")
    return result


def _tensor_map(schema: Any, name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name = name.encode()
    entry.tensorIndex = int(index)
    return entry


def _check_input(data: bytes, shift: int) -> None:
    from ai_edge_litert.interpreter import Interpreter

    detail = Interpreter(model_content=data).get_input_details()[0]
    scale, zero = detail["quantization"]
    if detail["dtype"] != np.uint8 or abs(scale - 1.0) > 1e-6 or zero != shift:
        raise ModelError(
            f"the int8 file takes {np.dtype(detail['dtype'])} with scale {scale} and zero point "
            f"{zero}, not pixels as they are"
        )


def _refuse_constant(role: str, values: np.ndarray) -> None:
    if len(values) > 1 and float(np.ptp(values, axis=0).max()) < 1e-6:
        raise ModelError(f"the int8 file gives the same {role} for every picture")
