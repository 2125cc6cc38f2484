"""Plots of recorded tables: kept as numbers beside the table, drawn as PNG for the docs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.files.atomic import atomic_file


@dataclass(frozen=True)
class Series:
    """name: shown beside it. points: x and y. bars: highest and lowest y of each point, exact
    bounds, or none. joined: by a line.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    bars: tuple[tuple[float, float], ...] = ()
    joined: bool = True

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> Series:
        """Raises `KeyError` or `ValueError` where it is none."""
        points = tuple((float(x), float(y)) for x, y in said["points"])
        bars = tuple((float(low), float(high)) for low, high in said["bars"])
        return cls(str(said["name"]), points, bars, bool(said["joined"]))


@dataclass(frozen=True)
class Plot:
    """x, y: what the axes show. log_x: whether that axis is logarithmic."""

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    log_x: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "series": [vars(one) for one in self.series]}

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> Plot:
        """Raises `KeyError` or `ValueError` where it is none."""
        series = tuple(Series.of_json(one) for one in said["series"])
        return cls(said["title"], said["x"], said["y"], series, bool(said["log_x"]))

    def save(self, target: Path) -> None:
        """As PNG, the same bytes each time by the same matplotlib. A series of one point has its
        name beside the point, others are named in a legend.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.5, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.add_subplot()
        named = False
        for one in self.series:
            x, y = [p[0] for p in one.points], [p[1] for p in one.points]
            single = len(one.points) == 1
            named |= not single
            style = "o-" if one.joined and not single else "o"
            drawn = axis.plot(x, y, style, ms=7 if single else 5, lw=1.8, label=one.name)[0]
            if one.bars:
                low, high = ([bar[k] for bar in one.bars] for k in (0, 1))
                axis.vlines(x, low, high, color=drawn.get_color(), lw=1.2, alpha=0.5)
        if self.log_x:
            axis.set_xscale("log")
        axis.set(xlabel=self.x, ylabel=self.y, title=self.title)
        axis.margins(x=0.05 if named else 0.3, y=0.15)
        axis.grid(color="#dddddd", lw=0.8)
        axis.set_axisbelow(True)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        if named:
            axis.legend(frameon=False, fontsize=8)
        figure.canvas.draw()  # lays it out, so that labels know what they would cover
        taken: list[Any] = []
        for one in self.series:
            if len(one.points) == 1:
                _label(axis, one, taken)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as temporary:
            figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


_PLACES = (
    ((0, 8), "center", "bottom"),
    ((0, -8), "center", "top"),
    ((8, 0), "left", "center"),
    ((-8, 0), "right", "center"),
)
"""Of a label beside its point: offset in points, and which side of the text lies there."""


def _label(axis: Any, one: Series, taken: list[Any]) -> None:
    """Name a point, at the first place that covers no other label."""
    for offset, across, along in _PLACES:
        text = axis.annotate(one.name, one.points[0], offset, textcoords="offset points",
                             ha=across, va=along, fontsize=8)  # fmt: skip
        box = text.get_window_extent()
        if not any(box.overlaps(other) for other in taken):
            break
        if (offset, across, along) != _PLACES[-1]:
            text.remove()
    taken.append(box)
