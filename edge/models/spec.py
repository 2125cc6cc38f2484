"""What a network expects and gives: the part of a manifest that describes one model file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.errors import ModelError
from edge.faces.canonical import CanonicalFace, CropRegion, canonical_by_name

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

    frame: CanonicalFace
    window: CropRegion
    size_px: int
    colour_order: str = "rgb"
    dtype: str = "uint8"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "nhwc"
    batch: int = 1

    def __post_init__(self) -> None:
        _one_of("color order", self.colour_order, ("rgb", "bgr"))
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
                frame=canonical_by_name(_text(data["frame"])),
                window=_window(data["window"]),
                size_px=_whole(data["size_px"]),
                colour_order=_text(data["colour_order"]),
                dtype=_text(data["dtype"]),
                mean=_triple(data["mean"]),
                std=_triple(data["std"]),
                layout=_text(data["layout"]),
                batch=_whole(data["batch"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise ModelError(f"the network's input is described wrongly: {problem!r}") from None


@dataclass(frozen=True)
class Network:
    """One model file and how to use it.

    format: one of `FORMATS`. sha256: of the file. outputs: role ("embedding", "attributes") to the
    name of the output tensor in the file. embedding_size: 0 where there is none. The embedding is
    L2-normalized by `edge` whether the file does so or not. attributes: names in the order of the
    "attributes" output, which holds logits. attribute_thresholds: probability from which each
    attribute is called present. mirrored: a face is judged by the mean of what the network says of
    its crop and of the crop's mirror image. source, licence: for people, where the file is from and
    its terms.
    """

    format: str
    sha256: str
    input: NetworkInput
    outputs: dict[str, str]
    embedding_size: int = 0
    attributes: tuple[str, ...] = ()
    attribute_thresholds: tuple[float, ...] = ()
    mirrored: bool = False
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
            "mirrored": self.mirrored,
            "source": self.source,
            "licence": self.licence,
            "minimal_runtimes": dict(self.minimal_runtimes),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Network:
        """Raises `ModelError` when a field is missing or of the wrong kind."""
        try:
            return cls(
                format=_text(data["format"]),
                sha256=_text(data["sha256"]),
                input=NetworkInput.from_json(data["input"]),
                outputs=_texts(data["outputs"]),
                embedding_size=_whole(data["embedding_size"]),
                attributes=tuple(_text(name) for name in _list(data["attributes"])),
                attribute_thresholds=tuple(_number(t) for t in _list(data["attribute_thresholds"])),
                mirrored=_flag(data.get("mirrored", False)),
                source=_text(data.get("source", "")),
                licence=_text(data.get("licence", "")),
                minimal_runtimes=_texts(data.get("minimal_runtimes", {})),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise ModelError(f"a network is described wrongly: {problem!r}") from None


def _triple(values: Any) -> tuple[float, float, float]:
    first, second, third = (_number(v) for v in _list(values))
    return first, second, third


def _window(value: Any) -> CropRegion:
    fields = dict(_of_kind(value, dict))
    _text(fields["name"])
    for name in ("x_px", "y_px", "side_px"):
        _number(fields[name])
    return CropRegion.from_json(fields)


def _text(value: Any) -> str:
    return str(_of_kind(value, str))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r:.60} is {type(value).__name__}, not bool")
    return value


def _whole(value: Any) -> int:
    return int(_of_kind(value, int))


def _number(value: Any) -> float:
    return float(_of_kind(value, (int, float)))


def _list(value: Any) -> list[Any]:
    return list(_of_kind(value, list))


def _texts(value: Any) -> dict[str, str]:
    return {_text(k): _text(v) for k, v in dict(_of_kind(value, dict)).items()}


def _of_kind(value: Any, kind: Any) -> Any:
    """`value` as it is: a description is not guessed at, and true is no number."""
    if not isinstance(value, kind) or isinstance(value, bool):
        names = [k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,))]
        raise TypeError(f"{value!r:.60} is {type(value).__name__}, not {' or '.join(names)}")
    return value


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ModelError(f"unknown {what} '{value}'", hint=f"known are {', '.join(known)}")
