"""The table and the picture of all peers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.figures import Figures
from edge.files.atomic import atomic_file


@dataclass(frozen=True)
class PeerResult:
    """One row. judge_ms, decode_ms: processor time of a frame of the clips. first_s: processor
    seconds from the start of the process to the decision on a picture. skipped: why there is
    nothing else.
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

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "sets": [one.to_json() for one in self.sets]}


def markdown(results: list[PeerResult]) -> str:
    """Two tables: what is accepted on each set, and what it costs."""
    done = [one for one in results if not one.skipped]
    rows = [
        "| set | peer | TAR / FAR at its default | strangers accepted (pairs) | strangers who pass "
        "at all (people) | TAR where nobody passes | frames, own and others' |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(figures.set_name for one in done for figures in one.sets):
        for one in done:
            for figures in one.sets:
                if figures.set_name == name:
                    rows.append(_set_row(one.title, figures))
    rows += [
        "",
        "| peer | default | processor ms a frame | with decoding | peak MiB | start to a decision, "
        "processor s | install MB | lines |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows += [_cost_row(one) for one in done]
    rows += ["", *(f"{one.title}: skipped, {one.skipped}" for one in results if one.skipped)]
    return "\n".join(rows).rstrip() + "\n"


def picture(results: list[PeerResult], set_name: str, target: Path) -> None:
    """Strangers accepted against processor time, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    for one in results:
        shown = [figures for figures in one.sets if figures.set_name == set_name]
        if one.judge_ms is None or not shown:
            continue
        x, y = one.judge_ms, 100 * shown[0].far
        axis.scatter([x], [y], s=60)
        label = f"{one.title}\n({100 * shown[0].tar:.0f} % of own accepted)"
        axis.annotate(label, (x, y), xytext=(6, 6), textcoords="offset points", fontsize=8)
    axis.set_xscale("log")
    axis.set(
        xlabel="processor milliseconds a frame of 640x480, without decoding",
        ylabel="strangers' frames accepted (%)",
        title=f"{set_name}, each at its default threshold",
    )
    axis.margins(x=0.25, y=0.15)
    axis.grid(color="#dddddd", lw=0.8)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    with atomic_file(target) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _set_row(title: str, figures: Figures) -> str:
    name = figures.set_name + (" (ours was tuned on it)" if figures.tuned else "")
    refused = f", {figures.refused} refused" if figures.refused else ""
    return (
        f"| {name}, {figures.enrolments} enrolments{refused} | {title} | "
        f"{figures.tar:.3f} / {figures.far:.4f} | {figures.pairs} | {figures.people} | "
        f"{figures.tar_at_none:.3f} | {figures.frames[0]}, {figures.frames[1]} |"
    )


def _cost_row(one: PeerResult) -> str:
    both = None if one.judge_ms is None else one.judge_ms + (one.decode_ms or 0.0)
    lines = "–" if one.lines is None else str(one.lines)
    numbers = (_number(one.judge_ms, 1), _number(both, 1), _number(one.peak_mib, 0))
    more = (_number(one.first_s, 2), _number(one.size_mb, 0), lines)
    return " | ".join([f"| {one.title}", one.threshold, *numbers, *more]) + " |"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
