"""The report of a person's run: what it says, and that a private one says nothing of the photos."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge.files.image import read_picture, write_picture
from edge.heads.cohort import Cohort
from edge.heads.head import Head
from trainer.cli.main import main as edge_train
from trainer.drawn import DrawnPerson
from trainer.drawn.dataset import write_photos
from trainer.report.page import page, paragraph
from trainer.report.person_plot import det, heads_chart, histogram, strangers_of

PNG = re.compile(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]*)"')
NAME = "Zoë <b>&amp;"


def call(*words: object) -> Result:
    return CliRunner().invoke(edge_train, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def secret(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of one drawn person, of whom some cannot be used, beside somebody else's."""
    root = tmp_path_factory.mktemp("secret-place")
    own = root / "secret-me"
    shutil.copytree(photos, own)
    (own / "secret-text.jpg").write_text("text")
    write_picture(own / "secret-wall.png", np.full((200, 300, 3), 180, np.uint8))
    (root / "secret-brother").mkdir()
    write_photos(root / "secret-brother", DrawnPerson.draw(21), shots=3, seed=5)
    return root


def words(secret: Path, out: Path) -> list[object]:
    me, brother = secret / "secret-me", secret / "secret-brother"
    return ["person", "--photos", me, "--not-me", brother, "--name", NAME, "-o", out, "-q"]


