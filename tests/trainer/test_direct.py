"""`edge-train direct`: every picture counts, nobody stands on both sides, and each file answers as
the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from training_factory import NETWORK

from edge.files.image import read_picture, write_picture
from edge.models.run_record import Run
from trainer.cli.main import main as edge_train
from trainer.direct.pictures import fold_of
from trainer.drawn import DrawnPerson
from trainer.drawn.dataset import aligned_picture, sample_shots

PEOPLE = 6


def call(*arguments: object) -> Result:
    return CliRunner().invoke(edge_train, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawn people twice in red light and twice in blue; one red picture shows nobody."""
    folder = tmp_path_factory.mktemp("answers")
    for number in range(PEOPLE):
        person = DrawnPerson.draw(600 + number)
        for place, shot in enumerate(sample_shots(person.seed, 1, 4)):
            name, light = ("red", (0.3, 0.5, 1.0)) if place % 2 else ("blue", (1.0, 0.5, 0.3))
            image = aligned_picture(person, shot, size=(89, 109)) * np.array(light)
            write_picture(folder / name / f"p{number}-{place}.png", image.astype(np.uint8))
    nobody = np.full((80, 80, 3), (60, 100, 200), np.uint8)
    cv2.circle(nobody, (40, 40), 20, (80, 140, 250), -1)
    write_picture(folder / "red" / "p0-nobody.png", nobody)
    return folder


def words(answers: Path, out: Path, *more: object) -> list[object]:
    return [
        "direct", "--positive", answers / "red", "--negative", answers / "blue", "--name", "red",
        "--group-regex", "^p[0-9]+", "--arch", NETWORK.arch, "--weights", "none", "--out", out,
        "--input-size", 48, "--epochs", 6, "--learning-rate", 0.05, "--finetune-epochs", 2,
        "--from-layer", 3, "--folds", 2, "-q", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(answers: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("runs") / "red"
    done = call(*words(answers, out, "--json"))
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout)


def test_every_picture_counts(run: tuple[Path, dict[str, Any]]) -> None:
    figures = run[1]["figures"]
    assert (figures["positive"], figures["negative"]) == (13, 12)
    assert figures["pictures"] == 25
    assert figures["without_a_face"] >= 1
    assert figures["groups"] == PEOPLE
    assert figures["majority_accuracy"] == pytest.approx(13 / 25)
    assert figures["accuracy"] >= 0.9  # red light against blue: also of people never seen


def test_each_file_answers_as_the_network(run: tuple[Path, dict[str, Any]]) -> None:
    files = {one["name"]: one for one in run[1]["figures"]["files"]}
    wanted = {"saved_model", "model.float32.tflite", "model.dynamic.tflite", "model.int8.tflite"}
    assert set(files) == wanted
    assert all((run[0] / name).exists() for name in wanted)
    assert files["saved_model"]["same"] == files["model.float32.tflite"]["same"] == 1.0
    assert min(one["same"] for one in files.values()) >= 0.95


def test_the_report_marks_where_fine_tuning_starts(run: tuple[Path, dict[str, Any]]) -> None:
    curves = run[1]["figures"]["curves"]
    assert curves["fine_tuning_starts_after_epoch"] == 6
    assert {len(curves[name]) for name in ("loss", "val_loss", "accuracy", "val_accuracy")} == {8}
    for name in ("curves.png", "predictions.png"):
        assert read_picture(run[0] / name).shape[2] == 3
    page = (run[0] / "report.html").read_text()
    assert "of all 25 pictures" in page
    assert "always the majority" in page
    counts = run[1]["figures"]["trainable"]
    assert counts["frozen backbone"] == 17  # sixteen features and a bias
    assert counts["fine-tuning"] > counts["frozen backbone"]


def test_the_device_can_run_it(run: tuple[Path, dict[str, Any]]) -> None:
    made = Run.load(run[0])
    assert made.network.attributes == ("red",)
    assert made.network.embedding_size == 0
    assert made.learned_something


def test_folds_keep_people_whole() -> None:
    group = np.repeat(np.arange(13), 6)
    answer = np.tile([True, False], 39)
    fold = fold_of(answer, group, 3, seed=0)
    assert all(len(set(fold[group == g])) == 1 for g in range(13))
    assert sorted(np.bincount(fold) // 6) == [4, 4, 5]


def test_a_picture_has_one_answer(answers: Path, tmp_path: Path) -> None:
    done = call(*words(answers, tmp_path / "run", "--positive", answers / "blue"))
    assert done.exit_code == 1
    assert "is also" in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_existing_run_stays(run: tuple[Path, dict[str, Any]], answers: Path) -> None:
    done = call(*words(answers, run[0]))
    assert done.exit_code == 1
    assert "--overwrite" in done.stderr
