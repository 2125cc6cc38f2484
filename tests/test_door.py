"""The public Python API: its names, its examples, its types, and that it costs nothing unused."""

from __future__ import annotations

import dataclasses
import doctest
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import edge
import edge.errors
import export
import trainer
from edge.errors import ModelError, ToolkitError, UsageError
from edge.files.image import read_picture
from trainer.base.settings import BaseSettings
from trainer.cli.attributes import attributes_command

ROOT = Path(__file__).resolve().parent.parent


def test_every_public_name_is_there_and_described() -> None:
    assert set(edge.__all__) <= set(dir(edge))
    for package in (edge, trainer, export):
        for name in package.__all__:
            assert (getattr(package, name).__doc__ or "").strip(), name
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        edge.Recogniser  # type: ignore[attr-defined]  # noqa: B018


def test_import_edge_loads_nothing() -> None:
    code = (
        "import sys, edge; slow = ('edge.', 'cv2', 'numpy', 'click', 'ai_edge_litert');"
        "print([name for name in sys.modules if name.startswith(slow)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("package", ["edge", "trainer", "export", "benchmarks"])
def test_the_packages_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_a_strict_client_passes(tmp_path: Path) -> None:
    """`follow_imports=silent`: what is reported is of the client alone."""
    words = ["--strict", "--follow-imports=silent", "--ignore-missing-imports", "--config-file="]
    words += ["--cache-dir", str(tmp_path), "tests/data/client.py"]
    command = [sys.executable, "-m", "mypy", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def examples() -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("edge", edge)]
    found += [(f"edge.{name}", getattr(edge, name)) for name in edge.__all__]
    found += [(f"trainer.{name}", getattr(trainer, name)) for name in trainer.__all__]
    return [*found, ("export.pack", export.pack)]


@pytest.mark.parametrize(
    ("name", "thing"), examples(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_examples_run(
    name: str, thing: Any, ana: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they stand in the docstring, in a folder with Ana's photos, bundle and clip."""
    for path in ana.iterdir():
        if path.name != "runs" or name != "trainer.enrol_person":
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    names = {
        "edge": edge, "trainer": trainer, "export": export, "np": np,
        "image": read_picture(ana / "ana.jpg"),
    }  # fmt: skip
    text = thing.__doc__ or ""
    parsed = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    assert parsed.examples or name in ("edge.Camera", "edge.ToolkitError", "edge.FaceResult")
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(parsed, out=said.append)
    assert not said, "".join(said)


def test_a_closed_recognizer_says_so(ana: Path) -> None:
    recognizer = edge.Recognizer.open(ana / "ana.edge", attributes=False)
    image = read_picture(ana / "ana.jpg")
    result = recognizer.recognize(image)
    assert [face.decision.person for face in result.faces] == ["ana"]
    assert result.faces[0].attributes == {}
    recognizer.close()
    recognizer.close()
    with pytest.raises(ModelError, match="closed"):
        recognizer.recognize(image)


def test_watch_settles_on_a_video_and_not_on_single_frames(ana: Path) -> None:
    words = {"source": ana / "clip.mkv", "bundle": ana / "ana.edge", "attributes": False}
    followed = list(edge.watch(**words, threads=1))  # type: ignore[arg-type]
    alone = list(edge.watch(**words, threads=1, track=False))  # type: ignore[arg-type]
    assert [result.frame for result in followed] == [result.frame for result in alone]
    assert {face.track for result in alone for face in result.faces} == {None}
    assert None not in {face.track for result in followed for face in result.faces}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({}, UsageError),
        ({"camera": 0, "source": "x.mkv"}, UsageError),
        ({"source": "there-is-no-such.mkv"}, ToolkitError),
    ],
)
def test_watch_refuses_before_it_starts(words: dict[str, Any], error: type[ToolkitError]) -> None:
    with pytest.raises(error):
        edge.watch(**words)


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    def drawn(kind: type, depth: int = 0) -> list[tuple[int, str]]:
        rows = [(depth, kind.__name__)]
        for child in kind.__subclasses__():
            if child.__module__ == "edge.errors":
                rows += drawn(child, depth + 1)
        return rows

    lines = re.findall(r"^ {4}([│├└─ ]*)(\w+)$", edge.errors.__doc__ or "", re.M)
    found = [(len(lead) // 4, name) for lead, name in lines]
    assert sorted(found) == sorted(drawn(ToolkitError))


def test_no_error_of_edge_is_defined_elsewhere() -> None:
    pattern = re.compile(r"^class (\w+)\((?:ToolkitError|\w+Error|BundleError)\):", re.M)
    for path in (ROOT / "edge").rglob("*.py"):
        if path.name != "errors.py":
            found = [name for name in pattern.findall(path.read_text("utf-8")) if name[0] != "_"]
            assert not found, path


def test_the_function_has_the_defaults_of_the_command() -> None:
    fields = {field.name: field for field in dataclasses.fields(BaseSettings)}
    for option in attributes_command.params:
        assert isinstance(option, click.Option)
        if option.name == "verbose":
            continue
        field = fields[option.name or ""]
        if field.default is dataclasses.MISSING or option.default == field.default:
            continue
        assert field.default in (None, (), "", False), option.name
        assert not isinstance(option.default, (int, float, str)) or not option.default, option.name
