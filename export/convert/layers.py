"""Layers of a base's Keras file that Keras itself does not have."""

from __future__ import annotations

from typing import Any


def own_layers() -> dict[str, Any]:
    """Name in the file to class, for `keras.models.load_model`.

    `edge>ChannelPReLU` is max(x, slope * x) of float[B, h, w, C] or [B, C] with one slope a
    channel: the activation of `edge-train attributes --arch mobilefacenet`.
    """
    import keras

    class ChannelPReLU(keras.layers.Layer):  # type: ignore[misc]
        def build(self, input_shape: tuple[int | None, ...]) -> None:
            self.slope = self.add_weight(name="slope_bias", shape=(input_shape[-1],))

        def call(self, inputs: Any) -> Any:
            return keras.ops.maximum(inputs, inputs * self.slope)

    return {"edge>ChannelPReLU": ChannelPReLU}
