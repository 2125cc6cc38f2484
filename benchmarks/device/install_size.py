"""Install size: what the plain install with its device extras weighs on a Raspberry Pi.

    python -m benchmarks.device.install_size
    python -m benchmarks.device.install_size --machine x86_64 --python 3.13

pip picks and unpacks what it would on that machine, and compiles it as an install does; nothing of
it has to run here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import click

from edge.console.commands import command, emit_json, json_option
from edge.errors import GateFailed, ToolkitError

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = "secure,mqtt"
MOST_MB = 260.0
GLIBC = ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_31", "_2_34", "_2_35", "_2_36")
"""Tags of manylinux up to the C library of Debian bookworm, 2.36."""

NOT_SOURCES = (".*", "build", "dist", "runs", "demo", "*.egg-info", "__pycache__")


@dataclass(frozen=True)
class InstallSize:
    """sizes_mb: distribution to megabytes (10^6 bytes) on disk, bytecode included."""

    machine: str
    python: str
    sizes_mb: dict[str, float]

    @property
    def total_mb(self) -> float:
        return sum(self.sizes_mb.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "machine": self.machine,
            "python": self.python,
            "extras": EXTRAS,
            "total_mb": round(self.total_mb, 1),
            "most_mb": MOST_MB,
            "sizes_mb": {name: round(size, 2) for name, size in self.sizes_mb.items()},
        }


@command(
    "install-size",
    examples="""
    python -m benchmarks.device.install_size
    python -m benchmarks.device.install_size --machine x86_64 --python 3.13 --json
    """,
)
@click.option("--machine", default="aarch64", type=click.Choice(["aarch64", "x86_64"]))
@click.option("--python", default="3.11", metavar="3.X", help="Python version of that machine.")
@json_option()
def main(machine: str, python: str, as_json: bool) -> None:
    """Weigh the install on a machine; exit with 1 if it is too heavy for a Pi."""
    found = install_size(machine, python)
    if as_json:
        emit_json(found.to_json())
    else:
        for name, size_mb in found.sizes_mb.items():
            click.echo(f"{size_mb:8.1f} MB  {name}")
        click.echo(f"{found.total_mb:8.1f} MB  together; at most {MOST_MB:g}")
    if machine == "aarch64" and found.total_mb > MOST_MB:
        raise GateFailed(f"{found.total_mb:.0f} MB are more than {MOST_MB:g}")


def install_size(machine: str, python: str) -> InstallSize:
    """Raises `ToolkitError` where pip cannot install it for that machine."""
    with tempfile.TemporaryDirectory(prefix="install-") as name:
        folder = Path(name)
        shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*NOT_SOURCES))
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(folder / "tree"))
        (wheel,) = folder.glob("*.whl")
        platforms = [f"--platform=manylinux{tag}_{machine}" for tag in GLIBC]
        _pip(
            "install",
            f"--target={folder / 'there'}",
            f"--python-version={python}",
            "--implementation=cp",
            "--only-binary=:all:",
            *platforms,
            f"{wheel}[{EXTRAS}]",
        )
        return InstallSize(machine, python, sizes_mb(folder / "there"))


def sizes_mb(folder: Path) -> dict[str, float]:
    """Distribution to megabytes of everything installed in a folder, the heaviest first."""
    sizes = {}
    for found in distributions(path=[str(folder)]):
        paths = {Path(str(found.locate_file(path))).resolve() for path in found.files or ()}
        kept = [path for path in paths if path.is_file()]
        sizes[found.metadata["Name"]] = sum(path.stat().st_size for path in kept) / 1e6
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _pip(*words: str) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-q"]
    done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolkitError(f"pip {words[0]} failed: {done.stderr.strip()[-300:]}")


if __name__ == "__main__":
    main()
