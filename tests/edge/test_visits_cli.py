"""Visits by the commands, on drawn people with real models: a false accept and three words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from device_factory import answer, bare_home, call

from edge.people.registry import open_register
from edge.people.store import people_folder
from trainer.drawn import DrawnPerson, write_photos, write_video
from trainer.drawn import Visit as Drawn

STRANGER = 905


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a device on which Ana is enrolled, with a threshold so low that strangers are
    accepted, and `stranger.mkv`, a second of somebody who is not Ana."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        bare_home(folder / "home", patch)
        write_photos(folder / "ana", DrawnPerson.draw(1), shots=14, seed=0)
        assert call("enrol", "--name", "ana", "--photos", folder / "ana", "-q").exit_code == 0
        lower_threshold(-50.0)
        write_video(folder / "stranger.mkv", [Drawn((DrawnPerson.draw(STRANGER),), 1.5)], seed=1)
        yield folder


@pytest.fixture
def device(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device of its own, as in `template`."""
    shutil.copytree(template / "home", tmp_path / "home")
    return bare_home(tmp_path / "home", monkeypatch)


def lower_threshold(threshold: float) -> None:
    """As whoever edits the file would."""
    with open_register(None, None) as register:
        (ana,) = register.people.persons
        low = replace(ana, head=replace(ana.head, threshold=threshold))
        people = replace(register.people, persons=(low,))
        register._keep(replace(people, calibrated_for=register._fingerprint(people.persons)))


@pytest.fixture
def clip(template: Path) -> Path:
    return template / "stranger.mkv"


def accepted(clip: Path, *words: object) -> int:
    """Frames of a clip in which somebody is recognized."""
    done = call("--source", clip, "--json", "-q", "--no-attributes", *words)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return sum(any(face["person"] for face in line["faces"]) for line in lines)


def test_a_false_accept_is_denied_and_the_same_clip_accepted_no_more(
    device: Path, clip: Path
) -> None:
    assert accepted(clip, "--keep-visits", 10, "--visit-faces") > 0
    (visit,) = answer("visits")["visits"]
    assert (visit["decision"], visit["person"], visit["has_face"]) == ("match", "ana", True)
    state = (people_folder() / "state.json").read_bytes()
    seen = answer("not-me", "--name", "ana", "--visit", visit["visit"], "--preview")
    assert seen["done"] is False
    assert seen["changed"] == [{"visit": visit["visit"], "before": "ana", "after": "(unknown)"}]
    assert (people_folder() / "state.json").read_bytes() == state
    done = call("not-me", "--name", "ana", "--visit", visit["visit"], "--yes")
    assert "1 of the last 1 visits would be decided otherwise" in done.stdout
    assert accepted(clip) == 0
    assert answer("visits")["visits"][0]["denied"] == ["ana"]
    assert "by your word not ana" in call("visits").stdout
    assert call("not-me", "--undo").exit_code == 0
    assert accepted(clip) > 0
    assert answer("visits")["visits"][0]["denied"] == []


def test_words_that_cannot_be(device: Path, clip: Path) -> None:
    assert accepted(clip, "--keep-visits", 10) > 0
    for words, said in (
        (["not-me", "--name", "ana", "--visit", 1, "--yes"], "no faces were kept of visit 1"),
        (["not-me", "--name", "ana", "--visit", 9, "--yes"], "there is no visit 9"),
        (["name", "ana", "--visit", 1], "there is no terminal to ask at"),
        (["not-me", "--visit", 1], "--visit needs --name"),
        (["not-me", "--name", "ana", "--yes"], "for visits"),
        (["name", "ana", "--visit", 1, "--json"], "--json cannot ask"),
        (["name", "zoe", "--visit", 1, "--yes"], "nobody called zoe"),
        (["--source", clip, "--visit-faces"], "--visit-faces alone keeps nothing"),
        (["--source", clip, "--keep-visits", 3, "--no-track"], "faces that are followed"),
    ):
        done = call(*words)
        assert done.exit_code in (1, 2), words
        assert said in done.stderr


def test_forgetting_takes_the_visits_along(device: Path, clip: Path) -> None:
    accepted(clip, "--keep-visits", 10, "--visit-faces")
    assert answer("forget", "ana")["visits"] == 1
    assert call("visits").stdout.startswith("no visits are kept")
    lower = accepted(clip, "--keep-visits", 10)
    assert lower == 0
    assert len(answer("visits", "--unknown")["visits"]) == 1
    assert answer("forget", "--all")["visits"] == 1
