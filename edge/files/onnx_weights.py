"""ONNX files whose weights lie in a second file, as torch.onnx writes them since 2.9.

A runtime that is handed the bytes of such a file looks for the second one in the working directory:
it may find none, or another one. So it is read from beside the model and its weights are taken into
the file, which is a few fields of its protocol buffers (onnx.proto3 of ONNX 1.17).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from edge.errors import ModelError

LARGEST_BYTES = 2**31 - 1
"""Of a protocol buffer."""

_WITHIN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
}
"""Message to the numbers of its fields that may hold tensors, and what these are."""

_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 9, 13, 14
"""Fields of a tensor; its location 1 is "external"."""

_BYTES = 2
"""Wire type of strings and messages."""

Load = Callable[[dict[str, str]], bytes]


def external_files(data: bytes) -> tuple[str, ...]:
    """Names of the files beside an ONNX model in which it has weights, in order; none of a damaged
    one, about which its runtime says more."""
    found: dict[str, None] = {}

    def note(where: dict[str, str]) -> bytes:
        found.setdefault(where.get("location", ""))
        return b""

    try:
        _rebuilt("model", memoryview(data), note)
    except ValueError:
        return ()
    return tuple(found)


def refuse_external(data: bytes) -> None:
    """Raises `ModelError` where weights of an ONNX model are not in its file."""
    names = external_files(data)
    if names:
        raise ModelError(
            f"the ONNX model's weights are not in it but in {', '.join(names)}",
            hint="make the bundle again from the model with that file beside it",
        )


def with_weights(path: Path, data: bytes) -> bytes:
    """The bytes `data` of the ONNX model `path` with all its weights in it.

    Raises `ModelError` where the second file is missing, too short, or not beside the model.
    """
    if not external_files(data):
        return data
    opened: dict[str, bytes] = {}

    def load(where: dict[str, str]) -> bytes:
        name = where.get("location", "")
        if name not in opened:
            opened[name] = _beside(path, name)
        try:
            first, length = int(where.get("offset", 0)), int(where.get("length", -1))
        except ValueError:
            raise ModelError(f"{path} says wrongly where its weights are in {name}") from None
        last = len(opened[name]) if length < 0 else first + length
        if not 0 <= first <= last <= len(opened[name]):
            raise ModelError(
                f"{name} beside {path} is too short for its weights", hint="copy both files again"
            )
        return opened[name][first:last]

    whole = _rebuilt("model", memoryview(data), load)
    if len(whole) > LARGEST_BYTES:
        raise ModelError(f"{path} with its weights is larger than an ONNX file may be")
    return whole


def _beside(path: Path, name: str) -> bytes:
    place = PurePosixPath(name)
    if not name or place.is_absolute() or ".." in place.parts or "\\" in name:
        raise ModelError(f"{path} has weights in '{name}', which does not lie beside it")
    try:
        return (path.parent / place).read_bytes()
    except OSError as problem:
        raise ModelError(
            f"{path} has its weights in a second file, {name}, which cannot be read: "
            f"{problem.strerror}",
            hint="put both files into one folder",
        ) from None


def _rebuilt(kind: str, data: memoryview, load: Load) -> bytes:
    """A message with the weights of its tensors in it. Raises ValueError for a damaged one."""
    if kind == "tensor":
        return _tensor(data, load)
    parts: list[bytes] = []
    for number, wire, value, whole in _fields(data):
        inner = _WITHIN[kind].get(number)
        if inner is None or wire != _BYTES:
            parts.append(bytes(whole))
        else:
            parts.append(_field(number, _rebuilt(inner, value, load)))
    return b"".join(parts)


def _tensor(data: memoryview, load: Load) -> bytes:
    where: dict[str, str] = {}
    external = False
    kept: list[bytes] = []
    for number, wire, value, whole in _fields(data):
        if number == _DATA_LOCATION:
            external = bytes(value) == b"\x01"
        elif number == _EXTERNAL_DATA and wire == _BYTES:
            entry = {n: bytes(v).decode("utf-8") for n, _, v, _ in _fields(value)}
            where[entry.get(1, "")] = entry.get(2, "")
        else:
            kept.append(bytes(whole))
    if not external:
        return bytes(data)
    return b"".join([*kept, _field(_RAW_DATA, load(where))])


def _fields(data: memoryview) -> Iterator[tuple[int, int, memoryview, memoryview]]:
    """Number, wire type, value and all bytes of each field. Raises ValueError."""
    place = 0
    while place < len(data):
        start = place
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        first = place
        if wire == 0:
            _, place = _varint(data, place)
        elif wire == _BYTES:
            length, first = _varint(data, place)
            place = first + length
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        else:
            raise ValueError("no such wire type")
        if place > len(data) or not number:
            raise ValueError("it ends too early")
        yield number, wire, data[first:place], data[start:place]


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(data):
            raise ValueError("it ends too early")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number is too long")


def _field(number: int, payload: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(payload)) + payload


def _number(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
