"""The sustained rate: pictures one after the other for a minute, and what the heat does to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.device.device_facts import DeviceFacts, device_facts
from benchmarks.device.pictures import Pictures
from edge.errors import InputError
from edge.recognition.result import Latency

PART_S = 10.0
"""The first and the last so many seconds are compared."""


@dataclass(frozen=True)
class State:
    """The state of a machine at one moment, None if it does not tell; see `DeviceFacts`."""

    temperature_c: float | None
    clock_mhz: float | None
    governor: str | None
    throttled_now: tuple[str, ...] | None

    @classmethod
    def of(cls, facts: DeviceFacts) -> State:
        return cls(facts.temperature_c, facts.clock_mhz, facts.governor, facts.throttled_now)

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {
            "throttled_now": None if self.throttled_now is None else list(self.throttled_now)
        }

    def text(self) -> str:
        parts = [
            "" if self.temperature_c is None else f"{self.temperature_c:.1f} °C",
            "" if self.clock_mhz is None else f"{self.clock_mhz:.0f} MHz",
            self.governor or "",
            "" if not self.throttled_now else f"held back: {', '.join(self.throttled_now)}",
        ]
        return ", ".join(part for part in parts if part) or "says nothing"


@dataclass(frozen=True)
class Sustained:
    """seconds, pictures: how long and how many. first, last: pictures per second of recognizing in
    the first and last `PART_S` (of shorter measurements, in each half). processor_s: of all cores
    for 1,000 pictures. before, after: the machine.
    """

    seconds: float
    pictures: int
    first: float
    last: float
    processor_s: float
    before: State
    after: State

    @property
    def rate(self) -> float:
        """Pictures per second over the whole time, decoding included."""
        return self.pictures / self.seconds

    def to_json(self) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds, 2),
            "pictures": self.pictures,
            "pictures_per_second": round(self.rate, 3),
            "first": round(self.first, 3),
            "last": round(self.last, 3),
            "processor_s_per_1000": round(self.processor_s, 3),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }


def sustain(
    judge: Callable[[np.ndarray], tuple[int, Latency]],
    pictures: Pictures,
    seconds: float,
    *,
    on_second: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Sustained:
    """Recognize in images again and again for `seconds`. Raises `InputError` without images."""
    before = State.of(device_facts())
    began, spent_s = clock(), 0.0
    ends, costs_s = [], []
    shown = 0
    for image in _endless(pictures):
        start, processor = clock(), time.process_time()
        judge(image)
        spent_s += time.process_time() - processor
        now = clock()
        ends.append(now - began)
        costs_s.append(now - start)
        while shown < int(now - began):
            shown += 1
            on_second()
        if now - began >= seconds:
            break
    ended, cost = np.array(ends), np.array(costs_s)
    part = min(PART_S, 0.5 * ended[-1])
    first, last = ended <= part, ended >= ended[-1] - part
    return Sustained(
        seconds=float(ended[-1]),
        pictures=len(ended),
        first=_rate(cost[first]),
        last=_rate(cost[last]),
        processor_s=1000 * spent_s / len(ended),
        before=before,
        after=State.of(device_facts()),
    )


def _rate(costs_s: np.ndarray) -> float:
    total = float(costs_s.sum())
    return len(costs_s) / total if total else 0.0


def _endless(pictures: Pictures) -> Iterator[np.ndarray]:
    while True:
        found = False
        for image in pictures:
            found = True
            yield image
        if not found:
            raise InputError(f"{pictures.name} holds no picture that can be decoded")
