"""What an install weighs: the count, and the real one for a Raspberry Pi."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.device.install_size import MOST_MB, InstallSize, install_size, sizes_mb


def test_sizes_are_those_of_each_distributions_own_files(tmp_path: Path) -> None:
    for name, size in (("heavy", 3_000_000), ("light", 1000)):
        (tmp_path / f"{name}.py").write_bytes(b"#" * size)
        record = tmp_path / f"{name}-1.0.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (record / "RECORD").write_text(f"{name}.py,,\n{name}.py,,\ngone.py,,\n")
    (tmp_path / "nobodys.py").write_bytes(b"#" * 5000)
    found = InstallSize("aarch64", "3.11", sizes_mb(tmp_path))
    assert list(found.sizes_mb.items()) == [("heavy", 3.0), ("light", 0.001)]
    assert found.to_json()["total_mb"] == 3.0


@pytest.mark.server
@pytest.mark.long
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_install_on_a_pi_is_light(python: str) -> None:
    found = install_size("aarch64", python)
    assert found.sizes_mb["edge-recognize"] > 10
    assert 200 < found.total_mb <= MOST_MB, found.sizes_mb
