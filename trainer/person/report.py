"""The report of a person's run: one page that explains who is accepted, and the same as JSON."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.console.json_text import json_text
from edge.heads.cohort import Cohort
from edge.heads.group_rates import GroupRates, group_rates, measured_for
from edge.models.run_record import Run
from trainer.report.page import (
    HARDEST,
    counts,
    crop,
    embedder_rows,
    figure,
    heading,
    made_by,
    page,
    paragraph,
    reasons_table,
    table,
)
from trainer.report.person_plot import det, heads_chart, histogram, strangers_of

if TYPE_CHECKING:
    from trainer.person.result import PersonResult

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
    own = np.asarray(head.facts.own_scores, np.float64)
    not_me = None if result.not_me is None else result.not_me.scores
    parts = [
        *heading(_verdict(result), result.warnings),
        "<h2>Who is accepted</h2>",
        _confusion(result, own),
        _facts(result, group_rates([head], cohort)),
        *_test(result),
        "<h2>Scores</h2>",
        paragraph(
            f"Each look of {head.name} is scored by a head that was not fitted on it; each "
            "stranger counts with the highest score in any look. Right of the line a face is "
            "accepted, in the band around it the answer is “uncertain”."
        ),
        figure(histogram(head, own, strangers, not_me), "Histogram of scores"),
        "<h2>Errors at other thresholds</h2>",
        paragraph("0 stands for none seen; what that proves is in the table above."),
        figure(det(head, own, strangers), "False rejects against false accepts"),
        "<h2>More people in one bundle</h2>",
        paragraph(
            "A stranger has a chance with every head. edge-export pack sets the thresholds of all "
            "heads together, and again whenever one joins or leaves."
        ),
        figure(heads_chart(head, own, cohort), "False accepts against the number of heads"),
        *([] if privacy else _pictures(result, own)),
        "<h2>Dropped pictures</h2>",
        _dropped(result, privacy),
        "<h2>Model card</h2>",
        _card(result, cohort, run),
    ]
    (folder / "report.html").write_text(page(f"Is it {head.name}?", parts))
    facts = result.to_json()
    if privacy:
        facts["run"] = result.out.name
        facts["dropped"] = [{"reason": one["reason"]} for one in facts["dropped"]]
        facts["left_out"] = len(facts["left_out"])
    facts["calibration"] = head.facts.to_json()
    facts["groups"] = group_rates([head], cohort).to_json()
    facts["test"] = None if result.test is None else result.test.figures()
    (folder / "report.json").write_text(json_text(facts, indent=2) + "\n")


def _verdict(result: PersonResult) -> str:
    facts = result.head.facts
    far = 100 * facts.far_upper_95
    accepted = facts.frr.trials - facts.frr.events
    said = (
        f"{accepted} of {facts.frr.trials} independent looks of {result.head.name} are accepted by "
        f"heads that had not seen them, and {facts.far.events} of {facts.far.trials} "
        f"strangers: fewer than {far:.2g} % of strangers get in, with 95 % confidence."
    )
    if result.looks.one_sitting:
        said += " All looks are of one sitting, so other days are not measured."
    return said


def _confusion(result: PersonResult, own: np.ndarray) -> str:
    facts = result.head.facts
    looks, accepted = len(own), int((own >= result.head.threshold).sum())
    people, through = facts.far.trials, facts.far.events
    name = result.head.name
    columns = (f"looks of {name} accepted", "rejected", "strangers accepted", "rejected")
    return counts(
        columns,
        [
            ("this head", (accepted, looks - accepted, through, people - through)),
            ("accepting everybody", (looks, 0, people, 0)),
            ("rejecting everybody", (0, looks, 0, people)),
        ],
    )


def _facts(result: PersonResult, groups: GroupRates) -> str:
    facts = result.head.facts
    within = ", within one sitting" if result.looks.one_sitting else ""
    target = facts.target_far
    rows = [
        (
            "strangers accepted",
            f"{facts.far.events} of {facts.far.trials} people, below "
            f"{100 * facts.far_upper_95:.2g} % with 95 % confidence "
            "(accepting everybody: 100 %)",
        ),
        (
            "own looks rejected",
            f"{facts.frr.events} of {facts.frr.trials} independent looks{within}, below "
            f"{100 * facts.frr_upper_95:.2g} % with 95 % confidence "
            "(rejecting everybody: 100 %)",
        ),
        *_not_me_row(result),
        (
            "target",
            "what the cohort supports" if target is None else f"{target:g}, {facts.proof}",
        ),
        ("threshold", f"{result.head.threshold:.3f} ± {result.head.margin:.2f}"),
        (
            "strangers alone would allow",
            f"{facts.stranger_bound:.3f}, for those of the group that scores highest: "
            f"{facts.nearest_group}",
        ),
        ("strangers by group", str(groups)),
        ("camera", result.origin.describe()),
        ("set by", facts.strategy),
    ]
    return table(rows)


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
        *(_crop(looks[n].crop, own[n], result) for n in shown),
    ]
    if result.not_me is not None:
        sample = result.not_me
        through = [
            n for n in np.argsort(-sample.scores) if sample.scores[n] >= result.head.threshold
        ]
        parts.append("<h2>Accepted although not me</h2>")
        if not through:
            parts.append(paragraph(f"None of {len(sample.scores)} looks."))
        parts += [_crop(sample.crops[n], sample.scores[n], result) for n in through[:HARDEST]]
    return parts


def _dropped(result: PersonResult, privacy: bool) -> str:
    reasons: dict[str, list[str]] = {}
    for one in result.looks.dropped:
        reasons.setdefault(one.reason, []).append(Path(one.name).name)
    left = [result.looks.kept[n].name for n in result.head.facts.left_out]
    if left:
        reasons["looks like somebody else"] = [Path(name).name for name in left]
    return reasons_table(reasons, privacy=privacy)


def _card(result: PersonResult, cohort: Cohort, run: Run) -> str:
    facts = result.head.facts
    known, unknown = measured_for(cohort)
    rows = [
        (
            "head",
            f"{result.head.kind}, schema 1, seed {facts.seed}, regularization {facts.l2:g}",
        ),
        *embedder_rows(run),
        (
            "fitted on",
            f"{facts.pictures} looks in {facts.frr.trials} independent groups, "
            f"{result.looks.files} files of which {result.looks.videos} videos",
        ),
        (
            "strangers",
            f"{cohort.people} people, {len(cohort)} embeddings as {', '.join(cohort.variants)}: "
            f"half of the people trained the head, half set the threshold",
        ),
        ("source of the strangers", cohort.source or "as given"),
        ("terms of the strangers", cohort.licence or "not stated"),
        made_by(run),
        ("use", " ".join(_USE.split())),
        (
            "who is measured",
            known,
        ),
        (
            "who is not measured",
            f"{unknown}; other cameras. Strangers unlike those measured may be accepted more "
            "often, and relatives are",
        ),
    ]
    return table(rows)


def _crop(crop_bgr: np.ndarray, score: float, result: PersonResult) -> str:
    return crop(crop_bgr, score, "accepted" if score >= result.head.threshold else "rejected")
