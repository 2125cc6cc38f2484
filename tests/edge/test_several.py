"""Several cameras and sources at once: decided as alone, fair turns, and every sink knows which."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from faked import ADA, STRANGER, FakeRecognizer, install, picture, write_script, write_video

from edge.bundle import locate
from edge.cli import run as recognize_cli
from edge.cli.main import main
from edge.service.loop import Loop
from edge.service.service import Signals
from edge.service.stream import Stream, labels_of
from edge.sinks.base import FanOut, Judged, Sink
from edge.sinks.preview import Address, Preview
from edge.sinks.text import TextLines
from edge.sources.live import CaptureConfig, LiveSource
from edge.sources.scripted import FakeCamera, Step
from edge.tracking.budget import Budget, BudgetTurn
from edge.tracking.presence import Event


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-recognize")


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recognizer of `faked` with the real tracker, put back afterwards."""
    monkeypatch.setattr(recognize_cli, "open_recognizer", recognize_cli.open_recognizer)
    monkeypatch.setattr(locate, "locate", locate.locate)
    install(track=True)


class Recorder(Sink):
    """Keeps the labels of all results."""

    def __init__(self) -> None:
        self.got: list[Judged] = []

    def write(self, judged: Judged) -> None:
        self.got.append(judged)

    def frames(self) -> Counter[str]:
        return Counter(each.label for each in self.got if each.result.error is None)


def a_camera(name: str, fps: float, *steps: Step) -> LiveSource:
    config = CaptureConfig(stall_s=0.5, first_backoff_s=0.05, longest_backoff_s=0.1)
    shown = steps or (Step("frames", 1000),)
    return LiveSource(FakeCamera([picture(ADA)], shown, fps=fps, name=name), config)


def ran(sources: list[LiveSource], recognizer: FakeRecognizer, seconds: float) -> Recorder:
    """What the sources gave in so long."""
    sink, signals = Recorder(), Signals()
    labels = labels_of([source.name for source in sources])
    streams = [Stream(source, label=label) for source, label in zip(sources, labels, strict=True)]
    ends_at_s = time.monotonic() + seconds

    class Clock(FakeRecognizer):
        heads: tuple[object, ...] = ()

        def recognize(self, image_bgr: Any) -> Any:
            if time.monotonic() >= ends_at_s:
                signals.stop()
            return recognizer.recognize(image_bgr)

    for source in sources:
        source.open()
    try:
        with FanOut([sink]) as fan:
            Loop(streams, Clock(), fan, signals=signals).run()
    finally:
        for source in sources:
            source.close()
    return sink


def test_labels() -> None:
    assert labels_of(["/dev/video0"]) == ("",)
    names = ["/dev/video0", "rtsp://10.0.0.7:554/live", "a/clip.mkv", "b/clip.mkv", "csi"]
    assert labels_of(names) == ("video0", "10.0.0.7:554", "clip.mkv-1", "clip.mkv-2", "csi")
    assert labels_of(["rtsp://***@door/live", "photos/"]) == ("door", "photos")


def test_two_videos_are_decided_as_alone(ana: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(ana / "clip.mkv", tmp_path / "other.mkv"))
    told = ["--bundle", ana / "ana.edge", "--json", "-q", "--no-attributes"]

    def decided(*sources: Path) -> dict[str, list[Any]]:
        words = [word for source in sources for word in ("--source", source)]
        done = call(*told, *words)
        assert done.exit_code == 0, done.output
        found: dict[str, list[Any]] = {}
        for line in map(json.loads, done.stdout.splitlines()):
            del line["latency_ms"]
            for face in line["faces"]:
                del face["track"]
            found.setdefault(line.pop("source"), []).append(line)
        return found

    together = decided(ana / "clip.mkv", other)
    assert together[str(other)] == together[str(ana / "clip.mkv")]
    assert together[str(other)] == decided(other)[str(other)]


def test_turns_are_fair_where_the_recognizer_is_slow() -> None:
    sink = ran([a_camera("one", 100), a_camera("two", 100)], FakeRecognizer(0.02), 1.0)
    counts = sink.frames()
    assert counts["one"] + counts["two"] > 10
    assert abs(counts["one"] - counts["two"]) <= 2
    order = [each.label for each in sink.got]
    assert all(len(set(order[at : at + 3])) == 2 for at in range(len(order) - 3))


def test_a_slow_camera_is_not_starved_by_a_fast_one() -> None:
    fast, slow = a_camera("fast", 200), a_camera("slow", 10)
    counts = ran([fast, slow], FakeRecognizer(0.02), 1.5).frames()
    assert counts["slow"] >= slow.captured - 2 >= 5
    assert slow.skipped <= 1
    assert counts["fast"] > counts["slow"]


