"""Which bundle is used when none is named: the order, and what is not passed over silently."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from bundle_factory import a_network, a_writer

from edge.bundle import locate as module
from edge.bundle.locate import (
    BUNDLE_VARIABLE,
    bundles_folder,
    current_link,
    data_folder,
    installed_name,
    locate,
    open_bundle,
)
from edge.bundle.writer import BundleWriter
from edge.errors import BundleError, BundleHashMismatch, ModelError, ToolkitError


@pytest.fixture(autouse=True)
def _empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(BUNDLE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "shipped")


def put(path: Path, name: str, age_s: float = 0) -> Path:
    """A bundle called `name`, written `age_s` ago."""
    from dataclasses import replace

    replace(a_writer(), name=name).write(path)
    time_s = path.stat().st_mtime - age_s
    os.utime(path, (time_s, time_s))
    return path


def ship(folder: Path) -> None:
    """A base as it comes with the distribution."""
    folder.mkdir()
    data = np.random.default_rng(0).bytes(1000)
    (folder / "base.int8.tflite").write_bytes(data)
    (folder / "base.json").write_text(json.dumps(a_network(data).to_json()))
    (folder / "README.md").write_text("# The shipped base\n")


def name_at(bundle: Path | None = None) -> str:
    with locate(bundle).open() as opened:
        return opened.name


def test_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolkitError, match="no bundle found, and this installation ships no base"):
        locate()
    ship(tmp_path / "shipped")
    assert name_at() == "shipped-base"
    assert "no bundle found" in locate().line
    put(bundles_folder() / "old.edge", "old", age_s=60)
    new = put(bundles_folder() / "new.edge", "new")
    assert name_at() == "new"
    assert "newest" in locate().line
    current_link().symlink_to(bundles_folder() / "old.edge")
    assert name_at() == "old"
    assert "flashed" in locate().line
    monkeypatch.setenv(BUNDLE_VARIABLE, str(put(tmp_path / "environment.edge", "environment")))
    assert name_at() == "environment"
    assert BUNDLE_VARIABLE in locate().line
    assert name_at(new) == "new"
    assert str(new) in locate(new).line


def test_a_missing_one_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ship(tmp_path / "shipped")
    put(bundles_folder() / "a.edge", "a")
    with pytest.raises(BundleError, match="no bundle"):
        locate(tmp_path / "none.edge")
    current_link().symlink_to(bundles_folder() / "gone.edge")
    with pytest.raises(BundleError, match="points to a bundle that is not there"):
        locate()
    monkeypatch.setenv(BUNDLE_VARIABLE, "none.edge")
    with pytest.raises(BundleError, match=BUNDLE_VARIABLE):
        locate()


def test_half_written_and_foreign_files_are_no_bundles() -> None:
    bundles_folder().mkdir(parents=True)
    (bundles_folder() / ".a-xyz.edge").write_bytes(b"")
    (bundles_folder() / "notes.txt").write_bytes(b"")
    (bundles_folder() / "folder.edge").mkdir()
    with pytest.raises(ToolkitError, match="no bundle found"):
        locate()


def test_where_things_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", value)
        assert data_folder() == tmp_path / ".local" / "share" / "edge-recognize"
    assert bundles_folder() == data_folder() / "bundles"
    assert installed_name("anna", "0123456789abcdef" * 4) == "anna-0123456789ab.edge"
    assert "/" not in installed_name("../x y", "0" * 64)


def test_the_shipped_base_is_a_bundle_without_heads(tmp_path: Path) -> None:
    ship(tmp_path / "shipped")
    bundle, located = open_bundle()
    assert located.path is None
    assert bundle.heads == ()
    assert bundle.detector_data is None
    assert bundle.cohort() is None
    assert bundle.golden is None
    assert bundle.embedder_data == bundle.base_data
    assert bundle.text(bundle.manifest.card).startswith("# The shipped base")
    bundle.verify()
    # as enrolling on a device does
    BundleWriter.of(bundle, name="mine").write(tmp_path / "mine.edge")
    assert name_at(tmp_path / "mine.edge") == "mine"


def test_a_damaged_shipped_base(tmp_path: Path) -> None:
    ship(tmp_path / "shipped")
    (tmp_path / "shipped" / "base.int8.tflite").write_bytes(b"something else")
    bundle, _ = open_bundle()
    with pytest.raises(BundleHashMismatch):
        _ = bundle.base_data
    (tmp_path / "shipped" / "base.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        open_bundle()
