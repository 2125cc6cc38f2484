"""Environments of peers: made by venv and pip from the registry, measured, run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.kinds import PeerKind
from edge.errors import ToolkitError

ROOT = Path(__file__).resolve().parents[2]

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_NOT_THEIRS = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "wheel")
_REASON = 200


@dataclass(frozen=True, eq=False)
class Ran:
    """What a runner gave. scores, media: see `benchmarks.peers.runners.protocol`. wall_s, cpu_s:
    of the whole process.
    """

    scores: np.ndarray
    media: np.ndarray
    facts: dict[str, Any]
    wall_s: float
    cpu_s: float


def install(kind: PeerKind, folder: Path) -> Path:
    """The Python of the peer's environment, made where it is not there yet.

    Raises `ToolkitError` with the reason where it cannot be installed.
    """
    place = folder / kind.name
    python, ready = place / "bin" / "python", place / ".ready"
    if ready.exists():
        return python
    _run([sys.executable, "-m", "venv", "--clear", str(place)])
    pip = [str(python), "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check"]
    _run([*pip, *kind.packages])
    if kind.alone:
        _run([*pip, "--no-deps", *kind.alone])
    ready.touch()
    return python


def size_mb(python: Path) -> float:
    """Of what is installed, in megabytes (10^6 bytes), without pip and setuptools."""
    (packages,) = (python.parents[1] / "lib").glob("python*/site-packages")
    found = [p for p in packages.rglob("*") if p.is_file() and not p.is_symlink()]
    kept = [p for p in found if not p.relative_to(packages).parts[0].startswith(_NOT_THEIRS)]
    return sum(p.stat().st_size for p in kept) / 1e6


def run(
    python: Path,
    runner: Path,
    media: list[Path],
    enrolments: list[list[int]],
    options: dict[str, Any],
    out: Path,
) -> Ran:
    """Run a runner with one thread. Raises `ToolkitError` with its last words where it fails."""
    out.mkdir(parents=True, exist_ok=True)
    task = out / "task.json"
    paths = [str(path.absolute()) for path in media]
    task.write_text(json.dumps({"media": paths, "enrolments": enrolments, "options": options}))
    settings = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONPATH": str(ROOT)}
    before, began = _children_cpu_s(), time.monotonic()
    _run([str(python), str(runner), str(task), str(out)], settings)
    wall_s, cpu_s = time.monotonic() - began, _children_cpu_s() - before
    with np.load(out / "scores.npz") as arrays:
        scores, of = arrays["scores"], arrays["media"]
    return Ran(scores, of, json.loads((out / "facts.json").read_text()), wall_s, cpu_s)


def _children_cpu_s() -> float:
    from edge.files.platform import children_processor_s

    return children_processor_s()


def _run(words: list[str], settings: dict[str, str] | None = None) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=settings)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise ToolkitError((lines[-1] if lines else f"ended with {done.returncode}")[:_REASON])
