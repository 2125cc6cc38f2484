"""The whole chain through the command lines: photos, head, bundle, recognition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge.cli.main import main as edge_recognize
from export.cli.main import main as edge_export
from trainer.cli.main import main as edge_train
from trainer.drawn import DrawnPerson, Shot, render


def call(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def person_run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "me"
    done = call(
        edge_train, "person", "--photos", photos, "--name", "me", "--out", run, "--json", "-q"
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)["figures"]
    assert figures["far"]["trials"] > 1000
    assert figures["far"]["baseline_accept_all"] == 1.0
    assert figures["frr"]["baseline_reject_all"] == 1.0
    return run


@pytest.fixture(scope="module")
def bundle(person_run: Path) -> Path:
    target = person_run.parent / "me.edge"
    done = call(edge_export, "pack", person_run, "-o", target, "-q")
    assert done.exit_code == 0, done.output
    return target


def test_the_run_holds_what_the_export_reads(person_run: Path) -> None:
    names = {path.name for path in person_run.iterdir()}
    assert {"run.json", "model.int8.tflite", "cohort.npz", "heads", "report.html"} <= names
    page = (person_run / "report.html").read_text()
    assert "accepting everybody: 100 %" in page
    assert "data:image/png;base64," in page
    assert not [path for path in person_run.parent.iterdir() if path.name.startswith(".")]


def test_me_and_a_stranger(bundle: Path, photos: Path, tmp_path: Path) -> None:
    from edge.files.image import write_picture

    write_picture(tmp_path / "stranger.png", render(DrawnPerson.draw(3), Shot(), size_px=320))
    (tmp_path / "text.jpg").write_text("not a picture")
    own = call(edge_recognize, "--source", photos, "--bundle", bundle, "--json", "-q")
    lines = [json.loads(line) for line in own.stdout.splitlines()]
    decisions = [face["decision"] for line in lines for face in line["faces"]]
    assert len(lines) == 12
    assert {face["person"] for line in lines for face in line["faces"]} <= {"me", None}
    assert decisions.count("match") >= 6
    others = call(edge_recognize, "--source", tmp_path, "--bundle", bundle, "--json", "-q")
    stranger, text = (json.loads(line) for line in others.stdout.splitlines())
    assert others.exit_code == 0
    assert [face["decision"] for face in stranger["faces"]] != ["match"]
    assert len(stranger["faces"][0]["attributes"]) == 40
    assert "not a picture" in text["error"]


def test_the_bundle_is_verified_where_it_lies(bundle: Path) -> None:
    done = call(edge_export, "verify", bundle, "--json")
    assert done.exit_code == 0, done.output


def test_the_same_photos_give_the_same_head(person_run: Path, photos: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    call(edge_train, "person", "--photos", photos, "--name", "me", "--out", again, "-q")
    first, second = (run / "heads" / "me.npz" for run in (person_run, again))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "holds no pictures"),
        (lambda folder: (folder / "a.jpg").write_text("text"), "usable face"),
        (lambda folder: _empty_wall(folder), "no face"),
    ],
)
def test_unusable_photos_are_refused(tmp_path: Path, make: Any, said: str) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    make(folder)
    out = tmp_path / "run"
    done = call(edge_train, "person", "--photos", folder, "--name", "me", "--out", out, "-q")
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def _empty_wall(folder: Path) -> None:
    import numpy as np

    from edge.files.image import write_picture

    write_picture(folder / "wall.png", np.full((200, 300, 3), 180, np.uint8))


def test_privacy_leaves_pictures_out(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    call(edge_train, "person", "--photos", photos, "--name", "me", "--out", out, "-q", "--privacy")
    assert "lowest scores" not in (out / "report.html").read_text()


def test_real_webcam(shared: Path, tmp_path: Path) -> None:
    video = shared / "data" / "video"
    run, target = tmp_path / "a", tmp_path / "a.edge"
    enrol = ("--photos", video / "person-a-again.mkv", "--name", "a")
    done = call(edge_train, "person", *enrol, "--out", run, "-q")
    assert done.exit_code == 0, done.output
    assert call(edge_export, "pack", run, "-o", target, "-q").exit_code == 0
    accepted = {}
    for clip in ("person-a-no", "person-b-milk", "person-c-book", "person-d-eat"):
        source = video / f"{clip}.mkv"
        done = call(edge_recognize, "--source", source, "--bundle", target, "--json", "-q")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert sum(bool(line["faces"]) for line in lines) >= 0.9 * len(lines)
        matches = [any(f["decision"] == "match" for f in line["faces"]) for line in lines]
        accepted[clip] = sum(matches) / len(lines)
    print(f"accepted frames: {accepted}; accepting everybody: 1.0, nobody: 0.0")
    assert accepted.pop("person-a-no") > 0.2
    assert max(accepted.values()) == 0.0


@pytest.mark.long
def test_a_base_trained_briefly_runs_the_chain(shared: Path, tmp_path: Path) -> None:
    """Quality is not judged here: a base after seconds of training is worth nothing."""
    celeba = tmp_path / "celeba"
    _part_of_celeba(shared / "data" / "celeba", celeba, 800)
    base, run, target = tmp_path / "base", tmp_path / "a", tmp_path / "a.edge"
    weights = shared / "weights" / "mobilenet_v2_1.0_imagenet_notop.weights.h5"
    options = ("--weights", weights, "--input-size", 64, "--epochs", 2)
    cache = ("--cache-dir", tmp_path / "cache")
    done = call(edge_train, "attributes", "--data", celeba, "--out", base, *options, *cache, "-q")
    assert done.exit_code == 0, done.output
    assert "majority" in done.stdout
    cohort = base / "cohort.npz"
    done = call(
        edge_train, "cohort", celeba, "--embedding", base, "-o", cohort, "--overwrite", *cache, "-q"
    )
    assert done.exit_code == 0, done.output
    clip = shared / "data" / "video" / "person-a-again.mkv"
    done = call(
        edge_train, "person", "--photos", clip, "--name", "a", "--base", base, "--out", run, "-q"
    )
    assert done.exit_code in (0, 1)
    if done.exit_code:  # an honest refusal: nobody can be told apart by such a base
        assert done.stderr.startswith("error: ")
        return
    packed = call(edge_export, "pack", run, "-o", target, "--format", "tflite-int8", "-q")
    assert packed.exit_code in (0, 1)


def _part_of_celeba(source: Path, target: Path, count: int) -> None:
    (target / "img_align_celeba").mkdir(parents=True)
    lines = (source / "list_attr_celeba.txt").read_text().splitlines()
    rows = lines[2 : 2 + count]
    text = "\n".join([str(count), lines[1], *rows]) + "\n"
    (target / "list_attr_celeba.txt").write_text(text)
    people = dict(row.split() for row in (source / "identity_CelebA.txt").read_text().splitlines())
    names = [row.split()[0] for row in rows]
    (target / "identity_CelebA.txt").write_text("".join(f"{n} {people[n]}\n" for n in names))
    for name in names:
        (target / "img_align_celeba" / name).symlink_to(source / "img_align_celeba" / name)
