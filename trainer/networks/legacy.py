"""Networks of earlier projects (.h5, .keras, SavedModel) as a backbone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras

from edge.errors import InputError, ModelError
from edge.files.model_file import read_model_file


def load_saved(path: Path, called: str) -> keras.Model:
    """The network in a Keras file (.h5, .keras), without its training state. called: its word in a
    message. Raises `ModelError` where it cannot be loaded."""
    read_model_file(path)
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as problem:  # h5py and Keras raise many kinds
        first = (str(problem).strip().splitlines() or [""])[0]
        raise ModelError(f"cannot load the {called} {path}: {first}") from None


def load_old_model(
    path: Path, size_px: int, scale_name: str
) -> tuple[keras.Model, keras.layers.Layer | None]:
    """What an earlier network computes before its last dense layers, for inputs of size_px.

    Of a Keras file (.h5, .keras) these are its last feature maps, or its last hidden layer where it
    has none; of a SavedModel, which shows no layers, its first output. Of a base that was made
    here, it is the backbone within, at whatever size, and its layer `scale_name` comes along, which
    scales the pixels before it; None with others. Raises `InputError` when there is nothing at
    `path` and `ModelError` when it is no such model or takes another size.
    """
    if path.is_dir():
        return _saved_model(path, size_px), None
    if not path.exists():
        raise InputError(f"there is no model {path}", hint="check --arch file:PATH")
    model = load_saved(path, "model")
    within = [layer for layer in model.layers if hasattr(layer, "layers")]
    scales = [layer for layer in model.layers if layer.name == scale_name]
    if len(within) == len(scales) == 1:
        return _resized(within[0], size_px), scales[0]
    _check_size(path, model.input_shape, size_px)
    return keras.Model(model.inputs, _features(model), name="old_model"), None


def _resized(backbone: keras.Model, size_px: int) -> keras.Model:
    """The same weights for pictures of size_px. MobileNetV2 pads by the size, so it is built again.

    Raises `ModelError` where the layers leave nothing of so small a picture.
    """
    if backbone.input_shape[1:3] == (size_px, size_px):
        return backbone
    try:
        mobilenet = re.fullmatch(r"mobilenetv2_([\d.]+)_\d+", backbone.name)
        if mobilenet:
            resized = keras.applications.MobileNetV2(
                input_shape=(size_px, size_px, 3),
                alpha=float(mobilenet[1]),
                include_top=False,
                weights=None,
            )
        else:
            pixels = keras.Input((size_px, size_px, 3))
            resized = keras.models.clone_model(backbone, input_tensors=pixels)
    except ValueError as problem:
        raise ModelError(
            f"the backbone {backbone.name} does not take {size_px} px: {problem}",
            hint="choose a larger --input-size",
        ) from None
    resized.set_weights(backbone.get_weights())
    return resized


def _features(model: keras.Model) -> Any:
    """The last feature maps, else what the last layer is fed.

    A nested model's own output belongs to another graph, so the input of what follows it counts.
    """
    for layer in reversed(model.layers):
        if not hasattr(layer, "layers") and len(layer.output.shape) == 4:
            return layer.output
        if len(getattr(layer.input, "shape", ())) == 4:
            return layer.input
    return model.layers[-1].input


def _saved_model(path: Path, size_px: int) -> keras.Model:
    if not (path / "saved_model.pb").is_file():
        raise ModelError(f"{path} is a folder without saved_model.pb, so it is no SavedModel")
    try:
        layer = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
    except Exception as problem:  # TensorFlow raises many kinds
        first = (str(problem).strip().splitlines() or [""])[0]
        raise ModelError(f"cannot load the SavedModel {path}: {first}") from None
    pixels = keras.Input((size_px, size_px, 3))
    try:
        output = layer(pixels)
    except Exception as problem:  # a signature that wants other shapes
        first = (str(problem).strip().splitlines() or [""])[0]
        raise ModelError(
            f"the SavedModel {path} does not take {size_px} px: {first}",
            hint="check --input-size",
        ) from None
    first_output = next(iter(output.values())) if isinstance(output, dict) else output
    return keras.Model(pixels, first_output, name="old_model")


def _check_size(path: Path, shape: Any, size_px: int) -> None:
    expected = tuple(shape[1:]) if isinstance(shape, tuple) else ()
    wanted = (size_px, size_px, 3)
    fits = len(expected) == 3 and all(e in (None, w) for e, w in zip(expected, wanted, strict=True))
    if not fits:
        raise ModelError(
            f"the model {path} takes {shape}, not [batch, {size_px}, {size_px}, 3]",
            hint="choose its --input-size",
        )
