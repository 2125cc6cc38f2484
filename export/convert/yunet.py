"""YuNet for LiteRT: the detector's ONNX file as TFLite, with the same answers.

The four answers of a cell (face, object, box, points) become one map of 16 channels for each
stride, logits before the sigmoid; upsampling is spelled with operators that take any size; the
first convolution's zeros come with the input. So one file serves pictures of all multiples of 32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.errors import ModelError
from edge.faces.yunet import STRIDES_PX
from export.convert.tflite import named

HEIGHT_PX, WIDTH_PX = 480, 640
"""Of the pictures that the file is for unless its input is resized."""

_HEADS = ("cls", "obj", "bbox", "kps")
_CHANNELS = 16


def convert(data: bytes) -> bytes:
    """The TFLite file, float32: input `pixels` float32[1, H + 1, W + 1, 3] BGR 0..255 with a row of
    zeros above and a column at the left, outputs `stride_8`, `stride_16` and `stride_32`, see
    `edge.faces.yunet.decoded`. Raises `ModelError` for a file that is no YuNet of 2023.
    """
    import onnx
    import tensorflow as tf

    try:
        graph = onnx.load_from_string(data).graph
        weights = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
        attributes = {
            node.output[0]: {
                one.name: onnx.helper.get_attribute_value(one) for one in node.attribute
            }
            for node in graph.node
        }

        def network(pixels: Any) -> list[Any]:
            return _network(tf, list(graph.node), attributes, weights, graph.input[0].name, pixels)

        shape = tf.TensorSpec([1, HEIGHT_PX + 1, WIDTH_PX + 1, 3], tf.float32)
        frozen = tf.function(network).get_concrete_function(shape)
        made = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    except Exception as problem:  # onnx, tf and the converter raise anything
        first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ModelError(f"the face detector cannot be converted: {first}") from None
    return named(made, {f"stride_{stride}": _CHANNELS for stride in STRIDES_PX})


def _network(
    tf: Any,
    nodes: list[Any],
    attributes: dict[str, dict[str, Any]],
    weights: dict[str, np.ndarray],
    first: str,
    pixels: Any,
) -> list[Any]:
    """The maps of each stride. attributes: of each node by the name of its output."""
    values: dict[str, Any] = {first: pixels}
    feeds: dict[str, str] = {}
    for node in nodes:
        out = node.output[0]
        if len(node.input) > 1 and node.input[1].startswith("bbox_head."):
            feeds[node.input[1]] = node.input[0]
        if node.input[0] not in values:
            continue  # a head, or what follows it
        inputs = [values[name] for name in node.input if name in values]
        if node.op_type == "Conv" and not node.input[1].startswith("bbox_head."):
            step = attributes[out]["strides"][0]
            kernel, bias = (weights[name] for name in node.input[1:])
            values[out] = _convolved(tf, inputs[0], kernel, bias, step)
        elif node.op_type == "Relu":
            values[out] = tf.nn.relu(inputs[0])
        elif node.op_type == "MaxPool":
            values[out] = tf.nn.max_pool2d(inputs[0], 2, 2, "VALID")
        elif node.op_type == "Resize":
            values[out] = tf.nn.depth_to_space(tf.concat([inputs[0]] * 4, -1), 2)
        elif node.op_type == "Add":
            values[out] = inputs[0] + inputs[1]
        elif node.op_type != "Conv":
            raise ValueError(f"unexpected operator {node.op_type}")
    return [_answers(tf, level, feeds, values, weights) for level, _ in enumerate(STRIDES_PX)]


def _answers(
    tf: Any,
    level: int,
    feeds: dict[str, str],
    values: dict[str, Any],
    weights: dict[str, np.ndarray],
) -> Any:
    """The four heads of a stride as one: a convolution of 1x1 and one of 3x3 for each channel."""
    names = [f"bbox_head.multi_level_{head}.{level}" for head in _HEADS]

    def joined(part: str) -> np.ndarray:
        return np.concatenate([weights[f"{name}.{part}"] for name in names])

    (feed,) = {feeds[f"{name}.conv1.weight"] for name in names}
    mixed = _convolved(tf, values[feed], joined("conv1.weight"), joined("conv1.bias"), 1)
    return _convolved(tf, mixed, joined("conv2.weight"), joined("conv2.bias"), 1)


def _convolved(tf: Any, x: Any, kernel: np.ndarray, bias: np.ndarray, step: int) -> Any:
    """kernel: as ONNX has it, [O, I, h, w]; of one channel each where I is 1. step 2: the input has
    the zeros that it needs already."""
    if kernel.shape[1] == 1:
        made = tf.nn.depthwise_conv2d(
            x, tf.constant(kernel.transpose(2, 3, 0, 1).copy()), [1, 1, 1, 1], "SAME"
        )
    else:
        filled = "SAME" if step == 1 else "VALID"
        made = tf.nn.conv2d(
            x, tf.constant(kernel.transpose(2, 3, 1, 0).copy()), [1, step, step, 1], filled
        )
    return tf.nn.bias_add(made, tf.constant(bias))
