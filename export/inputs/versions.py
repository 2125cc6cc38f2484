"""Versions of what packing depends on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from edge import __version__

_TOOLS = ("tensorflow", "tensorflow-cpu", "keras", "onnx", "tf2onnx", "onnxruntime",
          "ai-edge-litert", "numpy")  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of what packing depends on."""
    found = {"edge-recognize": __version__}
    for name in _TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
