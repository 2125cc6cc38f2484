"""A chart of the attribute figures: accuracy beside the majority class and balanced accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.errors import UsageError
from edge.files.atomic import atomic_file
from trainer.data.attribute_metrics import AttributeReport

_SURE, _POOR, _INK, _DOT = "#2a6fbb", "#b8c4d0", "#222222", "#d1661a"


def plot_attributes(report: AttributeReport, target: Path, *, title: str = "") -> None:
    """Write a bar chart, one attribute a row, sorted by margin; .png or .svg by the suffix.

    Bars are accuracy (grey where it is below the majority class plus 1 point), the black tick is
    the majority class, the orange dot balanced accuracy. Raises `UsageError` for another suffix.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    if target.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"cannot draw {target.name}", hint="name it .png or .svg")
    rows = [i for i, f in enumerate(report.per_attribute) if f.images > 0]
    figures = report.per_attribute
    rows.sort(key=lambda i: figures[i].accuracy - figures[i].majority_accuracy)
    accuracy = np.array([figures[i].accuracy for i in rows])
    majority = np.array([figures[i].majority_accuracy for i in rows])
    balanced = np.array([figures[i].balanced_accuracy for i in rows])
    places = np.arange(len(rows))

    figure = Figure(figsize=(9, 1.6 + 0.26 * max(len(rows), 4)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = [_SURE if a > m + 0.01 else _POOR for a, m in zip(accuracy, majority, strict=True)]
    axes.barh(places, accuracy, height=0.7, color=colours)
    tick = axes.scatter(majority, places, marker="|", s=110, linewidths=2.2, color=_INK)
    dot = axes.scatter(balanced, places, s=20, color=_DOT, zorder=3)
    axes.set_yticks(places, [report.names[i].replace("_", " ") for i in rows], fontsize=9)
    low = min(0.5, float(np.nanmin(np.concatenate([accuracy, balanced, [0.5]]))))
    axes.set_xlim(np.floor(low * 10) / 10, 1.0)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlabel("share of pictures")
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    heading = f"{title}\n{report.verdict()}" if title else report.verdict()
    figure.suptitle(heading, fontsize=10)
    legend = {
        "accuracy": Patch(color=_SURE),
        "accuracy, less than a point above the majority": Patch(color=_POOR),
        "majority class": tick,
        "balanced accuracy": dot,
    }
    figure.legend(
        list(legend.values()),
        list(legend),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=8,
    )
    with atomic_file(target) as temporary:
        figure.savefig(temporary, dpi=130)
