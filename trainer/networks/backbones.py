"""Backbones: the convolutional part of a network, new, from Keras' collection or from a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import InputError, UsageError
from trainer.networks.legacy import load_old_model
from trainer.networks.mobilefacenet import ARCH as MOBILEFACENET
from trainer.networks.mobilefacenet import mobilefacenet

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""RGB statistics of ImageNet on a scale of 0..1, as torchvision's weights expect them."""

SCALED_PIXELS = "scaled_pixels"
"""Name of the layer that scales the pixels."""

SHIPPED = Path(__file__).parents[1] / "shipped" / "base.keras"
"""The base that comes with the package, in floating point."""

Scale = Callable[[Any], Any]


def _rescaling(scale: float, offset: float) -> Scale:
    return keras.layers.Rescaling(scale, offset, name=SCALED_PIXELS)


def _imagenet() -> Scale:
    mean = [255 * m for m in IMAGENET_MEAN]
    variance = [(255 * s) ** 2 for s in IMAGENET_STD]
    return keras.layers.Normalization(mean=mean, variance=variance, name=SCALED_PIXELS)


def _caffe() -> Scale:
    """BGR with the mean of ImageNet taken off, as VGG16, VGG19 and ResNet50 expect."""
    swap = keras.layers.Conv2D(3, 1, trainable=False, name=SCALED_PIXELS)
    swap.build((None, None, None, 3))
    kernel = np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3)
    swap.set_weights([kernel, np.array([-103.939, -116.779, -123.68], np.float32)])
    return swap


PIXEL_SCALES: dict[str, Callable[[], Scale]] = {
    "imagenet": _imagenet,
    "symmetric": lambda: _rescaling(1 / 127.5, -1.0),
    "face": lambda: _rescaling(1 / 128.0, -127.5 / 128.0),
    "unit": lambda: _rescaling(1 / 255.0, 0.0),
    "caffe": _caffe,
    "none": lambda: lambda pixels: pixels,
}
"""What a backbone is fed: ImageNet mean and deviation, -1..1, (x - 127.5) / 128 as face embeddings
have it, 0..1, caffe's BGR, or 0..255."""

_SCALE_OF_KERAS: dict[str, str] = {
    "VGG": "caffe",
    "ResNet50V2": "symmetric",
    "ResNet101V2": "symmetric",
    "ResNet152V2": "symmetric",
    "ResNet": "caffe",
    "DenseNet": "imagenet",
    "EfficientNet": "none",
    "ConvNeXt": "none",
    "MobileNetV3": "none",
}
"""Prefix of a name in keras.applications to its scaling; others take -1..1, "none" scale inside."""


@dataclass(frozen=True)
class Backbone:
    """model: from scaled pixels to feature maps or features. scale: the layer before it.

    flatten: the heads read all positions instead of their mean. hidden_units: of the sigmoid
    layers between the features and the attributes.
    """

    model: keras.Model
    scale: Scale
    flatten: bool = False
    hidden_units: tuple[int, ...] = ()


def make_backbone(
    arch: str, size_px: int, alpha: float, weights: str, pixel_scale: str
) -> Backbone:
    """The backbone that `arch` names, for pictures of size_px.

    Raises `UsageError` for an unknown name or an impossible size, `InputError` where weights or a
    model file cannot be had.
    """
    kind, _, name = arch.partition(":")
    scale_name = pixel_scale_name(arch, weights, pixel_scale)
    if arch == "shipped" or (kind == "file" and name):
        return _old_backbone(SHIPPED if arch == "shipped" else Path(name), size_px, scale_name)
    scale = PIXEL_SCALES[scale_name]()
    if kind == "keras" and name:
        model = _with_weights(lambda w: _keras_application(name, size_px, w), weights)
        return Backbone(model, scale)
    if arch == "mobilenet_v2":
        model = _with_weights(lambda w: _mobilenet_v2(size_px, alpha, w), weights)
        return Backbone(model, scale)
    if arch in _OWN:
        make, flatten, hidden = _OWN[arch]
        model = _with_weights(lambda w: _without_pretrained(make, arch, size_px, w), weights)
        return Backbone(model, scale, flatten, hidden)
    known = ", ".join(["mobilenet_v2", *_OWN, "shipped", "keras:NAME", "file:PATH"])
    raise UsageError(f"unknown architecture '{arch}'", hint=f"known are {known}")


def _old_backbone(path: Path, size_px: int, scale_name: str) -> Backbone:
    """Of a base that was made here its backbone and its scaling, of another model see there."""
    model, scale = load_old_model(path, size_px, SCALED_PIXELS)
    if scale is None or scale_name != "auto":
        return Backbone(model, PIXEL_SCALES["unit" if scale_name == "auto" else scale_name]())
    return Backbone(model, _copied(scale))


