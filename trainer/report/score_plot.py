"""Figures of scores on two sides of a threshold, as PNG bytes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from edge.heads.head import Head
from edge.heads.threshold import det_curve

ME, STRANGERS, NOT_ME, LINE = "#1f77b4", "#8c8c8c", "#ff7f0e", "#c62828"

_LEAST_SHARE = 0.01
"""In per cent: where the logarithmic axes of the rates end."""


def score_histogram(
    head: Head, sets: Sequence[tuple[np.ndarray, str, str]], score_label: str
) -> bytes:
    """Sets of scores float64[N], each with its label and color, and the head's threshold."""
    figure, axis = new_figure(3.8)
    everything = np.concatenate([scores for scores, _, _ in sets])
    bins = np.linspace(everything.min() - 0.2, max(everything.max(), head.threshold) + 0.4, 60)
    for scores, label, colour in sets:
        weights = np.full(len(scores), 100.0 / len(scores))
        axis.hist(scores, list(bins), weights=weights, label=label, color=colour, alpha=0.75)
    low, high = head.threshold - head.margin, head.threshold + head.margin
    axis.axvspan(low, high, color=LINE, alpha=0.15, lw=0)
    axis.axvline(head.threshold, color=LINE, label=f"threshold {head.threshold:.2f}")
    axis.set(xlabel=score_label, ylabel="share (%)")
    handles = axis.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=9, ncols=2)
    return png_of(figure)


def score_det(
    threshold: float,
    yes: np.ndarray,
    no: np.ndarray,
    labels: tuple[str, str],
    names: tuple[str, str],
) -> bytes:
    """False rejects of scores `yes` against false accepts of `no`, float64[N] and [M], at every
    threshold, logarithmic (Martin et al., 1997). labels: of the axes. names: of the two sides.
    """
    thresholds, far, frr = det_curve(yes, no)
    figure, axis = new_figure(3.6)
    x, y = (np.maximum(100 * rate, _LEAST_SHARE) for rate in (far, frr))
    axis.step(x, y, where="post", color=ME, clip_on=False, linewidth=2, zorder=3)
    at = int(np.searchsorted(thresholds, threshold))
    at = min(at, len(thresholds) - 1)
    label = f"at this threshold: {100 * far[at]:.2g} % and {100 * frr[at]:.2g} %"
    axis.plot(x[at], y[at], "o", color=LINE, label=label, clip_on=False, zorder=4)
    axis.set(
        xscale="log",
        yscale="log",
        xlim=(_LEAST_SHARE, 100),
        ylim=(_LEAST_SHARE, 100),
        xlabel=labels[0],
        ylabel=labels[1],
    )
    ticks = [0.01, 0.1, 1, 10, 100]
    axis.set_xticks(ticks, ["0", "0.1", "1", "10", "100"])
    axis.set_yticks(ticks, ["0", "0.1", "1", "10", "100"])
    if yes.min() > no.max():
        gap = f"no overlap: {names[1]} up to {no.max():.2f}, {names[0]} from {yes.min():.2f}"
        axis.text(0.5, 0.5, gap, transform=axis.transAxes, ha="center")
    axis.legend(loc="upper right", frameon=False)
    return png_of(figure)


def new_figure(height: float) -> tuple[Any, Any]:
    """A figure and its axes, `height` in inches."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7.5, height), layout="constrained")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure, axis


def png_of(figure: Any) -> bytes:
    """The figure as PNG, after which it is gone."""
    from matplotlib import pyplot

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    pyplot.close(figure)
    return buffer.getvalue()
