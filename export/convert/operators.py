"""Operators: which runtimes know all of a model file's, read from the file itself."""

from __future__ import annotations

import functools
import json
import struct
from pathlib import Path
from typing import Any

from edge.errors import ModelError

TABLE = Path(__file__).parents[1] / "schema" / "operators.json"
"""Highest version of every TFLite operator that a runtime accepts: measured by handing it files
that name one operator in one version."""

ONNX_RUNTIME_OF_OPSET = ((15, "1.10"), (16, "1.11"), (17, "1.12"), (18, "1.14"), (19, "1.15"),
                         (20, "1.17"), (21, "1.18"), (22, "1.20"))  # fmt: skip
"""First ONNX Runtime that reads an opset (its table of compatible versions)."""

LATER = "later than 2.3"


def minimal_runtimes(data: bytes, format: str) -> dict[str, str]:
    """Distribution to the oldest version that knows every operator of the file.

    A distribution of which no version does is not there. Raises `ModelError` for a damaged file.
    """
    if format.startswith("onnx"):
        return {"onnxruntime": _onnx_runtime(data)}
    used = operators(data)
    found: dict[str, str] = {}
    for runtime, known in _table().items():
        distribution, version = runtime.split(" ")
        if distribution not in found and not _unknown(used, known):
            found[distribution] = version
    found.setdefault("ai-edge-litert", LATER)
    return found


def obstacles(data: bytes, runtime: str) -> tuple[str, ...]:
    """Operators of a TFLite file, such as "FULLY_CONNECTED version 12", that `runtime` lacks."""
    return _unknown(operators(data), _table()[runtime])


def operators(data: bytes) -> dict[str, int]:
    """Name of each operator of a TFLite file to its version; custom ones as "custom:NAME".

    Reads the table `operator_codes` by LiteRT's own schema. Raises `ModelError` for a damaged file.
    """
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in _document()["codes"].items()}
    used: dict[str, int] = {}
    try:
        if not schema.Model.ModelBufferHasIdentifier(data, 0):
            raise ValueError("it is no TFLite file")
        model = schema.Model.GetRootAs(data, 0)
        count = model.OperatorCodesLength()
        if 4 * count > len(data):
            raise ValueError("it ends too early")
        for code in map(model.OperatorCodes, range(count)):
            # files of old converters have the number in one byte alone
            number = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
            custom = code.CustomCode()
            name = names.get(number, f"operator {number}")
            if custom:
                name = f"custom:{custom.decode('utf-8', 'replace')}"
            used[name] = max(code.Version(), used.get(name, 0))
    except (ValueError, TypeError, struct.error, IndexError) as problem:
        raise ModelError(f"cannot read the operators of the TFLite file: {problem}") from None
    return used


def _unknown(used: dict[str, int], known: dict[str, int]) -> tuple[str, ...]:
    return tuple(
        f"{name} version {version}"
        for name, version in used.items()
        if version > known.get(name, 0)
    )


def _onnx_runtime(data: bytes) -> str:
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception:
        raise ModelError("the ONNX file cannot be read") from None
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    for known, version in ONNX_RUNTIME_OF_OPSET:
        if opset <= known and model.ir_version <= 8 + max(0, known - 18):
            return version
    return f"later than {ONNX_RUNTIME_OF_OPSET[-1][1]}"


@functools.cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return document


def _table() -> dict[str, dict[str, int]]:
    return {name: known for name, known in _document().items() if name not in ("about", "codes")}
