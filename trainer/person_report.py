"""The report of a person's run: one page that explains who is accepted, and the same as JSON."""

from __future__ import annotations

import base64
import html
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.calibration import highest_scores
from edge.cohort import Cohort
from edge.head import Head
from edge.jsontext import json_text
from edge.threshold import det_curve

if TYPE_CHECKING:
    from trainer.person import PersonResult

HARDEST = 8
"""Own looks with the lowest scores that the page shows."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;
color:#222}} table{{border-collapse:collapse}} td,th{{border:1px solid #ccc;padding:.3rem .7rem;
text-align:left}} .warning{{background:#fff3cd;padding:.5rem 1rem;border-left:4px solid #e0a800}}
figure{{display:inline-block;margin:.3rem;text-align:center;font-size:.8rem}} img{{max-width:100%}}
</style></head><body><h1>Is it {name}?</h1>{warnings}{table}
<h2>Scores</h2><p>Scores of {name}'s own looks, each by a head that was not fitted on it, beside
those of strangers who set the threshold. Right of the line a face is accepted.</p>{histogram}
<h2>Error rates at other thresholds</h2>{det}{crops}
<h2>What this is not</h2><p>These rates hold for strangers like those of the cohort
({source}). Somebody who holds a photo of {name} before the camera is accepted: this is no door
lock by itself.</p></body></html>
"""


def write_report(folder: Path, result: PersonResult, cohort: Cohort, *, privacy: bool) -> None:
    """Write report.html and report.json into the run's folder; without pictures if `privacy`."""
    head = result.head
    strangers = highest_scores(head, cohort)
    own = np.asarray(head.calibration["own_scores"], np.float64)
    warnings = "".join(f'<p class="warning">{html.escape(w)}</p>' for w in result.warnings)
    page = _PAGE.format(
        name=html.escape(head.name),
        warnings=warnings,
        table=_table(result),
        histogram=_histogram(own, strangers, head),
        det=_det(own, strangers, head),
        crops="" if privacy else _crops(result, own),
        source=html.escape(cohort.source or "strangers as given"),
    )
    (folder / "report.html").write_text(page)
    (folder / "report.json").write_text(json_text(result.to_json(), indent=2) + "\n")


def _table(result: PersonResult) -> str:
    far, frr = result.figures["far"], result.figures["frr"]
    within = ", within one sitting" if result.looks.one_sitting else ""
    rows = [
        (
            "strangers accepted",
            f"{far['events']} of {far['trials']} people, below {100 * far['upper_95']:.2g} % with "
            "95 % confidence",
            "accepting everybody: 100 %",
        ),
        (
            "own looks rejected",
            f"{frr['events']} of {frr['trials']} independent groups, out of fold{within}",
            "rejecting everybody: 100 %",
        ),
        ("threshold", f"{result.head.threshold:.3f}", "set by: " + result.figures["strategy"]),
    ]
    body = "".join(
        f"<tr><th>{html.escape(a)}</th><td>{html.escape(b)}</td><td>{html.escape(c)}</td></tr>"
        for a, b, c in rows
    )
    return f"<table>{body}</table>"


def _histogram(own: np.ndarray, strangers: np.ndarray, head: Head) -> str:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7.5, 3.2), layout="constrained")
    bins = np.linspace(min(own.min(), strangers.min()), max(own.max(), strangers.max()), 60)
    for scores, label, colour in ((strangers, "strangers", "#888"), (own, head.name, "#1f77b4")):
        weights = np.full(len(scores), 100.0 / len(scores))
        axis.hist(scores, list(bins), weights=weights, label=label, color=colour, alpha=0.7)
    axis.axvline(head.threshold, color="#d62728", label="threshold")
    axis.set(xlabel="score", ylabel="share of looks (%)")
    axis.legend()
    return _embedded_figure(figure, "Histogram of scores")


def _det(own: np.ndarray, strangers: np.ndarray, head: Head) -> str:
    from matplotlib import pyplot

    thresholds, far, frr = det_curve(own, strangers)
    figure, axis = pyplot.subplots(figsize=(7.5, 3.2), layout="constrained")
    axis.plot(thresholds[:-1], 100 * far[:-1], color="#888", label="strangers accepted (FAR)")
    axis.plot(thresholds[:-1], 100 * frr[:-1], color="#1f77b4", label="own looks rejected (FRR)")
    axis.axvline(head.threshold, color="#d62728", label="threshold")
    axis.set(xlabel="threshold", ylabel="share (%)", ylim=(-2, 102))
    axis.legend()
    return _embedded_figure(figure, "Error rates against the threshold")


def _embedded_figure(figure: object, title: str) -> str:
    from matplotlib import pyplot

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)  # type: ignore[attr-defined]
    pyplot.close(figure)  # type: ignore[arg-type]
    return _image(buffer.getvalue(), title)


def _crops(result: PersonResult, own: np.ndarray) -> str:
    parts = []
    for row in np.argsort(own)[:HARDEST]:
        encoded = cv2.imencode(".png", result.looks.kept[row].crop)[1].tobytes()
        state = "accepted" if own[row] >= result.head.threshold else "rejected"
        parts.append(
            f"<figure>{_image(encoded, 'crop')}<figcaption>{own[row]:.2f}, {state}</figcaption>"
            "</figure>"
        )
    return "<h2>Your own looks with the lowest scores</h2>" + "".join(parts)


def _image(png: bytes, title: str) -> str:
    text = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(title)}" src="data:image/png;base64,{text}">'
