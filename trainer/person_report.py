"""The report of a person's run: one page that explains who is accepted, and the same as JSON."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.cohort import Cohort
from edge.jsontext import json_text
from trainer.person_plot import det, heads_chart, histogram, strangers_of
from trainer.run import Run

if TYPE_CHECKING:
    from trainer.person import PersonResult

HARDEST = 8
"""Own looks with the lowest scores, and not-me looks with the highest, that the page shows."""

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

_USE = """Made to tell one person who agreed to it from strangers. Not for identifying people in
public, not for decisions about people's rights, and no door lock by itself: whoever holds a photo
of the person before the camera is accepted."""


def write_report(
    folder: Path, result: PersonResult, cohort: Cohort, run: Run, *, privacy: bool
) -> None:
    """Write report.html and report.json into the run's folder; if `privacy`, without pictures and
    names of files.
    """
    head = result.head
    strangers = strangers_of(head, cohort)
    own = np.asarray(head.calibration["own_scores"], np.float64)
    not_me = None if result.not_me is None else result.not_me.scores
    name = html.escape(head.name)
    parts = [
        f"<h1>Is it {name}?</h1>",
        f'<p class="verdict">{html.escape(_verdict(result))}</p>',
        *(f'<p class="warning">{html.escape(text)}</p>' for text in result.warnings),
        "<h2>Who is accepted</h2>",
        _confusion(result, own),
        _facts(result),
        *_test(result),
        "<h2>Scores</h2>",
        _text(
            f"Each look of {head.name} is scored by a head that was not fitted on it; each "
            "stranger counts with the highest score in any look. Right of the line a face is "
            "accepted, in the band around it the answer is “uncertain”."
        ),
        _figure(histogram(head, own, strangers, not_me), "Histogram of scores"),
        "<h2>Errors at other thresholds</h2>",
        _text("0 stands for none seen; what that proves is in the table above."),
        _figure(det(head, own, strangers), "False rejects against false accepts"),
        "<h2>More people in one bundle</h2>",
        _text(
            "A stranger has a chance with every head. edge-export pack sets the thresholds of all "
            "heads together, and again whenever one joins or leaves."
        ),
        _figure(heads_chart(head, own, cohort), "False accepts against the number of heads"),
        *([] if privacy else _pictures(result, own)),
        "<h2>Dropped pictures</h2>",
        _dropped(result, privacy),
        "<h2>Model card</h2>",
        _card(result, cohort, run),
    ]
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Is it {name}?</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )
    (folder / "report.html").write_text(page)
    facts = result.to_json()
    if privacy:
        facts["run"] = result.out.name
        facts["dropped"] = [{"reason": one["reason"]} for one in facts["dropped"]]
        facts["left_out"] = len(facts["left_out"])
    facts["calibration"] = dict(head.calibration)
    facts["test"] = None if result.test is None else result.test.figures()
    (folder / "report.json").write_text(json_text(facts, indent=2) + "\n")


def _verdict(result: PersonResult) -> str:
    facts = result.head.calibration
    far = 100 * facts["far_upper_95"]
    accepted = facts["groups"] - facts["groups_rejected"]
    said = (
        f"{accepted} of {facts['groups']} independent looks of {result.head.name} are accepted by "
        f"heads that had not seen them, and {facts['strangers_accepted']} of {facts['strangers']} "
        f"strangers: fewer than {far:.2g} % of strangers get in, with 95 % confidence."
    )
    if result.looks.one_sitting:
        said += " All looks are of one sitting, so other days are not measured."
    return said


def _confusion(result: PersonResult, own: np.ndarray) -> str:
    facts = result.head.calibration
    looks, accepted = len(own), int((own >= result.head.threshold).sum())
    people, through = facts["strangers"], facts["strangers_accepted"]
    rows = [
        ("this head", accepted, looks - accepted, through, people - through),
        ("accepting everybody", looks, 0, people, 0),
        ("rejecting everybody", 0, looks, 0, people),
    ]
    head = (
        f"<tr><th></th><th>looks of {html.escape(result.head.name)} accepted</th><th>rejected</th>"
        "<th>strangers accepted</th><th>rejected</th></tr>"
    )
    body = "".join(
        f"<tr><th>{row[0]}</th>" + "".join(f'<td class="n">{v}</td>' for v in row[1:]) + "</tr>"
        for row in rows
    )
    return f"<table>{head}{body}</table>"


def _facts(result: PersonResult) -> str:
    facts = result.head.calibration
    within = ", within one sitting" if result.looks.one_sitting else ""
    target = facts["target_far"]
    rows = [
        (
            "strangers accepted",
            f"{facts['strangers_accepted']} of {facts['strangers']} people, below "
            f"{100 * facts['far_upper_95']:.2g} % with 95 % confidence "
            "(accepting everybody: 100 %)",
        ),
        (
            "own looks rejected",
            f"{facts['groups_rejected']} of {facts['groups']} independent looks{within}, below "
            f"{100 * facts['frr_upper_95']:.2g} % with 95 % confidence "
            "(rejecting everybody: 100 %)",
        ),
        *_not_me_row(result),
        (
            "target",
            "what the cohort supports" if target is None else f"{target:g}, {facts['proof']}",
        ),
        ("threshold", f"{result.head.threshold:.3f} ± {result.head.margin:.2f}"),
        ("strangers alone would allow", f"{facts['stranger_bound']:.3f}"),
        ("camera", result.origin.describe()),
        ("set by", facts["strategy"]),
    ]
    return _table(rows)


def _not_me_row(result: PersonResult) -> list[tuple[str, str]]:
    if result.not_me is None:
        return []
    looks = len(result.not_me.scores)
    through = int((result.not_me.scores >= result.head.threshold).sum())
    said = (
        f"{through} of {looks} looks (accepting everybody: {looks}); the head was fitted on these "
        "and they may all be of one person, so this proves nothing about fresh ones"
    )
    return [("not-me accepted", said)]


def _test(result: PersonResult) -> list[str]:
    if result.test is None:
        return []
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in result.test.lines())
    return ["<h2>On the part that was kept back</h2>", f"<ul>{lines}</ul>"]


def _pictures(result: PersonResult, own: np.ndarray) -> list[str]:
    looks = result.enrolled.kept
    rejected = [n for n in np.argsort(own) if own[n] < result.head.threshold]
    shown = rejected[:HARDEST] or list(np.argsort(own)[:HARDEST])
    title = "rejected" if rejected else "accepted, none was rejected"
    parts = [
        f"<h2>Own looks with the lowest scores ({title})</h2>",
        *(_crop(looks[n].crop, own[n], result.head.threshold) for n in shown),
    ]
    if result.not_me is not None:
        sample = result.not_me
        through = [
            n for n in np.argsort(-sample.scores) if sample.scores[n] >= result.head.threshold
        ]
        parts.append("<h2>Accepted although not me</h2>")
        if not through:
            parts.append(_text(f"None of {len(sample.scores)} looks."))
        parts += [
            _crop(sample.crops[n], sample.scores[n], result.head.threshold)
            for n in through[:HARDEST]
        ]
    return parts


def _dropped(result: PersonResult, privacy: bool) -> str:
    reasons: dict[str, list[str]] = {}
    for one in result.looks.dropped:
        reasons.setdefault(one.reason, []).append(Path(one.name).name)
    left = [result.looks.kept[n].name for n in result.head.calibration["left_out"]]
    if left:
        reasons["looks like somebody else"] = [Path(name).name for name in left]
    if not reasons:
        return _text("None.")
    rows = [
        (f"{reason} ({len(names)})", "" if privacy else ", ".join(names[:20]))
        for reason, names in sorted(reasons.items())
    ]
    return _table(rows)


def _card(result: PersonResult, cohort: Cohort, run: Run) -> str:
    network = run.embedder or run.network
    facts = result.head.calibration
    rows = [
        (
            "head",
            f"{result.head.kind}, schema 1, seed {facts['seed']}, regularization {facts['l2']:g}",
        ),
        ("embedder", f"{network.source or 'not stated'}, {network.format}, {network.sha256[:16]}…"),
        ("terms of the embedder", network.licence or "not stated"),
        (
            "fitted on",
            f"{facts['pictures']} looks in {facts['groups']} independent groups, "
            f"{result.looks.files} files of which {result.looks.videos} videos",
        ),
        (
            "strangers",
            f"{cohort.people} people, {len(cohort)} embeddings as {', '.join(cohort.variants)}: "
            f"half of the people trained the head, half set the threshold",
        ),
        ("source of the strangers", cohort.source or "as given"),
        ("terms of the strangers", cohort.licence or "not stated"),
        ("made by", f"{run.command} ({', '.join(f'{k} {v}' for k, v in _versions(run))})"),
        ("use", " ".join(_USE.split())),
        (
            "who is not measured",
            "strangers unlike those of the cohort: other ages, skin colours and cameras may do "
            "worse, and relatives do",
        ),
    ]
    return _table(rows)


def _versions(run: Run) -> Iterable[tuple[str, Any]]:
    from trainer.run import installed_versions

    known = run.versions or installed_versions()
    return [(k, v) for k, v in known.items() if k in ("edge-recognize", "python", "numpy")]


def _table(rows: Sequence[tuple[str, str]]) -> str:
    body = "".join(f"<tr><th>{html.escape(a)}</th><td>{html.escape(b)}</td></tr>" for a, b in rows)
    return f'<table class="facts">{body}</table>'


def _text(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _crop(crop_bgr: np.ndarray, score: float, threshold: float) -> str:
    encoded = cv2.imencode(".png", crop_bgr)[1].tobytes()
    state = "accepted" if score >= threshold else "rejected"
    caption = f"<figcaption>{score:.2f}, {state}</figcaption>"
    return f"<figure>{_image(encoded, 'face')}{caption}</figure>"


def _figure(png: bytes, title: str) -> str:
    return f"<p>{_image(png, title)}</p>"


def _image(png: bytes, title: str) -> str:
    text = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(title)}" src="data:image/png;base64,{text}">'
