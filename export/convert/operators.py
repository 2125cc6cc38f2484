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

    Reads the table `operator_codes` of the flatbuffer (schema.fbs of TensorFlow Lite: field 1 of
    the model; of a code, fields 0 and 3 are the number, 1 the custom name, 2 the version).
    """
    names = {number: name for name, number in _document()["codes"].items()}
    used: dict[str, int] = {}
    try:
        if data[4:8] != b"TFL3":
            raise ValueError("it is no TFLite file")
        for place in _vector(data, _field(data, _offset(data, 0), 1)):
            old, new = _field(data, place, 0), _field(data, place, 3)
            number = max(_scalar(data, old, "<b", 0), _scalar(data, new, "<i", 0))
            version = _scalar(data, _field(data, place, 2), "<i", 1)
            custom = _field(data, place, 1)
            if custom:
                name = f"custom:{_text(data, custom)}"
            else:
                name = names.get(number, f"operator {number}")
            used[name] = max(version, used.get(name, 0))
    except (ValueError, struct.error, IndexError) as problem:
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


def _offset(data: bytes, place: int) -> int:
    target = place + int(struct.unpack_from("<I", data, place)[0])
    if target >= len(data):
        raise ValueError("it ends too early")
    return target


def _field(data: bytes, table: int, number: int) -> int:
    """Place of a field of a flatbuffer table, 0 where it is left out."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    if vtable < 0 or 6 + 2 * number > struct.unpack_from("<H", data, vtable)[0]:
        return 0
    inside = int(struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0])
    return table + inside if inside else 0


def _scalar(data: bytes, place: int, kind: str, default: int) -> int:
    return int(struct.unpack_from(kind, data, place)[0]) if place else default


def _vector(data: bytes, place: int) -> list[int]:
    """Places of the tables of a vector."""
    if not place:
        return []
    start = _offset(data, place)
    count = struct.unpack_from("<I", data, start)[0]
    if count * 4 > len(data):
        raise ValueError("it ends too early")
    return [_offset(data, start + 4 + 4 * number) for number in range(count)]


def _text(data: bytes, place: int) -> str:
    start = _offset(data, place)
    size = struct.unpack_from("<I", data, start)[0]
    return data[start + 4 : start + 4 + size].decode("utf-8", "replace")
