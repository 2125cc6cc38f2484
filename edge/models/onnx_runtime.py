"""ONNX Runtime: the one door through which it is loaded, with its telemetry switched off."""

from __future__ import annotations

import importlib
import os
from typing import Any

TELEMETRY_VARIABLE = "ORT_DISABLE_TELEMETRY"
"""Set to 1 before ONNX Runtime is loaded, it makes no device id, no queue of events and no
connection (Privacy.md of its 1.32 wheel, whose official builds send by default)."""


def forbid_telemetry() -> None:
    """Switch it off for this process and those that it starts, whatever the user's setting; for
    libraries that load ONNX Runtime themselves."""
    os.environ[TELEMETRY_VARIABLE] = "1"


def onnx_runtime(part: str = "") -> Any:
    """The module `onnxruntime`, or a part of it such as "quantization", without telemetry.

    Raises `ModuleNotFoundError` where it is not installed.
    """
    forbid_telemetry()
    return importlib.import_module(f"onnxruntime.{part}" if part else "onnxruntime")
