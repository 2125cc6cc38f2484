"""The report of a base's run: curves by epoch, the attributes beside the majority, the network."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edge.console.json_text import json_text
from edge.models.run_record import Run
from trainer.base.figures import BaseFigures
from trainer.evaluation.verification import verification_words
from trainer.report.attribute_plot import plot_attributes
from trainer.report.curves_plot import Curve, curves_png
from trainer.report.page import embedder_rows, figure, heading, made_by, page, paragraph, table

_NO_ATTRIBUTES = "The data have no attributes: the base tells people apart and nothing else."


def write_base_report(folder: Path, run: Run, figures: BaseFigures, model: Any) -> None:
    """Write report.html and report.json into the run's folder. model: Keras, as it was saved."""
    parts = [
        *heading(_verdict(figures), run.warnings),
        "<h2>Training</h2>",
        paragraph(
            f"The weights of epoch {figures.best_epoch} are kept, the one with the lowest "
            "loss on people that were not trained on."
        ),
        figure(curves_png(_curves(figures.history)), "Curves of the training"),
        "<h2>Attributes of people that were not trained on</h2>",
        *_attributes(figures),
        "<h2>Network</h2>",
        table(_network(folder, run, model)),
        "<h2>Data</h2>",
        table(_data(run)),
        "<h2>Model card</h2>",
        table([*embedder_rows(run), made_by(run)]),
    ]
    (folder / "report.html").write_text(
        page(f"Base {folder.name.removesuffix('.training')}", parts)
    )
    facts = {**run.to_json(), "parameters": _parameters(model)}
    (folder / "report.json").write_text(json_text(facts, indent=2) + "\n")


def _verdict(figures: BaseFigures) -> str:
    said = []
    if figures.attributes is not None:
        mean = figures.attributes.mean
        said.append(
            f"{100 * mean.accuracy:.1f} % of the attributes of {figures.attributes.images} "
            f"pictures are told rightly; always the majority: {100 * mean.majority_accuracy:.1f} %."
        )
    if figures.verification is not None:
        known = figures.verification.to_json()
        said.append(f"Verification of people: {verification_words(known)}.")
    return " ".join(said) or "Nothing of it could be measured."


def _curves(history: list[dict[str, float]]) -> list[Curve]:
    def values(name: str) -> np.ndarray:
        return np.array([epoch.get(name, np.nan) for epoch in history], np.float64)

    curves = [Curve("loss", values("loss"), values("val_loss"))]
    accuracy = values("val_accuracy")
    if np.isfinite(accuracy).any():
        curves.append(Curve("accuracy", np.full(len(history), np.nan), accuracy))
    return curves


def _attributes(figures: BaseFigures) -> list[str]:
    if figures.attributes is None:
        return [paragraph(_NO_ATTRIBUTES)]
    with tempfile.TemporaryDirectory() as temporary:
        drawn = Path(temporary) / "attributes.png"
        plot_attributes(figures.attributes, drawn)
        return [figure(drawn.read_bytes(), "Accuracy of each attribute beside the majority")]


def _parameters(model: Any) -> dict[str, int]:
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return {"all": int(model.count_params()), "trained": trained}


def _network(folder: Path, run: Run, model: Any) -> list[tuple[str, str]]:
    count, network = _parameters(model), run.network
    sizes = [
        f"{path.name} {path.stat().st_size / 1e6:.2f} MB"
        for path in sorted(folder.iterdir())
        if path.suffix in (".keras", ".h5", ".tflite")
    ]
    return [
        ("parameters", f"{count['all']:,}, of which {count['trained']:,} were trained"),
        ("input", f"{network.input.size_px} px, {network.input.window.name}"),
        ("outputs", f"{len(network.attributes)} attributes, {network.embedding_size} numbers"),
        ("files", ", ".join(sizes)),
    ]


def _data(run: Run) -> list[tuple[str, str]]:
    parts = run.data.get("parts") or {}
    return [
        (name, f"{part['pictures']:,} pictures of {part['people']:,} people")
        for name, part in parts.items()
    ]
