"""Whatever is done to a bundle's bytes: it is refused by name, or everything in it is as it was."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from bundle_factory import a_writer, members_of, zip_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.bundle.golden import Golden
from edge.bundle.manifest import Manifest
from edge.bundle.reader import Bundle
from edge.bundle.signature import PrivateKey
from edge.errors import BundleError

FOLDER = Path(tempfile.mkdtemp(prefix="bundle-fuzz-"))
KEY = PrivateKey.generate()


def _bytes(signed: bool) -> bytes:
    path = FOLDER / "original.edge"
    a_writer(200).write(path, key=KEY if signed else None)
    return path.read_bytes()


PLAIN, SIGNED = _bytes(False), _bytes(True)
(FOLDER / "plain.edge").write_bytes(PLAIN)
MEMBERS = members_of(FOLDER / "plain.edge")


@pytest.fixture(autouse=True, scope="module")
def _clean_up() -> object:
    yield
    for path in FOLDER.iterdir():
        path.unlink()
    FOLDER.rmdir()


def opened(data: bytes, *, signed: bool = False) -> dict[str, bytes] | None:
    """Members of the bundle with these bytes, None where it is refused by a `BundleError`."""
    path = FOLDER / "changed.edge"
    path.write_bytes(data)
    before = set(FOLDER.iterdir())
    try:
        with Bundle.open(path, KEY.public if signed else None) as bundle:
            bundle.verify()
            _ = bundle.golden
            manifest = bundle.manifest.to_bytes()
            found = {name: bundle.read(name) for name in bundle.manifest.members}
            return {"manifest.json": manifest, **found}
    except BundleError:
        return None
    finally:
        assert set(FOLDER.iterdir()) == before  # nothing was written anywhere near


def unchanged(found: dict[str, bytes] | None) -> bool:
    return found is None or found == MEMBERS


def test_the_original_opens() -> None:
    assert opened(PLAIN) == MEMBERS
    assert opened(SIGNED, signed=True) is not None


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(PLAIN) * 8 - 1))
def test_one_bit_flipped(bit: int) -> None:
    data = bytearray(PLAIN)
    data[bit // 8] ^= 1 << bit % 8
    assert unchanged(opened(bytes(data)))


def test_every_bit_of_the_headers_flipped() -> None:
    start = PLAIN.index(b"PK\1\2")
    places = [*range(40), *range(start, start + 120), *range(len(PLAIN) - 40, len(PLAIN))]
    for place in places:
        for bit in (0, 6):
            data = bytearray(PLAIN)
            data[place] ^= 1 << bit
            assert unchanged(opened(bytes(data))), (place, bit)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SIGNED) * 8 - 1))
def test_one_bit_of_a_signed_one_flipped(bit: int) -> None:
    data = bytearray(SIGNED)
    data[bit // 8] ^= 1 << bit % 8
    found = opened(bytes(data), signed=True)
    assert found is None or {n: d for n, d in found.items() if n != "manifest.json"} == {
        n: d for n, d in MEMBERS.items() if n != "manifest.json"
    }


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(PLAIN) - 1))
def test_cut_off(size: int) -> None:
    assert opened(PLAIN[:size]) is None


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(PLAIN)), st.integers(0, 60), st.binary(max_size=60))
def test_a_piece_replaced(start: int, length: int, piece: bytes) -> None:
    assert unchanged(opened(PLAIN[:start] + piece + PLAIN[start + length :]))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
@example(b"PK\5\6" + bytes(18))
def test_any_bytes(data: bytes) -> None:
    assert opened(data) is None


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30), st.binary(max_size=20))
def test_any_further_member(name: str, data: bytes) -> None:
    name = name.replace("\0", "")
    if name in MEMBERS:
        return
    try:
        archive = zip_of({**MEMBERS, name: data})
    except UnicodeEncodeError:
        return
    assert opened(archive) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_value_anywhere_in_the_manifest(data: st.DataObject) -> None:
    import json

    fields = json.loads(MEMBERS["manifest.json"])
    holder, key = fields, data.draw(st.sampled_from(sorted(fields)))
    while isinstance(holder[key], dict) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(st.sampled_from(sorted(holder)))
    holder[key] = data.draw(JSON)
    with contextlib.suppress(BundleError):
        Manifest.from_bytes(json.dumps(fields).encode()).to_bytes()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_as_a_manifest(data: bytes) -> None:
    with pytest.raises(BundleError):
        Manifest.from_bytes(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(MEMBERS["golden.npz"]) * 8 - 1))
def test_one_bit_of_the_golden_crops_flipped(bit: int) -> None:
    data = bytearray(MEMBERS["golden.npz"])
    data[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(BundleError):
        Golden.from_bytes(bytes(data))
