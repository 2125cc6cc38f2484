"""Every format of a base in every runtime, as a table for RESULTS.md.

python -m benchmarks.studies.format_table --celeba DIR --people DIR --old-python VENV/bin/python

DIRs hold people that the base has never seen. VENV has tflite-runtime 2.14 and NumPy 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

if TYPE_CHECKING:
    from benchmarks.studies.format_runs import Said
    from benchmarks.studies.person_data import Trial
    from edge.heads.head import Head
    from edge.models.spec import Network
    from export.convert.float_model import FloatModel
    from trainer.evaluation.faces import Photos
    from trainer.inference.source import ModelSource

REPRESENTATIVE_EVERY = 5
"""Every fifth labelled picture calibrates onnx-int8 and is not measured on."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("base", default="shipped", metavar="[shipped|RUN]")
@click.option(
    "--celeba", required=True, type=click.Path(path_type=Path), help="Faces with attributes."
)
@click.option(
    "--people", required=True, type=click.Path(path_type=Path), help="One folder per person."
)
@click.option("--heads", type=click.IntRange(1), default=6, help="Number of people to enroll.")
@click.option("--pictures", type=click.IntRange(20), help="Use at most N images of CelebA.")
@click.option("--crowd", type=click.IntRange(2), help="Use at most N of --people.")
@click.option("--rounds", type=click.IntRange(1), default=300, help="Timed calls of each file.")
@click.option("--old-python", type=click.Path(path_type=Path), help="Python with tflite-runtime.")
@click.option("--cache-dir", type=click.Path(path_type=Path), help="Folder of landmarks and crops.")
def main(
    base: str, celeba: Path, people: Path, heads: int, pictures: int | None, crowd: int | None,
    rounds: int, old_python: Path | None, cache_dir: Path | None,
) -> None:  # fmt: skip
    """Convert BASE into every format and measure each in every runtime that may know it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import cv2

    from benchmarks.studies.format_runs import latency_ratio, run, runtimes
    from edge.models.embedder import mirror_images
    from export.convert.float_model import FloatModel
    from trainer.inference.source import open_subject

    subject = open_subject(base)
    if subject.keras is None:
        raise click.UsageError(f"{base} has no float model to convert")
    model = FloatModel(subject.keras)
    calibration, measured, labelled = labelled_crops(subject, celeba, pictures, cache_dir)
    trials, faces = _enrolled(subject, people, heads, crowd)
    crops = np.concatenate([measured, faces, mirror_images(faces)])
    reference = model.perceive(crops).embeddings
    assert reference is not None
    click.echo(
        f"\n{len(measured)} pictures with attributes; {len(trials)} people enrolled, "
        f"{len(faces)} faces of {len(set(trials[0][0].judged.person))} people\n"
    )
    click.echo("| format | runtime | MB | latency ratio | cosine | attributes | TAR | FAR |")
    click.echo("|---|---|---|---|---|---|---|---|")
    cv2.setNumThreads(1)  # of OpenCV DNN, as of the others
    first: tuple[Network, bytes] | None = None
    for network, data in _files(model, subject, calibration):
        first = first or (network, data)  # float32
        for runtime in runtimes(network.format, old_python):
            said = run(network, data, runtime, crops, old_python)
            ratio = float("nan")
            if not said.problem:
                ratio = latency_ratio(network, data, runtime, first, crops[0], old_python, rounds)
            head = f"| {network.format} | {runtime} | {len(data) / 1e6:.2f} |"
            click.echo(f"{head} {_row(said, reference, labelled, network, trials, ratio)} |")
    click.echo(
        "\nlatency ratio: to float32 in LiteRT, in tflite-runtime to float32 there; one thread "
        f"each, in turns, median of {rounds} quotients"
    )


def labelled_crops(
    subject: ModelSource, folder: Path, most: int | None, cache_dir: Path | None
) -> tuple[np.ndarray, np.ndarray, Photos]:
    """Crops to calibrate on, crops to measure on, and the photos of the latter."""
    from trainer.evaluation.faces import Photos, Settings, labelled_photos

    settings = Settings(part="all", cache_dir=cache_dir, allow_missing=True)
    photos = labelled_photos(folder, subject, settings)
    usable = np.flatnonzero(photos.landmarks.usable)[:most]
    calibrating = np.isin(np.arange(len(photos.table)), usable[::REPRESENTATIVE_EVERY])
    measuring = np.isin(np.arange(len(photos.table)), usable) & ~calibrating
    expects = subject.base.network.input
    crops = np.asarray(photos.crops(expects, settings))
    kept = Photos(photos.table.select(measuring), photos.landmarks.select(measuring), None)
    return crops[calibrating], crops[measuring], kept


def _enrolled(
    subject: ModelSource, folder: Path, heads: int, crowd: int | None
) -> tuple[list[tuple[Trial, Head]], np.ndarray]:
    """People enrolled on the deployed file, and the faces of everybody's pictures."""
    from itertools import islice

    from benchmarks.studies.person_data import Bench, photo_trials
    from benchmarks.studies.person_figures import given
    from benchmarks.studies.person_strategies import STRATEGIES
    from trainer.cohort.choose import find_cohort

    class Keeping(Bench):
        """Keeps the first crops that it embeds, those of all pictures."""

        kept: np.ndarray | None = None

        def embed(self, crops: np.ndarray) -> np.ndarray:
            if self.kept is None:
                self.kept = crops
            return super().embed(crops)

    bench, cohort = Keeping(subject.embedder), find_cohort(subject.embedder)
    used = list(STRATEGIES.values())[-1]
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())[:crowd]
    found = [
        (trial, used(given(trial, bench), cohort))
        for trial in islice(photo_trials(bench, folder, names.__contains__), heads)
    ]
    assert bench.kept is not None
    return found, bench.kept


