"""Figures of peers, where they are known beforehand, and what a runner reads and writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.figures import figures_of
from benchmarks.peers.kinds import PEERS
from benchmarks.peers.pictures import Enrolment, Medium, PictureSet, picture_sets
from benchmarks.peers.table import PeerResult, markdown, picture

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


def test_the_table_says_who_was_skipped(tmp_path: Path) -> None:
    scores = np.array([[1, 0.9, 0.8, 0.2, 0.7, 0.1], [0.1, 0.2, 0.3, 1, 0.9, 0.8]])
    found = figures_of(a_set(), scores, np.arange(6), np.array([0.6, 0.6]))
    results = [
        PeerResult("ours", (found,), threshold="own", judge_ms=2.5, decode_ms=1.0, lines=4),
        PeerResult("another", skipped="no wheel for this machine"),
    ]
    text = markdown(results)
    assert "another: skipped, no wheel for this machine" in text
    assert "| ours | own | 2.5 | 3.5 | – | – | – | 4 |" in text
    assert "1 of 2 (95 % bound" in text
    picture(results, "drawn", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_what_a_user_writes_is_counted() -> None:
    lines = {kind.name: kind.lines for kind in PEERS}
    assert lines["haar_lbph"] < lines["yunet_mobilefacenet"]
    assert all(kind.runner.is_file() for kind in PEERS)


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