def test_a_lost_camera_does_not_stop_the_others() -> None:
    gone = a_camera("gone", 50, Step("frames", 5), Step("vanish", seconds=60))
    there = a_camera("there", 50)
    sink = ran([gone, there], FakeRecognizer(), 1.0)
    assert sink.frames()["there"] > 20
    lost = [each for each in sink.got if each.result.error]
    assert [each.label for each in lost] == ["gone"]


def test_the_budget_goes_to_who_has_waited_longest() -> None:
    """Two cameras whose pictures come in lockstep: the first to ask does not get everything."""
    now = [0.0]
    spent = [0.0]
    budget = Budget(0.1, clock=lambda: now[0], used=lambda: spent[0], sleep=lambda s: None)
    budget.spent("detect", 0.1)
    turns: list[BudgetTurn] = []
    one, two = BudgetTurn(budget, turns), BudgetTurn(budget, turns)
    granted: Counter[str] = Counter()
    for _ in range(2000):
        now[0] += 0.05
        for name, turn in (("one", one), ("two", two)):
            if turn.affords("detect"):
                granted[name] += 1
                spent[0] += 0.1
    assert granted["one"] + granted["two"] >= 95
    assert abs(granted["one"] - granted["two"]) <= 1
    now[0] += 10.0
    assert one.affords("detect"), "who has stopped asking is not waited for"


def test_text_and_summary_say_which(faked: None, tmp_path: Path) -> None:
    door = write_video(tmp_path / "door.mkv", [ADA] * 30)
    hall = write_video(tmp_path / "hall.mkv", [STRANGER] * 30)
    done = call("--source", door, "--source", hall)
    assert done.exit_code == 0, done.output
    told = done.stdout.splitlines()
    assert [line[11:] for line in told[:2]] == [
        "door.mkv: Ada arrived, score 0.91 (threshold 0.60)",
        "hall.mkv: somebody unknown arrived, score 0.20 (threshold 0.60)",
    ]
    assert [line.partition(";")[0] for line in told[2:]] == [
        "door.mkv: 30 frames, 30 faces, Ada in 24",
        "hall.mkv: 30 frames, 30 faces, nobody recognized",
        "60 frames, 60 faces, Ada in 24",
    ]


def test_tracks_of_several_sources_have_numbers_of_their_own(faked: None, tmp_path: Path) -> None:
    clips = [write_video(tmp_path / f"{name}.mkv", [ADA] * 9) for name in "ab"]
    done = call("--source", clips[0], "--source", clips[1], "--json", "-q")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    tracks = {line["source"]: {face["track"] for face in line["faces"]} for line in lines}
    assert sorted(number for numbers in tracks.values() for number in numbers) == [1, 2]


def test_two_cameras_by_the_command(faked: None, tmp_path: Path) -> None:
    scripts = []
    for name, who in (("one", ADA), ("two", STRANGER)):
        (tmp_path / name).mkdir()
        scripts.append(write_script(tmp_path / name, [["frames", 1000]], who=who))
    words = [word for script in scripts for word in ("--camera", f"fake:{script}")]
    done = call(*words, "--json", "--frames", 40, "--max-cpu", "90%")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    counts = Counter(line["source"] for line in lines)
    assert sorted(counts) == sorted(f"fake:{script}" for script in scripts)
    assert min(counts.values()) >= 12


def arrival(label: str, person: str | None = "Ada") -> Judged:
    found = FakeRecognizer().recognize(picture(ADA))
    event = Event("arrived", person, 1.0, label, 0.91, 0.6)
    return Judged(picture(ADA), found, (event,), label=label)


def test_text_prefixes_the_label() -> None:
    stream = io.StringIO()
    TextLines(stream).write(arrival("door"))
    assert "  door: Ada arrived" in stream.getvalue()


def test_the_preview_shows_each() -> None:
    with Preview(Address("127.0.0.1", 0), ["door", "hall"]) as preview:
        assert preview.begin_watching("hall") == 0
        for label in ("door", "hall", "hall"):
            preview.write(arrival(label))
        state = preview.state()
        assert [(one["label"], one["frames"]) for one in state["sources"]] == [
            ("door", 1),
            ("hall", 2),
        ]
        assert len(state["events"]) == 3
        found = preview.next_jpeg(0, label="hall")
        assert found is not None and found[0][:2] == b"\xff\xd8"
        preview.end_watching()
