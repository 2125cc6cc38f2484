"""Environments of peers: made by venv and pip, or by npm, from the registry, measured, run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.kinds import PeerKind
from benchmarks.peers.runners.protocol import VIDEO, Task
from edge.errors import ToolkitError

ROOT = Path(__file__).resolve().parents[2]

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_NOT_THEIRS = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "wheel")
_REASON = 200


@dataclass(frozen=True)
class Environment:
    """Where a peer is installed. program: the interpreter that runs it. packages: what was
    installed. node: whether frames are sent to it, since it has no decoder for clips.
    """

    program: Path
    packages: Path
    node: bool = False

    @classmethod
    def of_python(cls, python: Path) -> Environment:
        """Of an interpreter in a virtual environment."""
        (packages,) = (python.parents[1] / "lib").glob("python*/site-packages")
        return cls(python, packages)

    @property
    def size_mb(self) -> float:
        """Of what is installed, in megabytes (10^6 bytes), without pip and setuptools."""
        found = [p for p in self.packages.rglob("*") if p.is_file() and not p.is_symlink()]
        places = [(p, p.relative_to(self.packages).parts[0]) for p in found]
        return (
            sum(p.stat().st_size for p, first in places if not first.startswith(_NOT_THEIRS)) / 1e6
        )


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


def install(kind: PeerKind, folder: Path) -> Environment:
    """The peer's environment, made where it is not there yet.

    Raises `ToolkitError` with the reason where it cannot be installed.
    """
    place = folder / kind.name
    ready = place / ".ready"
    if kind.language == "node":
        return _install_node(kind, place, ready)
    python = place / "bin" / "python"
    if not ready.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(place)])
        quiet = ["-q", "--no-input", "--disable-pip-version-check"]
        pip = [str(python), "-m", "pip", "install", *quiet]
        _run([*pip, *kind.packages])
        if kind.alone:
            _run([*pip, "--no-deps", *kind.alone])
        ready.touch()
    return Environment.of_python(python)


def _install_node(kind: PeerKind, place: Path, ready: Path) -> Environment:
    """Without scripts of packages: none is needed, and none is to fetch anything else."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise ToolkitError("there is no node with npm on this machine")
    if not ready.exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text('{"private": true}\n')
        flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        _run([npm, "install", *flags, *kind.packages], folder=place)
        ready.touch()
    return Environment(Path(node), place / "node_modules", node=True)


def run(
    environment: Environment,
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
    words = [str(environment.program), str(runner), str(task), str(out)]
    if environment.node:
        _send_frames([*words, str(environment.packages)], Task.of(task, out), out)
    else:
        _run(words, settings)
    wall_s, cpu_s = time.monotonic() - began, _children_cpu_s() - before
    with np.load(out / "scores.npz") as arrays:
        scores, of = arrays["scores"], arrays["media"]
    return Ran(scores, of, json.loads((out / "facts.json").read_text()), wall_s, cpu_s)


def _send_frames(words: list[str], task: Task, out: Path) -> None:
    """Run a runner that has no decoder: it reads frames from standard input, each after a line with
    its medium, height, width and whether it is of a clip, as RGB. Decoding is counted here.
    """
    with (out / "said.txt").open("w+") as said:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=said, stderr=said)
        assert process.stdin is not None
        try:
            with process.stdin as pipe:
                for place, image in task.frames():
                    height, width = image.shape[:2]
                    clip = int(task.media[place].suffix in VIDEO)
                    pipe.write(f"{place} {height} {width} {clip}\n".encode())
                    pipe.write(np.ascontiguousarray(image[..., ::-1]).tobytes())
        except BrokenPipeError:
            pass  # the exit status says why
        if process.wait():
            said.seek(0)
            raise ToolkitError(_reason(said.read(), process.returncode))
    answer = json.loads((out / "answer.json").read_text())
    shape = (len(task.enrolments), len(answer["media"]))
    rows = [[np.nan if one is None else one for one in row] for row in answer["scores"]]
    scores = np.array(rows, np.float32).reshape(shape)
    np.savez_compressed(
        out / "scores.npz", scores=scores, media=np.array(answer["media"], np.int32)
    )
    decode_ms = 1000 * task.clock.decode_s / max(1, task.clock.decoded)
    (out / "facts.json").write_text(json.dumps({**answer["facts"], "decode_ms": decode_ms}))


def _children_cpu_s() -> float:
    from edge.files.platform import children_processor_s

    return children_processor_s()


def _run(
    words: list[str], settings: dict[str, str] | None = None, folder: Path | None = None
) -> None:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=settings, cwd=folder
    )
    if done.returncode:
        raise ToolkitError(_reason(done.stderr or done.stdout, done.returncode))


def _reason(said: str, code: int) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line]
    return (errors or lines or [f"ended with {code}"])[-1].strip()[:_REASON]
