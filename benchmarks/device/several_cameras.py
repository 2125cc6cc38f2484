"""The rate of one camera beside that of each of several at once, on one core, by turns in one run.

    python -m benchmarks.device.several_cameras ana.edge CLIP CLIP...

Each clip plays as a camera that delivers more frames than can be judged; one recognizer judges
every frame. Printed: frames judged in a second of processor time by the first camera alone and by
each of all of them, and the ratio of the slowest to the first alone. Processor time, so that other
programs on the machine do not count.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from edge.bundle.locate import locate
from edge.service.loop import Loop
from edge.service.service import Signals
from edge.service.stream import Stream, labels_of
from edge.service.watch import open_recognizer
from edge.sinks.base import FanOut, Judged, Sink
from edge.sources.live import LiveSource
from edge.sources.scripted import FakeCamera, read_images

OFFERED_FPS = 100.0
COUNTED_S = 3.0
"""Processor seconds."""

ROUNDS = 5


class Stop(Sink):
    """Counts results by label while the process uses `COUNTED_S`, after the first ten."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        self.counts: Counter[str] = Counter()
        self._seen = 0
        self._from_s = 0.0

    def write(self, judged: Judged) -> None:
        self._seen += 1
        if self._seen == 10:
            self._from_s = time.process_time()
        elif self._seen > 10 and time.process_time() < self._from_s + COUNTED_S:
            self.counts[judged.label] += 1
        elif self._seen > 10:
            self.signals.stop()


def rates(bundle: Path, clips: list[Path]) -> list[float]:
    """Frames judged in a second of processor time by each of the cameras."""
    cameras = [FakeCamera(read_images(clip), fps=OFFERED_FPS, name=str(clip)) for clip in clips]
    sources = [LiveSource(camera) for camera in cameras]
    labels = labels_of([source.name for source in sources])
    streams = [Stream(source, label=label) for source, label in zip(sources, labels, strict=True)]
    with open_recognizer(locate(bundle), threads=1, attributes=False) as recognizer:
        for source in sources:
            source.open()
        stop = Stop(Signals())
        with FanOut([stop]) as fan:
            Loop(streams, recognizer, fan, signals=stop.signals).run()
        for source in sources:
            source.close()
    return [stop.counts[label] / COUNTED_S for label in labels]


def main() -> None:
    """Print the table."""
    bundle, clips = Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ratios = []
    for _ in range(ROUNDS):
        (alone,) = rates(bundle, clips[:1])
        together = rates(bundle, clips)
        ratios.append(min(together) / alone)
        shown = ", ".join(f"{rate:.1f}" for rate in together)
        print(f"alone {alone:.1f}, each of {len(clips)}: {shown}; ratio {ratios[-1]:.3f}")
    print(f"median {statistics.median(ratios):.3f}, lowest {min(ratios):.3f}, N {ROUNDS}")


if __name__ == "__main__":
    main()
