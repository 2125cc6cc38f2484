"""What is there already is written over by no command, unless `--overwrite` says so."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edge.console.overwriting import RUN_JSON, refuse_existing
from edge.errors import InputError

ENTRY_POINTS = {
    "edge-recognize": "edge.cli.main",
    "edge-train": "trainer.cli.main",
    "edge-export": "export.cli.main",
    "edge-flash": "export.cli.flash",
    "edge-bench": "benchmarks.cli",
}

WRITES = ("write ", "save ")
"""How the help of an option begins that names what a command writes."""

NEVER = {
    "edge-recognize keygen": "a key that is gone opens nothing any more",
    "edge-export keygen": "a key that is gone signs nothing any more",
    "edge-flash wheelhouse": "a folder of files that no command could tell from others",
}
"""Commands that write to a new place alone, and why."""

BY_ITSELF = {"edge-train attributes", "edge-train direct", "edge-train person"}
"""Their folder may also be gone on with, so they refuse it themselves, see `refuse_existing`."""

FOLDERS = {"save_augmented", "export_augmented", "save_format", "tensorboard"}
"""Options of folders beside a run: these are new or empty, and TensorBoard adds to its own."""


def commands() -> Iterator[tuple[str, click.Command]]:
    for name, module in ENTRY_POINTS.items():
        main = importlib.import_module(module).main
        yield from ((f"{name} {word}", one) for word, one in main.commands.items())


def targets_of(command: click.Command) -> list[click.Option]:
    return [
        one
        for one in command.params
        if isinstance(one, click.Option)
        and isinstance(one.type, click.Path)
        and one.name not in FOLDERS
        and any(word in (one.help or "").lower() for word in WRITES)
        and not one.is_flag
    ]


WRITING = {path: one for path, one in commands() if targets_of(one)}


def test_the_walk_finds_what_writes() -> None:
    assert len(WRITING) >= 14, sorted(WRITING)
    for path in (
        *NEVER,
        *BY_ITSELF,
        "edge-recognize run",
        "edge-export pack",
        "edge-bench compare",
    ):
        assert path in WRITING


@pytest.mark.parametrize("path", sorted(WRITING))
def test_every_command_that_writes_refuses_what_is_there(path: str, tmp_path: Path) -> None:
    """No input exists: what is refused is refused before any work."""
    command = WRITING[path]
    flags = {one.name for one in command.params}
    assert ("overwrite" in flags) is (path not in NEVER)
    name = path.split()[0]
    main = importlib.import_module(ENTRY_POINTS[name]).main
    for option in targets_of(command):
        there = tmp_path / f"{option.name}.edge"
        there.write_text("mine")
        words = [*path.split()[1:], option.opts[-1], str(there)]
        for one in command.params:
            if one.required and one.name != option.name:
                value = "ana" if one.name == "name" else str(tmp_path / "nothing")
                if isinstance(one.type, click.Choice):
                    value = one.type.choices[0]
                words += [value] if isinstance(one, click.Argument) else [one.opts[0], value]
        if path in BY_ITSELF:
            words += ["--photos", str(tmp_path / "nothing")] * (path == "edge-train person")
        done = CliRunner().invoke(main, words, prog_name=name)
        assert done.exit_code == 1, (words, done.output)
        assert "exists" in done.output
        assert ("--overwrite" in done.output) is (path not in NEVER)
        if path not in NEVER:
            again = CliRunner().invoke(main, [*words, "--overwrite"], prog_name=name)
            assert "exists, or" not in again.output
            assert "add --overwrite" not in again.output
        assert there.read_text() == "mine", "the inputs were missing, so nothing was written"


def test_folders_are_replaced_where_they_are_runs(tmp_path: Path) -> None:
    refuse_existing(tmp_path)  # it is empty
    refuse_existing(tmp_path / "new")
    refuse_existing(Path("/dev/null"))
    refuse_existing(None)
    (tmp_path / "photo.jpg").touch()
    for overwrite in (False, True):
        with pytest.raises(InputError, match="no run that could be replaced"):
            refuse_existing(tmp_path, overwrite=overwrite)
    (tmp_path / RUN_JSON).touch()
    refuse_existing(tmp_path, overwrite=True)
    with pytest.raises(InputError, match="or add --overwrite"):
        refuse_existing(tmp_path)
