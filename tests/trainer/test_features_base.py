"""A base of attributes alone: it is packed, and carries the classic dense head on its features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import edge
from edge.files.image import read_picture
from edge.heads.calibration_record import TaskCalibration
from edge.heads.cohort import Cohort
from edge.heads.head import DENSE_128, Head
from edge.models.run_record import Run
from export.cli.main import main as edge_export
from trainer.cli.main import main as edge_train
from trainer.drawn import DrawnPerson
from trainer.drawn.dataset import write_celeba, write_photos

PARAMETERS = 4_353
"""Of a head of 128 units and one on 32 features."""


def call(*words: object, command: object = edge_train) -> str:
    done = CliRunner().invoke(command, [str(word) for word in words])  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    write_celeba(folder / "celeba", people=20, shots_per_person=3, seed=5)
    for listed in (folder / "celeba").rglob("list_eval_partition*"):
        listed.unlink()
    words = ("--arch", "cnn-32", "--input-size", 192, "--embedding-size", 0, "--window", "wide")
    more = (
        "--epochs",
        4,
        "--batch-size",
        6,
        "--fractions",
        "0.5,0.1,0.4",
        "--no-augmentation",
        "--quiet",
    )
    call("attributes", "--data", folder / "celeba", "--out", folder / "base", *words, *more)
    return folder / "base"


@pytest.fixture(scope="module")
def head_run(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("glasses")
    for number in range(40, 44):
        person = replace(DrawnPerson.draw(number), hat=None, glasses_rgb=(10, 10, 10))
        for worn, glasses in (("with", "square"), ("without", None)):
            shown = replace(person, glasses=glasses, glasses_habit=1.0)
            folder = root / worn / f"p{number}"
            folder.mkdir(parents=True)
            write_photos(folder, shown, shots=1, seed=1, size_px=300)
    sides = ("--positive", root / "with", "--negative", root / "without")
    words = ("--group-regex", r"/(p\d+)/", "--base", base, "--head", DENSE_128, "-q")
    said = call("person", *sides, "--name", "glasses", "-o", root / "run", *words)
    assert f"head: dense-128, {PARAMETERS:,} parameters" in said
    return root / "run"


def test_features_stand_in_for_the_embedding(base: Path) -> None:
    network = Run.load(base).network
    assert (network.embedding_size, network.outputs["embedding"]) == (32, "embedding")
    assert "its features in place of an embedding" in network.source
    assert len(network.attributes) == 40


def test_people_who_were_not_trained_on_are_the_cohort(base: Path) -> None:
    run, cohort = Run.load(base), Cohort.load(base / "cohort.npz")
    parts = run.data["parts"]
    assert cohort.people == parts["validation"]["people"] + parts["test"]["people"]
    assert cohort.embedder_sha256 == run.network.sha256


def test_a_dense_head_of_sigmoids_travels_like_any(base: Path, head_run: Path) -> None:
    head = Head.load(head_run / "heads" / "glasses.npz")
    assert [layer.activation for layer in head.layers] == ["sigmoid", "linear"]
    assert sum(layer.weights.size + layer.bias.size for layer in head.layers) == PARAMETERS
    bundle = head_run.parent / "glasses.edge"
    call("pack", base, "--head", head_run, "-o", bundle, "-q", command=edge_export)
    picture = next((head_run.parent / "with" / "p40").glob("*.*"))
    with edge.Recognizer.open(bundle) as recognizer:
        look = recognizer.look(read_picture(picture), recognizer.detect(read_picture(picture))[0])
    assert look.embedding is not None
    assert look.scores == (), "a task is no rival of names"
    assert look.tasks["glasses"].score == pytest.approx(float(head.score(look.embedding[None])[0]))


def test_the_answer_is_learned(head_run: Path) -> None:
    """By the fit at least: four epochs on ten people are no base for more."""
    head = Head.load(head_run / "heads" / "glasses.npz")
    assert isinstance(head.calibration, TaskCalibration)
    assert np.isfinite(head.calibration.own_scores).all()
    assert head.kind == DENSE_128
