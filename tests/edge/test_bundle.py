"""Bundles come back as they were written, and everything that is wrong with one has a name."""

from __future__ import annotations

import io
import os
import time
import tracemalloc
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_factory import (
    a_network,
    a_writer,
    members_of,
    some_golden,
    with_alternative,
    with_manifest,
    zip_of,
)

from edge.bundle import archive
from edge.bundle.archive import BundleCompressed
from edge.bundle.entry import FileEntry
from edge.bundle.reader import Bundle
from edge.bundle.writer import BundleWriter, file_stem
from edge.errors import (
    BundleError,
    BundleHashMismatch,
    BundleManifestInvalid,
    BundleMembersWrong,
    BundleOversized,
    BundlePathEscape,
    BundleSchemaUnknown,
    BundleTruncated,
)
from edge.heads.cohort import Cohort
from edge.heads.head import Head, linear_layers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "anna.edge"
    a_writer().write(target)
    return target


def test_a_bundle_comes_back_as_it_was_written(tmp_path: Path) -> None:
    target = tmp_path / "anna.edge"
    writer = with_alternative(a_writer())
    extra = (FileEntry("models/base.keras", "keras", "for Keras"), b"keras file")
    writer = replace(writer, files=(extra,))
    writer.write(target)
    with Bundle.open(target) as bundle:
        assert bundle.name == "anna"
        assert (bundle.base, bundle.base_data) == writer.base
        assert (bundle.embedder, bundle.embedder_data) == writer.base
        assert bundle.detector_data == b"detector"
        assert bundle.manifest.detector is not None
        assert bundle.manifest.detector.score_threshold == 0.6
        assert bundle.heads == ()
        assert bundle.cohort() is None
        assert bundle.golden is not None
        np.testing.assert_array_equal(bundle.golden.crops, some_golden().crops)
        assert bundle.text("labels.txt").split() == ["Eyeglasses", "Smiling"]
        assert bundle.read("models/base.keras") == b"keras file"
        assert BundleWriter.of(bundle) == writer
        bundle.verify()


def test_any_zip_program_can_read_it(path: Path) -> None:
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.namelist()[0] == "manifest.json"
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, path: Path) -> None:
    a_writer().write(tmp_path / "later.edge")
    with Bundle.open(path) as bundle:
        BundleWriter.of(bundle).write(tmp_path / "copy.edge")
    assert (tmp_path / "later.edge").read_bytes() == path.read_bytes()
    assert (tmp_path / "copy.edge").read_bytes() == path.read_bytes()


def test_an_embedder_of_its_own(tmp_path: Path) -> None:
    data = b"an embedding network"
    writer = replace(a_writer(), embedder=(a_network(data), data))
    writer.write(tmp_path / "x.edge")
    with Bundle.open(tmp_path / "x.edge") as bundle:
        assert bundle.embedder_data == data
        assert bundle.base_data == writer.base[1]
        assert [entry.member for entry in bundle.manifest.models] == [
            "models/base.int8.tflite",
            "models/embedder.int8.tflite",
        ]


def a_head(embedder_sha256: str, name: str = "Anna") -> Head:
    return Head(
        name=name,
        kind="linear",
        embedder_sha256=embedder_sha256,
        layers=linear_layers(np.arange(8.0), -1.0),
        threshold=0.25,
    )


def test_heads_and_cohort(tmp_path: Path) -> None:
    writer = a_writer()
    sha256 = writer.base[0].sha256
    cohort = Cohort(
        embeddings=np.eye(4, 8, dtype=np.float16),
        identity=np.arange(4, dtype=np.int32),
        variant=np.zeros(4, np.uint8),
        variants=("plain",),
        embedder_sha256=sha256,
    )
    heads = (a_head(sha256), a_head(sha256, "Jörg Ä..x"))
    target = tmp_path / "x.edge"
    replace(writer, heads=heads, cohort=cohort.to_bytes()).write(target)
    with Bundle.open(target) as bundle:
        bundle.verify()
        assert [head.name for head in bundle.heads] == ["Anna", "Jörg Ä..x"]
        assert [entry.threshold for entry in bundle.manifest.heads] == [0.25, 0.25]
        np.testing.assert_array_equal(bundle.heads[0].layers[0].weights[:, 0], np.arange(8.0))
        found = bundle.cohort()
        assert found is not None
        np.testing.assert_array_equal(found.embeddings, cohort.embeddings)
        BundleWriter.of(bundle, heads=[a_head(sha256, "Berta")]).write(target)
    with Bundle.open(target) as bundle:
        assert [entry.member for entry in bundle.manifest.heads] == ["heads/Berta.npz"]
        assert bundle.cohort() is not None


def test_a_head_that_is_not_what_the_manifest_says(tmp_path: Path) -> None:
    writer = a_writer()
    target = tmp_path / "x.edge"
    replace(writer, heads=(a_head(writer.base[0].sha256),)).write(target)
    with_manifest(target, lambda fields: fields["heads"][0].update(threshold=-5.0))
    with Bundle.open(target) as bundle, pytest.raises(BundleManifestInvalid, match="another head"):
        _ = bundle.heads


