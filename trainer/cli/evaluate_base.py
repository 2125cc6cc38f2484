"""`edge-train evaluate-base`: the figures of a base on any data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.console.commands import (
    PATH,
    command,
    detector_option,
    emit_json,
    json_option,
    names_option,
    overwrite_option,
    quiet_option,
    say,
    seed_option,
    threads_option,
)
from edge.console.display_text import counted

if TYPE_CHECKING:
    from trainer.evaluation.faces import Settings

PART_NAMES = ("auto", "all", "train", "validation", "test")


@command(
    "evaluate-base",
    examples="""
    edge-train evaluate-base shipped --data ~/celeba
    edge-train evaluate-base runs/base --data ~/celeba --plot attributes.png
    edge-train evaluate-base shipped --pairs pairs.csv --images ~/lfw --reference face.tflite
    edge-train evaluate-base me.edge --data ~/celeba --variants grey,dark --json
    """,
)
@click.argument("subject", metavar="shipped|RUN|BUNDLE")
@click.option(
    "--data", type=PATH, metavar="DIR", help="Measure on CelebA or on folders by identity."
)
@click.option(
    "--pairs",
    type=PATH,
    metavar="CSV",
    help="Verify the pairs of this file, lines file_a,file_b,0|1.",
)
@click.option("--images", type=PATH, metavar="DIR", help="Folder of the files of --pairs.")
@click.option("--reference", metavar="MODEL", help="Verify with this embedding, too.")
@click.option(
    "--part",
    type=click.Choice(PART_NAMES),
    default="auto",
    help="Part of --data; auto uses the test part if there is one, else all.",
)
@names_option("--variants", help="Also measure on degraded images, such as grey,dark.")
@click.option(
    "--draw", type=click.IntRange(2), default=6000, help="Number of pairs drawn from --data."
)
@click.option(
    "--plot", type=PATH, metavar="FILE", help="Write a chart of the attributes, .png or .svg."
)
@overwrite_option("plot")
@click.option(
    "--allow-missing", is_flag=True, help="Continue although many listed images are missing."
)
@click.option("--cache-dir", type=PATH, metavar="DIR", help="Folder of cached crops.")
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
def evaluate_base_command(
    subject: str,
    data: Path | None,
    pairs: Path | None,
    images: Path | None,
    reference: str | None,
    part: str,
    variants: tuple[str, ...],
    draw: int,
    plot: Path | None,
    allow_missing: bool,
    cache_dir: Path | None,
    detector_model: Path | None,
    threads: int | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure a base: attributes beside the majority class, and verification.

    Measures the deployed int8 file and, if there is one, the Keras model. Finds the scale of the
    images by itself. Of data that the base was trained on, only the test part counts.
    """
    from trainer.evaluation.faces import Settings

    settings = Settings(
        part=part,
        pairs=draw,
        seed=seed,
        variants=_checked(variants),
        allow_missing=allow_missing,
        detector=detector_model,
        cache_dir=cache_dir,
        threads=threads,
        quiet=quiet,
    )
    result = _measure(subject, data, pairs, images, reference, settings)
    if plot is not None:
        _plot(result, plot)
    if as_json:
        emit_json(result)
    else:
        say("\n".join(_lines(result)))


def _measure(
    name: str,
    data: Path | None,
    pairs: Path | None,
    images: Path | None,
    reference: str | None,
    settings: Settings,
) -> dict[str, Any]:
    from edge.errors import UsageError
    from trainer.evaluation.base import evaluate
    from trainer.evaluation.faces import labelled_photos, paired_photos
    from trainer.inference.source import open_subject

    if data is None and pairs is None:
        raise UsageError("there is nothing to measure on", hint="give --data DIR or --pairs CSV")
    if images is not None and pairs is None:
        raise UsageError("--images needs --pairs", hint="give --pairs CSV too")
    subject = open_subject(name)
    other = None if reference is None else open_subject(reference)
    labelled = None if data is None else labelled_photos(data, subject, settings)
    paired = None if pairs is None else paired_photos(pairs, images, settings)
    return evaluate(subject, labelled, paired, settings, reference=other)


def _checked(variants: tuple[str, ...]) -> tuple[str, ...]:
    if variants:
        from trainer.data.degrade import check_variants

        check_variants(variants)
    return variants


def _plot(result: dict[str, Any], target: Path) -> None:
    from edge.errors import UsageError
    from trainer.data.attribute_metrics import AttributeReport
    from trainer.report.attribute_plot import plot_attributes

    if result["attributes"] is None:
        raise UsageError("there are no attributes to draw", hint="give --data CELEBA_DIR")
    report = AttributeReport.from_json(result["attributes"])
    plot_attributes(report, target, title=result["model"]["name"])


def _lines(result: dict[str, Any]) -> list[str]:
    """The figures for people."""
    lines = [f"{result['model']['name']} ({result['model']['format']})"]
    if result["data"] is not None:
        facts = result["data"]
        lines.append(
            f"data: {facts['pictures']} pictures of {facts['people']} people, part "
            f"{facts['part']}; faces detected {facts['detected']}, taken as aligned "
            f"{facts['aligned']}, unusable {facts['unusable']}"
        )
    lines += _figures_lines("deployed", result)
    if "mirrored" in result:
        lines += _figures_lines("with the mirror image, as people are judged", result["mirrored"])
    if "keras" in result:
        lines += _figures_lines("keras", result["keras"])
        agreement = result["keras"]["agreement_with_deployed"].items()
        lines += [f"  {name.replace('_', ' ')} {value:.4f}" for name, value in agreement]
    for name, figures in result.get("variants", {}).items():
        lines += _figures_lines(name, figures)
    if "reference" in result:
        lines += _figures_lines(result["reference"]["model"], result["reference"])
    return lines


def _figures_lines(title: str, figures: dict[str, Any]) -> list[str]:
    lines = []
    attributes, faces = figures.get("attributes"), figures.get("verification")
    if attributes is not None:
        lines.append(f"{title}: {attributes['verdict']}; {attributes['images']} pictures")
        for name, values in (("at 0.5", attributes), ("tuned", attributes["tuned"])):
            if values is not None:
                lines.append(
                    f"  {name:<7} accuracy {_number(values['accuracy'])}, balanced "
                    f"{_number(values['balanced_accuracy'])}, F1 {_number(values['f1'])}, "
                    f"calibration error {_number(values['calibration_error'])}"
                )
    if faces is not None:
        lines.append(
            f"{title}: verification of {counted(faces['pairs'], 'pair')}, {faces['people']} "
            f"people, {counted(faces['undetected'], 'picture')} without a detected face"
        )
        lines += [
            f"  {label:<16} {_number(faces[name])}{_interval(faces['intervals_95'].get(name))}"
            for label, name in (
                ("accuracy", "accuracy"),
                ("AUC", "auc"),
                ("TAR at FAR 1 %", "tar_at_far_1pct"),
                ("TAR at FAR 0.1 %", "tar_at_far_01pct"),
            )
        ]
    return lines


def _number(value: float | None) -> str:
    return "too few to say" if value is None else f"{value:.3f}"


def _interval(bounds: list[float | None] | None) -> str:
    if bounds is None or None in bounds:
        return ""
    return f"  (95 %: {bounds[0]:.3f} to {bounds[1]:.3f})"
