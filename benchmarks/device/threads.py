"""Threads: what a picture takes with one, two and four of them, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.device.pictures import Pictures
from benchmarks.device.spread import Spread
from benchmarks.device.stages import Contender, alternate
from edge.recognition.recognizer import Recognizer
from edge.recognition.result import Latency

COUNTS = (1, 2, 4)

WORTH = 0.95
"""More threads must take at most this share of the time of fewer: they cost processor time."""


@dataclass(frozen=True)
class ThreadTime:
    """threads: of the runtime. milliseconds: of a picture, a spread of medians, one per round.
    processor_s: seconds of all cores for 1,000 pictures.
    """

    threads: int
    milliseconds: Spread
    processor_s: float

    def to_json(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "milliseconds": self.milliseconds.to_json(),
            "processor_s_per_1000": round(self.processor_s, 3),
        }


def time_threads(
    opened: Callable[[int], Recognizer],
    judge: Callable[[Recognizer], Callable[[Any], tuple[int, Latency]]],
    pictures: Pictures,
    *,
    cores: int,
    rounds: int,
    warmup: int,
    on_picture: Callable[[], object] = lambda: None,
) -> tuple[ThreadTime, ...]:
    """Time `COUNTS` of threads, those that this machine has cores for; the least first.

    opened: a recognizer with so many threads. judge: what judges a picture with it.
    """
    counts = [count for count in COUNTS if count <= max(1, cores)]
    spent_s: dict[int, float] = dict.fromkeys(counts, 0.0)
    seen: dict[int, int] = dict.fromkeys(counts, 0)

    def contender(count: int) -> Contender:
        judged = judge(opened(count))

        def timed(image: Any) -> tuple[int, Latency]:
            began = time.process_time()
            result = judged(image)
            spent_s[count] += time.process_time() - began
            seen[count] += 1
            return result

        return Contender(str(count), timed)

    made = [contender(count) for count in counts]
    of_all = alternate(made, pictures, rounds=rounds, warmup=warmup, on_picture=on_picture)
    found = []
    for count, own in zip(counts, of_all, strict=True):
        spread = Spread.of(value for one in own if (value := one.median_ms("total")) is not None)
        assert spread is not None
        found.append(ThreadTime(count, spread, 1000 * spent_s[count] / seen[count]))
    return tuple(found)


def best_threads(times: Sequence[ThreadTime]) -> ThreadTime:
    """The fewest threads than which more do not save a twentieth of the time beyond what rounds
    differ in."""
    best = times[0]
    for more in times[1:]:
        faster = more.milliseconds.p50 <= WORTH * best.milliseconds.p50
        if faster and more.milliseconds.maximum < best.milliseconds.minimum:
            best = more
    return best
