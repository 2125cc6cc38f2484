"""The rehearsal on an emulated Pi: what it says, and the counter of instructions."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.locate import SHIPPED, shipped_bundle
from edge.bundle.writer import BundleWriter
from edge.files.image import read_picture
from export.rehearse.counter import SOURCE, Counter
from export.rehearse.emulator import Emulator
from export.rehearse.probe import STAGES, probe
from export.rehearse.rehearsal import Rehearsal


def done(instructions: dict[str, float] | None, uncounted: str = "") -> Rehearsal:
    return Rehearsal(
        "pi5", "trixie", "3.13", "LiteRT", 223.0, True, 1.0, 8, 6, (), 0.0, 0.02, True, (),
        instructions, uncounted,
    )  # fmt: skip


def test_what_a_frame_costs_is_said_or_why_it_is_not_known() -> None:
    costs = dict(zip(STAGES, (49.1, 0.9, 19.3, 3.1, 72.4), strict=True))
    text = done(costs).text()
    assert "millions of instructions a frame: detect 49.1, align 0.9, embed 19.3, decide" in text
    assert done(costs).to_json()["instructions"] == costs
    assert "not counted: there is no C compiler" in done(None, "there is no C compiler").text()


def test_the_probe_counts_by_the_stages_of_the_recognizer(tmp_path: Path) -> None:
    """A number that stands still: nothing is executed between two looks at it."""
    bundle = tmp_path / "base.edge"
    BundleWriter.of(shipped_bundle(), name="base").write(bundle)
    np.savez(tmp_path / "frames.npz", frames=read_picture(SHIPPED / "drawn-face.jpg")[None])
    counted = tmp_path / "counted"
    counted.write_bytes((7_000_000).to_bytes(8, "little"))
    said = probe(bundle, tmp_path / "frames.npz", counted)
    assert said["instructions"] == dict.fromkeys(STAGES, 0.0)
    assert "instructions" not in probe(bundle, tmp_path / "frames.npz")


def test_only_a_run_that_counts_takes_the_other_qemu() -> None:
    counter = Counter(Path("q/qemu-aarch64"), Path("q/lib"), Path("q/count.so"))
    pi = Emulator("pi5", "trixie", Path("static"), Path("root"), Path("site"), counter)
    assert pi.command("x")[0] == "static"
    words = pi.command("x", count_into=Path("n"))
    assert words[:3] == ["q/qemu-aarch64", "-plugin", "q/count.so,into=n"]
    assert words[3:] == pi.command("x")[1:]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")
def test_the_plugin_compiles_without_a_warning(tmp_path: Path) -> None:
    words = ["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / "c.so")]
    subprocess.run([*words, str(SOURCE)], check=True)
