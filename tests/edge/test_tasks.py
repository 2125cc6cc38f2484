"""A task in a bundle is an attribute of the face: no rival of names, and nobody by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from look_factory import a_look

from edge.bundle.reader import Bundle
from edge.bundle.writer import BundleWriter
from edge.cli.main import main
from edge.heads.calibration_record import Unstated
from edge.heads.decision import TaskAnswer, tasks_in_words
from edge.heads.head import LINEAR, Head
from edge.recognition.annotate import annotate
from edge.recognition.recognizer import Recognizer
from edge.tracking.vote import Vote
from trainer.task.head import TaskExamples, fit_task_head


@pytest.fixture(scope="module")
def glasses(ana: Path) -> Head:
    """Fitted on what the bundle's embedder says of strangers; ana's own looks get a clear yes."""
    with Bundle.open(ana / "ana.edge") as bundle:
        cohort, head = bundle.cohort(), bundle.heads[0]
    assert cohort is not None
    x = cohort.vectors()[:60].astype(np.float64)
    answer = np.arange(60) % 2 == 0
    toward = head.normalization.rows.astype(np.float64).mean(axis=0)
    x[answer] += 2.0 * toward / np.linalg.norm(toward)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    fit = fit_task_head(TaskExamples(x, x[:0], np.zeros(0, np.int64), answer, np.arange(60)),
                        (LINEAR,), 0)  # fmt: skip
    return Head("glasses", fit.kind, head.embedder_sha256, fit.layers, 0.0,
                calibration=Unstated({"task": True}))  # fmt: skip


def bundle_with(ana: Path, out: Path, *heads: Head, own: bool) -> Path:
    with Bundle.open(ana / "ana.edge") as bundle:
        BundleWriter.of(bundle, heads=(*(bundle.heads if own else ()), *heads)).write(out)
    return out


def said(bundle: Path, *words: object) -> str:
    given = ["--bundle", bundle, "--quiet", *words]
    done = CliRunner().invoke(main, [str(word) for word in given])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_person_stays_a_match_and_has_an_answer(ana: Path, glasses: Head, tmp_path: Path) -> None:
    bundle = bundle_with(ana, tmp_path / "both.edge", glasses, own=True)
    (face,) = json.loads(said(bundle, "--source", ana / "ana.jpg", "--json"))["faces"]
    assert (face["decision"], face["person"]) == ("match", "ana")
    assert face["tasks"]["glasses"]["answer"] == "yes"
    assert face["tasks"]["glasses"]["score"] > face["tasks"]["glasses"]["threshold"] == 0.0
    assert "[glasses: yes]" in said(bundle, "--source", ana / "ana.jpg")
    assert "ana (" in said(bundle, "--source", ana / "ana.jpg")
    clip = said(bundle, "--source", ana / "clip.mkv")
    assert "glasses arrived" not in clip
    assert any("ana arrived" in line and "[glasses: " in line for line in clip.splitlines())


def test_tasks_alone_make_nobody_unknown(ana: Path, glasses: Head, tmp_path: Path) -> None:
    bundle = bundle_with(ana, tmp_path / "alone.edge", glasses, own=False)
    assert said(bundle, "--source", ana / "ana.jpg").rstrip().endswith("face [glasses: yes]")
    clip = said(bundle, "--source", ana / "clip.mkv")
    assert "unknown" not in clip
    assert "somebody arrived [glasses: " in clip


def test_the_picture_shows_it(ana: Path, glasses: Head, tmp_path: Path) -> None:
    bundle = bundle_with(ana, tmp_path / "both.edge", glasses, own=True)
    from edge.files.image import read_picture

    image = read_picture(ana / "ana.jpg")
    with Recognizer.open(bundle) as recognizer:
        result = recognizer.recognize(image)
    bare = replace(result, faces=tuple(replace(face, tasks={}) for face in result.faces))
    assert (annotate(image, result) != annotate(image, bare)).any()


def test_words() -> None:
    tasks = {"hat": TaskAnswer(1.0, 0.0), "sunglasses": TaskAnswer(-1.0, 0.0),
             "smile": TaskAnswer(0.1, 0.0, 0.2)}  # fmt: skip
    assert tasks_in_words(tasks, all_of_them=True) == (
        " [hat: yes, sunglasses: no, smile: uncertain]"
    )
    assert tasks_in_words(tasks, all_of_them=False) == " [hat, smile?]"
    assert tasks_in_words({}, all_of_them=True) == ""


def test_over_a_track_the_mean_answers() -> None:
    vote = Vote()
    for number, score in enumerate((1.0, -0.2, 1.0)):
        tasks = {"hat": TaskAnswer(score, 0.0)}
        vote.add(replace(a_look(1.0), tasks=tasks), number / 10)
    assert vote.tasks["hat"].score == pytest.approx(0.6)
    assert vote.tasks["hat"].answer == "yes"
    assert Vote().tasks == {}
