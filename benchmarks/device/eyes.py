"""Eyes: the face detector by each runtime that can run it, in turns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from benchmarks.device.pictures import Pictures
from benchmarks.device.spread import Spread
from edge.bundle.reader import Bundle
from edge.errors import DetectorError
from edge.faces.detector import Detector, detector_bytes
from edge.faces.yunet import Runtime

RUNTIMES: tuple[Runtime, ...] = ("litert", "opencv")
MOST_PICTURES = 30


@dataclass(frozen=True)
class EyeTime:
    """runtime: which. processor_ms: of a search, a spread over rounds of the mean."""

    runtime: Runtime
    processor_ms: Spread


def time_eyes(bundle: Bundle, pictures: Pictures, *, rounds: int) -> tuple[EyeTime, ...]:
    """Processor time of the bundle's detector on the pictures, one thread; runtimes that cannot run
    it are left out."""
    entry = bundle.manifest.detector
    data = detector_bytes() if entry is None else bundle.read(entry.member)
    opened: dict[Runtime, Detector] = {}
    for runtime in RUNTIMES:
        try:
            opened[runtime] = Detector(data, runtime=runtime)
        except DetectorError:
            continue
    images = list(islice(pictures, MOST_PICTURES))
    found: dict[Runtime, list[float]] = {runtime: [] for runtime in opened}
    for number in range(rounds + 1):
        for runtime, detector in opened.items():
            began = time.process_time()
            for image in images:
                detector.found(image)
            if number:  # the first round warms up
                found[runtime].append(1000 * (time.process_time() - began) / len(images))
    spreads = {runtime: Spread.of(values) for runtime, values in found.items()}
    return tuple(EyeTime(runtime, one) for runtime, one in spreads.items() if one is not None)


def fastest_eye(times: Sequence[EyeTime]) -> Runtime:
    """The runtime that takes the least; "best" where nothing was timed."""
    if not times:
        return "best"
    return min(times, key=lambda one: one.processor_ms.p50).runtime


def eyes_note(times: Sequence[EyeTime]) -> tuple[str, ...]:
    """For people, where there was a choice."""
    if len(times) < 2:
        return ()
    said = ", ".join(f"{one.runtime} {one.processor_ms.p50:.1f}" for one in times)
    return (f"face detector, processor ms a search: {said}",)
