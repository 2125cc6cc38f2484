"""MobileFaceNet: a body made for faces, new or with the weights of a teacher of the same body.

Chen et al., "MobileFaceNets", CCBR 2018: MobileNetV2's inverted residuals with most of the work at
a quarter of the picture's side, and a depthwise convolution over the whole last map in place of a
mean. Two linear convolutions in a row of the paper (behind the first depthwise one) are one here.

The activation is the paper's PReLU (He et al., ICCV 2015) with slopes of at most 1, so that it is
max(x, slope * x): a product and a maximum, which integer runtimes do fast, while they have no fast
PReLU. A channel with a slope beyond 1 is turned round: PReLU_a(x) = -a/k PReLU_(1/a)(-k x).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge.errors import ModelError, UsageError

ARCH = "mobilefacenet"

BRANCH_UNITS = 128
"""Features that the attributes have beside those of identity."""

REACH = 0.999
"""Share of the values of a feature that lie within its range; int8 clips the rest."""

_UNITS = ((128, 64, 2), *((128, 64, 1),) * 4, (256, 128, 2), *((256, 128, 1),) * 6)
_LATE_UNITS = ((512, 128, 2), *((256, 128, 1),) * 2)
"""Inverted residuals: expanded channels, channels, stride."""

_IDENTITY = 512
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


@keras.saving.register_keras_serializable(package="edge")
class ChannelPReLU(keras.layers.Layer):
    """max(x, slope * x) of float[B, h, w, C] or [B, C], one slope a channel, at most 1."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.slope = self.add_weight(
            name="slope_bias",  # spared by weight decay, as biases are
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(0.25),
            constraint=_at_most_one,
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if training:
            return _with_cheap_gradient(inputs, tf.convert_to_tensor(self.slope))
        return keras.ops.maximum(inputs, inputs * self.slope)


@tf.custom_gradient
def _with_cheap_gradient(x: Any, slope: Any) -> Any:
    """The same with a gradient of fewer passes than that of a maximum and a product."""

    def gradient(dy: Any) -> tuple[Any, Any]:
        below = tf.minimum(x, 0.0)
        axes = list(range(len(x.shape) - 1))
        return tf.where(x > 0, dy, dy * slope), tf.reduce_sum(dy * below, axes)

    return tf.maximum(x, x * slope), gradient


@keras.saving.register_keras_serializable(package="edge")
def _at_most_one(slope: Any) -> Any:
    return keras.ops.minimum(slope, 1.0)


def mobilefacenet(size_px: int) -> keras.Model:
    """From scaled pixels float32[B, size_px, size_px, 3] to features float32[B, 640].

    512 of identity, then `BRANCH_UNITS` from the means of the maps at an eighth and a sixteenth of
    the side. Without batch normalization: a started body brings its scales along.
    """
    if size_px < 48:
        raise UsageError(f"{ARCH} needs at least 48 px, not {size_px}")
    pixels = keras.Input((size_px, size_px, 3))
    x = _active(_conv(pixels, 64, "stem", kernel=3, stride=2), "stem")
    x = _active(_depthwise(x, "stem_depthwise"), "stem_depthwise")
    for place, unit in enumerate(_UNITS):
        x = _inverted_residual(x, *unit, name=f"unit_{place}")
    middle = x
    for place, unit in enumerate(_LATE_UNITS, len(_UNITS)):
        x = _inverted_residual(x, *unit, name=f"unit_{place}")
    late = _active(_conv(x, _IDENTITY, "last"), "last")
    side = late.shape[1]
    whole = keras.layers.DepthwiseConv2D(side, padding="valid", name="whole")(late)
    identity = keras.layers.Flatten(name="identity")(whole)
    means = [
        keras.layers.GlobalAveragePooling2D(name=f"{name}_mean")(maps)
        for name, maps in (("middle", middle), ("late", late))
    ]
    both = keras.layers.Concatenate(name="means")(means)
    branch = keras.layers.Dense(BRANCH_UNITS, "relu", name="branch")(both)
    features = keras.layers.Concatenate(name="identity_and_branch")([identity, branch])
    return keras.Model(pixels, features, name=ARCH)


def _conv(x: Any, channels: int, name: str, *, kernel: int = 1, stride: int = 1) -> Any:
    return keras.layers.Conv2D(channels, kernel, stride, padding="same", name=name)(x)


def _depthwise(x: Any, name: str, *, stride: int = 1) -> Any:
    return keras.layers.DepthwiseConv2D(3, stride, padding="same", name=name)(x)


def _active(x: Any, name: str) -> Any:
    return ChannelPReLU(name=f"{name}_prelu")(x)


def _inverted_residual(x: Any, expanded: int, channels: int, stride: int, name: str) -> Any:
    main = _active(_conv(x, expanded, f"{name}_expand"), f"{name}_expand")
    main = _active(_depthwise(main, f"{name}_depthwise", stride=stride), f"{name}_depthwise")
    main = _conv(main, channels, f"{name}_project")
    if stride == 1:
        return keras.layers.Add(name=f"{name}_add")([main, x])
    return main


