"""What each ingredient of a base gives, at one short and equal budget, as a table for RESULTS.md.

    python -m benchmarks.shipped_base.hold_out ../shared hold-out.txt --folders heldout
    python -m benchmarks.studies.ablation ../shared --hold-out hold-out.txt \\
        --held-out heldout -o runs

Every row trains the same number of steps and is measured by its int8 file on people whom no row has
seen, and on the webcam clips: how many frames of strangers pass at the threshold that accepts 95 %
of the person's own (cosine to the mean of the enrolling clip), so that neither a cohort nor a
threshold of ours takes part. A row that has been trained already is not trained again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from edge.console.commands import PATH, command, emit_json, json_option, out_option
from edge.errors import InputError, ToolkitError

if TYPE_CHECKING:
    from trainer.inference.source import ModelSource

TAR = 0.95

SHARES = {"all": (0.94, 1), "half": (0.47, 2), "quarter": (0.235, 4)}
"""Share of the people that trains, and how many times as many epochs make the same steps."""


@dataclass(frozen=True)
class Recipe:
    """One row. share: a key of `SHARES`."""

    name: str
    teacher: bool = True
    margin: bool = False
    degradation: float = 0.4
    window: str = "middle"
    alpha: float = 1.0
    share: str = "all"

    def arguments(self, plan: Plan) -> list[str]:
        """Of `edge-train attributes`."""
        fraction, times = SHARES[self.share]
        words = [f"--data={plan.shared / 'data' / name}" for name in ("celeba", "people")]
        words += [f"--data={plan.shared / 'data' / 'lfw-crops'}", f"--hold-out={plan.hold_out}"]
        words += ["--fractions", f"{fraction},0.05,{round(0.95 - fraction, 3)}"]
        words += ["--window", self.window, "--alpha", str(self.alpha)]
        words += ["--degradation", str(self.degradation), "--epochs", str(plan.epochs * times)]
        words += ["--input-size", str(plan.input_size), "--batch-size", "32"]
        words += ["--optimizer", "adamw", "--weight-decay", "0.01", "--learning-rate", "0.001"]
        if self.alpha == 1.0:
            weights = plan.shared / "weights" / "mobilenet_v2_1.0_imagenet_notop.weights.h5"
            words += ["--weights", str(weights)]
        if self.teacher:
            teacher = plan.shared / "weights" / "MobileFaceNet.tflite"
            words += ["--teacher", str(teacher), "--teacher-weight", "5"]
        if self.margin:
            words += ["--margin", "arcface", "--margin-weight", "0.2"]
        return words


@dataclass(frozen=True)
class Plan:
    """The budget and where the data is."""

    shared: Path
    hold_out: Path
    held_out: Path
    out: Path
    epochs: int
    input_size: int


def recipes() -> list[Recipe]:
    """The rows of the table."""
    plain = Recipe("attributes and teacher, degradation 0.4, middle window")
    return [
        Recipe("attributes alone (embedding untrained)", teacher=False, degradation=0.0),
        replace(plain, name="+ teacher", degradation=0.0),
        replace(plain, name="+ teacher + degradation 0.4, middle window, all data"),
        replace(plain, name="… + margin (ArcFace)", margin=True),
        replace(plain, name="… wide window", window="wide"),
        replace(plain, name="… tight window", window="tight"),
        replace(plain, name="… half of the data", share="half"),
        replace(plain, name="… a quarter of the data", share="quarter"),
        replace(plain, name="… not from ImageNet, alpha 0.5", alpha=0.5),
    ]


def trained(recipe: Recipe, number: int, plan: Plan) -> Path:
    """The run folder of a row. Raises `ToolkitError` where training fails."""
    run = plan.out / f"{number}"
    if not (run / "run.json").is_file():
        words = [sys.executable, "-m", "trainer.cli.main", "attributes", *recipe.arguments(plan)]
        words += ["--cache-dir", str(plan.out / "cache"), "--overwrite", "--quiet", "-o", str(run)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise ToolkitError(f"'{recipe.name}' failed", hint=done.stderr.strip()[-500:])
    return run


def measured(run: Path, plan: Plan) -> dict[str, Any]:
    """Figures of the int8 file."""
    from trainer.evaluation.base import evaluate
    from trainer.evaluation.faces import Settings, labelled_photos
    from trainer.inference.source import open_subject

    subject = replace(open_subject(str(run)), keras=None)
    settings = Settings(part="all", cache_dir=plan.out / "cache", quiet=True)
    faces = labelled_photos(plan.held_out / "celeba", subject, settings)
    said = evaluate(subject, faces, None, settings)["attributes"]
    faces = labelled_photos(plan.held_out / "lfw-crops", subject, settings)
    pairs = evaluate(subject, faces, None, settings)["verification"]
    return {
        "accuracy": said["accuracy"],
        "majority_accuracy": said["majority_accuracy"],
        "balanced_accuracy": said["balanced_accuracy"],
        "auc": pairs["auc"],
        "tar_at_far_1pct": pairs["tar_at_far_1pct"],
        "webcam_far": webcam_far(subject, plan.shared),
    }


def webcam_far(subject: ModelSource, shared: Path) -> float:
    """Share of the frames of strangers that pass where `TAR` of the person's own do, mean over the
    enrolling clips."""
    from benchmarks.studies.person_data import Bench, webcam

    bench = Bench(subject.embedder, quiet=True)
    rates = []
    for trial in webcam(bench, shared):
        mean = bench.embed(trial.looks.crops()).mean(axis=0)
        highest = trial.judged.highest(trial.judged.embeddings @ mean)
        own = highest[trial.own & trial.judged.passed]
        if len(own):
            others = highest[trial.others & trial.judged.passed]
            rates.append(float(np.mean(others >= np.quantile(own, 1 - TAR))))
    return float(np.mean(rates))


def row(recipe: Recipe, figures: dict[str, Any]) -> str:
    """A line of the table."""
    return (
        f"| {recipe.name} | {figures['accuracy']:.4f} (majority {figures['majority_accuracy']:.4f})"
        f" | {figures['balanced_accuracy']:.3f} | {figures['auc']:.4f} | "
        f"{figures['tar_at_far_1pct']:.3f} | {figures['webcam_far']:.3f} |"
    )


@command(
    "ablation",
    examples="""
    python -m benchmarks.studies.ablation ../shared --hold-out h.txt \\
        --held-out heldout -o runs/ablation
    """,
)
@click.argument("shared", type=PATH)
@click.option(
    "--hold-out",
    type=click.Path(path_type=Path),
    required=True,
    help="List of people who are never trained on.",
)
@click.option(
    "--held-out", type=click.Path(path_type=Path), required=True, help="Data of these people."
)
@out_option(required=True)
@click.option("--epochs", type=click.IntRange(1), default=2, help="Epochs of each training.")
@click.option(
    "--input-size", type=click.IntRange(32), default=64, metavar="PX", help="Side of the input."
)
@click.option("--only", type=int, multiple=True, metavar="N", help="Train only these rows, from 0.")
@json_option()
def main(
    shared: Path,
    hold_out: Path,
    held_out: Path,
    out: Path,
    epochs: int,
    input_size: int,
    only: tuple[int, ...],
    as_json: bool,
) -> None:
    """Train and measure every row at the same number of steps."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if not held_out.is_dir():
        raise InputError(
            f"there is no folder {held_out}", hint="make it by benchmarks.shipped_base.hold_out"
        )
    plan = Plan(shared, hold_out, held_out, out, epochs, input_size)
    found = {}
    if not as_json:
        click.echo("| base | attributes | balanced, at 0.5 | AUC | TAR at FAR 1 % | webcam FAR |")
        click.echo("|---|---|---|---|---|---|")
    for number, recipe in enumerate(recipes()):
        if only and number not in only:
            continue
        found[recipe.name] = measured(trained(recipe, number, plan), plan)
        if not as_json:
            click.echo(row(recipe, found[recipe.name]))
    if as_json:
        emit_json(found)


if __name__ == "__main__":
    main()
