"""Startup: how long the first moments take, and what the plain install weighs. Run by hand:

python -m benchmarks.device.startup --picture face.jpg --bundle anna.edge
python -m benchmarks.device.startup --fresh --picture face.jpg --out startup.json
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from benchmarks.device.report import now, save_json
from benchmarks.device.spread import Spread
from edge.console.commands import PATH, bundle_option, command, emit_json, json_option, out_option
from edge.errors import ToolkitError
from edge.files.platform import children_processor_s

ROOT = Path(__file__).resolve().parents[2]

_NOT_SOURCES = (".*", "build", "dist", "runs", "demo", "*.egg-info", "__pycache__")

_NOT_OURS = ("pip", "setuptools", "wheel")
"""What an environment begins with."""

_LIST_SIZES = """
import json, os
from importlib.metadata import distributions
sizes = {}
for found in distributions():
    paths = {os.path.realpath(found.locate_file(path)) for path in found.files or ()}
    sizes[found.metadata["Name"]] = sum(os.path.getsize(p) for p in paths if os.path.isfile(p))
print(json.dumps(sizes))
"""

_RUN = "import sys; from edge.cli.main import main; sys.argv[0] = 'edge-recognize'; main()"


@dataclass(frozen=True)
class Startup:
    """times_ms: what was measured to its spread; each includes the start of Python, whose own is
    "python". cpu_ms: the same in processor time, which says more on a busy machine. sizes_mib:
    distribution to its size on disk, as pip unpacked it and compiled it; pip itself is left out.
    """

    python: str
    times_ms: dict[str, Spread]
    cpu_ms: dict[str, Spread]
    sizes_mib: dict[str, float]

    @property
    def total_mib(self) -> float:
        return sum(self.sizes_mib.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "when": now(),
            "python": self.python,
            "times_ms": {name: spread.to_json() for name, spread in self.times_ms.items()},
            "cpu_ms": {name: spread.to_json() for name, spread in self.cpu_ms.items()},
            "total_mib": round(self.total_mib, 1),
            "sizes_mib": {name: round(size, 2) for name, size in self.sizes_mib.items()},
        }

    def save(self, path: Path) -> None:
        """Write `to_json`, whole or not at all."""
        save_json(self.to_json(), path)


@command(
    examples="""
    python -m benchmarks.device.startup --picture face.jpg --bundle anna.edge
    python -m benchmarks.device.startup --fresh --picture face.jpg --out startup.json
    """
)
@click.option("--picture", type=PATH, metavar="FILE", help="Time the first decision on this image.")
@bundle_option()
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=7,
    metavar="N",
    help="Number of repeats of each measurement.",
)
@click.option("--python", type=PATH, metavar="FILE", help="Measure this interpreter's environment.")
@click.option("--fresh", is_flag=True, help="Measure a new environment with the plain install.")
@out_option(help="Save the result as JSON.")
@json_option()
def main(
    picture: Path | None, bundle: Path | None, repeats: int, python: Path | None, fresh: bool,
    out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Time the start of edge-recognize, and weigh the parts of an install."""
    with tempfile.TemporaryDirectory() as folder:
        interpreter, place = str(python or sys.executable), ROOT
        if fresh:
            interpreter, place = _fresh_environment(Path(folder)), Path(folder)
        found = measure(interpreter, place, picture=picture, bundle=bundle, repeats=repeats)
    if out is not None:
        found.save(out)
    if as_json:
        emit_json(found.to_json())
    else:
        _show(found)


def measure(
    interpreter: str, place: Path, *, picture: Path | None, bundle: Path | None, repeats: int
) -> Startup:
    """Measure with one Python, in a folder: this checkout, or another one where `edge` is
    installed. What is timed takes turns; the first round warms caches up and is not counted.

    Raises `ToolkitError` where something that is timed fails.
    """
    commands = {
        "python": [interpreter, "-c", "pass"],
        "import edge": [interpreter, "-c", "import edge"],
        "edge-recognize --help": [interpreter, "-c", _RUN, "--help"],
    }
    if picture is not None:
        words = ["--source", str(picture.absolute()), "--json", "--quiet"]
        words += [] if bundle is None else ["--bundle", str(bundle.absolute())]
        commands["first decision"] = [interpreter, "-c", _RUN, *words]
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(repeats + 1):
        for name, words in commands.items():
            before_ms = _children_cpu_ms()
            time_ms = _until_first_line_ms if name == "first decision" else _run_ms
            row = (time_ms(words, place), _children_cpu_ms() - before_ms)
            if number:
                rows[name].append(row)
    times_ms, cpu_ms = (_spreads(rows, column) for column in (0, 1))
    return Startup(interpreter, times_ms, cpu_ms, _sizes_mib(interpreter))


def _spreads(rows: dict[str, list[tuple[float, float]]], column: int) -> dict[str, Spread]:
    spreads = {name: Spread.of(row[column] for row in own) for name, own in rows.items()}
    return {name: spread for name, spread in spreads.items() if spread is not None}


def _children_cpu_ms() -> float:
    """Processor time of all processes that were started and have ended."""
    return 1000 * children_processor_s()


def _run_ms(words: list[str], place: Path) -> float:
    started = perf_counter()
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    spent_ms = 1000 * (perf_counter() - started)
    if done.returncode:
        raise ToolkitError(f"'{' '.join(words)}' failed: {done.stderr.strip()[-300:]}")
    return spent_ms


def _until_first_line_ms(words: list[str], place: Path) -> float:
    """From the start of the process to its first line, which is the first picture's JSON."""
    started = perf_counter()
    with subprocess.Popen(
        words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        spent_ms = 1000 * (perf_counter() - started)
        _, errors = process.communicate()
    if not line.startswith("{") or "faces" not in json.loads(line):
        raise ToolkitError(f"no decision on the picture: {(line + errors).strip()[-300:]}")
    return spent_ms


def _fresh_environment(folder: Path) -> str:
    """A new environment with this checkout's plain install; its Python. Takes a minute or so.

    A copy is installed, because building leaves files where the sources are.
    """
    sources = folder / "sources"
    shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(*_NOT_SOURCES))
    place = folder / "environment"
    python = place / "bin" / "python"
    _run_ms([sys.executable, "-m", "venv", str(place)], folder)
    _run_ms([str(python), "-m", "pip", "install", "-q", "--no-input", str(sources)], folder)
    return str(python)


def _sizes_mib(interpreter: str) -> dict[str, float]:
    done = subprocess.run(
        [interpreter, "-c", _LIST_SIZES], capture_output=True, text=True, check=True, cwd=os.sep
    )
    sizes = {str(name): int(size) / 2**20 for name, size in json.loads(done.stdout).items()}
    kept = {name: size for name, size in sizes.items() if name not in _NOT_OURS}
    return dict(sorted(kept.items(), key=lambda item: -item[1]))


def _show(found: Startup) -> None:
    click.echo(f"{'ms: min / median / max':24} {'elapsed':>20} {'processor':>20}")
    for name, spread in found.times_ms.items():
        click.echo(f"{name:24} {spread.text(0):>20} {found.cpu_ms[name].text(0):>20}")
    click.echo(f"on disk {found.total_mib:.1f} MiB")
    for name, size in found.sizes_mib.items():
        if size >= 0.05:
            click.echo(f"  {name:40} {size:8.1f} MiB")


if __name__ == "__main__":
    main()
