"""Timing: how long one crop takes in each file's own runtime, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from edge.models.runtime import open_model
from edge.models.spec import Network

_WARM_UP = 3
_FEWEST = 5
_MOST = 2000


@dataclass(frozen=True)
class Speed:
    """median_ms: of one call on one thread. ratio: median over rounds of this file's time by the
    first one's.
    """

    median_ms: float
    ratio: float


def speeds(
    files: Sequence[tuple[Network, bytes]], crop_bgr: np.ndarray, budget_s: float
) -> list[Speed]:
    """Time files that can be run, in turns; crop: uint8[S, S, 3].

    budget_s: seconds for each. Raises `ModelError` or `RuntimeMissing` as `open_model`.
    """
    if not files:
        return []
    calls = [_call(network, data, crop_bgr) for network, data in files]
    warm_s = times_in_turns(calls, _WARM_UP)
    rounds = int(budget_s * len(files) / max(float(warm_s[-1].sum()), 1e-9))
    times_s = times_in_turns(calls, min(max(rounds, _FEWEST), _MOST))
    return [
        Speed(1000 * float(np.median(own)), float(np.median(own / times_s[:, 0])))
        for own in times_s.T
    ]


def times_in_turns(calls: Sequence[Callable[[], object]], rounds: int) -> np.ndarray:
    """Seconds of every call in every round, float64[rounds, len(calls)].

    One after the other, again and again, so that what else the machine does meets all of them.
    """
    times_s = np.zeros((rounds, len(calls)))
    for row in times_s:
        for place, call in enumerate(calls):
            started = perf_counter()
            call()
            row[place] = perf_counter() - started
    return times_s


def _call(network: Network, data: bytes, crop_bgr: np.ndarray) -> Callable[[], object]:
    model = open_model(data, network.format, threads=1)
    batch = np.repeat(crop_bgr[None], network.input.batch, axis=0)
    return partial(model.run, network.input.tensor(batch))
