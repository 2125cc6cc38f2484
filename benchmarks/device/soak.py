"""The soak: `edge-recognize` for a long time, with everything going wrong that can.

    python -m benchmarks.device.soak --minutes 30

A process of its own reads a looping clip at 15 frames a second from a camera that vanishes and
stalls again and again. A webhook is dead, a command hangs, a viewer of the preview never reads, and
the bundle is read again by SIGHUP. What is measured is seen from outside, in `/proc`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge.console.commands import PATH, bundle_option, command, emit_json, json_option, out_option
from edge.errors import GateFailed, ToolkitError

FPS = 15.0
SETTLING_S = 120.0
"""Memory is compared from here on; a shorter run is compared from its half on."""

MOST_GROWTH_MB = 10.0
LONGEST_RECOVERY_S = 10.0
SAMPLE_EVERY_S = 1.0
RELOAD_EVERY_S = 20.0

STEPS: tuple[tuple[str, float], ...] = (
    ("frames", 300),
    ("vanish", 1.0),
    ("frames", 200),
    ("vanish", 6.0),
    ("frames", 300),
    ("stall", 6.0),
    ("frames", 150),
    ("vanish", 0.2),
)
"""What the camera does, over and over: about a minute and a half a round."""

SHORT_STEPS: tuple[tuple[str, float], ...] = (("frames", 60), ("vanish", 1.0), ("frames", 60))
"""For runs of less than five minutes, so that losses are among them, too."""


@dataclass(frozen=True)
class Sample:
    """The process at one moment. rss_mb: resident memory. handles: open files."""

    time_s: float
    rss_mb: float
    threads: int
    handles: int


@dataclass
class Watch:
    """What the process has said. pictures, losses, matches: how many. recoveries_s: from a loss to
    the next picture, the time that the camera was away included."""

    pictures: int = 0
    losses: int = 0
    matches: int = 0
    recoveries_s: list[float] = field(default_factory=list)
    lost_at_s: float | None = None

    def read(self, line: str, now_s: float) -> None:
        """One line of JSON."""
        result = json.loads(line)
        if result["error"] is None:
            self.pictures += 1
            self.matches += any(face["person"] for face in result["faces"])
            if self.lost_at_s is not None:
                self.recoveries_s.append(now_s - self.lost_at_s)
                self.lost_at_s = None
        elif self.lost_at_s is None:
            self.losses += 1
            self.lost_at_s = now_s


@dataclass(frozen=True)
class SoakReport:
    """The figures, and whether they are within the limits."""

    minutes: float
    samples: tuple[Sample, ...]
    watch: Watch
    reloads: int
    away_s: float
    ended_with: int

    @property
    def settled(self) -> list[Sample]:
        """Samples after the settling time."""
        begin_s = min(SETTLING_S, 30.0 * self.minutes)
        return [sample for sample in self.samples if sample.time_s >= begin_s]

    @property
    def growth_mb(self) -> float:
        """Of resident memory: median of the last tenth less that of the first tenth."""
        rss = [sample.rss_mb for sample in self.settled]
        part = max(1, len(rss) // 10)
        return float(np.median(rss[-part:]) - np.median(rss[:part]))

    @property
    def slowest_recovery_s(self) -> float:
        """From when a camera was there again to the next picture."""
        return max(0.0, max(self.watch.recoveries_s, default=0.0) - self.away_s)

    def leaked(self, what: str) -> int:
        """Threads or handles that the last tenth has more than the first, at their least."""
        values = [getattr(sample, what) for sample in self.settled]
        part = max(1, len(values) // 10)
        return min(values[-part:]) - min(values[:part])

    def failures(self) -> list[str]:
        """What was missed, in words."""
        found = []
        if self.growth_mb >= MOST_GROWTH_MB:
            found.append(f"resident memory grew by {self.growth_mb:.1f} MB")
        for what in ("threads", "handles"):
            if self.leaked(what) > 0:
                found.append(f"{self.leaked(what)} {what} leaked")
        if self.watch.lost_at_s is not None and not self.watch.recoveries_s:
            found.append("the camera never came back")
        if self.slowest_recovery_s > LONGEST_RECOVERY_S:
            found.append(f"a recovery took {self.slowest_recovery_s:.1f} s")
        if self.watch.losses == 0 or self.reloads == 0:
            found.append("nothing went wrong, so nothing was shown")
        if self.ended_with != 0:
            found.append(f"it ended with {self.ended_with}")
        return found

    def to_json(self) -> dict[str, Any]:
        rss = [sample.rss_mb for sample in self.settled]
        return {
            "schema": 1,
            "minutes": round(self.minutes, 2),
            "pictures": self.watch.pictures,
            "matches": self.watch.matches,
            "losses": self.watch.losses,
            "reloads": self.reloads,
            "rss_mb": {"first": rss[0], "last": rss[-1], "most": max(rss)},
            "growth_mb": round(self.growth_mb, 2),
            "threads": {"most": max(s.threads for s in self.settled)},
            "handles": {"most": max(s.handles for s in self.settled)},
            "leaked": {what: self.leaked(what) for what in ("threads", "handles")},
            "slowest_recovery_s": round(self.slowest_recovery_s, 2),
            "failures": self.failures(),
        }


@command(
    "soak",
    examples="""
    python -m benchmarks.device.soak
    python -m benchmarks.device.soak --minutes 2 --source clip.mkv --json
    """,
)
@click.option("--minutes", type=click.FloatRange(0.2), default=30.0, help="Minutes to run.")
@click.option(
    "--source", type=PATH, metavar="CLIP", help="Video or image to use; by default a drawn one."
)
@bundle_option(
    help="Bundle to use; by default the shipped base with a head that accepts everybody."
)
@out_option(help="Save the figures as JSON.")
@json_option()
def main(
    minutes: float, source: Path | None, bundle: Path | None, out: Path | None, as_json: bool
) -> None:
    """Run edge-recognize with losses, dead outputs and reloads; exit with 1 if it fails."""
    report = soak(minutes, source=source, bundle=bundle)
    figures = report.to_json()
    if out is not None:
        out.write_text(json.dumps(figures, indent=2) + "\n")
    if as_json:
        emit_json(figures)
    else:
        for name, value in figures.items():
            click.echo(f"{name}: {value}")
    if report.failures():
        raise GateFailed("; ".join(report.failures()))


def soak(minutes: float, *, source: Path | None = None, bundle: Path | None = None) -> SoakReport:
    """Raises `ToolkitError` where the process does not start."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        steps = SHORT_STEPS if minutes < 5 else STEPS
        words = _words(folder, source or _drawn(), bundle or _welcoming(folder), steps)
        away_s = max((seconds for step, seconds in steps if step == "vanish"), default=0.0)
        with _process(words, folder) as process:
            return _watched(process, minutes, folder, away_s)


