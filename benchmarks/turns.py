"""Turns: several calls timed one after the other, again and again, so that what else the machine
does meets all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np


def times_in_turns(calls: Sequence[Callable[[], object]], rounds: int) -> np.ndarray:
    """Seconds of every call in every round, float64[rounds, len(calls)]."""
    times_s = np.zeros((rounds, len(calls)))
    for row in times_s:
        for place, call in enumerate(calls):
            started = perf_counter()
            call()
            row[place] = perf_counter() - started
    return times_s
