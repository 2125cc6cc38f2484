"""Timing: how long one crop takes in a file's own runtime, on this machine."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import numpy as np

from edge.network import Network
from edge.runtime import open_model

_WARM_UP = 3
_FEWEST = 5


def median_ms(network: Network, data: bytes, crops_bgr: np.ndarray, budget_s: float) -> float:
    """Median milliseconds of one call on one thread; crops uint8[N, S, S, 3] BGR.

    Raises `ModelError` or `RuntimeMissing` as `open_model`.
    """
    model = open_model(data, network.format, threads=1)
    batch = network.input.batch
    tensor = network.input.tensor(np.repeat(crops_bgr[:1], batch, axis=0))
    for _ in range(_WARM_UP):
        model.run(tensor)
    spent: list[float] = []
    started = perf_counter()
    while len(spent) < _FEWEST or perf_counter() - started < budget_s:
        before = perf_counter()
        model.run(tensor)
        spent.append(perf_counter() - before)
    return 1000 * median(spent)
