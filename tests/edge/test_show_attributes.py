"""Chosen attributes: in text, events and pictures, and none where they are not asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from edge.cli.main import main
from edge.files.image import read_picture
from edge.recognition.annotate import spoken
from edge.tracking.presence import Event


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-recognize")


def test_chosen_attributes_are_shown(ana: Path, tmp_path: Path) -> None:
    told = ["--source", ana / "ana.jpg", "--bundle", ana / "ana.edge"]
    (face,) = json.loads(call(*told, "--json", "-q").stdout)["faces"]
    assert face["shown"] == []
    by_chance = sorted(face["attributes"].items(), key=lambda item: item[1])
    least, most = by_chance[0][0], by_chance[-1][0]
    assert face["attributes"][least] < 0.5 <= face["attributes"][most]
    chosen = [*told, "--show-attributes", f"{least},{most}"]
    (face,) = json.loads(call(*chosen, "--json", "-q").stdout)["faces"]
    assert face["shown"] == [most]
    plain, shown = call(*told, "-q"), call(*chosen, "-q")
    assert shown.stdout.strip() == f"{plain.stdout.strip()}, {spoken(most)}"
    for name, words in (("plain.png", told), ("shown.png", chosen)):
        assert call(*words, "-q", "--save", tmp_path / name).exit_code == 0
    assert (read_picture(tmp_path / "plain.png") != read_picture(tmp_path / "shown.png")).any()


def test_events_carry_them(ana: Path) -> None:
    told = ["--source", ana / "clip.mkv", "--bundle", ana / "ana.edge", "-q", "--frames", 20]
    lines = [json.loads(line) for line in call(*told, "--json").stdout.splitlines()]
    faces = [face for line in lines for face in line["faces"]]
    means = {
        name: np.mean([f["attributes"][name] for f in faces]) for name in faces[0]["attributes"]
    }
    most = max(means, key=lambda name: means[name])
    said = call(*told, "--show-attributes", most).stdout
    assert "ana arrived, score" in said and f", {spoken(most)}\n" in said
    event = Event("arrived", "ana", 1.0, "camera", shown=(most,))
    assert event.to_json()["shown"] == [most]


def test_what_the_base_does_not_know(ana: Path) -> None:
    told = ["--source", ana / "ana.jpg", "--bundle", ana / "ana.edge"]
    done = call(*told, "--show-attributes", "Smilling")
    assert done.exit_code == 2
    assert "no attribute Smilling" in done.stderr and "Smiling" in done.stderr
    done = call(*told, "--show-attributes", "Smiling", "--no-attributes")
    assert (done.exit_code, "leave out --no-attributes" in done.stderr) == (2, True)
