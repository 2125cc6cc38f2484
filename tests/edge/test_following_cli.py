"""What follows faces, by the options of `edge-recognize`: votes, rate, budget, nothing at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from faked import (
    ADA,
    BEN,
    NOBODY,
    STRANGER,
    FakeRecognizer,
    install,
    picture,
    write_script,
    write_video,
)

from edge.bundle import locate
from edge.cli import run as recognize_cli
from edge.cli.main import main
from edge.recognition.result import FrameResult
from edge.sources.files import Frame, Source
from edge.tracking import budget
from edge.tracking.budget import BURST_S, Budget

FPS = 25


@pytest.fixture(autouse=True)
def fake_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recognizer of `faked` with the real tracker, put back afterwards."""
    monkeypatch.setattr(recognize_cli, "open_recognizer", recognize_cli.open_recognizer)
    monkeypatch.setattr(locate, "locate", locate.locate)
    install(track=True)


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-recognize")


def judged(*words: object) -> list[dict[str, Any]]:
    done = call(*words, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def people(lines: list[dict[str, Any]]) -> list[str | None]:
    """The name, or the state, of the one face of each frame."""
    return [line["faces"][0]["person"] or line["faces"][0]["decision"] for line in lines]


def detected(lines: list[dict[str, Any]]) -> list[int]:
    """Numbers of the frames in which the detector ran."""
    return [line["frame"] for line in lines if not any(f["predicted"] for f in line["faces"])]


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    return write_video(tmp_path / "ada.mkv", [ADA] * 75, fps=FPS)


@pytest.mark.parametrize(
    ("votes", "from_frame"), [((), 6), (("--votes", "2/3"), 3), (("--votes", "5/6"), 12)]
)
def test_so_many_looks_have_to_agree(ada: Path, votes: tuple[str, ...], from_frame: int) -> None:
    """A look is due every 0.1 s, which is each third frame."""
    found = judged("--source", ada, *votes)
    assert people(found) == ["uncertain"] * from_frame + ["Ada"] * (75 - from_frame)
    assert {face["track"] for line in found for face in line["faces"]} == {1}


def test_one_odd_look_among_few_votes_and_many(tmp_path: Path) -> None:
    """Looks come at frames 0, 3 and 6; then, once she is known, every second."""
    who = [ADA] * 30 + [STRANGER] * 3 + [ADA] * 30
    video = write_video(tmp_path / "odd.mkv", who, fps=FPS)
    assert people(judged("--source", video))[6:] == ["Ada"] * 57
    alone = people(judged("--source", video, "--no-track"))
    assert alone == ["Ada"] * 30 + ["unknown"] * 3 + ["Ada"] * 30


@pytest.mark.parametrize("votes", ["1/1", "1/2", "2/4", "6/5", "60/70"])
def test_votes_that_cannot_settle_anything(ada: Path, votes: str) -> None:
    done = call("--source", ada, "--votes", votes)
    assert done.exit_code == 2
    assert "cannot settle anything" in done.stderr


@pytest.mark.parametrize("words", [["--votes", "three"], ["--max-cpu", "0%"], ["--max-cpu", "x"]])
def test_words_that_say_nothing(ada: Path, words: list[str]) -> None:
    done = call("--source", ada, *words)
    assert done.exit_code == 2
    assert f"'{words[0]}'" in done.stderr


def test_votes_need_tracks(ada: Path, tmp_path: Path) -> None:
    done = call("--source", ada, "--votes", "3/5", "--no-track")
    assert done.exit_code == 2
    assert "leave out --no-track" in done.stderr
    (tmp_path / "photos").mkdir()
    done = call("--source", tmp_path / "photos", "--votes", "3/5")
    assert done.exit_code == 2
    assert "these are pictures" in done.stderr


def test_without_tracks_every_frame_stands_alone(tmp_path: Path) -> None:
    who = [ADA, BEN, STRANGER, NOBODY] * 10
    found = judged("--source", write_video(tmp_path / "v.mkv", who, fps=FPS), "--no-track")
    faces = [face for line in found for face in line["faces"]]
    assert [face["person"] for face in faces] == ["Ada", "Zoë B.", None] * 10
    assert {(face["track"], face["predicted"], face["look"]) for face in faces} == {
        (None, False, None)
    }
    assert {line["latency_ms"]["track"] for line in found} == {0}


def test_a_rate_limits_detections_and_not_frames(ada: Path) -> None:
    usual, sparing = judged("--source", ada), judged("--source", ada, "--fps", 2)
    assert len(usual) == len(sparing) == 75
    assert len(detected(usual)) >= 15
    assert detected(sparing) == [0, 13, 26, 39, 52, 65]
    assert people(sparing)[26:] == ["Ada"] * 49, "three looks, one each half second"


def test_a_rate_without_tracks_leaves_out_frames_of_cameras(tmp_path: Path, ada: Path) -> None:
    script = write_script(tmp_path, [["frames", 60], ["end"]], fps=50)
    times_s = [
        line["time_s"] for line in judged("--camera", f"fake:{script}", "--no-track", "--fps", 10)
    ]
    assert len(times_s) >= 2
    assert np.diff(times_s).min() >= 0.1 - 0.002
    done = call("--source", ada, "--no-track", "--fps", 10)
    assert done.exit_code == 2
    assert "leave out --no-track" in done.stderr
    done = call("--source", tmp_path / "shown.png", "--fps", 10)
    assert done.exit_code == 2
    assert "--fps" in done.stderr


class Machine:
    """A clock that moves with the camera's pictures, by work and by sleep, and a processor that
    only works in the detector; nothing of it is this computer's."""

    def __init__(self, cost_s: float) -> None:
        self.now_s = self.used_s = 0.0
        self.cost_s = cost_s
        self.detections = 0

    def budget(self, share: float) -> Budget:
        return Budget(share, clock=lambda: self.now_s, used=lambda: self.used_s, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def work(self) -> None:
        self.detections += 1
        self.used_s += self.cost_s
        self.now_s += self.cost_s


class Costly(FakeRecognizer):
    """A judge whose detector costs what the machine says."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine

    def recognize(self, image_bgr: np.ndarray) -> FrameResult:
        self._machine.work()
        return super().recognize(image_bgr)


class Clocked(Source):
    """A camera of 25 pictures a second on the machine's clock that gives the newest one, for so
    many seconds; `who` tells whom it sees at a time."""

    kind = "live"

    def __init__(self, machine: Machine, seconds: float, who: Callable[[float], int]) -> None:
        super().__init__("clocked")
        self._machine, self._seconds, self._who = machine, seconds, who
        self._number = -1

    def open(self) -> None:
        """Nothing to do."""

    def take(self, wait_s: float) -> Frame | None:
        number = max(self._number + 1, int(self._machine.now_s * FPS))
        if number >= self._seconds * FPS:
            self.ended = True
            return None
        self.skipped += number - self._number - 1
        self._number = number
        self._machine.now_s = max(self._machine.now_s, number / FPS)
        image = picture(self._who(number / FPS), number)
        return Frame(image, number, number / FPS, None, self.name)

    def close(self) -> None:
        """Nothing is held."""


def on_a_machine(
    monkeypatch: pytest.MonkeyPatch,
    cost_s: float,
    *words: object,
    seconds: float = 20.0,
    who: Callable[[float], int] = lambda time_s: ADA,
) -> tuple[Machine, list[dict[str, Any]]]:
    """What is seen through a camera where a detection costs so much."""
    machine = Machine(cost_s)
    source = Clocked(machine, seconds, who)
    monkeypatch.setattr(budget, "Budget", machine.budget)
    monkeypatch.setattr(recognize_cli, "open_recognizer", lambda *_: Costly(machine))
    monkeypatch.setattr(recognize_cli, "open_sources", lambda *_: [source])
    monkeypatch.setattr(
        "edge.sinks.base.QUEUE_FRAMES", 10_000
    )  # such a clock outruns what is printed
    return machine, judged("--camera", "0", "--rotate", "0", *words)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_the_more_a_detection_costs_the_fewer_there_are(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    counts = []
    for cost_s in (0.0, 0.1, 0.2, 0.4):
        machine, lines = on_a_machine(monkeypatch, cost_s, "--max-cpu", f"{100 * share:g}%")
        assert machine.used_s <= share * (20.0 + BURST_S) + cost_s
        assert people(lines)[-1] == "Ada", "she is recognized all the same"
        counts.append(machine.detections)
    assert counts == sorted(set(counts), reverse=True)
    assert counts[0] >= 90, "each 0.2 s where it costs nothing"


def test_what_a_budget_leaves_out_are_detections_before_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free, every = on_a_machine(monkeypatch, 0.04, "--max-cpu", "100%")
    spared, lines = on_a_machine(monkeypatch, 0.04, "--max-cpu", "10%")
    assert len(every) >= 0.9 * len(lines)
    assert spared.detections < free.detections / 1.5
    assert len(lines) >= 500 - 2 * spared.detections, "one or two come while it is at work"


def test_a_budget_finds_who_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    _, lines = on_a_machine(
        monkeypatch, 0.1, "--max-cpu", "20%", who=lambda time_s: ADA if time_s >= 10 else NOBODY
    )
    first = next(line["time_s"] for line in lines if line["faces"])
    named = next(line["time_s"] for line in lines if line["faces"] and people([line]) == ["Ada"])
    assert 10 <= first <= 10.6, "a detection of 0.1 s each half second"
    assert named <= first + 2.5


def test_without_tracks_a_budget_leaves_out_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, lines = on_a_machine(monkeypatch, 0.1, "--max-cpu", "20%", "--no-track")
    assert len(lines) == machine.detections <= (0.2 * (20 + BURST_S) + 0.1) / 0.1
    assert len(lines) >= 0.2 * 19 / 0.1


def test_a_budget_slows_files_and_leaves_nothing_out(
    monkeypatch: pytest.MonkeyPatch, ada: Path
) -> None:
    found = {}
    for share in ("10%", "1000%"):
        machine = Machine(0.1)
        monkeypatch.setattr(budget, "Budget", machine.budget)
        monkeypatch.setattr(recognize_cli, "open_recognizer", lambda *_, m=machine: Costly(m))
        found[share] = machine, judged("--source", ada, "--max-cpu", share)
    (slow, sparing), (fast, usual) = found["10%"], found["1000%"]
    assert slow.detections == fast.detections
    assert people(sparing) == people(usual)
    assert slow.used_s <= 0.1 * (slow.now_s + BURST_S) + 1e-3
    assert fast.now_s == pytest.approx(fast.used_s)
