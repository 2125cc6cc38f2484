"""Records of arrays: an `.npz` with a description beside its arrays, read without trust.

Objects (pickles) are refused, and so are stored arrays that would unpack to more than they take.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

META = "meta"
"""Name of the array that holds the description: JSON as uint8."""


def npz_bytes(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None) -> bytes:
    """An `.npz` of stored arrays, in their order; the same bytes for the same content.

    meta: the description, JSON values of which no number is NaN or infinite.
    """
    said: dict[str, np.ndarray] = {}
    if meta is not None:
        text = json.dumps(meta, sort_keys=True, allow_nan=False)
        said[META] = np.frombuffer(text.encode(), np.uint8)
    buffer = BytesIO()
    np.savez(buffer, **said, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


@dataclass(frozen=True, eq=False)
class NpzRecord:
    """An `.npz` that was read.

    Attributes:
        meta: Its description, empty where it has none.
        arrays: Its other arrays, by name.
    """

    meta: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    _sizes: dict[str, int] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, data: bytes, *, schema: int | None = None, packed: bool = False) -> NpzRecord:
        """Read the bytes of a file.

        schema: what the description must say, None for anything. packed: whether its arrays may
        be compressed. Raises ValueError for what is no such file, damaged, or of another schema.
        """
        try:
            if not packed:
                _check_stored(data)
            with np.load(BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(arrays.pop(META).tobytes()) if META in arrays else {}
        except Exception as problem:  # NumPy and zipfile raise anything on damaged bytes
            raise ValueError(str(problem) or type(problem).__name__) from None
        if not isinstance(meta, dict):
            raise ValueError("its description is no object")
        if schema is not None and meta.get("schema") != schema:
            raise ValueError(f"schema {meta.get('schema')}, this version reads {schema}")
        return cls(meta, arrays)

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def array(self, name: str, dtype: Any, *axes: int | str) -> np.ndarray:
        """One of the arrays.

        dtype: of its numbers. axes: the length of each axis, or a letter; the same letter stands
        for the same length in all arrays of the record. Raises ValueError for another array than
        that, or none.
        """
        if name not in self.arrays:
            raise ValueError(f"'{name}' is missing")
        found = self.arrays[name]
        wanted = [self._sizes.get(axis, axis) if isinstance(axis, str) else axis for axis in axes]
        fits = found.dtype == np.dtype(dtype) and found.ndim == len(axes)
        if not fits or any(
            isinstance(length, int) and length != given
            for length, given in zip(wanted, found.shape, strict=True)
        ):
            expected = ", ".join(map(str, wanted))
            raise ValueError(
                f"'{name}' is {found.dtype}{list(found.shape)}, not {np.dtype(dtype)}[{expected}]"
            )
        for axis, length in zip(axes, found.shape, strict=True):
            if isinstance(axis, str):
                self._sizes[axis] = length
        return found


def _check_stored(data: bytes) -> None:
    """Raises ValueError for arrays that take more room unpacked than in the file."""
    with zipfile.ZipFile(BytesIO(data)) as file:
        entries = file.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > len(data):
        raise ValueError("it holds compressed arrays")