def test_the_open_bundle_can_be_written_over(path: Path) -> None:
    with Bundle.open(path) as bundle:
        BundleWriter.of(bundle, name="berta").write(path)
        bundle.verify()  # still the file that was opened
    with Bundle.open(path) as bundle:
        assert bundle.name == "berta"
        bundle.verify()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, path: Path) -> None:
    before = path.read_bytes()
    wrong = replace(a_writer(), base=(a_network(b"this"), b"that"))
    with pytest.raises(BundleHashMismatch):
        wrong.write(path)
    with pytest.raises(BundlePathEscape):
        replace(a_writer(), licences={"../../x": "text"}).write(path)
    with pytest.raises(BundleManifestInvalid):
        replace(a_writer(), name="two\nlines").write(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208


def test_five_megabytes_open_at_once(tmp_path: Path) -> None:
    target = tmp_path / "large.edge"
    a_writer(5_000_000).write(target)
    spent_s = []
    for _ in range(5):
        started = time.perf_counter()
        Bundle.open(target).close()
        spent_s.append(time.perf_counter() - started)
    assert min(spent_s) < 0.05


def test_memory_stays_below_twice_the_declared_size(tmp_path: Path) -> None:
    target = tmp_path / "large.edge"
    a_writer(5_000_000).write(target)
    with Bundle.open(target) as bundle:
        bundle.verify()  # modules are loaded
        tracemalloc.start()
        bundle.verify()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2 * 5_000_000


def test_a_forgotten_bundle_closes_itself(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(3):
            Bundle.open(path)
        with pytest.raises(BundleError):
            Bundle.open(path.with_name("none.edge"))
        assert len(os.listdir("/proc/self/fd")) == descriptors  # noqa: PTH208


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it ends too early"),
        (b"PK\5\6", "it ends too early"),
        (b"x" * 4000, "is no bundle"),
        (b"version https://git-lfs.github.com/spec/v1\n" * 3, "git-lfs pointer"),
    ],
)
def test_what_is_no_archive(tmp_path: Path, content: bytes, words: str) -> None:
    target = tmp_path / "x.edge"
    target.write_bytes(content)
    with pytest.raises(BundleTruncated, match=words):
        Bundle.open(target)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a file"):
        Bundle.open(tmp_path)
    with pytest.raises(BundleError, match="No such file"):
        Bundle.open(tmp_path / "none.edge")
    os.mkfifo(tmp_path / "pipe.edge")
    with pytest.raises(BundleError, match="not a file"):
        Bundle.open(tmp_path / "pipe.edge")


def test_truncated_anywhere(path: Path) -> None:
    data = path.read_bytes()
    for size in (10, 100, len(data) // 2, len(data) - 30, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(BundleTruncated):
            Bundle.open(path)


def test_something_appended_or_put_before(path: Path) -> None:
    data = path.read_bytes()
    for changed in (data + b"x", b"x" + data, data + data, b"PK\3\4" + data):
        path.write_bytes(changed)
        with pytest.raises(BundleError):
            Bundle.open(path)


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/../../x", "C:/x", "a\\b", "a//b", "./x", "..", "x/", ".hidden", "ä"],
)
def test_a_path_that_leaves_the_archive(path: Path, name: str) -> None:
    path.write_bytes(zip_of({**members_of(path), name: b"x"}))
    with pytest.raises(BundlePathEscape):
        Bundle.open(path)


