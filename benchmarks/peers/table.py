"""The tables and the plot of all peers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from benchmarks.peers.figures import Figures
from benchmarks.peers.kinds import AS_DEVICE, EVERY_FRAME
from benchmarks.scaling.plot import Plot, Series
from benchmarks.scaling.recorded import RecordedTable


@dataclass(frozen=True)
class PeerResult:
    """One row. judge_ms, decode_ms: processor time of a frame of the clips. first_s: processor
    seconds from the start of the process to the decision on the first frame. skipped: the set that
    could not be measured, and why.
    """

    title: str
    sets: tuple[Figures, ...] = ()
    threshold: str = ""
    judge_ms: float | None = None
    decode_ms: float | None = None
    peak_mib: float | None = None
    first_s: float | None = None
    size_mb: float | None = None
    lines: int | None = None
    skipped: str = ""

    def beside(self, earlier: PeerResult | None) -> PeerResult:
        """With the sets of an earlier result that were not measured again, and with what clips
        alone tell where these were not."""
        if earlier is None:
            return self
        if self.skipped:
            return replace(earlier, skipped=self.skipped)
        again = {one.set_name for one in self.sets}
        sets = (*(one for one in earlier.sets if one.set_name not in again), *self.sets)
        clips = {
            name: getattr(earlier, name)
            for name in ("judge_ms", "decode_ms", "peak_mib", "first_s")
            if getattr(self, name) is None
        }
        return replace(self, sets=sets, **clips)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "sets": [one.to_json() for one in self.sets]}

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> PeerResult:
        """What `to_json` gave."""
        return cls(**{**said, "sets": tuple(Figures.of_json(one) for one in said["sets"])})


SET_COLUMNS = (
    "set",
    "peer",
    "TAR / FAR at its default",
    "strangers accepted (pairs)",
    "strangers who pass at all (people)",
    "TAR where nobody passes",
    "frames, own and others'",
)
COST_COLUMNS = (
    "peer",
    "default",
    "processor ms a frame",
    "with decoding",
    "peak MiB",
    "start to a decision, processor s",
    "install MB",
    "lines",
)
OURS_TUNED = "every set here, ours alone; of the one-camera sets each was left out once"


def set_rows(results: list[PeerResult]) -> list[tuple[str, ...]]:
    """What is accepted on each set, set by set."""
    of_sets = [(figures, one.title) for one in results for figures in one.sets]
    names = list(dict.fromkeys(figures.set_name for figures, _ in of_sets))
    of_sets.sort(key=lambda pair: names.index(pair[0].set_name))
    return [_set_row(title, figures) for figures, title in of_sets]


def cost_rows(results: list[PeerResult]) -> list[tuple[str, ...]]:
    """What each costs."""
    return [_cost_row(one) for one in results if one.sets or not one.skipped]


def skipped(results: list[PeerResult]) -> tuple[str, ...]:
    """Who was not measured, and why."""
    return tuple(f"{one.title}: skipped, {one.skipped}" for one in results if one.skipped)


def tables(results: list[PeerResult], command: str, when: str, base: str) -> list[RecordedTable]:
    """What is accepted, with the plot, and what it costs."""
    shown = (command, when, base, OURS_TUNED)
    return [
        RecordedTable(
            "peers", *shown, SET_COLUMNS, tuple(set_rows(results)), skipped(results), plot(results)
        ),
        RecordedTable("peers-cost", *shown, COST_COLUMNS, tuple(cost_rows(results))),
    ]


def plot(results: list[PeerResult]) -> Plot:
    """Strangers' frames accepted, the mean over sets, against processor time; ours as the device
    runs stands where each frame alone does, since it accepts no more.
    """
    alone = next((one for one in results if one.title == EVERY_FRAME), None)
    shown = []
    for one in results:
        sets = one.sets if one.title != AS_DEVICE or alone is None else alone.sets
        if one.judge_ms is not None and sets:
            shown.append((one.title, one.judge_ms, {f.set_name: f for f in sets}))
    common = set.intersection(*(set(sets) for _, _, sets in shown)) if shown else set()
    series = []
    for title, judge_ms, sets_of in shown:
        kept = [sets_of[name] for name in sorted(common)]
        tar, far = 100 * fmean(f.tar for f in kept), 100 * fmean(f.far for f in kept)
        name = title.replace(", ", ",\n") + f"\n({tar:.0f} % of own accepted)"
        series.append(Series(name, ((round(judge_ms, 1), round(far, 2)),)))
    of = next(iter(common)) if len(common) == 1 else f"mean of {len(common)} sets"
    return Plot(
        f"Each at its default threshold, {of}",
        "processor milliseconds a frame of 640x480, without decoding",
        "strangers' pictures accepted (%)",
        tuple(series),
        log_x=True,
    )


def _set_row(title: str, figures: Figures) -> tuple[str, ...]:
    refused = f", {figures.refused} refused" if figures.refused else ""
    return (
        f"{figures.set_name}, {figures.enrolments} enrolments{refused}",
        title,
        f"{figures.tar:.3f} / {figures.far:.4f}",
        str(figures.pairs),
        str(figures.people),
        f"{figures.tar_at_none:.3f}",
        f"{figures.frames[0]}, {figures.frames[1]}",
    )


def _cost_row(one: PeerResult) -> tuple[str, ...]:
    both = None if one.judge_ms is None else one.judge_ms + (one.decode_ms or 0.0)
    return (
        one.title,
        one.threshold,
        _number(one.judge_ms, 1),
        _number(both, 1),
        _number(one.peak_mib, 0),
        _number(one.first_s, 2),
        _number(one.size_mb, 0),
        "–" if one.lines is None else str(one.lines),
    )


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
