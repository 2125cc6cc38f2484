"""Comparisons: one contender's times divided by another's, with how far the ratio strays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.device.report import BenchReport, now, ratio_rows, save_json
from benchmarks.device.spread import Spread
from benchmarks.device.stages import STAGES, Round

if TYPE_CHECKING:
    from rich.console import RenderableType

SCHEMA, KIND = 1, "edge-bench compare"

SAME = 0.02
"""Ratios closer to 1 than this are called the same."""

FEWEST_ROUNDS = 3
"""Rounds without which nothing is known of the noise."""


@dataclass(frozen=True)
class Comparison:
    """A against B. medians_ms: stage to the medians over rounds of both, (A, B). ratios: stage to
    the spread of A's round divided by B's; below 1, A is faster. alternated: measured in turns in
    one process, so that a round of A is compared with the round of B beside it; else every round
    of A with every round of B.
    """

    a: str
    b: str
    alternated: bool
    rounds: int
    medians_ms: dict[str, tuple[float, float]]
    ratios: dict[str, Spread]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """In a sentence. Who is faster it says only where the median ratio is further from 1 than
        the noise, the ratios' own spread: half of the way from the smallest to the largest, as
        factors."""
        total = self.ratios["total"]
        noise = math.sqrt(total.maximum / max(total.minimum, 1e-9))
        factor = max(total.p50, 1 / max(total.p50, 1e-9))
        if (
            self.rounds < FEWEST_ROUNDS
            or total.minimum < 1 < total.maximum
            or factor <= max(noise, 1 + SAME)
        ):
            return (
                f"no difference that repeats in {self.rounds} rounds: {self.a} takes "
                f"{total.text(2)} of {self.b}'s time"
            )
        faster, slower = (self.a, self.b) if total.p50 < 1 else (self.b, self.a)
        return f"{faster} is {factor:.2f} times as fast as {slower}"

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": KIND,
            "when": now(),
            "a": self.a,
            "b": self.b,
            "alternated": self.alternated,
            "rounds": self.rounds,
            "medians_ms": {k: [round(x, 4) for x in v] for k, v in self.medians_ms.items()},
            "ratios": {stage: spread.to_json() for stage, spread in self.ratios.items()},
            "verdict": self.verdict,
            "notes": list(self.notes),
        }

    def save(self, path: Path) -> None:
        """Write `to_json`, whole or not at all."""
        save_json(self.to_json(), path)

    def table(self) -> RenderableType:
        """For `rich`."""
        from rich.table import Table

        headers = ("median ms", self.a, self.b, "ratio (min / median / max)")
        table = Table(*headers, box=None, pad_edge=False)
        for stage, text in ratio_rows(self.ratios):
            first, second = self.medians_ms[stage]
            table.add_row(stage, f"{first:.2f}", f"{second:.2f}", text)
        return table


def compare_rounds(
    a: str, b: str, rounds_a: list[Round], rounds_b: list[Round], notes: tuple[str, ...] = ()
) -> Comparison:
    """Of rounds that took turns, see `benchmarks.device.stages.alternate`."""
    values = {
        s: ([r.median_ms(s) for r in rounds_a], [r.median_ms(s) for r in rounds_b]) for s in STAGES
    }
    pairs = {stage: list(zip(*both, strict=True)) for stage, both in values.items()}
    return _comparison(a, b, True, len(rounds_a), values, pairs, notes)


def compare_reports(a: BenchReport, b: BenchReport, name_a: str, name_b: str) -> Comparison:
    """Of two results that were measured at different times."""
    values = {s: (_medians(a, s), _medians(b, s)) for s in STAGES}
    pairs = {stage: list(product(*both)) for stage, both in values.items()}
    rounds = min(len(a.rounds), len(b.rounds))
    return _comparison(name_a, name_b, False, rounds, values, pairs, _differences(a, b))


Medians = list[float | None]


def _comparison(
    a: str,
    b: str,
    alternated: bool,
    rounds: int,
    values: dict[str, tuple[Medians, Medians]],
    pairs: dict[str, list[tuple[float | None, float | None]]],
    notes: tuple[str, ...],
) -> Comparison:
    medians, ratios = {}, {}
    for stage in STAGES:
        first, second = (Spread.of(v for v in own if v is not None) for own in values[stage])
        ratio = Spread.of(x / y for x, y in pairs[stage] if x is not None and y)
        if first is not None and second is not None and ratio is not None:
            medians[stage], ratios[stage] = (first.p50, second.p50), ratio
    return Comparison(a, b, alternated, rounds, medians, ratios, notes)


def _medians(report: BenchReport, stage: str) -> Medians:
    return [None if v is None else float(v) for v in (r["median_ms"][stage] for r in report.rounds)]


def _differences(a: BenchReport, b: BenchReport) -> tuple[str, ...]:
    """What else differs besides the bundle, so that the ratio may not be the bundle's."""
    notes = ["measured at different times: a ratio near 1 says little"]
    if a.pictures["name"] != b.pictures["name"] or a.pictures["count"] != b.pictures["count"]:
        notes.append("on different pictures")
    if a.settings["threads"] != b.settings["threads"]:
        notes.append(f"with {a.settings['threads']} and {b.settings['threads']} threads")
    for fact in ("board", "processor", "cores", "governor", "python"):
        if a.device.get(fact) != b.device.get(fact):
            notes.append(f"{fact}: {a.device.get(fact)} and {b.device.get(fact)}")
    return tuple(notes)
