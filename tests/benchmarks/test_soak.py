"""The soak: what its figures say, and a short one of the real command."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.device.soak import Sample, SoakReport, Watch, soak


def line(error: str | None = None) -> str:
    return json.dumps({"error": error, "faces": [{"person": None}]})


def watch() -> Watch:
    made = Watch()
    for now_s, error in ((0.0, None), (1.0, "gone"), (2.0, "away"), (4.5, None), (5.0, None)):
        made.read(line(error), now_s)
    return made


def report(**changes: object) -> SoakReport:
    samples = tuple(Sample(float(s), 100.0, 9, 20) for s in range(600))
    made = SoakReport(10.0, samples, watch(), 3, 1.0, 0)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_loss_ends_with_the_next_picture() -> None:
    seen = watch()
    assert (seen.pictures, seen.losses, seen.recoveries_s) == (3, 1, [3.5])
    assert report().slowest_recovery_s == 2.5
    assert report().failures() == []


@pytest.mark.parametrize(
    ("name", "per_s", "said"),
    [("rss_mb", 0.05, "memory grew"), ("threads", 0.01, "threads"), ("handles", 0.01, "handles")],
)
def test_leaks_are_found(name: str, per_s: float, said: str) -> None:
    grown = [
        replace(sample, **{name: type(getattr(sample, name))(getattr(sample, name) + per_s * s)})
        for s, sample in enumerate(report().samples)
    ]
    (failure,) = report(samples=tuple(grown)).failures()
    assert said in failure


def test_other_failures_are_found() -> None:
    slow = Watch(pictures=5, losses=1, recoveries_s=[12.0])
    assert report(watch=slow).failures() == ["a recovery took 11.0 s"]
    assert report(ended_with=-9).failures() == ["it ended with -9"]
    assert report(reloads=0).failures() == ["nothing went wrong, so nothing was shown"]
    never = Watch(pictures=5, losses=1, lost_at_s=3.0)
    assert "the camera never came back" in report(watch=never).failures()


@pytest.mark.long
@pytest.mark.server
def test_two_minutes_of_it() -> None:
    figures = soak(2.0).to_json()
    assert figures["failures"] == [], figures
    assert figures["losses"] >= 3
    assert figures["reloads"] >= 3
    assert figures["pictures"] > 200
