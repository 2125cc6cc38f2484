"""A yes-or-no task from two folders: groups, threshold, baselines, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edge.files.formats import is_picture
from edge.heads.calibration import recalibrate
from edge.heads.calibration_record import TaskCalibration
from edge.heads.cohort import Cohort
from edge.heads.head import Head
from edge.models.run_record import Run
from export.cli.main import main as edge_export
from trainer.cli.main import main as edge_train
from trainer.drawn import DrawnPerson
from trainer.drawn.dataset import write_photos

PEOPLE = range(40, 46)


def call(*words: object, command: Any = edge_train) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same people with glasses and without, in folders `with/p40`, …; p45 is for testing."""
    root = tmp_path_factory.mktemp("glasses")
    for number in PEOPLE:
        person = replace(DrawnPerson.draw(number), hat=None, glasses_rgb=(10, 10, 10))
        for worn, glasses in (("with", "square"), ("without", None)):
            folder = root / ("test" if number == 45 else "train") / worn / f"p{number}"
            folder.mkdir(parents=True)
            shown = replace(person, glasses=glasses, glasses_habit=1.0)
            write_photos(folder, shown, shots=3, seed=1, size_px=400)
    odd = root / "train" / "with" / "p40"
    (odd / "broken.bad").write_text("")
    first = min(path for path in odd.iterdir() if is_picture(path))
    with Image.open(first) as picture:
        picture.resize((picture.width // 2, picture.height // 2)).save(
            first.with_stem(f"{first.stem}_2")
        )
    return root


@pytest.fixture(scope="module")
def run(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "glasses"
    done = call("person", *answers(drawn), "--name", "glasses", "-o", out, "--json", "-q")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)["figures"]
    assert figures["groups"] == 5
    assert figures["single_files"] == 0
    assert (figures["ignored"], figures["copies"]) == (1, 1)
    assert figures["majority_accuracy"] == pytest.approx(0.5, abs=0.1)
    assert figures["accuracy"] > figures["majority_accuracy"] + 0.15
    return out


def answers(drawn: Path) -> list[object]:
    train = drawn / "train"
    words: list[object] = ["--positive", train / "with", "--negative", train / "without"]
    return [*words, "--group-regex", r"/(p\d+)/"]


def test_groups_of_single_files_are_warned_of(drawn: Path, tmp_path: Path) -> None:
    """Without a pattern nobody knows whose pictures are whose, and the accuracy flatters."""
    words: list[object] = []
    for side, worn in (("--positive", "with"), ("--negative", "without")):
        for folder in sorted((drawn / "train" / worn).iterdir()):
            shots = sorted(path for path in folder.iterdir() if is_picture(path))
            first = shots[0 if worn == "with" else -1]
            (tmp_path / worn).mkdir(exist_ok=True)
            shutil.copy(first, tmp_path / worn / f"{folder.name}{first.suffix}")
        words += [side, tmp_path / worn]
    out = tmp_path / "run"
    done = call("person", *words, "--name", "glasses", "-o", out, "--json", "-q")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    figures = said["figures"]
    assert figures["single_files"] == figures["groups"] > 4
    assert [text for text in said["warnings"] if "--group-regex" in text]
    assert figures["pictures"] == figures["positive"] + figures["negative"] + figures["dropped"]
    assert figures["accuracy_of_all"] <= figures["accuracy"]


def test_the_head_answers_for_people_it_has_not_seen(run: Path, drawn: Path) -> None:
    test = drawn / "test"
    done = call(
        "evaluate-person", run, "--photos", test / "with", "--others", test / "without", "--json"
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["majority_accuracy"] == pytest.approx(0.5, abs=0.1)
    assert figures["accuracy"] >= figures["majority_accuracy"]


def test_a_task_is_measured_by_pictures_and_people(run: Path, drawn: Path) -> None:
    test = drawn / "test"
    sides = ("--positive", test / "with", "--negative", test / "without")
    done = call("evaluate-person", run, *sides, "--group-regex", r"/(p\d+)/", "--json", "-q")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["task"] is True
    assert facts["people_told_apart"] is True
    assert facts["positive"]["pictures"] + facts["positive"]["not_judged"] == 3
    assert facts["positive"]["groups"] == facts["negative"]["groups"] == 1
    assert facts["mostly_wrong"]["trials"] == 1
    assert facts["trained_with"] == []
    assert facts["majority_balanced_accuracy"] == 0.5
    text = call("evaluate-person", run, *sides, "-q").stdout
    assert "always the majority" in text
    assert "independent pictures" in text
    assert "accepted" not in text


def test_people_whom_the_head_was_trained_with_are_named(
    run: Path, drawn: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "p43"
    folder.mkdir()
    person = replace(DrawnPerson.draw(43), hat=None, glasses=None)
    write_photos(folder, person, shots=2, seed=9, size_px=400)
    regex = ("--group-regex", r"/(p\d+)/")
    done = call("evaluate-person", run, "--negative", tmp_path, *regex, "--json", "-q")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["trained_with"] == ["p43"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--negative", "N", "--group-regex", "("], 2, "no regular expression"),
        (["--negative", "N", "--group-regex", "zebra"], 2, "finds nothing in"),
        (["--positive", "N", "--negative", "N"], 1, "of the positive is also"),
        (["--positive", "T"], 1, "of the pictures enrolled with"),
    ],
)
def test_refusals_to_measure(
    run: Path, drawn: Path, words: list[str], code: int, said: str
) -> None:
    folders = {"T": drawn / "train" / "with", "N": drawn / "test" / "without"}
    done = call("evaluate-person", run, *[folders.get(word, word) for word in words], "-q")
    assert done.exit_code == code, done.output
    assert said in done.output


def test_the_report_says_what_is_answered(run: Path) -> None:
    page = (run / "report.html").read_text()
    facts = json.loads((run / "report.json").read_text())
    head = Head.load(run / "heads" / "glasses.npz")
    assert isinstance(head.calibration, TaskCalibration)
    yes = np.array(head.calibration.own_scores)
    no = np.array(head.calibration.negative_scores)
    right, wrong = int((yes >= head.threshold).sum()), int((no >= head.threshold).sum())
    rows = re.findall(r"<tr><th>this head</th>(.*?)</tr>", page)
    assert [int(v) for v in re.findall(r">(\d+)<", rows[0])] == [
        right,
        len(yes) - right,
        wrong,
        len(no) - wrong,
    ]
    assert facts["figures"]["accuracy"] == pytest.approx(
        (right + len(no) - wrong) / (len(yes) + len(no))
    )
    for part in ("always the majority (", "Answered no although positive", "Model card"):
        assert part in page
    crops = min(8, len(yes) - right) + min(8, wrong)
    assert page.count("<img ") == 2 + crops
    assert "1 files of the folders are neither pictures nor videos" in page
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)  # it stands alone


def test_a_private_report_shows_and_names_nothing(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "private"
    done = call("person", *answers(drawn), "--name", "glasses", "-o", out, "--privacy", "-q")
    assert done.exit_code == 0, done.output
    assert (out / "report.html").read_text().count("<img ") == 2
    assert not list(out.rglob("*.png"))
    for name in ("report.html", "report.json"):
        text = (out / name).read_text()
        assert str(drawn) not in text
        assert "photo-" not in text


def test_the_run_is_packed_like_a_persons(run: Path, tmp_path: Path) -> None:
    done = call("pack", run, "-o", tmp_path / "glasses.edge", "-q", command=edge_export)
    assert done.exit_code == 0, done.output
    assert Run.load(run).learned_something


def test_the_same_pictures_give_the_same_head(run: Path, drawn: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert call("person", *answers(drawn), "--name", "glasses", "-o", again).exit_code == 0
    one, other = (folder / "heads" / "glasses.npz" for folder in (run, again))
    assert one.read_bytes() == other.read_bytes()


def test_setting_thresholds_for_a_bundle_leaves_tasks_alone(run: Path) -> None:
    head = Head.load(run / "heads" / "glasses.npz")
    rng = np.random.default_rng(0)
    cohort = Cohort(
        embeddings=rng.normal(size=(40, head.size)).astype(np.float16),
        identity=np.arange(40, dtype=np.int32),
        variant=np.zeros(40, np.uint8),
        variants=("plain",),
        embedder_sha256=head.embedder_sha256,
    )
    assert recalibrate([head], cohort) == (head,)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--positive", "P"], 2, "go together"),
        (["--positive", "P", "--negative", "N", "--photos", "P"], 2, "--photos is about a person"),
        (["--positive", "P", "--negative", "N", "--group-regex", "("], 2, "no regular expression"),
        (["--positive", "P", "--negative", "N", "--group-regex", "zebra"], 2, "finds nothing in"),
        (["--positive", "P", "--negative", "N", "--group-regex", "photo"], 1, "independent groups"),
        (["--photos", "P", "--group-regex", "x"], 2, "goes with --positive"),
        ([], 2, "nobody to enroll"),
        (["--photos", "P", "--mode", "finetune"], 1, "at least 50 strangers"),
        (["--photos", "P", "--mode", "finetune", "--others", "P"], 1, "at least 50 strangers"),
    ],
)
def test_refusals(drawn: Path, tmp_path: Path, words: list[str], code: int, said: str) -> None:
    folders = {"P": drawn / "train" / "with", "N": drawn / "train" / "without"}
    given = [folders.get(word, word) for word in words]
    done = call("person", *given, "--name", "x", "-o", tmp_path / "run", "-q")
    assert done.exit_code == code, done.output
    assert said in done.output
    assert not (tmp_path / "run").exists()


def test_a_file_has_one_answer(drawn: Path, tmp_path: Path) -> None:
    train = drawn / "train"
    shutil.copytree(train / "without", tmp_path / "without")
    taken = min(p for p in (train / "with" / "p41").iterdir() if is_picture(p))
    shutil.copy2(taken, tmp_path / "without" / "p41" / f"again{taken.suffix}")
    words = ("--positive", train / "with", "--negative", tmp_path / "without")
    done = call("person", *words, "--name", "g", "-o", tmp_path / "run", "-q")
    assert done.exit_code == 1
    assert "is also" in done.output
    assert f"again{taken.suffix} of --negative" in done.output.replace("\n", " ")
    assert not (tmp_path / "run").exists()
