"""A recognizer's rate and memory while the server beside it is attacked. Figures for RESULTS.md.

    python -m benchmarks.device.under_attack ana.edge CLIP

The clip plays as a camera that delivers more frames than can be judged; the page is served with a
token. By turns nobody asks, and another process attacks: it holds as many idle connections as it
gets, and sends, five of each in a second of the recognizer's processor time, wrong tokens,
headers of 60 kB, writes of a foreign origin, paths that lead out, hostile names and half
requests. Frames are counted in a second of the recognizer's processor time, its server's
included, on one core, so that other programs on the machine do not count; what a wait for the
interpreter's lock costs is not in it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.device.several_cameras import COUNTED_S, OFFERED_FPS, Stop
from edge.bundle.locate import locate
from edge.cli.serving import serving_sinks
from edge.service.loop import Loop
from edge.service.service import Signals
from edge.service.stream import Stream
from edge.service.watch import open_recognizer
from edge.sinks.base import FanOut
from edge.sinks.preview import Address, Preview
from edge.sources.live import LiveSource
from edge.sources.scripted import FakeCamera, read_images

TOKEN = "abcdef123456"
ROUNDS = 2
IDLE = 80
EVERY_S = 0.2
"""Each kind of request comes so often, by the recognizer's processor time."""

TARGET_LOSS, TARGET_BYTES = 0.05, 10_000_000


def requests() -> tuple[bytes, ...]:
    """What is sent, one connection each."""
    ours = "X-Edge-Recognize: 1\r\nContent-Length: 2\r\n"
    known = f"Authorization: Bearer {TOKEN}\r\n"
    hostile = "%3Cimg%20src=x%20onerror=alert(1)%3E"
    heads = (
        "GET /api/people HTTP/1.1\r\nHost: pi\r\nAuthorization: Bearer wrong1234\r\n",
        f"GET / HTTP/1.1\r\nHost: pi\r\nX-Long: {'a' * 60_000}\r\n",
        f"POST /api/undo HTTP/1.1\r\nHost: pi\r\nOrigin: http://evil.example\r\n{known}{ours}",
        "GET /page/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: pi\r\n",
        f"DELETE /api/people/{hostile} HTTP/1.1\r\nHost: pi\r\n{ours}",
        "GET /state.json HT",
    )
    ends = ("\r\n", "\r\n", "\r\n{}", "\r\n", "\r\n{}", "")
    return tuple((head + end).encode() for head, end in zip(heads, ends, strict=True))


def attack(port: int) -> None:
    """Go on until killed, on any core."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    idle: list[socket.socket] = []
    recognizer, last_s = os.getppid(), 0.0
    print("ready", flush=True)
    while True:
        while processor_s(recognizer) < last_s + EVERY_S:
            time.sleep(0.005)
        last_s = processor_s(recognizer)
        with contextlib.suppress(OSError):
            while len(idle) < IDLE:
                idle.append(socket.create_connection(("127.0.0.1", port), timeout=1))
        if len(idle) >= IDLE:
            idle.pop(0).close()
        for data in requests():
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), timeout=1) as end,
            ):
                end.sendall(data)
                end.settimeout(0.02)
                end.recv(1000)


@contextlib.contextmanager
def attacked(port: int) -> Iterator[None]:
    """While another process attacks."""
    command = [sys.executable, "-m", "benchmarks.device.under_attack", "--attack", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            yield
        finally:
            process.kill()


def processor_s(process: int) -> float:
    """Processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes() -> int:
    """Resident memory of this process (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not tell")


def rate(bundle: Path, clip: Path, *, under_attack: bool) -> tuple[float, int]:
    """Frames in a second of processor time; bytes by which memory has grown meanwhile."""
    source = LiveSource(FakeCamera(read_images(clip), fps=OFFERED_FPS, name=str(clip)))
    stop = Stop(Signals())
    desk, preview = serving_sinks(
        Address("127.0.0.1", 0, TOKEN),
        sources=(),
        read_only=False,
        bundle=bundle,
        key_file=None,
        detector_model=None,
        keeps_visits=False,
        changed=lambda: None,
    )
    assert isinstance(preview, Preview)
    with contextlib.ExitStack() as opened:
        recognizer = opened.enter_context(
            open_recognizer(locate(bundle), threads=1, attributes=False)
        )
        source.open()
        opened.callback(source.close)
        fan = opened.enter_context(FanOut([desk, preview, stop]))
        if under_attack:
            opened.enter_context(attacked(int(preview.url.rstrip("/").rpartition(":")[2])))
        before = memory_bytes()
        Loop([Stream(source)], recognizer, fan, signals=stop.signals).run()
        grown = memory_bytes() - before
    return sum(stop.counts.values()) / COUNTED_S, grown


def main() -> None:
    """Print the table."""
    if sys.argv[1] == "--attack":
        attack(int(sys.argv[2]))
    bundle, clip = Path(sys.argv[1]), Path(sys.argv[2])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rate(bundle, clip, under_attack=False)  # what is loaded once is loaded
    losses, growths = [], []
    for _ in range(ROUNDS):
        calm, calm_grown = rate(bundle, clip, under_attack=False)
        hit, hit_grown = rate(bundle, clip, under_attack=True)
        losses.append(1 - hit / calm)
        growths.append(hit_grown - calm_grown)
        print(
            f"calm {calm:.1f}, attacked {hit:.1f}: loss {100 * losses[-1]:.1f} %; memory grew by "
            f"{growths[-1] / 1e6:.1f} MB more",
            flush=True,
        )
    print(
        f"median loss {100 * statistics.median(losses):.1f} % (target {100 * TARGET_LOSS:.0f}), "
        f"most memory {max(growths) / 1e6:.1f} MB (target {TARGET_BYTES / 1e6:.0f}), N {ROUNDS}"
    )


if __name__ == "__main__":
    main()
