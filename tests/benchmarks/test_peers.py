"""Figures of peers, where they are known beforehand, and what a runner reads and writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.peers.environment import Environment, run
from benchmarks.peers.figures import figures_of
from benchmarks.peers.kinds import AS_DEVICE, EVERY_FRAME, PEERS
from benchmarks.peers.pictures import Enrolment, Medium, PictureSet, picture_sets
from benchmarks.peers.table import PeerResult, tables
from benchmarks.scaling.recorded import draw
from edge.errors import ToolkitError

ROOT = Path(__file__).resolve().parents[2]

NAN = float("nan")


def a_set() -> PictureSet:
    """Two people with three pictures each; the first of each enrols."""
    media = tuple(Medium(Path(f"{who}{k}.jpg"), who, f"{who}{k}") for who in "ab" for k in range(3))
    return PictureSet("drawn", False, media, (Enrolment("a", (0,)), Enrolment("b", (3,))))


def test_figures_count_frames_without_a_face_as_not_accepted() -> None:
    scores = np.array([[1, 0.9, NAN, 0.2, 0.7, 0.1], [0.1, 0.2, 0.3, 1, 0.9, 0.8]])
    found = figures_of(a_set(), scores, np.arange(6), np.array([0.6, 0.6]))
    assert found.frames == (4, 6)
    assert found.tar == pytest.approx((0.5 + 1.0) / 2)  # of a's two, one shows no face
    assert found.far == pytest.approx((1 / 3 + 0.0) / 2)
    assert (found.pairs.events, found.pairs.trials) == (1, 2)
    assert (found.people.events, found.people.trials) == (1, 2)
    # a stranger reaches 0.7 before a: where he is shut out, 0.9 and 0.9 pass and 0.8 does too
    assert found.tar_at_none == pytest.approx((0.5 + 1.0) / 2)


def test_the_threshold_without_strangers_may_cost_the_person() -> None:
    scores = np.array([[1, 0.9, 0.65, 0.2, 0.7, 0.1], [0.1, 0.2, 0.3, 1, 0.9, 0.8]])
    found = figures_of(a_set(), scores, np.arange(6), np.array([0.6, 0.6]))
    assert (found.tar, found.tar_at_none) == (1.0, 0.75)


def test_a_refused_enrolment_is_counted_and_left_out() -> None:
    scores = np.array([[NAN] * 6, [0.1, 0.2, 0.3, 1, 0.9, 0.8]])
    found = figures_of(a_set(), scores, np.arange(6), np.array([NAN, 0.6]))
    assert (found.enrolments, found.refused, found.tar) == (1, 1, 1.0)


def test_who_enrols_is_not_judged(tmp_path: Path) -> None:
    for who in ("p1-s1", "p1-s2", "p2-s1"):
        folder = tmp_path / "data" / "one-camera" / "nuaa" / who
        folder.mkdir(parents=True)
        for k in range(3):
            (folder / f"{k}.jpg").touch()
    sets = {one.name: one for one in picture_sets(tmp_path, frozenset())}
    days = sets["office webcam, other days"]
    first = days.enrolments[0]
    assert {days.media[k].sitting for k in first.media} == {"p1-s1"}
    found = figures_of(days, np.ones((2, 9)), np.arange(9), np.full(2, 0.5))
    assert found.enrolments == 1  # p2 has no other day
    assert found.frames == (3, 3)
    assert not sets["people"].media


def a_result(title: str, judge_ms: float | None = None) -> PeerResult:
    scores = np.array([[1, 0.9, 0.8, 0.2, 0.7, 0.1], [0.1, 0.2, 0.3, 1, 0.9, 0.8]])
    found = figures_of(a_set(), scores, np.arange(6), np.array([0.6, 0.6]))
    return PeerResult(title, (found,), threshold="own", judge_ms=judge_ms, decode_ms=1.0, lines=4)


def test_the_tables_say_who_was_skipped(tmp_path: Path) -> None:
    none = PeerResult("another", skipped="no wheel for this machine")
    accepted, cost = tables([a_result("ours", 2.5), none], "python -m x", "2026-11-27", "0123")
    assert accepted.notes == ("another: skipped, no wheel for this machine",)
    assert "1 of 2 (95 % bound" in accepted.rows[0][3]
    assert cost.rows == (("ours", "own", "2.5", "3.5", "–", "–", "–", "4"),)
    assert accepted.plot is not None
    (series,) = accepted.plot.series
    assert series.points == ((2.5, 16.67),)  # one of three strangers' frames, and none
    (drawn,) = draw([accepted, cost], tmp_path)
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_what_the_device_runs_is_drawn_where_each_frame_alone_stands() -> None:
    device = PeerResult(AS_DEVICE, threshold="own", judge_ms=1.5)
    accepted, _ = tables([a_result(EVERY_FRAME, 2.5), device], "python -m x", "2026-11-27", "0123")
    assert accepted.plot is not None
    assert [one.points for one in accepted.plot.series] == [((2.5, 16.67),), ((1.5, 16.67),)]


def test_a_set_that_is_measured_again_replaces_its_row() -> None:
    earlier = PeerResult.of_json(json.loads(json.dumps(a_result("x", 2.5).to_json())))
    assert earlier == a_result("x", 2.5)
    again = replace(a_result("x"), sets=(replace(earlier.sets[0], tar=0.5),))
    both = again.beside(replace(earlier, sets=(replace(earlier.sets[0], set_name="more"),)))
    assert [one.set_name for one in both.sets] == ["more", "drawn"]
    assert both.judge_ms == 2.5
    (only,) = again.beside(earlier).sets
    assert only.tar == 0.5
    failed = PeerResult("x", skipped="room: no such model").beside(earlier)
    assert (failed.sets, failed.skipped) == (earlier.sets, "room: no such model")


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc here")
def test_the_memory_of_whoever_starts_a_runner_is_not_counted() -> None:
    held = np.ones(200_000_000, np.uint8)
    code = "from benchmarks.peers.runners.protocol import peak_mib; print(peak_mib())"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    assert 5 < float(done.stdout) < held.nbytes / 2**20


RUNNER = """
const { run } = require(PROTOCOL);
const look = ({ pixels }) => (pixels[0] ? [[pixels[0], pixels[2]]] : []);
run(look, (face, known) => -Math.min(...known.map((one) => Math.abs(one[0] - face[0]))));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")
def test_a_runner_in_javascript_is_sent_all_frames(tmp_path: Path) -> None:
    """Of any size, also larger than what a pipe holds; RGB; a frame without a face has no score."""
    levels = (0, 40, 50, 250)
    media = []
    for number, level in enumerate(levels):
        image = np.zeros((200 + number, 300, 3), np.uint8)
        image[0, 0] = (7, 8, level)
        media.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(media[-1]), image)
    runner = tmp_path / "runner.js"
    protocol = ROOT / "benchmarks" / "peers" / "runners" / "protocol.js"
    runner.write_text(RUNNER.replace("PROTOCOL", json.dumps(str(protocol))))
    node = Environment(Path(str(shutil.which("node"))), tmp_path, node=True)
    ran = run(node, runner, media, [[1], [0]], {}, tmp_path / "out")
    assert ran.media.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(ran.scores[0], [NAN, 0, -10, -210])
    assert np.isnan(ran.scores[1]).all()
    assert ran.facts["clip_frames"] == 0
    runner.write_text("throw new Error('no such model');")
    with pytest.raises(ToolkitError, match="no such model"):
        run(node, runner, media, [[1]], {}, tmp_path / "out")


def test_what_a_user_writes_is_counted() -> None:
    lines = {kind.name: kind.lines for kind in PEERS}
    assert lines["haar_lbph"] < lines["yunet_mobilefacenet"]
    assert all(kind.runner.is_file() for kind in PEERS)
    assert all(kind.lines > 2 for kind in PEERS)


def test_our_runner_on_a_clip(ana: Path, tmp_path: Path) -> None:
    """In a process of its own, as every peer: matched in most frames of her clip."""
    task = tmp_path / "task.json"
    head = next((ana / "runs" / "ana" / "heads").iterdir())
    said = {
        "media": [str(ana / "clip.mkv")], "enrolments": [[0]], "options": {"head": str(head)},
    }  # fmt: skip
    task.write_text(json.dumps(said))
    runner = ROOT / "benchmarks" / "peers" / "runners" / "ours_device_peer.py"
    code = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    words = [sys.executable, "-c", code, str(runner), str(task), str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out" / "scores.npz") as arrays:
        matched = arrays["scores"][0]
    facts = json.loads((tmp_path / "out" / "facts.json").read_text())
    assert facts["clip_frames"] == len(matched) > 20
    assert matched.mean() > 0.5
    assert facts["judge_ms"] > 0