def test_a_name_is_there_twice(path: Path) -> None:
    pairs = [*members_of(path).items(), ("labels.txt", b"Male\n")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(zip_of(pairs))
    with pytest.raises(BundleMembersWrong, match=r"labels\.txt twice"):
        Bundle.open(path)


def test_compressed_members_are_refused_unread(path: Path) -> None:
    bomb = zip_of(
        {**members_of(path), "labels.txt": bytes(50_000_000)}, compress_type=zipfile.ZIP_DEFLATED
    )
    path.write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(BundleCompressed):
        Bundle.open(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_bomb_inside_a_numpy_file_is_refused_unread(path: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, crops=np.zeros((50_000_000,), np.uint8))
    replace(a_writer(), golden=buffer.getvalue()).write(path)
    tracemalloc.start()
    with Bundle.open(path) as bundle, pytest.raises(BundleCompressed):
        _ = bundle.golden
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_undeclared_and_missing_members(path: Path) -> None:
    members = members_of(path)
    path.write_bytes(zip_of({**members, "extra.bin": b"x"}))
    with pytest.raises(BundleMembersWrong, match=r"undeclared extra\.bin"):
        Bundle.open(path)
    path.write_bytes(zip_of({**members, "manifest.sig": bytes(64)}))
    with pytest.raises(BundleMembersWrong, match=r"undeclared manifest\.sig"):
        Bundle.open(path)
    path.write_bytes(zip_of({n: d for n, d in members.items() if n != "labels.txt"}))
    with pytest.raises(BundleMembersWrong, match=r"lacks its labels\.txt"):
        Bundle.open(path)
    path.write_bytes(zip_of({n: d for n, d in members.items() if n != "manifest.json"}))
    with pytest.raises(BundleMembersWrong, match=r"no manifest\.json"):
        Bundle.open(path)


def test_a_wrong_hash(path: Path) -> None:
    members = members_of(path)
    base = bytearray(members["models/base.int8.tflite"])
    base[100] ^= 1
    members["models/base.int8.tflite"] = bytes(base)
    path.write_bytes(zip_of(members))
    with Bundle.open(path) as bundle:
        assert bundle.text("labels.txt")  # what was not changed can be read
        with pytest.raises(BundleHashMismatch, match=r"base\.int8\.tflite"):
            _ = bundle.base_data
        with pytest.raises(BundleHashMismatch):
            bundle.verify()


def test_sizes_that_were_not_declared(path: Path) -> None:
    members = members_of(path)
    path.write_bytes(zip_of({**members, "labels.txt": members["labels.txt"] + b"more"}))
    with pytest.raises(BundleOversized, match=r"labels\.txt"):
        Bundle.open(path)
    path.write_bytes(zip_of({**members, "labels.txt": b""}))
    with pytest.raises(BundleTruncated, match=r"labels\.txt"):
        Bundle.open(path)


def test_members_and_archives_that_are_too_large(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 9000)
    with pytest.raises(BundleOversized, match=r"golden\.npz"):
        Bundle.open(path)
    with pytest.raises(BundleOversized):
        a_writer().write(path)
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", 2000)
    with pytest.raises(BundleOversized):
        Bundle.open(path)
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(BundleOversized, match="members"):
        Bundle.open(path)
    monkeypatch.undo()
    members = members_of(path)
    path.write_bytes(zip_of({**members, "manifest.json": b" " * 2**20 + members["manifest.json"]}))
    with pytest.raises(BundleOversized, match=r"manifest\.json"):
        Bundle.open(path)


def test_a_member_that_claims_gigabytes(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\1\2")
    for offset in (20, 24):
        data[place + offset : place + offset + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(BundleOversized):
        Bundle.open(path)


def test_members_that_share_bytes(path: Path) -> None:
    data = bytearray(path.read_bytes())
    first, second = data.index(b"PK\1\2"), data.rindex(b"PK\1\2")
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    path.write_bytes(data)
    with pytest.raises(BundleTruncated, match="overlap"):
        Bundle.open(path)


def test_another_schema(path: Path) -> None:
    for schema in (0, 2, "1", 1.0, True, None):
        with_manifest(path, lambda fields, schema=schema: fields.update(schema=schema))
        with pytest.raises(BundleSchemaUnknown, match="update edge-recognize"):
            Bundle.open(path)


def _drop_base_field(fields: dict[str, Any]) -> None:
    del fields["base"]["network"]["input"]


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.pop("schema"),
        lambda fields: fields.pop("name"),
        lambda fields: fields.update(name="a\x1b[31m"),
        lambda fields: fields.update(heads=3),
        lambda fields: fields.update(members=[]),
        lambda fields: fields["detector"].update(score_threshold="high"),
        lambda fields: fields["detector"].update(score_threshold=1e999),
        lambda fields: fields["embedder"]["network"].update(outputs={"attributes": "a"}),
        lambda fields: fields["base"]["network"].update(format="caffe"),
        lambda fields: fields["base"]["network"]["input"].update(size_px=10**9),
        _drop_base_field,
    ],
)
def test_a_manifest_that_is_wrong(path: Path, change: Any) -> None:
    with_manifest(path, change)
    with pytest.raises(BundleManifestInvalid):
        Bundle.open(path)


def test_a_manifest_that_contradicts_itself(path: Path) -> None:
    with_manifest(path, lambda fields: fields["detector"].update(sha256="0" * 64))
    with pytest.raises(BundleHashMismatch, match="two different hashes"):
        Bundle.open(path)
    a_writer().write(path)
    with_manifest(path, lambda fields: fields.update(cohort="nowhere.npz"))
    with pytest.raises(BundleMembersWrong, match=r"nowhere\.npz"):
        Bundle.open(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": 1, "schema": 1}',
        b"NaN",
        b"1e999",
    ],
)
def test_a_manifest_that_is_no_json(path: Path, text: bytes) -> None:
    path.write_bytes(zip_of({**members_of(path), "manifest.json": text}))
    with pytest.raises(BundleManifestInvalid):
        Bundle.open(path)


def test_file_names_for_any_name() -> None:
    assert file_stem("anna-1.b") == "anna-1.b"
    stems = {file_stem(name) for name in ("Jörg", "Jürg", "../x", "x", "", "Jo rg", "人")}
    assert len(stems) == 7
    assert all(archive.checked_name(f"heads/{stem}.npz") for stem in stems)