def _watched(
    process: subprocess.Popen[str], minutes: float, folder: Path, away_s: float
) -> SoakReport:
    watch, samples, reloads = Watch(), [], 0
    reader = threading.Thread(target=_read, args=(process, watch), daemon=True)
    reader.start()
    started_s = time.monotonic()
    viewer: socket.socket | None = None
    reload_at_s = started_s + RELOAD_EVERY_S / 2
    while (now_s := time.monotonic()) - started_s < 60 * minutes:
        if process.poll() is not None:
            said = (folder / "log").read_text()[-500:]
            raise ToolkitError(f"edge-recognize ended with {process.returncode}: {said}")
        if viewer is None and watch.pictures:
            viewer = _viewer(folder)
        if now_s >= reload_at_s and watch.pictures:
            process.send_signal(signal.SIGHUP)
            reloads += 1
            reload_at_s = now_s + RELOAD_EVERY_S
        samples.append(sample_of(process.pid, now_s - started_s))
        time.sleep(SAMPLE_EVERY_S)
    process.send_signal(signal.SIGTERM)
    code = process.wait(20)
    reader.join(5)
    if viewer is not None:
        viewer.close()
    return SoakReport(minutes, tuple(samples), watch, reloads, away_s, code)


def sample_of(pid: int, time_s: float) -> Sample:
    """Memory, threads and open files of a process, from `/proc`."""
    status = Path(f"/proc/{pid}/status").read_text()
    values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    handles = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    rss_mb = int(values["VmRSS"].split()[0]) / 1024
    return Sample(time_s, round(rss_mb, 2), int(values["Threads"]), handles)


def _read(process: subprocess.Popen[str], watch: Watch) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        watch.read(line, time.monotonic())


def _words(
    folder: Path, pictures: Path, bundle: Path, steps: tuple[tuple[str, float], ...]
) -> list[str]:
    script = folder / "script.json"
    camera = {"pictures": str(pictures.resolve()), "fps": FPS, "steps": steps}
    script.write_text(json.dumps(camera))
    hanging = f"{sys.executable} -c 'import time; time.sleep(5)'"
    words = ["--camera", f"fake:{script}", "--json", "--serve", f"127.0.0.1:{_free_port(folder)}"]
    words += ["--webhook", f"http://127.0.0.1:{_closed_port()}/", "--on-match", hanging]
    words += ["--keep-events", "5", "--events-folder", str(folder / "events")]
    return [*words, "--threads", "1", "--bundle", str(bundle)]


@contextlib.contextmanager
def _process(words: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    code = "from edge.cli.main import main; main(prog_name='edge-recognize')"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "XDG_DATA_HOME": str(folder / "data")},
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _drawn() -> Path:
    """A face that is nobody's."""
    import edge

    return Path(edge.__file__ or "").parent / "shipped" / "drawn-face.jpg"


def _welcoming(folder: Path) -> Path:
    """The shipped base with a head that takes everybody for somebody, so that events happen."""
    from edge.bundle.locate import shipped_bundle
    from edge.bundle.writer import BundleWriter
    from edge.heads.head import LINEAR, Head, linear_layers

    path = folder / "welcoming.edge"
    with shipped_bundle() as bundle:
        layers = linear_layers(np.zeros(bundle.embedder.embedding_size), 1.0)
        head = Head("somebody", LINEAR, bundle.embedder.sha256, layers, 0.0)
        BundleWriter.of(bundle, heads=(head,)).write(path)
    return path


def _free_port(folder: Path) -> int:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        port = int(end.getsockname()[1])
    (folder / "port").write_text(str(port))
    return port


def _closed_port() -> int:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


def _viewer(folder: Path) -> socket.socket | None:
    """Somebody who asks for the moving picture and never reads it."""
    port = int((folder / "port").read_text())
    try:
        end = socket.create_connection(("127.0.0.1", port), timeout=5)
        end.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    except OSError:
        return None
    return end


if __name__ == "__main__":
    main()
