"""Networks: a backbone, and the two outputs that a base has on top of it.

Every network takes float32[B, S, S, 3], RGB pixels 0..255; the scaling that its backbone expects is
a layer inside. It returns a dict: `attributes`, float32[B, A] logits, and `embedding`, float32[B,
E], L2-normalized.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from edge.errors import InputError, UsageError
from trainer.networks.backbones import Backbone, make_backbone

EMBEDDING_FEATURES = "embedding_features"
"""Name of the layer whose output is the embedding before its normalization."""


@dataclass(frozen=True)
class NetworkConfig:
    """What a network is made of.

    arch: "mobilenet_v2", "cnn-32", "cnn-16", "resnet", "shipped", "keras:NAME" or
    "file:PATH".
    input_size: side in pixels. alpha: width multiplier (MobileNetV2 only). attributes: number of
    attributes. embedding_size: 0 for a network without embedding. weights: "imagenet", "none" or
    the path of a weights file. pixel_scale: a name of `trainer.networks.backbones.PIXEL_SCALES` or
    "auto". frozen_layers: that many of the backbone's first layers are not trained, -1 for all of
    them. batch_norm_momentum: of the moving statistics. dropout: on the features, before both
    outputs.
    """

    arch: str = "mobilenet_v2"
    input_size: int = 96
    alpha: float = 1.0
    attributes: int = 40
    embedding_size: int = 128
    weights: str = "none"
    pixel_scale: str = "auto"
    frozen_layers: int = 0
    batch_norm_momentum: float = 0.97
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 16 <= self.input_size <= 512:
            raise UsageError(
                f"an input size of {self.input_size} px is not possible", hint="16 to 512 px is"
            )
        if self.attributes < 0 or self.embedding_size < 0:
            raise UsageError("the number of attributes and the embedding size cannot be negative")
        if self.attributes == 0 and self.embedding_size == 0:
            raise UsageError(
                "a network with neither attributes nor an embedding has nothing to learn",
                hint="give attribute labels or an --embedding-size",
            )


def build(config: NetworkConfig) -> keras.Model:
    """The network that `config` describes, `weights` loaded.

    Batch normalization uses `config.batch_norm_momentum`: with Keras' default of 0.99, or 0.999 in
    MobileNetV2, a short run leaves the moving statistics near their start, and the network behaves
    differently in inference than in training.

    Raises `UsageError` for an impossible combination and `InputError` where weights are missing.
    """
    backbone = make_backbone(
        config.arch, config.input_size, config.alpha, config.weights, config.pixel_scale
    )
    for layer in all_layers(backbone.model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = config.batch_norm_momentum
    freeze(backbone.model, config.frozen_layers)
    return _with_outputs(backbone, config)


def _with_outputs(backbone: Backbone, config: NetworkConfig) -> keras.Model:
    side = config.input_size
    pixels = keras.Input((side, side, 3), dtype="float32", name="pixels")
    scaled = backbone.scale(pixels)
    pooled = _pooled(backbone.model(scaled), flatten=backbone.flatten)
    if config.dropout:
        pooled = keras.layers.Dropout(config.dropout, name="dropout")(pooled)
    outputs: dict[str, Any] = {}
    if config.attributes:
        hidden = pooled
        for units in backbone.hidden_units:
            hidden = keras.layers.Dense(units, "sigmoid", name=f"hidden_{units}")(hidden)
        outputs["attributes"] = keras.layers.Dense(
            config.attributes, name="attributes", dtype="float32"
        )(hidden)
    if config.embedding_size:
        features = keras.layers.Dense(
            config.embedding_size, name=EMBEDDING_FEATURES, dtype="float32"
        )(pooled)
        outputs["embedding"] = keras.layers.UnitNormalization(name="embedding", dtype="float32")(
            features
        )
    return keras.Model(pixels, outputs, name="base")


def _pooled(features: Any, *, flatten: bool) -> Any:
    """Feature maps [B, h, w, C] or features [B, C] as [B, F]."""
    if len(features.shape) == 2:
        return keras.layers.Identity(name="features")(features)
    if flatten:
        return keras.layers.Flatten(name="features")(features)
    return keras.layers.GlobalAveragePooling2D(name="features")(features)


def freeze(backbone: keras.Model, layers: int) -> None:
    """Exclude the first `layers` layers from training; all of them with -1, none with 0.

    A frozen batch normalization also uses its moving statistics while training, as Keras does.
    """
    count = len(backbone.layers) if layers < 0 else layers
    if count > len(backbone.layers):
        raise UsageError(
            f"cannot freeze {count} layers, the backbone has {len(backbone.layers)}",
            hint="--freeze -1 freezes all of them",
        )
    for position, layer in enumerate(backbone.layers):
        layer.trainable = position >= count


def with_features(model: keras.Model) -> keras.Model:
    """The network with its features as the embedding, where it has none of its own.

    So a base of attributes alone can be packed, and carry heads: on features that nobody trained to
    tell people apart, for questions such as whether somebody wears glasses.
    """
    if "embedding" in model.output:
        return model
    features = keras.layers.Identity(name=EMBEDDING_FEATURES)(feature_layer(model).output)
    embedding = keras.layers.UnitNormalization(name="embedding", dtype="float32")(features)
    return keras.Model(model.input, {**model.output, "embedding": embedding}, name="base")


def feature_layer(model: keras.Model) -> keras.layers.Layer:
    """The layer whose output both heads read, float[B, F]."""
    return model.get_layer("features")


def unnormalized(model: keras.Model) -> keras.Model:
    """The same network with the embedding as it is before its L2 normalization.

    `edge` normalizes, and int8 outputs need no range for a division.
    """
    outputs = dict(model.output)
    if "embedding" in outputs:
        outputs["embedding"] = model.get_layer(EMBEDDING_FEATURES).output
    return keras.Model(model.input, outputs)


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Every layer, those of nested models included."""
    found: list[keras.layers.Layer] = []
    for layer in model.layers:
        found.extend(all_layers(layer) if hasattr(layer, "layers") else [layer])
    return found


def load_base(path: Path) -> keras.Model:
    """A network written by `keras.Model.save`. Raises `InputError` when it is not readable."""
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as problem:
        raise InputError(f"cannot load the network {path}: {problem}") from None
