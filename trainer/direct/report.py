"""The report of a direct run: curves, what is answered, a grid of predictions, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.console.json_text import json_text
from edge.heads.threshold import Rate
from edge.models.run_record import Run
from trainer.direct.pictures import listed
from trainer.direct.result import DirectResult
from trainer.report.curves_plot import Curve, curves_png, predictions_png
from trainer.report.page import counts, figure, heading, made_by, page, paragraph, table

GRID = 3
CURVES_PNG, PREDICTIONS_PNG = "curves.png", "predictions.png"


def write_direct_report(folder: Path, result: DirectResult, run: Run) -> None:
    """Write report.html, report.json, curves.png and predictions.png into the run's folder."""
    curves = result.curves
    drawn = curves_png(
        [
            Curve("accuracy", curves.accuracy, curves.val_accuracy),
            Curve("loss", curves.loss, curves.val_loss),
        ],
        curves.frozen,
    )
    grid = _predictions(result)
    (folder / CURVES_PNG).write_bytes(drawn)
    (folder / PREDICTIONS_PNG).write_bytes(grid)
    facts = result.figures
    parts = [
        *heading(_verdict(result), result.warnings),
        "<h2>What is answered</h2>",
        _confusion(result),
        _facts(result),
        "<h2>Curves</h2>",
        paragraph(
            f"Means over {result.folds} folds. The curve of unseen people chooses nothing: all "
            "epochs are gone through, and the last one counts."
        ),
        figure(drawn, "Curves"),
        "<h2>Predictions</h2>",
        paragraph(
            "Drawn at random from all pictures, each answered by a network that had not seen its "
            "group."
        ),
        figure(grid, "Predictions"),
        "<h2>Files</h2>",
        _files(result),
        "<h2>Model card</h2>",
        table(
            [
                made_by(run),
                ("trainable parameters", _trainable(result.trainable)),
                ("pictures without a face", _faceless(result)),
                ("cannot be decoded", listed(result.pictures.unread) or "none"),
                ("no pictures", f"{facts.ignored} files of the folders"),
                ("copies", f"{facts.copies} files: smaller or augmented ones of others"),
                (
                    "use",
                    "Made to answer one yes-or-no question about faces of people who agreed to it. "
                    "Not for decisions about people's rights.",
                ),
            ]
        ),
    ]
    (folder / "report.html").write_text(page(f"Is it {result.name}?", parts))
    (folder / "report.json").write_text(json_text(result.to_json(), indent=2) + "\n")


def _verdict(result: DirectResult) -> str:
    facts = result.figures
    right = round(facts.accuracy * facts.pictures)
    return (
        f"{right} of all {facts.pictures} pictures ({100 * facts.accuracy:.1f} %) are "
        f"answered rightly by networks that had not seen their groups; always answering the "
        f"majority is right in {100 * facts.majority_accuracy:.1f} %."
    )


def _confusion(result: DirectResult) -> str:
    answer, said = result.pictures.answer, result.said
    row = [int((said[answer]).sum()), int((~said[answer]).sum())]
    row += [int((said[~answer]).sum()), int((~said[~answer]).sum())]
    mostly = bool(answer.mean() >= 0.5)
    yes, no = int(answer.sum()), int((~answer).sum())
    trivial = [yes, 0, no, 0] if mostly else [0, yes, 0, no]
    return counts(
        ("positive answered yes", "no", "negative answered yes", "no"),
        [
            ("this network", row),
            (f"always the majority ({'yes' if mostly else 'no'})", trivial),
        ],
    )


def _facts(result: DirectResult) -> str:
    facts = result.figures
    right = Rate(round(facts.accuracy * facts.pictures), facts.pictures)
    told = "people told apart by --group-regex" if result.pictures.people else "unlike pictures"
    return table(
        [
            ("accuracy", f"{facts.accuracy:.3f} ({right.events} of {right.trials})"),
            ("balanced accuracy", f"{facts.balanced_accuracy:.3f} (chance: 0.5)"),
            ("groups", f"{facts.groups} {told}, none split between training and measurement"),
            (
                "by group",
                f"lowest {facts.lowest_of_groups:.3f}, median {facts.median_of_groups:.3f}",
            ),
            ("mostly answered wrongly", f"{result.mostly_wrong} groups"),
        ]
    )


def _files(result: DirectResult) -> str:
    return table(
        [
            (
                one.name,
                f"{one.kind}, {one.size_bytes / 1e6:.1f} MB; answers {100 * one.same:.1f} % of the "
                "pictures as the network does",
            )
            for one in result.files
        ]
    )


def _trainable(counts_: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts_.items())


def _faceless(result: DirectResult) -> str:
    files = [f for f, found in zip(result.pictures.files, result.pictures.found, strict=True)
             if not found]  # fmt: skip
    return f"{len(files)}, of which the whole picture was asked: {listed(files)}" if files else "0"


def _predictions(result: DirectResult) -> bytes:
    pictures = result.pictures
    order = np.random.default_rng(0).permutation(len(pictures))[: GRID * GRID]
    captions, right = [], []
    for row in order.tolist():
        yes = bool(result.said[row])
        chance = 1.0 / (1.0 + np.exp(-abs(float(result.logits[row]))))
        right.append(yes == bool(pictures.answer[row]))
        name = result.name if yes else f"no {result.name}"
        captions.append(f"{name} {100 * chance:.0f} %{'' if right[-1] else ', wrong'}")
    return predictions_png(pictures.crops[order], captions, right, GRID)
