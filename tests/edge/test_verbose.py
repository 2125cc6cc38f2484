"""`-v`, `--verbose`, `EDGE_LOG=debug`: on every command of the five tools, and what it says."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import pytest
from click.testing import CliRunner, Result
from test_commands import ENTRY_POINTS

from edge.cli.main import main
from edge.console.verbosity import LOGGERS
from edge.files.image import read_picture, write_picture


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-recognize")


def commands_of(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from commands_of(command)
        else:
            yield command


@pytest.mark.parametrize("module", ENTRY_POINTS.values())
def test_every_command_has_it(module: str) -> None:
    found = list(commands_of(importlib.import_module(module).main))
    assert found
    for command in found:
        options = [option for param in command.params for option in param.opts]
        assert options.count("-v") == options.count("--verbose") == 1, command.name


@pytest.fixture
def pictures(ana: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    image = read_picture(ana / "ana.jpg")
    write_picture(folder / "ana.png", image)
    write_picture(folder / "blurred.png", cv2.GaussianBlur(image, (0, 0), 9))
    return folder


def test_pictures_say_why(ana: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["--source", pictures, "--bundle", ana / "ana.edge"]
    quiet = call(*told)
    assert "nearest head" not in quiet.stderr
    for words in ((*told, "-v"), (*told, "--verbose", "-q")):
        said = call(*words)
        assert said.stdout.splitlines()[:2] == quiet.stdout.splitlines()[:2]
        lines = said.stderr.splitlines()
        assert any("runs a tflite" in line and "threads" in line for line in lines)
        assert any("runs the detector" in line for line in lines)
        (nearest,) = [line for line in lines if "nearest head ana, score" in line]
        assert "threshold" in nearest
        assert any("is rejected: blurred (" in line and "sharpness" in line for line in lines)
    assert all(not logging.getLogger(name).handlers for name in LOGGERS), "nothing stays behind"
    monkeypatch.setenv("EDGE_LOG", "debug")
    assert "nearest head ana" in call(*told).stderr


def test_a_video_says_what_is_not_settled_and_not_searched(ana: Path) -> None:
    said = call("--source", ana / "clip.mkv", "--bundle", ana / "ana.edge", "-v", "--frames", 20)
    assert "track 1 is uncertain: not seen often enough yet" in said.stderr
    assert "frames before were not searched" in said.stderr
    assert said.stderr.count("nearest head ana") >= 3


def test_other_commands_say_it_too(
    ana: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    words = ["--name", "eva", "--photos", pictures, "--bundle", ana / "ana.edge"]
    said = call("enrol", *words, "-v").stderr
    assert "blurred.png does not count: blurred" in said
    assert "runs a tflite" in said
