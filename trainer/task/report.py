"""The report of a task's run: one page that explains what is answered, and the same as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.console.json_text import json_text
from edge.heads.calibration_record import TaskCalibration, TaskFigures
from edge.heads.head import Head
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
from trainer.report.score_plot import ME, STRANGERS, score_det, score_histogram

if TYPE_CHECKING:
    from trainer.task.result import Answers, TaskResult


def write_task_report(
    folder: Path, result: TaskResult, head: Head, answers: Answers, run: Run, *, privacy: bool
) -> None:
    """Write report.html and report.json into the run's folder; if `privacy`, without pictures and
    names of files.
    """
    calibration = head.calibration
    assert isinstance(calibration, TaskCalibration)
    yes = np.asarray(calibration.own_scores, np.float64)
    no = np.asarray(calibration.negative_scores, np.float64)
    labels = ("negative answered yes (%)", "positive answered no (%)")
    sets = [(no, "negative", STRANGERS), (yes, "positive", ME)]
    parts = [
        *heading(_verdict(result.figures), result.warnings),
        "<h2>What is answered</h2>",
        _confusion(head, yes, no),
        _facts(head, calibration, answers),
        "<h2>Scores</h2>",
        paragraph(
            "Each look is scored by a head that was fitted without its group. Right of the line "
            "the answer is yes; in the band around it, where there is one, it is “uncertain”."
        ),
        figure(score_histogram(head, sets, "score"), "Histogram of scores"),
        "<h2>Errors at other thresholds</h2>",
        paragraph(
            "0 stands for none seen in this sample; that does not prove that there are none."
        ),
        figure(
            score_det(head.threshold, yes, no, labels, ("positive", "negative")),
            "False no against false yes",
        ),
        *([] if privacy else _pictures(head, answers, yes, no)),
        "<h2>Dropped pictures</h2>",
        _dropped(answers, privacy),
        "<h2>Model card</h2>",
        _card(head, run),
    ]
    (folder / "report.html").write_text(page(f"Is it {head.name}?", parts))
    said = result.to_json()
    if privacy:
        said["run"] = result.out.name
    said["dropped"] = [
        {"reason": one.reason} if privacy else {"file": one.name, "reason": one.reason}
        for one in answers.looks.dropped
    ]
    said["calibration"] = calibration.to_json()
    (folder / "report.json").write_text(json_text(said, indent=2) + "\n")


def _verdict(facts: TaskFigures) -> str:
    return (
        f"{100 * facts.accuracy:.1f} % of {facts.positive + facts.negative} looks are "
        f"answered rightly by heads that had not seen their groups; always answering the majority "
        f"is right in {100 * facts.majority_accuracy:.1f} %."
    )


def _confusion(head: Head, yes: np.ndarray, no: np.ndarray) -> str:
    right, wrong = int((yes >= head.threshold).sum()), int((no >= head.threshold).sum())
    mostly = len(yes) >= len(no)
    trivial = (len(yes), 0, len(no), 0) if mostly else (0, len(yes), 0, len(no))
    return counts(
        ("positive answered yes", "no", "negative answered yes", "no"),
        [
            ("this head", (right, len(yes) - right, wrong, len(no) - wrong)),
            (f"always the majority ({'yes' if mostly else 'no'})", trivial),
        ],
    )


def _facts(head: Head, calibration: TaskCalibration, answers: Answers) -> str:
    facts = calibration.figures
    grouped = "people told apart by --group-regex" if answers.people else "independent pictures"
    return table(
        [
            (
                "balanced accuracy",
                f"{facts.balanced_accuracy:.3f} (always the majority, or chance: 0.5)",
            ),
            ("looks", f"{facts.positive} positive, {facts.negative} negative"),
            ("groups", f"{facts.groups} {grouped}, none split between fit and measurement"),
            ("threshold", f"{head.threshold:.3f} ± {head.margin:.2f}"),
            ("set", calibration.strategy),
            (
                "head",
                f"{head.kind}, {facts.head_parameters:,} parameters, regularization "
                f"{calibration.l2:g}: the best of those asked for, on "
                "scores out of fold",
            ),
        ]
    )


def _pictures(head: Head, answers: Answers, yes: np.ndarray, no: np.ndarray) -> list[str]:
    """The wrong answers that are furthest from the threshold."""
    kept = answers.looks.kept
    parts = []
    for title, wanted, scores, sign in (
        ("Answered no although positive", True, yes, 1),
        ("Answered yes although negative", False, no, -1),
    ):
        looks = [kept[n] for n in np.flatnonzero(answers.answer == wanted)]
        said = scores >= head.threshold
        wrong = [n for n in np.argsort(sign * scores, kind="stable") if said[n] != wanted]
        parts.append(f"<h2>{title}</h2>")
        parts.append(paragraph(f"{len(wrong)} of {len(looks)} looks, the hardest first."))
        state = "no" if wanted else "yes"
        parts += [crop(looks[n].crop, scores[n], state) for n in wrong[:HARDEST]]
    return parts


def _dropped(answers: Answers, privacy: bool) -> str:
    reasons: dict[str, list[str]] = {}
    for one in answers.looks.dropped:
        reasons.setdefault(one.reason, []).append(Path(one.name).name)
    ignored = (
        f"{answers.copies} files are smaller copies of others, {answers.ignored} files of the "
        "folders are neither pictures nor videos."
    )
    return reasons_table(reasons, privacy=privacy) + paragraph(ignored)


def _card(head: Head, run: Run) -> str:
    rows = [
        ("head", f"{head.kind}, schema 1, seed {run.seed}"),
        *embedder_rows(run),
        made_by(run),
        (
            "use",
            "Made to answer one yes-or-no question about faces of people who agreed to it. Not "
            "for decisions about people's rights.",
        ),
        (
            "who is not measured",
            "people, cameras and light unlike those of the pictures: there it may do worse",
        ),
    ]
    return table(rows)
