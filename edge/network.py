"""What a network expects and gives: the part of a manifest that describes one model file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.errors import ModelError
from edge.frame import Frame, Window, frame_by_name

FORMATS = (
    "tflite-float32",
    "tflite-float16",
    "tflite-dynamic",
    "tflite-int8",
    "onnx-float32",
    "onnx-int8",
)
"""Formats that `edge` can run; other files in a bundle are for programs that are not ours."""


@dataclass(frozen=True)
class NetworkInput:
    """How a face becomes the tensor that a network is fed.

    frame, window, size_px: the square of the canonical frame, and its size in pixels as the
    network sees it. colour_order: "rgb" or "bgr". dtype: "uint8" (pixels as they are, 0..255) or
    "float32" (then (pixel - mean) / std per channel, in the network's colour order). layout:
    "nhwc" or "nchw". batch: number of crops that the file's input takes at once.
    """

    frame: Frame
    window: Window
    size_px: int
    colour_order: str = "rgb"
    dtype: str = "uint8"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "nhwc"
    batch: int = 1

    def __post_init__(self) -> None:
        _one_of("colour order", self.colour_order, ("rgb", "bgr"))
        _one_of("input dtype", self.dtype, ("uint8", "float32"))
        _one_of("layout", self.layout, ("nhwc", "nchw"))
        if not 8 <= self.size_px <= 1024 or not 1 <= self.batch <= 64:
            raise ModelError(f"impossible network input: {self.size_px} px, batch {self.batch}")

    def tensor(self, crops_bgr: np.ndarray) -> np.ndarray:
        """Crops uint8[N, size, size, 3] BGR as the network's input tensor."""
        pixels = crops_bgr[..., ::-1] if self.colour_order == "rgb" else crops_bgr
        if self.dtype == "uint8":
            tensor = pixels
        else:
            mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
            tensor = (pixels.astype(np.float32) - mean) / std
        if self.layout == "nchw":
            tensor = tensor.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(tensor)

    def to_json(self) -> dict[str, Any]:
        return {
            "frame": self.frame.name,
            "window": self.window.to_json(),
            "size_px": self.size_px,
            "colour_order": self.colour_order,
            "dtype": self.dtype,
            "mean": list(self.mean),
            "std": list(self.std),
            "layout": self.layout,
            "batch": self.batch,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> NetworkInput:
        """Raises `ModelError` when a field is missing or of the wrong kind."""
        try:
            return cls(
                frame=frame_by_name(str(data["frame"])),
                window=Window.from_json(data["window"]),
                size_px=int(data["size_px"]),
                colour_order=str(data["colour_order"]),
                dtype=str(data["dtype"]),
                mean=_triple(data["mean"]),
                std=_triple(data["std"]),
                layout=str(data["layout"]),
                batch=int(data["batch"]),
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise ModelError(f"the network's input is described wrongly: {problem!r}") from None


@dataclass(frozen=True)
class Network:
    """One model file and how to use it.

    format: one of `FORMATS`. sha256: of the file. outputs: role ("embedding", "attributes") to the
    name of the output tensor in the file. embedding_size: 0 where there is none. The embedding is
    L2-normalized by `edge` whether the file does so or not. attributes: names in the order of the
    "attributes" output, which holds logits. attribute_thresholds: probability from which each
    attribute is called present. source, licence: for people, where the file is from and its terms.
    """

    format: str
    sha256: str
    input: NetworkInput
    outputs: dict[str, str]
    embedding_size: int = 0
    attributes: tuple[str, ...] = ()
    attribute_thresholds: tuple[float, ...] = ()
    source: str = ""
    licence: str = ""
    minimal_runtimes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of("model format", self.format, FORMATS)
        if not set(self.outputs) <= {"embedding", "attributes"} or not self.outputs:
            raise ModelError(f"unknown network outputs: {sorted(self.outputs)}")
        if self.attribute_thresholds and len(self.attribute_thresholds) != len(self.attributes):
            raise ModelError("a network has another number of attribute thresholds than attributes")

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "sha256": self.sha256,
            "input": self.input.to_json(),
            "outputs": dict(self.outputs),
            "embedding_size": self.embedding_size,
            "attributes": list(self.attributes),
            "attribute_thresholds": list(self.attribute_thresholds),
            "source": self.source,
            "licence": self.licence,
            "minimal_runtimes": dict(self.minimal_runtimes),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Network:
        """Raises `ModelError` when a field is missing or of the wrong kind."""
        try:
            return cls(
                format=str(data["format"]),
                sha256=str(data["sha256"]),
                input=NetworkInput.from_json(data["input"]),
                outputs={str(k): str(v) for k, v in data["outputs"].items()},
                embedding_size=int(data["embedding_size"]),
                attributes=tuple(str(name) for name in data["attributes"]),
                attribute_thresholds=tuple(float(t) for t in data["attribute_thresholds"]),
                source=str(data.get("source", "")),
                licence=str(data.get("licence", "")),
                minimal_runtimes={
                    str(k): str(v) for k, v in data.get("minimal_runtimes", {}).items()
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise ModelError(f"a network is described wrongly: {problem!r}") from None


def _triple(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(v) for v in values)
    return first, second, third


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ModelError(f"unknown {what} '{value}'", hint=f"known are {', '.join(known)}")