@dataclass
class _Step:
    """A convolution of a file. kernel: as Keras has it, float32[h, w, I, O] or, depthwise,
    float32[h, w, C, 1]. slope: float32[C] of the PReLU behind it, None without.
    """

    kernel: np.ndarray
    bias: np.ndarray
    depthwise: bool
    slope: np.ndarray | None = None


def start_from_file(
    model: keras.Model, teacher: bytes, basis: np.ndarray, crops_rgb: np.ndarray
) -> None:
    """Give a base of this body the weights of a TFLite file of MobileFaceNet.

    model: as `trainer.networks.face_network.build` makes it. basis: float32[D, E], from the
    teacher's embedding to the base's (`trainer.inference.external.projection`). crops_rgb:
    uint8[N, S, S, 3], faces over which each activation gets a deviation of 1, which changes nothing
    in what the network says. With
    the teacher's input size the base says what the teacher says of a crop; at another one the last
    depthwise kernel is resized. Attributes start new.

    Raises `UsageError` for a base of another body, `ModelError` for a file of another body.
    """
    backbone = _body_of(model)
    steps = list(_steps(teacher))
    names = _convolution_names(backbone)
    tail = steps[len(names) + 1 :]  # the paper's two linear convolutions are still apart
    linear = [(s.kernel[0, 0], s.bias) for s in tail if not s.depthwise and s.slope is None]
    if len(steps) < len(names) + 2 or not linear or len(linear) != len(tail):
        raise _other_body(f"{len(steps)} convolutions")
    steps = _joined(steps[: len(names) + 1])
    _turn(steps)
    for name, step in zip(names, steps, strict=True):
        _set_convolution(backbone, name, step)
    _set_embedding(model, linear, basis)
    _equalize(backbone, names, model, crops_rgb)


def even_out_features(model: keras.Model, crops_rgb: np.ndarray) -> None:
    """Give each feature of a base of this body the same range, and let the last layers take it
    back: what the network says stays, and int8 has one step for all features.

    crops_rgb: uint8[N, S, S, 3], over which the ranges are measured.
    """
    backbone = _body_of(model)
    reader = keras.Model(model.input, model.get_layer("features").output)
    seen = np.abs(reader.predict(crops_rgb.astype(np.float32), verbose=0))
    reach = np.maximum(np.quantile(seen, REACH, axis=0), 1e-2 * seen.max()).astype(np.float32)
    for name, factor in (("whole", reach[:_IDENTITY]), ("branch", reach[_IDENTITY:])):
        layer = backbone.get_layer(name)
        kernel, bias = layer.get_weights()
        across = factor[:, None] if isinstance(layer, keras.layers.DepthwiseConv2D) else factor
        layer.set_weights([kernel / across, bias / factor])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * reach[:, None], bias])


def _body_of(model: keras.Model) -> keras.Model:
    for layer in model.layers:
        if layer.name == ARCH and isinstance(layer, keras.Model):
            return layer
    raise UsageError(
        "only a body of the teacher's kind can start from its weights",
        hint=f"use --arch {ARCH}, or leave --start-from-teacher away",
    )


def _other_body(what: str) -> ModelError:
    return ModelError(
        f"the teacher's file is no MobileFaceNet ({what})",
        hint="leave --start-from-teacher away: a teacher of any body can still teach",
    )


def _convolution_names(backbone: keras.Model) -> list[str]:
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return [layer.name for layer in backbone.layers if isinstance(layer, kinds)]


