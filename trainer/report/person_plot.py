"""The figures of a person's report, as PNG bytes."""

from __future__ import annotations

import numpy as np

from edge.heads.calibration import highest_scores, scored_strangers
from edge.heads.cohort import Cohort
from edge.heads.head import Head
from edge.heads.threshold import stranger_reach, upper_bound
from trainer.report.score_plot import (
    LINE,
    ME,
    NOT_ME,
    STRANGERS,
    new_figure,
    png_of,
    score_det,
    score_histogram,
)

MOST_HEADS = 10


def histogram(
    head: Head, own: np.ndarray, strangers: np.ndarray, not_me: np.ndarray | None
) -> bytes:
    """Scores of my held-out looks, of strangers (the highest) and of not-me, and the threshold."""
    sets = [(strangers, "strangers, each one's highest", STRANGERS), (own, f"{head.name}", ME)]
    if not_me is not None and len(not_me):
        sets.append((not_me, "not me", NOT_ME))
    return score_histogram(head, sets, "score (standard deviations over strangers)")


def det(head: Head, own: np.ndarray, strangers: np.ndarray) -> bytes:
    """False rejects against false accepts at every threshold."""
    labels = ("strangers accepted (%)", "own looks rejected (%)")
    return score_det(head.threshold, own, strangers, labels, ("own looks", "strangers"))


def heads_chart(head: Head, own: np.ndarray, cohort: Cohort) -> bytes:
    """What more heads in one bundle do: accepts multiply, unless thresholds rise with them.

    Computed from the one head that there is, not measured on several, and labelled so.
    """
    facts = head.facts
    heads = np.arange(1, MOST_HEADS + 1)
    people = facts.far.trials
    alone = upper_bound(facts.far_alone.events, people)
    left = 100 * (1.0 - (1.0 - alone) ** heads)
    tails = scored_strangers(head, cohort).tails
    reach = [stranger_reach(tails, facts.camera, int(k), facts.target_far) for k in heads]
    rise = np.array(reach) - reach[0]
    accepted = [100 * float(np.mean(own >= head.threshold + r)) for r in rise]
    figure, axis = new_figure(4.0)
    axis.plot(
        heads,
        left,
        "o-",
        color=LINE,
        label="strangers accepted, thresholds left (at most; computed)",
    )
    axis.plot(
        heads,
        np.full(len(heads), 100 * alone),
        "o-",
        color=STRANGERS,
        label="strangers accepted, thresholds set for all heads (at most; computed)",
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
    return png_of(figure)


def strangers_of(head: Head, cohort: Cohort) -> np.ndarray:
    """The highest score of each stranger who set the threshold, float64[P]."""
    return highest_scores(head, cohort)
