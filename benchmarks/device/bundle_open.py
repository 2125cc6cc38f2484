"""How long it takes to open a bundle, beside reading and hashing the whole file. Run by hand:

    python -m benchmarks.device.bundle_open
    python -m benchmarks.device.bundle_open anna.edge --json

Without a bundle, one of the shipped base with its cohort is written and opened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from benchmarks.device.report import now, save_json
from benchmarks.device.spread import Spread
from edge.bundle.reader import Bundle
from edge.bundle.writer import BundleWriter
from edge.console.commands import PATH, command, emit_json, json_option, out_option
from export.gate.timing import times_in_turns

OPEN, USE, VERIFY, BASELINE = "open", "open, read what recognizing needs", "verify", "read and hash"
FIRST = "open, first in a process"
FROM_DISK = "open, not in the page cache"

_FIRST_OPEN = """
import json, sys, time
from edge.bundle.reader import Bundle
started = time.perf_counter()
Bundle.open(sys.argv[1]).close()
print(json.dumps(1000 * (time.perf_counter() - started)))
"""


@dataclass(frozen=True)
class OpenTimes:
    """times_ms: what was measured to its spread. load: of the machine, over a minute, per core."""

    size_bytes: int
    members: int
    load: float
    times_ms: dict[str, Spread]

    def to_json(self) -> dict[str, Any]:
        return {
            "when": now(),
            "size_bytes": self.size_bytes,
            "members": self.members,
            "load_per_core": round(self.load, 2),
            "times_ms": {name: spread.to_json() for name, spread in self.times_ms.items()},
        }

    def lines(self) -> list[str]:
        """For people."""
        found = [
            f"{self.size_bytes / 1e6:.2f} MB, {self.members} members; "
            f"load {self.load:.1f} per core",
            f"{'ms':<36}{'median':>9}{'95 %':>9}{'worst':>9}",
        ]
        for name, spread in self.times_ms.items():
            found.append(f"{name:<36}{spread.p50:>9.2f}{spread.p95:>9.2f}{spread.maximum:>9.2f}")
        return found


@command(
    "bundle-open",
    examples="""
    python -m benchmarks.device.bundle_open
    python -m benchmarks.device.bundle_open anna.edge --rounds 500 --json
    """,
)
@click.argument("bundle", type=PATH, required=False, metavar="[NAME.edge]")
@click.option("--rounds", type=click.IntRange(1), default=200, help="Number of rounds.")
@click.option("--processes", type=click.IntRange(1), default=10, help="Number of new processes.")
@out_option(help="Save the result as JSON.")
@json_option()
def main(bundle: Path | None, rounds: int, processes: int, out: Path | None, as_json: bool) -> None:
    """Time opening a bundle: alone, with what recognizing reads, and with every hash."""
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        found = measure(bundle or _shipped(Path(folder)), rounds, processes)
    if out is not None:
        save_json(found.to_json(), out)
    if as_json:
        emit_json(found.to_json())
    else:
        click.echo("\n".join(found.lines()))


def measure(path: Path, rounds: int, processes: int) -> OpenTimes:
    """Time the bundle at `path`, in turns. Raises as `Bundle.open` and `Bundle.verify`."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    with Bundle.open(path) as opened:
        members = len(opened.manifest.members) + 1
    calls: dict[str, Callable[[], object]] = {
        OPEN: lambda: Bundle.open(path).close(),
        USE: lambda: _use(path),
        VERIFY: lambda: _verify(path),
        BASELINE: lambda: sha256(path.read_bytes()).hexdigest(),
    }
    times_s = times_in_turns(list(calls.values()), rounds)
    times_ms = {name: 1000 * own for name, own in zip(calls, times_s.T, strict=True)}
    if hasattr(os, "posix_fadvise"):  # not on macOS
        cold_s = times_in_turns([lambda: _forget(path), calls[OPEN]], min(rounds, 50))
        times_ms[FROM_DISK] = 1000 * cold_s[:, 1]
    spreads = {name: Spread.of(times) for name, times in times_ms.items()}
    spreads[FIRST] = Spread.of(_first_ms(path) for _ in range(processes))
    known = {name: spread for name, spread in spreads.items() if spread is not None}
    return OpenTimes(path.stat().st_size, members, load, known)


def _shipped(folder: Path) -> Path:
    from edge.bundle.locate import shipped_bundle

    path = folder / "shipped.edge"
    with shipped_bundle() as bundle:
        BundleWriter.of(bundle).write(path)
    return path


def _use(path: Path) -> None:
    with Bundle.open(path) as bundle:
        _ = bundle.base_data, bundle.embedder_data, bundle.detector_data, bundle.heads


def _verify(path: Path) -> None:
    with Bundle.open(path) as bundle:
        bundle.verify()


def _forget(path: Path) -> None:
    """Ask the kernel to forget what it has read of the file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _first_ms(path: Path) -> float:
    """Milliseconds of the first open of a fresh process, imports left out."""
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_OPEN, path], capture_output=True, text=True, check=True
    )
    return float(json.loads(done.stdout))


if __name__ == "__main__":
    main()