def _steps(data: bytes) -> Iterator[_Step]:
    """The convolutions of a TFLite file in order, each with its PReLU, one operator or spelled
    out as relu(x) + slope / 2 * (x - |x|).
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    file = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    graph = file.subgraphs[0]
    kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}

    def constant(index: int) -> np.ndarray | None:
        tensor = graph.tensors[index]
        stored = file.buffers[tensor.buffer].data
        if stored is None or not len(stored):
            return None
        if tensor.type != schema.TensorType.FLOAT32:
            raise _other_body("its weights are no float32")
        return np.frombuffer(bytes(bytearray(stored)), np.float32).reshape(tensor.shape)

    step: _Step | None = None
    for operator in graph.operators:
        code = file.operatorCodes[operator.opcodeIndex]
        kind = kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if kind in _CONVOLUTIONS:
            if step is not None:
                yield step
            kernel, bias = (constant(index) for index in operator.inputs[1:3])
            if kernel is None or bias is None:
                raise _other_body("a convolution without weights of its own")
            depthwise = kind == "DEPTHWISE_CONV_2D"
            order = (1, 2, 3, 0)
            step = _Step(kernel.transpose(order), bias, depthwise)
        elif kind in ("PRELU", "MUL") and step is not None:
            values = next((v for i in operator.inputs if (v := constant(i)) is not None), None)
            if values is None or values.size != step.bias.size:
                raise _other_body("an activation of another width")
            step.slope = values.ravel() * (2.0 if kind == "MUL" else 1.0)
    if step is not None:
        yield step


def _joined(steps: list[_Step]) -> list[_Step]:
    """The same without two linear 1x1 convolutions in a row, the second of which takes both."""
    result = list(steps)
    first, second = result[2], result[3]
    if first.slope is not None or first.depthwise or second.depthwise:
        raise _other_body("no two linear convolutions behind the first depthwise one")
    kernel = first.kernel[0, 0] @ second.kernel[0, 0]
    bias = first.bias @ second.kernel[0, 0] + second.bias
    result[2:4] = [_Step(kernel[None, None], bias, False, second.slope)]
    return result


def _turn(steps: list[_Step]) -> None:
    """Turn channels with slopes beyond 1 round, in place."""
    for step, behind in itertools.pairwise(steps):
        if step.slope is None:
            continue
        slope = step.slope
        turned = np.abs(slope) > 1
        factor = np.where(turned, -np.abs(slope), 1.0).astype(np.float32)
        after = np.where(turned, -slope / np.abs(slope), 1.0).astype(np.float32)
        _scale(step, factor)
        step.slope = np.where(turned, 1.0 / np.where(slope == 0, 1, slope), slope)
        _absorb(behind, after)


def _scale(step: _Step, factor: np.ndarray) -> None:
    """Multiply what the convolution says by factor, float32[C]."""
    step.kernel = step.kernel * (factor[:, None] if step.depthwise else factor)
    step.bias = step.bias * factor


def _absorb(step: _Step, factor: np.ndarray) -> None:
    """Let the convolution read channels multiplied by factor, float32[C]."""
    step.kernel = step.kernel * factor[:, None]


def _set_convolution(backbone: keras.Model, name: str, step: _Step) -> None:
    layer = backbone.get_layer(name)
    kernel, bias = layer.get_weights()
    given = step.kernel
    if layer.name == "whole" and given.shape != kernel.shape:
        given = _resized(given, kernel.shape[0])
    if given.shape != kernel.shape or step.bias.shape != bias.shape:
        raise _other_body(f"{name} has weights of {given.shape}, not {kernel.shape}")
    layer.set_weights([given, step.bias])
    if step.slope is not None:
        backbone.get_layer(f"{name}_prelu").set_weights([step.slope])


def _resized(kernel: np.ndarray, side: int) -> np.ndarray:
    """A depthwise kernel float32[h, h, C, 1] for a map of another side, with the same sum."""
    import cv2

    flat = cv2.resize(kernel[..., 0], (side, side), interpolation=cv2.INTER_LINEAR)
    share = (kernel.shape[0] / side) ** 2
    return np.ascontiguousarray(share * flat[..., None], np.float32)


def _set_embedding(
    model: keras.Model, linear: list[tuple[np.ndarray, np.ndarray]], basis: np.ndarray
) -> None:
    """The last linear layers and the basis as one layer that reads the identity features."""
    layer = model.get_layer("embedding_features")
    kernel = np.eye(_IDENTITY, dtype=np.float32)
    bias = np.zeros(_IDENTITY, np.float32)
    for through, offset in [*linear, (basis, np.zeros(basis.shape[1], np.float32))]:
        if kernel.shape[1] != through.shape[0]:
            raise _other_body(f"a layer from {through.shape[0]} numbers behind {kernel.shape[1]}")
        kernel, bias = kernel @ through, bias @ through + offset
    rest = np.zeros((layer.kernel.shape[0] - _IDENTITY, kernel.shape[1]), np.float32)
    layer.set_weights([np.concatenate([kernel, rest]), bias])


def _equalize(
    backbone: keras.Model, names: list[str], model: keras.Model, crops_rgb: np.ndarray
) -> None:
    """Give each channel before an activation a deviation of 1 over the crops, and let the next
    layer take it back (PReLU is positively homogeneous; Nagel et al., ICCV 2019).
    """
    active = [name for name in names if name != "whole" and not name.endswith("_project")]
    probe = keras.Model(backbone.input, [backbone.get_layer(name).output for name in active])
    scaled = model.get_layer("scaled_pixels")(crops_rgb.astype(np.float32))
    deviation = {
        name: np.maximum(np.asarray(maps).std(axis=(0, 1, 2)), 1e-3)
        for name, maps in zip(active, probe.predict(scaled, verbose=0), strict=True)
    }
    for name, behind in itertools.pairwise(names):
        if name not in deviation:
            continue
        factor = deviation[name]
        layer, reader = backbone.get_layer(name), backbone.get_layer(behind)
        kernel, bias = layer.get_weights()
        across = factor[:, None] if isinstance(layer, keras.layers.DepthwiseConv2D) else factor
        layer.set_weights([kernel / across, bias / factor])
        kernel, bias = reader.get_weights()
        reader.set_weights([kernel * factor[:, None], bias])