def _files(
    model: FloatModel, subject: ModelSource, calibration: np.ndarray
) -> Iterator[tuple[Network, bytes]]:
    from export.convert import onnx_models as onnxfile
    from export.convert import tflite
    from export.convert.description import described

    deployed = subject.base.network
    for kind in tflite.KINDS:
        data = tflite.convert(model, kind)
        yield described(deployed, kind, data), data
    yield replace(deployed), subject.base.data
    facts = {"name": subject.name}
    float_onnx = onnxfile.convert(model, facts)
    yield described(deployed, "onnx-float32", float_onnx), float_onnx
    small = onnxfile.quantize(float_onnx, calibration, facts)
    yield described(deployed, "onnx-int8", small), small


def _row(
    said: Said,
    reference: np.ndarray,
    labelled: Photos,
    network: Network,
    trials: list[tuple[Trial, Head]],
    ratio: float,
) -> str:
    from edge.models.embedder import l2_normalized
    from trainer.evaluation.base import attribute_report

    if said.problem:
        return f"– | refused: {said.problem[:120]} | – | – | –"
    count = len(labelled.table)
    cosine = np.sum(said.embeddings * reference, axis=1)
    accuracy = attribute_report(said.logits[:count], network, labelled, tuned=False).mean.accuracy
    faces, mirrors = np.split(said.embeddings[count:], 2)
    tar, far = _rates(l2_normalized(faces + mirrors) if network.mirrored else faces, trials)
    return (
        f"{ratio:.2f} | {cosine.mean():.4f} "
        f"(1 %: {np.percentile(cosine, 1):.4f}) | {accuracy:.4f} | {tar:.4f} | {far:.5f}"
    )


def _rates(embeddings: np.ndarray, trials: list[tuple[Trial, Head]]) -> tuple[Any, Any]:
    """Pooled over heads: own pictures accepted, pictures of others accepted."""
    own, others = [], []
    for trial, head in trials:
        accepted = trial.judged.highest(head.score(embeddings)) >= head.threshold
        own.append(accepted[trial.own & trial.judged.passed])
        others.append(accepted[trial.others & trial.judged.passed])
    return np.concatenate(own).mean(), np.concatenate(others).mean()


if __name__ == "__main__":
    main()
