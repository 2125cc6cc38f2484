"""The benchmark of opening bundles: what it measures and how it says so."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks.device.bundle_open import BASELINE, FIRST, OPEN, USE, VERIFY, main


def test_the_shipped_base_as_a_bundle_is_opened_and_read(tmp_path: Path) -> None:
    out = tmp_path / "open.json"
    words = ["--rounds", "2", "--processes", "1", "-o", str(out), "--json"]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["size_bytes"] > 1_000_000
    assert {OPEN, USE, VERIFY, BASELINE, FIRST} <= set(said["times_ms"])
    assert said["times_ms"][OPEN]["count"] == 2
    assert said["times_ms"][FIRST]["count"] == 1
    assert json.loads(out.read_text())["times_ms"] == said["times_ms"]


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.edge"
    path.write_bytes(b"nothing")
    done = CliRunner().invoke(main, [str(path)])
    assert done.exit_code == 1
    assert "x.edge" in done.stderr
