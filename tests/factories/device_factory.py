"""A device of its own for each test, two people to enrol on it, and its commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge.cli.main import main
from edge.people.encryption import KEY_FILE_VARIABLE
from trainer.drawn import DrawnPerson, write_photos


def bare_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the device keeps its things from now on: `folder`, without bundle and key."""
    for name in ("EDGE_BUNDLE", "EDGE_PUBLIC_KEY", KEY_FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(folder))
    return folder


def write_two_people(folder: Path) -> Path:
    """Photos of two people who do not exist, in the folders `ana` and `ben`.

    To a base for real faces drawn ones are much alike; these two it tells apart.
    """
    for name, number in (("ana", 1), ("ben", 905)):
        (folder / name).mkdir()
        write_photos(folder / name, DrawnPerson.draw(number), shots=14, seed=0)
    return folder


def call(*words: object) -> Result:
    """`edge-recognize` with these words."""
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-recognize")


def answer(*words: object) -> dict[str, Any]:
    """What `edge-recognize … --json` says when all is well."""
    done = call(*words, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found
