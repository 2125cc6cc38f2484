"""Measuring runs on fresh pictures: of persons and of yes-or-no tasks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchmarks.studies.copies import augmented
from edge.files.image import read_picture, write_picture
from edge.heads.head import LINEAR, Head, linear_layers
from edge.heads.threshold import upper_bound
from edge.models.run_record import Run
from trainer.cli.main import main as edge_train
from trainer.drawn import DrawnPerson
from trainer.drawn.dataset import write_photos
from trainer.person.evaluation import PersonEvaluation, Sample, person_of
from trainer.task.evaluation import TaskEvaluation


def call(*words: object) -> Result:
    return CliRunner().invoke(edge_train, [str(word) for word in words])


def a_head(threshold: float = 1.0, margin: float = 0.0) -> Head:
    return Head(
        name="me",
        kind=LINEAR,
        embedder_sha256="0" * 64,
        layers=linear_layers(np.ones(3), 0.0),
        threshold=threshold,
        margin=margin,
    )


def sample(*scores: float, people: str, dropped: int = 0) -> Sample:
    """People: a letter for each score."""
    assert len(people) == len(scores)
    return Sample(
        scores=np.array(scores),
        names=tuple(f"{n}.jpg" for n in range(len(scores))),
        people=tuple(people),
        groups=np.unique(list(people), return_inverse=True)[1],
        crops=np.zeros((len(scores), 4, 4, 3), np.uint8),
        dropped=dropped,
    )


@pytest.fixture(scope="module")
def fresh(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`enrol/`: ten photos of somebody; `me/`: the other two; `others/p1/` and so on."""
    root = tmp_path_factory.mktemp("fresh")
    for name in ("enrol", "me"):
        (root / name).mkdir()
    for n, path in enumerate(sorted(photos.iterdir())):
        shutil.copy2(path, root / ("enrol" if n < 10 else "me"))
    for number in (31, 32, 33):
        folder = root / "others" / f"p{number}"
        folder.mkdir(parents=True)
        write_photos(folder, DrawnPerson.draw(number), shots=2, seed=4)
    return root


@pytest.fixture(scope="module")
def run(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "me"
    done = call("person", "--photos", fresh / "enrol", "--name", "me", "-o", out, "-q", "--privacy")
    assert done.exit_code == 0, done.output
    return out


def test_a_person_on_fresh_pictures(run: Path, fresh: Path) -> None:
    words = ("evaluate-person", run, "--photos", fresh / "me", "--others", fresh / "others")
    done = call(*words, "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["name"] == "me"
    assert facts["me"]["looks"] + facts["me"]["not_judged"] == 2
    assert facts["others"]["looks"] + facts["others"]["not_judged"] == 6
    assert facts["others"]["people"] == 3
    accepted = facts["others"]["people_accepted"]
    assert accepted <= 1, "drawn people look more alike than real ones"
    assert facts["others"]["far_upper_95"] == pytest.approx(upper_bound(accepted, 3))
    (fresh / "others" / "p31" / "torn.jpg").write_bytes(b"\xff\xd8 torn")
    text = " ".join(call(*words, "-q").stdout.split())
    (fresh / "others" / "p31" / "torn.jpg").unlink()
    assert "torn.jpg: " in text.partition("not judged: ")[2]
    assert "a head that rejects everybody: 0 % accepted" in text
    assert "a head that accepts everybody: 100 %" in text
    assert f"{accepted} of 3 people" in text


def test_pictures_that_enrolled_are_refused_also_from_a_private_run(run: Path, fresh: Path) -> None:
    done = call("evaluate-person", run, "--photos", fresh / "enrol", "-q")
    assert done.exit_code == 1
    assert "photo-001.jpg of the photos is also picture 1 of the pictures enrolled" in done.stderr


def test_varied_copies_of_pictures_that_enrolled_are_refused(fresh: Path, tmp_path: Path) -> None:
    out, copies = tmp_path / "run", tmp_path / "copies"
    done = call("person", "--photos", fresh / "enrol", "--name", "me", "-o", out, "-q")
    assert done.exit_code == 0, done.output
    copies.mkdir()
    for number, path in enumerate(sorted((fresh / "enrol").iterdir())[:3]):
        copy = augmented(read_picture(path), np.random.default_rng(number))
        write_picture(copies / f"copy-{path.name}", copy)
    done = call("evaluate-person", out, "--photos", copies, "-q")
    assert done.exit_code == 1
    said = " ".join(done.stderr.split())
    assert "copy-photo-001.jpg of the photos is also photo-001.jpg of the pictures enrolled" in said
    assert "and 2 more" in said


def test_a_picture_on_both_sides_is_refused(run: Path, fresh: Path) -> None:
    done = call("evaluate-person", run, "--photos", fresh / "me", "--others", fresh / "me", "-q")
    assert done.exit_code == 1
    assert "of the photos is also" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "nothing to measure on"),
        (["--photos", "nowhere"], 1, "nowhere does not exist"),
        (["--photos", "ME", "--positive", "ME"], 2, "stand in place of --photos"),
        (["--positive", "ME"], 2, "is of a person, --positive is for a yes-or-no task"),
        (["--photos", "ME", "--group-regex", "x"], 2, "--group-regex is for a yes-or-no task"),
        (["--photos", "ME", "--name", "you"], 1, "no head called you"),
    ],
)
def test_refusals(run: Path, fresh: Path, words: list[str], code: int, said: str) -> None:
    given = [fresh / "me" if word == "ME" else word for word in words]
    done = call("evaluate-person", run, *given, "-q")
    assert done.exit_code == code, done.output
    assert said in " ".join(done.stderr.split())


