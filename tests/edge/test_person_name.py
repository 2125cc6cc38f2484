"""Names that nobody can have: one rule for every command and for heads of others' bundles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundle_factory import a_writer, with_manifest
from click.testing import CliRunner
from device_factory import call
from embedding_factory import EMBEDDER

from edge.bundle.manifest import BundleManifestInvalid
from edge.bundle.reader import Bundle
from edge.errors import ModelError
from edge.heads.head import Head, linear_layers
from edge.person_name import name_problem
from trainer.cli.main import main as edge_train

BAD = [
    "", "  ", "unknown", "Unknown", "UNCERTAIN", "somebody unknown", "--x", "-", "a/b", "../b",
    "a#", "+", "a\nb", "a\x1b[2Jb", "a\u202eb", " ana", "ana ", "x" * 121, ".", "..", "caf\udce9",
]  # fmt: skip
GOOD = [
    "ana",
    "Zoë B.",
    "李小龍",
    "Ben 'B' Ü",
    "O'Neil-Smith",
    "unknown soldier",
    "x" * 120,
    "a=b;c",
]


@pytest.mark.parametrize("name", BAD)
def test_names_that_nobody_can_have(name: str, tmp_path: Path) -> None:
    """The pictures do not exist: what is refused for its name is refused before any work."""
    assert name_problem(name)
    words = ["--name", name, "--photos", str(tmp_path / "none")]
    for done in (
        call("enrol", *words),
        CliRunner().invoke(edge_train, ["person", *words, "--out", str(tmp_path / "run")]),
    ):
        assert done.exit_code == 2, done.output
        assert "nobody can be called" in done.stderr
    with pytest.raises(ModelError, match="a head cannot be called"):
        a_head(name)


def a_head(name: str) -> Head:
    return Head(name, "linear", EMBEDDER, linear_layers(np.ones(8, np.float32), 0.0), 1.0)


@pytest.mark.parametrize("name", GOOD)
def test_names_that_people_have(name: str) -> None:
    assert name_problem(name) is None
    assert Head.from_bytes(a_head(name).to_bytes()).name == name


@pytest.mark.parametrize("name", ["unknown", "--x", "a/b", "a\x1b[2J"])
def test_a_bundle_of_others_with_such_a_head_is_refused(name: str, tmp_path: Path) -> None:
    writer = a_writer()
    head = replace(a_head("ana"), embedder_sha256=writer.base[0].sha256)
    path = tmp_path / "theirs.edge"
    writer.with_heads([head]).write(path)

    def renamed(fields: dict[str, object]) -> None:
        text = json.dumps(fields["heads"]).replace('"ana"', json.dumps(name))
        fields["heads"] = json.loads(text)

    with_manifest(path, renamed)
    with pytest.raises(BundleManifestInvalid, match="nobody can be called"):
        Bundle.open(path)
