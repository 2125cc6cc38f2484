"""Records of arrays: what is written is read back, and whatever else is refused."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest

from edge.files.npz_record import NpzRecord, npz_bytes

ARRAYS = {"rows": np.ones((3, 4), np.float32), "of": np.arange(3)}


def with_numpy(save: Any, **arrays: np.ndarray) -> bytes:
    buffer = BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def test_what_is_written_is_read_back() -> None:
    data = npz_bytes(ARRAYS, {"schema": 2, "names": ["a"]})
    assert data == npz_bytes(ARRAYS, {"names": ["a"], "schema": 2})
    file = NpzRecord.read(data, schema=2)
    assert file.meta == {"schema": 2, "names": ["a"]}
    assert (file.array("rows", np.float32, "N", 4) == ARRAYS["rows"]).all()
    assert (file.array("of", np.int64, "N") == ARRAYS["of"]).all()
    assert "of" in file
    assert "meta" not in file
    assert NpzRecord.read(npz_bytes(ARRAYS)).meta == {}


@pytest.mark.parametrize(
    ("name", "dtype", "axes", "problem"),
    [
        ("more", np.uint8, (), "'more' is missing"),
        ("rows", np.float64, ("N", "D"), r"float32\[3, 4\], not float64\[3, D\]"),
        ("rows", np.float32, ("N",), r"not float32\[3\]"),
        ("rows", np.float32, ("N", 5), r"not float32\[3, 5\]"),
        ("rows", np.float32, ("D", "N"), r"not float32\[D, 3\]"),
    ],
)
def test_another_array_than_expected(name: str, dtype: Any, axes: Any, problem: str) -> None:
    file = NpzRecord.read(npz_bytes(ARRAYS))
    file.array("of", np.int64, "N")
    with pytest.raises(ValueError, match=problem):
        file.array(name, dtype, *axes)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not a zip file"),
        (npz_bytes(ARRAYS)[:90], "not a zip file"),
        (with_numpy(np.savez_compressed, **ARRAYS), "compressed"),
        (with_numpy(np.savez, of=np.array([None])), "allow_pickle=False"),
        (with_numpy(np.savez, meta=np.frombuffer(b"[1]", np.uint8)), "no object"),
        (npz_bytes(ARRAYS, {"schema": 3}), "schema 3, this version reads 2"),
        (npz_bytes(ARRAYS), "schema None"),
    ],
)
def test_what_is_no_record(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        NpzRecord.read(data, schema=2)


def test_compressed_arrays_are_read_where_they_may_be() -> None:
    file = NpzRecord.read(with_numpy(np.savez_compressed, **ARRAYS), packed=True)
    assert (file.array("rows", np.float32, 3, 4) == 1).all()