@pytest.fixture(scope="module")
def run(secret: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "open"
    done = call(*words(secret, out), "--save-augmented", out.parent / "varied")
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def private(secret: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "private"
    done = call(*words(secret, out), "--privacy")
    assert done.exit_code == 0, done.output
    return out


def head_of(run: Path) -> Head:
    return Head.load(next((run / "heads").iterdir()))


def test_the_page_holds_all_that_it_promises(run: Path) -> None:
    page = (run / "report.html").read_text()
    titles = re.findall(r"<h2>([^<]*)</h2>", page)
    assert titles[:4] == [
        "Who is accepted",
        "Scores",
        "Errors at other thresholds",
        "More people in one bundle",
    ]
    assert titles[4].startswith("Own looks with the lowest scores")
    assert titles[5:] == ["Accepted although not me", "Dropped pictures", "Model card"]
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)  # it stands alone
    for baseline in ("accepting everybody: 100 %", "rejecting everybody: 100 %"):
        assert baseline in page
    assert "no door lock by itself" in page
    assert "terms of the embedder" in page


def test_names_are_escaped(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "Is it Zoë &lt;b&gt;&amp;amp;?" in page
    assert NAME not in page


def test_names_that_are_no_utf8_are_spelt_out() -> None:
    assert "fol\\xe9/a.jpg" in page("x", [paragraph(os.fsdecode(b"fol\xe9/a.jpg"))])


def test_the_confusion_stands_beside_the_trivial_answers(run: Path) -> None:
    page = (run / "report.html").read_text()
    facts = head_of(run).facts
    rows = {
        title: [int(v) for v in re.findall(r'<td class="n">(\d+)</td>', row)]
        for title, row in re.findall(r"<tr><th>([^<]*)</th>((?:<td class=\"n\">\d+</td>)+)", page)
    }
    own = np.array(facts.own_scores)
    accepted = int((own >= head_of(run).threshold).sum())
    people, through = facts.far.trials, facts.far.events
    assert rows == {
        "this head": [accepted, len(own) - accepted, through, people - through],
        "accepting everybody": [len(own), 0, people, 0],
        "rejecting everybody": [0, len(own), 0, people],
    }


def test_dropped_pictures_are_told_with_their_reasons(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "<th>no face (1)</th><td>secret-wall.png</td>" in page
    assert "<th>the file is not a picture that can be decoded (1)</th>" in page
    dropped = {Path(d["file"]).name: d["reason"] for d in report(run)["dropped"]}
    assert dropped["secret-wall.png"] == "no face"


def report(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "report.json").read_text())
    return found


def test_the_json_holds_what_the_page_says(run: Path) -> None:
    facts = report(run)
    assert facts["name"] == NAME
    calibration = head_of(run).facts
    assert facts["calibration"]["far_upper_95"] == calibration.far_upper_95  # type: ignore[index]
    assert facts["test"] is None
    assert facts["figures"]["far"]["baseline_accept_all"] == 1.0  # type: ignore[index]
    groups = facts["groups"]["groups"]  # type: ignore[index]
    assert sum(rate["trials"] for rate in groups.values()) == calibration.far.trials
    page = (run / "report.html").read_text()
    assert "<th>strangers by group</th>" in page and "<th>who is measured</th>" in page


def test_figures_and_crops_can_be_decoded(run: Path) -> None:
    shown = PNG.findall((run / "report.html").read_text())
    assert len(shown) > 3
    for title, text in shown:
        image = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
        assert title
        assert image is not None
        assert image.std() > 1


def test_privacy_leaves_no_picture_and_no_name_of_a_file(private: Path, secret: Path) -> None:
    page = (private / "report.html").read_text()
    assert [title for title, _ in PNG.findall(page)] == [
        "Histogram of scores",
        "False rejects against false accepts",
        "False accepts against the number of heads",
    ]
    assert not list(private.rglob("*.png"))
    names = {path.name for path in secret.rglob("*")} | {secret.name, str(secret)}
    for path in private.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [name for name in names if name.encode() in data], path
    assert "<th>no face (1)</th><td></td>" in page
    reasons = [one["reason"] for one in report(private)["dropped"]]  # type: ignore[attr-defined]
    assert "no face" in reasons
    assert "--privacy" in json.loads((private / "run.json").read_text())["command"]


def test_privacy_changes_no_decision(run: Path, private: Path) -> None:
    one, other = head_of(run), head_of(private)
    assert one.threshold == other.threshold
    assert one.facts.own_scores == other.facts.own_scores


def test_the_run_that_is_not_private_names_them(run: Path) -> None:
    assert (run / "contact-sheet.png").is_file()
    assert "secret-me" in (run / "report.html").read_text()


def test_varied_pictures_are_saved(run: Path) -> None:
    sheets = sorted((run.parent / "varied").iterdir())
    looks = head_of(run).facts.pictures + len(head_of(run).facts.left_out)
    assert [path.name for path in sheets] == [
        f"variations-{n:02d}.png" for n in range(1, 1 + -(-looks // 12))
    ]
    first = read_picture(sheets[0])
    assert first.std() > 10


def test_varied_pictures_do_not_go_with_privacy(secret: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = call(*words(secret, out), "--privacy", "--save-augmented", tmp_path / "varied")
    assert done.exit_code == 2
    assert "--save-augmented writes pictures" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_part_that_is_kept_back_is_reported(photos: Path, tmp_path: Path) -> None:
    for part, numbers in (("train", range(1, 10)), ("test", range(10, 13))):
        (tmp_path / part / "me").mkdir(parents=True)
        for k in numbers:
            shutil.copy2(photos / f"photo-{k:03d}.jpg", tmp_path / part / "me")
    out = tmp_path / "run"
    done = call("person", "--photos", tmp_path, "--name", "me", "-o", out, "-q")
    assert done.exit_code == 0, done.output
    assert "<h2>On the part that was kept back</h2>" in (out / "report.html").read_text()
    me = report(out)["test"]["me"]  # type: ignore[index]
    assert me["looks"] + me["not_judged"] == 3


def test_figures_with_and_without_overlap(run: Path) -> None:
    head, cohort = head_of(run), Cohort.load(run / "cohort.npz")
    strangers = strangers_of(head, cohort)
    assert len(strangers) == head.facts.far.trials
    apart = np.linspace(strangers.max() + 1, strangers.max() + 2, 9)
    mixed = np.linspace(strangers.min(), strangers.max(), 9)
    for own in (apart, mixed, mixed[:1]):
        for png in (
            histogram(head, own, strangers, None),
            histogram(head, own, strangers, own - 1),
            det(head, own, strangers),
            heads_chart(head, own, cohort),
        ):
            image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
            assert image.shape[1] > 600
            assert (image[:3] == 255).all()  # nothing is cut off at an edge
            assert (image[-3:] == 255).all()
            assert (image[:, :3] == 255).all()
            assert (image[:, -3:] == 255).all()
