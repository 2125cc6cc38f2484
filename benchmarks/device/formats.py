"""Formats: every model file of a bundle's base, timed on this device."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.device.spread import Spread
from edge.bundle.golden import resized
from edge.bundle.manifest import ModelEntry
from edge.bundle.reader import Bundle
from edge.errors import ModelError, RuntimeMissing
from edge.models.runtime import Model, open_model
from edge.models.spec import Network

WARMUP_RUNS = 5


@dataclass(frozen=True)
class FormatTime:
    """One model file. milliseconds: of one inference, a spread of medians, one per round; None
    where it cannot run here, then `problem` says why. deployed: whether the bundle uses it.
    """

    format: str
    member: str
    size_bytes: int
    deployed: bool
    runtime: str = ""
    milliseconds: Spread | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "member": self.member,
            "size_bytes": self.size_bytes,
            "deployed": self.deployed,
            "runtime": self.runtime,
            "milliseconds": None if self.milliseconds is None else self.milliseconds.to_json(),
            "problem": self.problem,
        }


def time_formats(
    bundle: Bundle, *, threads: int, rounds: int = 5, runs: int = 30
) -> tuple[FormatTime, ...]:
    """Time the base and its alternatives in turns, fastest first; those that fail come last.

    runs: inferences per round, on one crop at a time.
    """
    entries = (bundle.manifest.base, *bundle.manifest.alternatives)
    opened = [_open(bundle, entry, threads) for entry in entries]
    medians: list[list[float]] = [[] for _ in entries]
    for number in range(rounds + 1):
        for entry, model, own in zip(entries, opened, medians, strict=True):
            if not isinstance(model, str):
                count = runs if number else WARMUP_RUNS
                median = _median_ms(model, _tensors(bundle, entry.network), count)
                own += [median] if number else []
    found = [
        _result(bundle, entry, model, own)
        for entry, model, own in zip(entries, opened, medians, strict=True)
    ]
    return tuple(sorted(found, key=_order))


def fastest(times: tuple[FormatTime, ...]) -> FormatTime | None:
    """The fastest that runs here."""
    return next((time for time in times if time.milliseconds is not None), None)


def _order(time: FormatTime) -> float:
    return float("inf") if time.milliseconds is None else time.milliseconds.p50


def _open(bundle: Bundle, entry: ModelEntry, threads: int) -> Model | str:
    """The model, or why it cannot run here."""
    try:
        return open_model(bundle.read(entry.member), entry.network.format, threads=threads)
    except (ModelError, RuntimeMissing) as problem:
        return problem.message


def _tensors(bundle: Bundle, network: Network) -> list[np.ndarray]:
    """Inputs of one call each: golden crops, or noise where there are none."""
    size, batch = network.input.size_px, network.input.batch
    golden = bundle.golden
    if golden is not None and len(golden.crops):
        crops = resized(golden.crops[:8], size)
    else:
        crops = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    return [np.repeat(network.input.tensor(crop[None]), batch, axis=0) for crop in crops]


def _median_ms(model: Model, tensors: list[np.ndarray], runs: int) -> float:
    times = []
    for number in range(runs):
        tensor = tensors[number % len(tensors)]
        started = perf_counter()
        model.run(tensor)
        times.append(perf_counter() - started)
    return 1000 * float(np.median(times))


def _result(
    bundle: Bundle, entry: ModelEntry, model: Model | str, medians: list[float]
) -> FormatTime:
    size_bytes = bundle.manifest.members[entry.member].size_bytes
    deployed = entry.member == bundle.manifest.base.member
    format = entry.network.format
    if isinstance(model, str):
        return FormatTime(format, entry.member, size_bytes, deployed, problem=model)
    spread = Spread.of(medians)
    return FormatTime(format, entry.member, size_bytes, deployed, model.runtime, spread)
