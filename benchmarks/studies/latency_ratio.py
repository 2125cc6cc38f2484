"""Latency of the shipped base per face against another model's, one thread, in turns.

    python -m benchmarks.studies.latency_ratio ../shared/weights/MobileFaceNet.tflite

A file with a fixed batch is given a whole batch, and its time is divided by it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
import numpy as np

from edge.console.commands import PATH, command, emit_json, json_option
from export.gate.timing import times_in_turns


@command(
    "latency-ratio",
    examples="python -m benchmarks.studies.latency_ratio ../shared/weights/MobileFaceNet.tflite",
)
@click.argument("reference", type=PATH)
@click.option(
    "--rounds", type=click.IntRange(1), default=300, help="Timed calls of each file, in turn."
)
@json_option()
def main(reference: Path, rounds: int, as_json: bool) -> None:
    """Time both embedders on the same noise."""
    from edge.models.runtime import open_model
    from trainer.inference.source import open_file, open_subject

    calls, batches = [], []
    for deployed in (open_subject("shipped").base, open_file(reference)):
        expects = deployed.network.input
        side, batch = expects.size_px, expects.batch
        crops = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
        model = open_model(deployed.data, deployed.network.format, threads=1)
        calls.append(partial(model.run, expects.tensor(crops)))
        batches.append(batch)
    times_ms = 1000 * times_in_turns(calls, rounds) / np.array(batches)
    percentiles = {"p10": 10, "p50": 50}
    found = {
        name: {
            "base_ms": round(float(np.percentile(times_ms[:, 0], p)), 3),
            "reference_ms": round(float(np.percentile(times_ms[:, 1], p)), 3),
            "ratio": round(float(np.divide(*np.percentile(times_ms, p, axis=0))), 3),
        }
        for name, p in percentiles.items()
    }
    if as_json:
        emit_json(found)
        return
    for name, figures in found.items():
        click.echo(f"{name}: {figures}")


if __name__ == "__main__":
    main()
