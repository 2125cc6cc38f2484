"""Seeds: what is drawn for them, and that a mistake counts as caught only where it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.seeds.album import split_afterwards, write_copies, write_me
from benchmarks.seeds.eyewear import with_and_without
from benchmarks.seeds.stage import Row, Stage, show
from edge.errors import ToolkitError
from edge.files.image import read_picture
from trainer.photos.augmented import source_of


def test_copies_bear_no_mark_and_are_split_afterwards(tmp_path: Path) -> None:
    photos = write_me(tmp_path / "photos", shots=4)
    assert write_copies(photos, tmp_path / "copies", 5) == 20
    files = sorted((tmp_path / "copies").iterdir())
    assert len(files) == 20
    assert all(source_of(path) is None for path in files)
    split_afterwards(tmp_path / "copies", sorted(photos.iterdir()), tmp_path / "mixed")
    parts = {part: {p.stem[:9] for p in (tmp_path / "mixed" / part / "me").iterdir()}
             for part in ("train", "test")}  # fmt: skip
    assert parts["train"] & parts["test"], "copies of one photo stand on both sides"


def test_everybody_is_drawn_with_glasses_and_without(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    positive, negative, pattern = with_and_without(stage, tmp_path / "eyes", 2)
    names = [sorted(p.name for p in folder.iterdir()) for folder in (positive, negative)]
    assert names[0] == names[1]
    assert pattern == "^p[0-9]+"
    first, second = (read_picture(folder / names[0][0]) for folder in (positive, negative))
    assert (first != second).any()


def test_cmu_is_sorted_by_eyewear_and_size(tmp_path: Path) -> None:
    folder = tmp_path / "faces" / "at33"
    folder.mkdir(parents=True)
    for name in ("at33_up_sad_open.pgm", "at33_up_sad_sunglasses.pgm", "at33_up_sad_open_4.pgm",
                 "at33_up_sad_open.bad"):  # fmt: skip
        (folder / name).touch()
    stage = Stage(tmp_path, cmu=tmp_path / "faces")
    positive, negative, pattern = with_and_without(stage, tmp_path / "eyes", 2)
    assert [p.name for p in positive.iterdir()] == ["at33_up_sad_sunglasses.pgm"]
    assert [p.name for p in negative.iterdir()] == ["at33_up_sad_open.pgm"]
    assert [p.name for p in (tmp_path / "eyes" / "spoilt").iterdir()] == ["at33_up_sad_open.bad"]
    assert pattern == "^[a-z0-9]+"


def test_a_mistake_counts_only_where_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = Stage(tmp_path)
    stage.judge("one", True, "noise error: 21 photos stand on both sides", "21", "both sides")
    stage.judge("two", True, "error: something else", "21")
    stage.judge("three", False, "done, 21", "21")
    assert [one.caught for one in stage.mistakes] == [True, False, False]
    assert stage.mistakes[0].said == "error: 21 photos stand on both sides"
    stage.compare(Row("accuracy", "0.93", "0.5", "0.96", "412 pictures"))
    said = show(9, "a title", stage)
    assert said["rows"][0]["ours"] == "0.96"
    printed = capsys.readouterr().out
    assert "| accuracy | 0.93 | 0.5 | 0.96 | 412 pictures |" in printed
    assert printed.count("**not caught**") == 2


def test_a_command_that_fails_ends_the_seed(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    with pytest.raises(ToolkitError, match="ended with 2"):
        stage.play("edge-recognize run --no-such-option")
    done = stage.provoke("an option that is none", "edge-recognize run --no-such-option", "such")
    assert done.code == 2
    assert stage.mistakes[0].caught
    assert "--no-such-option" in (tmp_path / "commands.log").read_text()
