"""The parts that a report's page is made of: self-contained HTML, everything in it escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from edge.files.formats import printable
from edge.models.run_record import Run, installed_versions

HARDEST = 8
"""Looks of each kind that a page shows."""

_STYLE = """
body{font:16px/1.55 system-ui,sans-serif;max-width:54rem;margin:2rem auto;padding:0 1rem;
color:#222;background:#fff} h1{margin-bottom:.2rem} h2{margin-top:2.2rem}
table{border-collapse:collapse;margin:.6rem 0} td,th{border:1px solid #ccc;padding:.3rem .7rem;
text-align:left;vertical-align:top} td.n{text-align:right;font-variant-numeric:tabular-nums}
.facts th{width:11rem} .facts td{overflow-wrap:anywhere}
.warning{background:#fff3cd;padding:.5rem 1rem;border-left:4px solid #e0a800;margin:.5rem 0}
.verdict{font-size:1.1rem} figure{display:inline-block;margin:.3rem;text-align:center;
font-size:.8rem} img{max-width:100%} figure img{width:112px;image-rendering:auto}
.small{color:#666;font-size:.9rem}
"""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page of parts that are HTML already; bytes of file names that are no UTF-8 are
    spelt out."""
    return printable(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join([f"<h1>{html.escape(title)}</h1>", *parts])
        + "</body></html>\n"
    )


def heading(verdict: str, warnings: Sequence[str]) -> list[str]:
    """What a page begins with: the result in a sentence, and what to be wary of."""
    return [
        f'<p class="verdict">{html.escape(verdict)}</p>',
        *(f'<p class="warning">{html.escape(text)}</p>' for text in warnings),
    ]


def counts(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> str:
    """A table of numbers under their columns."""
    head = "".join(f"<th>{html.escape(one)}</th>" for one in columns)
    body = "".join(
        f"<tr><th>{html.escape(name)}</th>"
        + "".join(f'<td class="n">{value}</td>' for value in values)
        + "</tr>"
        for name, values in rows
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def reasons_table(reasons: Mapping[str, Sequence[str]], *, privacy: bool) -> str:
    """Why pictures were dropped, how many, and the first of their names unless `privacy`."""
    if not reasons:
        return paragraph("None.")
    rows = [
        (f"{reason} ({len(names)})", "" if privacy else ", ".join(names[:20]))
        for reason, names in sorted(reasons.items())
    ]
    return table(rows)


def made_by(run: Run) -> tuple[str, str]:
    """The row of a model card that says with what a run was made."""
    known = run.versions or installed_versions()
    shown = [f"{k} {v}" for k, v in known.items() if k in ("edge-recognize", "python", "numpy")]
    return "made by", f"{run.command} ({', '.join(shown)})"


def embedder_rows(run: Run) -> list[tuple[str, str]]:
    """The rows of a model card that say what a head stands on."""
    network = run.embedder or run.network
    source = f"{network.source or 'not stated'}, {network.format}, {network.sha256[:16]}…"
    return [("embedder", source), ("terms of the embedder", network.licence or "not stated")]


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Facts: a title and what is to be said, each row."""
    body = "".join(f"<tr><th>{html.escape(a)}</th><td>{html.escape(b)}</td></tr>" for a, b in rows)
    return f'<table class="facts">{body}</table>'


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def crop(crop_bgr: np.ndarray, score: float, state: str) -> str:
    """A face, uint8[H, W, 3] BGR, over its score and its answer."""
    encoded = cv2.imencode(".png", crop_bgr)[1].tobytes()
    caption = f"<figcaption>{score:.2f}, {html.escape(state)}</figcaption>"
    return f"<figure>{_image(encoded, 'face')}{caption}</figure>"


def figure(png: bytes, title: str) -> str:
    """A picture as wide as the page allows; the title is for those who cannot see it."""
    return f"<p>{_image(png, title)}</p>"


def _image(png: bytes, title: str) -> str:
    text = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(title)}" src="data:image/png;base64,{text}">'