def _copied(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The same layer without a place in a graph: one in two graphs shows its output in the old."""
    copy = type(layer).from_config(layer.get_config())
    copy.build((None, None, None, 3))
    copy.set_weights(layer.get_weights())
    return copy


def pixel_scale_name(arch: str, weights: str, asked: str = "auto") -> str:
    """`asked`, or with "auto" the scale that the architecture's weights expect.

    It stays "auto" for a model from a file, which may tell itself. Raises `UsageError` for an
    unknown one.
    """
    kind, _, name = arch.partition(":")
    if asked != "auto":
        if asked not in PIXEL_SCALES:
            known = ", ".join(["auto", *PIXEL_SCALES])
            raise UsageError(f"unknown pixel scale '{asked}'", hint=f"known are {known}")
        return asked
    if kind in ("file", "shipped"):
        return "auto"
    if kind == "keras":
        return _scale_of_keras(name, weights)
    if arch == MOBILEFACENET:
        return "face"
    return _scale_of_keras("MobileNetV2", weights) if arch == "mobilenet_v2" else "unit"


def _scale_of_keras(name: str, weights: str) -> str:
    """Keras' own scaling of its application `name`; ImageNet's for a weights file of MobileNetV2.

    Weights files for it are converted from torchvision, which trains on ImageNet mean and std.
    """
    if name == "MobileNetV2" and weights not in ("imagenet", "none"):
        return "imagenet"
    for prefix, scale in _SCALE_OF_KERAS.items():
        if name.startswith(prefix):
            return scale
    return "symmetric"


def _with_weights(make: Callable[[str | None], keras.Model], weights: str) -> keras.Model:
    """`make(None)` or `make("imagenet")`, or new with the weights file `weights` loaded."""
    if weights == "none":
        return make(None)
    if weights == "imagenet":
        try:
            return make("imagenet")
        except UsageError:
            raise
        except Exception as problem:  # urllib's and Keras' own, of many kinds
            raise InputError(
                f"ImageNet weights could not be fetched ({_first_line(problem)})",
                hint="give a downloaded file with --weights FILE, or start with --weights none",
            ) from None
    model = make(None)
    path = Path(weights)
    if not path.is_file():
        raise InputError(f"there is no weights file {path}", hint="check --weights")
    try:
        model.load_weights(path)
    except Exception as problem:  # h5py and Keras raise many kinds
        raise InputError(
            f"the weights in {path} do not fit the network ({_first_line(problem)})",
            hint="check --arch, --alpha and that the file holds a network without top",
        ) from None
    return model


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200]


def _mobilenet_v2(size_px: int, alpha: float, weights: str | None) -> keras.Model:
    """Sandler et al., CVPR 2018: 2,257,984 parameters with alpha 1."""
    if size_px < 32:
        raise UsageError(f"mobilenet_v2 needs at least 32 px, not {size_px}")
    return keras.applications.MobileNetV2(
        input_shape=(size_px, size_px, 3), alpha=alpha, include_top=False, weights=weights
    )


def _keras_application(name: str, size_px: int, weights: str | None) -> keras.Model:
    make = getattr(keras.applications, name, None)
    if not callable(make) or not name[0].isupper():
        known = sorted(n for n in dir(keras.applications) if n[0].isupper())
        raise UsageError(f"keras.applications has no '{name}'", hint=f"it has {', '.join(known)}")
    try:
        return make(input_shape=(size_px, size_px, 3), include_top=False, weights=weights)
    except ValueError as problem:
        raise UsageError(
            f"{name} cannot be built at {size_px} px: {_first_line(problem)}"
        ) from None


def _without_pretrained(
    make: Callable[[int], keras.Model], arch: str, size_px: int, weights: str | None
) -> keras.Model:
    if weights is not None:
        raise UsageError(f"there are no ImageNet weights for {arch}", hint="use --weights none")
    return make(size_px)


def _plain_cnn(filters: tuple[int, ...], size_px: int) -> keras.Model:
    """Convolutions 3x3 with ReLU, each followed by 2x2 max pooling, without padding."""
    if size_px < 190:
        raise UsageError(
            f"six unpadded convolutions with pooling need at least 190 px, not {size_px}",
            hint="use --input-size 192, or another --arch",
        )
    pixels = x = keras.Input((size_px, size_px, 3))
    for place, count in enumerate(filters):
        x = keras.layers.Conv2D(count, 3, activation="relu", name=f"conv_{place}")(x)
        x = keras.layers.MaxPooling2D(name=f"pool_{place}")(x)
    return keras.Model(pixels, x, name="cnn")


def _resnet(size_px: int) -> keras.Model:
    """Two residual units of 3x3 convolutions each at 32, 64, 128 and 256 channels.

    He et al., CVPR 2016, with a 1x1 convolution on the skip where the unit strides.
    """
    pixels = keras.Input((size_px, size_px, 3))
    x = _conv_norm(pixels, 32, 3, 2)
    x = keras.layers.ReLU()(x)
    channels = 32
    for count in (32, 32, 64, 64, 128, 128, 256, 256):
        x = _residual_unit(x, count, 1 if count == channels else 2)
        channels = count
    return keras.Model(pixels, x, name="resnet")


def _residual_unit(x: Any, channels: int, stride: int) -> Any:
    main = keras.layers.ReLU()(_conv_norm(x, channels, 3, stride))
    main = _conv_norm(main, channels, 3, 1)
    skip = x if stride == 1 else _conv_norm(x, channels, 1, stride)
    return keras.layers.ReLU()(keras.layers.Add()([main, skip]))


def _conv_norm(x: Any, channels: int, kernel: int, stride: int) -> Any:
    x = keras.layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(x)
    return keras.layers.BatchNormalization()(x)


_OWN: dict[str, tuple[Callable[[int], keras.Model], bool, tuple[int, ...]]] = {
    "cnn-32": (lambda size: _plain_cnn((32,) * 6, size), True, (128,)),
    "cnn-16": (lambda size: _plain_cnn((16, 16, 32, 32, 64, 64), size), True, ()),
    "resnet": (_resnet, False, ()),
    MOBILEFACENET: (mobilefacenet, False, ()),
}
"""Own architectures: backbone for a size in pixels, flatten, hidden units before the attributes."""
