"""The figures of a person's report, as PNG bytes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from edge.calibration import highest_scores
from edge.cohort import Cohort
from edge.head import Head
from edge.threshold import camera_level, det_curve, level_for_heads, upper_bound

ME, STRANGERS, NOT_ME, LINE = "#1f77b4", "#8c8c8c", "#ff7f0e", "#c62828"

MOST_HEADS = 10

_LEAST_SHARE = 0.01
"""In per cent: where the logarithmic axes of the rates end."""


def histogram(
    head: Head, own: np.ndarray, strangers: np.ndarray, not_me: np.ndarray | None
) -> bytes:
    """Scores of my held-out looks, of strangers (the highest) and of not-me, and the threshold."""
    figure, axis = _figure(3.8)
    sets = [(strangers, "strangers, each one's highest", STRANGERS), (own, f"{head.name}", ME)]
    if not_me is not None and len(not_me):
        sets.append((not_me, "not me", NOT_ME))
    everything = np.concatenate([scores for scores, _, _ in sets])
    bins = np.linspace(everything.min() - 0.2, max(everything.max(), head.threshold) + 0.4, 60)
    for scores, label, colour in sets:
        weights = np.full(len(scores), 100.0 / len(scores))
        axis.hist(scores, list(bins), weights=weights, label=label, color=colour, alpha=0.75)
    low, high = head.threshold - head.margin, head.threshold + head.margin
    axis.axvspan(low, high, color=LINE, alpha=0.15, lw=0)
    axis.axvline(head.threshold, color=LINE, label=f"threshold {head.threshold:.2f}")
    axis.set(xlabel="score (standard deviations over strangers)", ylabel="share (%)")
    handles = axis.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=9, ncols=2)
    return _png(figure)


def det(head: Head, own: np.ndarray, strangers: np.ndarray) -> bytes:
    """False rejects against false accepts at every threshold, logarithmic (Martin et al., 1997)."""
    thresholds, far, frr = det_curve(own, strangers)
    figure, axis = _figure(3.6)
    x, y = (np.maximum(100 * rate, _LEAST_SHARE) for rate in (far, frr))
    axis.step(x, y, where="post", color=ME, clip_on=False, linewidth=2, zorder=3)
    at = int(np.searchsorted(thresholds, head.threshold))
    at = min(at, len(thresholds) - 1)
    label = f"at this threshold: {100 * far[at]:.2g} % and {100 * frr[at]:.2g} %"
    axis.plot(x[at], y[at], "o", color=LINE, label=label, clip_on=False, zorder=4)
    axis.set(
        xscale="log",
        yscale="log",
        xlim=(_LEAST_SHARE, 100),
        ylim=(_LEAST_SHARE, 100),
        xlabel="strangers accepted (%)",
        ylabel="own looks rejected (%)",
    )
    ticks = [0.01, 0.1, 1, 10, 100]
    axis.set_xticks(ticks, ["0", "0.1", "1", "10", "100"])
    axis.set_yticks(ticks, ["0", "0.1", "1", "10", "100"])
    if own.min() > strangers.max():
        gap = f"no overlap: strangers up to {strangers.max():.2f}, own looks from {own.min():.2f}"
        axis.text(0.5, 0.5, gap, transform=axis.transAxes, ha="center")
    axis.legend(loc="upper right", frameon=False)
    return _png(figure)


def heads_chart(head: Head, own: np.ndarray, cohort: Cohort) -> bytes:
    """What more heads in one bundle do: accepts multiply, unless thresholds rise with them."""
    facts = head.calibration
    heads = np.arange(1, MOST_HEADS + 1)
    people = int(facts["strangers"])
    alone = upper_bound(int(facts["far_alone"]["events"]), people)
    left = 100 * (1.0 - (1.0 - alone) ** heads)
    level = camera_level(facts["camera"], float(facts["likeness"]))
    rise = np.array([level_for_heads(level, int(k)) - level for k in heads])
    accepted = [100 * float(np.mean(own >= head.threshold + r)) for r in rise]
    figure, axis = _figure(4.0)
    axis.plot(heads, left, "o-", color=LINE, label="strangers accepted, thresholds left (at most)")
    axis.plot(
        heads,
        np.full(len(heads), 100 * alone),
        "o-",
        color=STRANGERS,
        label="strangers accepted, thresholds set for all heads (at most)",
    )
    axis.set(xlabel="people enrolled in one bundle", ylabel="strangers, at most (%)", xticks=heads)
    axis.set_ylim(0, max(left) * 1.35)
    other = axis.twinx()
    other.plot(heads, accepted, "s--", color=ME, label=f"looks of {head.name} accepted")
    other.set(ylabel="own looks accepted (%)", ylim=(0, 105))
    handles = [*axis.get_legend_handles_labels()[0], *other.get_legend_handles_labels()[0]]
    figure.legend(
        handles=handles, loc="outside lower center", frameon=False, fontsize=9, handlelength=3
    )
    return _png(figure)


def strangers_of(head: Head, cohort: Cohort) -> np.ndarray:
    """The highest score of each stranger who set the threshold, float64[P]."""
    return highest_scores(head, cohort)


def _figure(height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7.5, height), layout="constrained")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure, axis


def _png(figure: Any) -> bytes:
    from matplotlib import pyplot

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    pyplot.close(figure)
    return buffer.getvalue()