def test_a_folder_that_is_no_run(fresh: Path) -> None:
    done = call("evaluate-person", fresh, "--photos", fresh / "me", "-q")
    assert done.exit_code == 1
    assert "is no run folder" in done.stderr


def test_a_damaged_list_of_pictures(run: Path, fresh: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(run, torn)
    known = Run.load(torn)
    replace(known, data={**known.data, "pictures": [{"file": "a"}]}).save(torn)
    done = call("evaluate-person", torn, "--photos", fresh / "me", "-q")
    assert done.exit_code == 1
    assert "list of pictures is damaged" in done.stderr


def test_figures_of_a_person() -> None:
    me = sample(2.0, 1.05, 0.0, people="aab", dropped=1)
    others = sample(0.0, 1.5, 0.5, 0.2, people="xyyz")
    facts = PersonEvaluation(a_head(margin=0.1), me, others).figures()
    assert (facts["me"]["match"], facts["me"]["uncertain"], facts["me"]["unknown"]) == (1, 1, 1)
    assert facts["me"]["tar"] == pytest.approx(2 / 3)
    assert (facts["me"]["groups"], facts["me"]["groups_rejected"]) == (2, 1)
    assert facts["others"]["far"] == pytest.approx(1 / 4)
    assert (facts["others"]["people"], facts["others"]["people_accepted"]) == (3, 1)
    assert facts["accuracy"] == pytest.approx(5 / 7)
    assert facts["majority_accuracy"] == pytest.approx(4 / 7)
    assert facts["balanced_accuracy"] == pytest.approx(0.5 * (2 / 3 + 3 / 4))


def test_whose_picture_a_file_is() -> None:
    root = Path("others")
    assert person_of("others/ann/1/a.jpg", [root]) == str(root / "ann")
    assert person_of("others/a.jpg", [root]) == "others/a.jpg"
    assert person_of("elsewhere/a.jpg", [root]) == "elsewhere/a.jpg"


def test_figures_of_a_task_count_people_once() -> None:
    yes = sample(2.0, 0.0, 2.0, 2.0, people="aabc", dropped=2)
    no = sample(0.0, 3.0, 4.0, people="abd")
    told = TaskEvaluation(a_head(), yes, no, told_apart=True)
    facts = told.figures()
    assert facts["positive"] == {
        "pictures": 4,
        "answered_yes": 3,
        "answered_no": 1,
        "uncertain": 0,
        "not_judged": 2,
        "groups": 3,
    }
    assert facts["negative"]["answered_yes"] == 2
    assert facts["accuracy"] == pytest.approx(4 / 7)
    assert facts["majority_accuracy"] == pytest.approx(4 / 7)
    assert facts["balanced_accuracy"] == pytest.approx(0.5 * (3 / 4 + 1 / 3))
    # a: two of three right; b: one of two, not most; c: right; d: wrong
    assert (facts["mostly_wrong"]["events"], facts["mostly_wrong"]["trials"]) == (1, 4)
    apart = TaskEvaluation(a_head(), yes, no).figures()["mostly_wrong"]
    assert (apart["events"], apart["trials"]) == (2, 6)


def test_a_task_speaks_of_answers_and_not_of_strangers() -> None:
    made = TaskEvaluation(
        a_head(), sample(2.0, people="a"), sample(0.0, people="b"), True, ("a", "b")
    )
    text = "\n".join(made.lines())
    assert "always the majority: 0.500" in text
    assert "1 of 1 pictures answered yes" in text
    assert "trained with other pictures of 2 of these people (a, b)" in text
    assert "stranger" not in text
    assert "accepted" not in text
    one = TaskEvaluation(a_head(), None, sample(0.0, people="b"))
    assert "accuracy" not in one.figures()
    assert len(one.lines()) == 2
