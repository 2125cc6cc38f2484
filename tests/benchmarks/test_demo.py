"""What the demo counts and shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ana_factory import ANA
from click.testing import CliRunner

from benchmarks.demo_visits import frame_to_show, sentence, visitors, write_showpiece
from edge.cli.main import main as edge_recognize
from edge.files.image import read_picture
from trainer.drawn import DrawnPerson, Visit, write_video
from trainer.drawn.video import VideoTruth

ME, STRANGER = DrawnPerson.draw(ANA), DrawnPerson.draw(906)
VISITS = [Visit((ME,), 1.6), Visit((STRANGER, ME), 1.6)]


@pytest.fixture(scope="module")
def filmed(
    ana: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], VideoTruth, Path]:
    """The JSON lines of `edge-recognize` on a video of two visits, its truth, the annotated one."""
    folder = tmp_path_factory.mktemp("filmed")
    truth = write_video(folder / "visits.mkv", VISITS, seed=4)
    words = ["--source", folder / "visits.mkv", "--bundle", ana / "ana.edge", "--json", "-q"]
    words += ["--save", folder / "annotated.avi"]
    done = CliRunner().invoke(edge_recognize, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()], truth, folder / "annotated.avi"


def test_each_person_of_each_visit_is_counted_once(
    filmed: tuple[list[dict[str, Any]], VideoTruth, Path],
) -> None:
    results, truth, _ = filmed
    found = visitors(results, truth, VISITS, ANA)
    assert [(one.person, one.me) for one in found] == [(ANA, True), (906, False), (ANA, True)]
    assert all(one.faces > 5 for one in found)
    assert [one.matches > 0 for one in found] == [True, False, True]
    assert all(one.first_s is None or 0 <= one.first_s < 1.6 for one in found)
    assert sentence(found).startswith("me: 2 of 2 visits recognized, first after 0.")
    assert sentence(found).endswith("strangers: 0 of 1 (95 % bound 95 %)")


def test_an_acceptance_of_a_stranger_is_counted(
    filmed: tuple[list[dict[str, Any]], VideoTruth, Path],
) -> None:
    results, truth, _ = filmed
    taken = [visitors(results, truth, VISITS, 906)[place] for place in range(3)]
    assert "strangers: 2 of 2" in sentence(taken)
    assert sentence(taken).startswith("me: 0 of 1 visits recognized; ")


def test_the_picture_shows_a_match_a_stranger_and_attributes(
    filmed: tuple[list[dict[str, Any]], VideoTruth, Path], tmp_path: Path
) -> None:
    results, truth, annotated = filmed
    number = frame_to_show(results, truth, ANA)
    assert number is not None and number >= 24
    assert {face["decision"] for face in results[number]["faces"]} == {"match", "unknown"}
    assert write_showpiece(annotated, results[number], number, tmp_path / "shown.png")
    assert read_picture(tmp_path / "shown.png").shape == (720, 1290, 3)
    assert not write_showpiece(annotated, results[number], 10_000, tmp_path / "none.png")
    assert frame_to_show(results[:20], VideoTruth(15.0, (640, 480), truth.frames[:20]), ANA) is None
