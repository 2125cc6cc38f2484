"""Sinks and the fan-out before them: order, losses, failures, and what each one writes."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from faked import ADA, BEN, BLURRED, NOBODY, STRANGER, picture, result, write_video

from edge.errors import InputError, RefusedError, SinkError, SourceError, UsageError
from edge.people.event_pictures import event_pictures, kept_faces, pictures_of
from edge.sinks import files as saving
from edge.sinks import window
from edge.sinks.base import QUEUE_EVENTS, QUEUE_FRAMES, FanOut, Judged, Sink
from edge.sinks.command import MatchCommand
from edge.sinks.event_pictures import EventPictures
from edge.sinks.files import FolderSaver, PictureSaver, VideoSaver, saver_for
from edge.sinks.jsonlines import JsonLines
from edge.sinks.text import TextLines, describe
from edge.sinks.webhook import Webhook, WebhookConfig
from edge.sources.files import file_source
from edge.tracking.presence import Event, Presence, PresenceConfig

ARRIVAL = Event("arrived", "Ada", 1.0, "camera", 0.91, 0.6)


def judged(*who: int, frame: int = 0, events: tuple[Event, ...] = (), **changes: object) -> Judged:
    first = who[0] if who else NOBODY
    return Judged(picture(first, frame), result(*who, frame=frame, **changes), events)


class Recorder(Sink):
    """Remembers what it gets; may be slow, or fail."""

    def __init__(self, delay_s: float = 0.0, fails_at: int = -1, **traits: object) -> None:
        self.got: list[Judged] = []
        self.closed: list[type[BaseException] | None] = []
        self.delay_s, self.fails_at = delay_s, fails_at
        self.threads: set[str] = set()
        self.__dict__.update(traits)

    def write(self, judged: Judged) -> None:
        time.sleep(self.delay_s)
        self.threads.add(threading.current_thread().name)
        if len(self.got) == self.fails_at:
            self.got.append(judged)
            raise BrokenPipeError("gone")
        self.got.append(judged)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.closed.append(kind)


def numbers(sink: Recorder) -> list[int]:
    return [each.result.frame for each in sink.got]


def test_each_sink_gets_everything_in_order() -> None:
    one, other = Recorder(name="one"), Recorder(name="other", wants_images=True)
    with FanOut([one, other]) as fan:
        for frame in range(QUEUE_FRAMES):
            fan.put(judged(ADA, frame=frame))
    assert numbers(one) == numbers(other) == list(range(QUEUE_FRAMES))
    assert one.got[0].image_bgr is None, "no picture waits for a sink that needs none"
    assert other.got[0].image_bgr is not None
    assert one.threads == {"sink one"}
    assert one.closed == other.closed == [None]
    assert fan.dropped == {"one": 0, "other": 0}


def test_a_slow_sink_slows_nobody_and_its_losses_are_counted() -> None:
    slow, quick = Recorder(0.1, name="slow"), Recorder(name="quick")
    with FanOut([slow, quick]) as fan:
        for frame in range(40):
            fan.put(judged(ADA, frame=frame))
            while len(quick.got) <= frame:
                time.sleep(0.0005)
        written = len(slow.got)
    assert written < 30, "nobody waited for it"
    assert numbers(quick) == list(range(40))
    assert fan.dropped["slow"] == 40 - len(slow.got) > 0
    assert numbers(slow)[-1] == 39, "the oldest are dropped, not the newest"


def test_files_wait_for_what_is_essential_alone() -> None:
    essential = Recorder(0.005, name="essential", essential=True)
    optional = Recorder(0.05, name="optional")
    with FanOut([essential, optional], lossless=True) as fan:
        for frame in range(40):
            fan.put(judged(ADA, frame=frame))
    assert numbers(essential) == list(range(40))
    assert fan.dropped["essential"] == 0
    assert fan.dropped["optional"] > 0


def test_events_alone_wait_longer() -> None:
    sink = Recorder(0.0, name="events", only_events=True)
    with FanOut([sink]) as fan:
        for frame in range(30):
            fan.put(judged(ADA, frame=frame, events=(ARRIVAL,) if frame % 10 == 0 else ()))
    assert numbers(sink) == [0, 10, 20]
    assert QUEUE_EVENTS > QUEUE_FRAMES


def test_a_failing_sink_is_counted_and_goes_on() -> None:
    sink, other = Recorder(name="bad", fails_at=2), Recorder(name="good")
    with FanOut([sink, other]) as fan:
        for frame in range(6):
            fan.put(judged(ADA, frame=frame))
    assert len(sink.got) == len(other.got) == 6
    assert fan.failed == {"bad": 1, "good": 0}


def test_an_essential_sink_that_fails_ends_the_run() -> None:
    bad, other = Recorder(name="bad", fails_at=0, essential=True), Recorder(name="other")

    def run() -> None:
        with FanOut([bad, other], lossless=True) as fan:
            for frame in range(1000):
                fan.put(judged(ADA, frame=frame))
                time.sleep(0.001)

    with pytest.raises(BrokenPipeError):
        run()
    assert bad.closed == [BrokenPipeError]
    assert other.closed == [None], "a reader that has left spoils nothing else"


def test_an_error_of_the_run_reaches_the_sinks() -> None:
    sink = Recorder()
    with pytest.raises(ZeroDivisionError), FanOut([sink]):
        raise ZeroDivisionError
    assert sink.closed == [ZeroDivisionError]


def test_a_sink_that_cannot_be_opened_closes_the_others() -> None:
    class Closed(Recorder):
        def __enter__(self) -> Sink:
            raise UsageError("no")

    sink = Recorder()
    with pytest.raises(UsageError), FanOut([sink, Closed()]):
        pass
    assert sink.closed == [UsageError]


def test_a_hanging_sink_does_not_keep_a_stopping_program() -> None:
    sinks = [Recorder(12.0, name=f"hang {n}", essential=True) for n in range(3)]
    fan = FanOut(sinks, lossless=True, hurried=lambda: True)
    started_s = time.monotonic()
    with fan:
        for frame in range(3):
            fan.put(judged(ADA, frame=frame))
    assert time.monotonic() - started_s < 10, "less than one of them takes to write"
    assert fan.dropped == {f"hang {n}": 2 for n in range(3)}


def test_a_full_queue_does_not_keep_a_stopping_program() -> None:
    stopping = threading.Event()
    threading.Timer(0.2, stopping.set).start()
    sink = Recorder(6.0, essential=True)
    started_s = time.monotonic()
    with FanOut([sink], lossless=True, hurried=stopping.is_set) as fan:
        while not stopping.is_set():
            fan.put(judged(ADA))
    assert time.monotonic() - started_s < 15, "what is queued would take 48 s"


def test_an_inline_sink_is_called_at_once() -> None:
    sink = Recorder(inline=True)
    with FanOut([sink]) as fan:
        fan.put(judged(ADA))
        assert len(sink.got) == 1
    assert sink.threads == {"MainThread"}


def run_presence(steps: list[tuple[float, tuple[int, ...]]], **config: object) -> list[str]:
    presence = Presence(PresenceConfig(**config), alone=False)  # type: ignore[arg-type]
    said = []
    for time_s, who in steps:
        for event in presence.update(result(*who, time_s=time_s)):
            said.append(f"{time_s:g} {event.person or 'unknown'} {event.kind}")
    return said


def test_who_comes_and_goes() -> None:
    steps: list[tuple[float, tuple[int, ...]]] = [
        (0.0, ()),
        (0.1, (ADA,)),
        (0.2, (ADA,)),
        (0.3, ()),
        (1.0, (ADA, STRANGER)),
        (1.1, (ADA, STRANGER, BLURRED)),
        (1.2, (STRANGER,)),
        (3.2, (STRANGER,)),
        (5.1, ()),
        (5.3, ()),
    ]
    assert run_presence(steps) == [
        "0.2 Ada arrived",
        "1.1 unknown arrived",
        "3.2 Ada left",
        "5.3 unknown left",
    ]


def test_a_face_of_one_frame_is_nobody() -> None:
    assert run_presence([(n / 10, (ADA,) if n % 2 else ()) for n in range(20)]) == []
    steps = [(n / 10, (ADA,) if n % 2 else ()) for n in range(20)]
    assert run_presence(steps, arrive_frames=1) == ["0.1 Ada arrived"]


def test_how_long_somebody_was_there() -> None:
    presence = Presence()
    for time_s in (1.0, 1.5, 2.0):
        presence.update(result(ADA, time_s=time_s))
    assert presence.people == ("Ada",)
    (event,) = presence.update(result(time_s=9.0))
    assert (event.kind, event.seen_s) == ("left", 1.0)
    assert presence.people == ()


def test_events_name_the_track_seen_last() -> None:
    presence = Presence()
    events = []
    for time_s, track in ((1.0, 4), (1.5, 4), (2.0, 5), (9.0, None)):
        seen = result(*([] if track is None else [ADA]), time_s=time_s)
        faces = tuple(replace(face, track=track) for face in seen.faces)
        events += presence.update(replace(seen, faces=faces))
    assert [(event.kind, event.track) for event in events] == [("arrived", 4), ("left", 5)]
    assert [event.to_json()["track"] for event in events] == [4, 5]


def test_pictures_stand_alone() -> None:
    presence = Presence(alone=True)
    assert [e.person for e in presence.update(result(ADA, BEN))] == ["Ada", "Zoë B."]
    assert [e.person for e in presence.update(result(ADA))] == ["Ada"], "again, it is another one"
    assert presence.update(result()) == ()


def test_json_lines() -> None:
    stream = io.StringIO()
    sink = JsonLines(stream)
    sink.write(judged(ADA, frame=3, time_s=0.12345678, frame_age_ms=12.34))
    sink.write(judged(error="unreadable"))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert list(first) == [
        *("schema", "source", "frame", "time_s", "frame_age_ms", "error", "faces", "latency_ms")
    ]
    assert (first["schema"], first["frame"], first["time_s"]) == (1, 3, 0.1235)
    assert (first["frame_age_ms"], first["error"]) == (12.3, None)
    assert first["latency_ms"] == {
        "detect": 1,
        "align": 2,
        "embed": 3,
        "decide": 4,
        "track": 0,
        "total": 10,
    }
    (face,) = first["faces"]
    assert (face["decision"], face["person"], face["track"]) == ("match", "Ada", None)
    assert (second["error"], second["faces"]) == ("unreadable", [])


def lines_of(results: list[Judged], *, alone: bool) -> list[str]:
    stream = io.StringIO()
    sink = TextLines(stream, alone=alone)
    for each in results:
        sink.write(each)
    return stream.getvalue().splitlines()


def test_text_speaks_when_something_changes() -> None:
    left = Event("left", None, 3725.2, "camera", seen_s=2.5)
    said = lines_of(
        [judged(ADA), judged(ADA, events=(ARRIVAL,)), judged(events=(left,)), judged(error="lost")],
        alone=False,
    )
    assert said == [
        "  00:01.0  Ada arrived, score 0.91 (threshold 0.60)",
        "1:02:05.2  somebody unknown left, seen for 2.5 s",
        "  00:00.0  lost",
    ]


def test_text_says_a_line_for_each_picture() -> None:
    results = [judged(ADA, STRANGER, STRANGER, BLURRED), judged(), judged(error="unreadable")]
    assert lines_of(results, alone=True) == [
        "camera  Ada (0.91), 2 unknown, too blurred",
        "camera  no face",
        "camera  unreadable",
    ]
    assert describe(result(STRANGER)) == "unknown"


def test_a_saved_picture_is_annotated(tmp_path: Path) -> None:
    with PictureSaver(tmp_path / "out.png") as sink:
        sink.write(judged(ADA))
    saved = cv2.imread(str(tmp_path / "out.png"))
    assert saved.shape == (120, 160, 3)
    assert not np.array_equal(saved, picture(ADA))
    assert list(tmp_path.iterdir()) == [tmp_path / "out.png"]


def test_a_saved_folder_keeps_names(tmp_path: Path) -> None:
    source = tmp_path / "in"
    with FolderSaver(tmp_path / "out", source) as sink:
        for name in ("a.png", "deep/b.jpg"):
            each = result(ADA)
            each = type(each)(str(source / name), 0, 0.0, each.faces, each.latency)
            sink.write(Judged(picture(ADA), each))
        assert not (tmp_path / "out").exists(), "it appears when it is whole"
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"out/a.png", "out/deep/b.jpg"}


def frames_of(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    found, image = capture.read()
    while found:
        frames.append(image)
        found, image = capture.read()
    return frames


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mp4", ".webm"])
def test_a_saved_video_has_every_frame(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    results = [judged(ADA, frame=frame, time_s=frame / 10) for frame in range(7)]
    with VideoSaver(target, 10.0, live=False) as sink:
        for each in results:
            sink.write(each)
    frames = frames_of(target)
    assert len(frames) == 7
    if suffix == ".mkv":
        assert all(
            np.array_equal(frame, each.annotated_bgr)
            for frame, each in zip(frames, results, strict=True)
        ), "FFV1 loses nothing"
    assert list(tmp_path.iterdir()) == [target]


def test_a_live_video_runs_at_the_speed_of_the_world(tmp_path: Path) -> None:
    target = tmp_path / "out.avi"
    times_s = [0.0, 0.01, 0.5, 1.0, 100.0, 100.5]
    with VideoSaver(target, 30.0, live=True) as sink:
        for time_s in times_s:
            sink.write(judged(ADA, time_s=time_s))
    seconds = 1.0 + saving.LONGEST_GAP_S + 0.5
    assert len(frames_of(target)) == pytest.approx(seconds * saving.LIVE_FPS, abs=1.1)


def test_a_camera_that_changes_its_size_is_still_saved(tmp_path: Path) -> None:
    with VideoSaver(tmp_path / "out.avi", 10.0, live=False) as sink:
        sink.write(judged(ADA))
        sink.write(Judged(picture(ADA, 0, (320, 240)), result(ADA)))
    assert [frame.shape for frame in frames_of(tmp_path / "out.avi")] == [(120, 160, 3)] * 2


def test_a_failed_run_leaves_no_video(tmp_path: Path) -> None:
    def run() -> None:
        with VideoSaver(tmp_path / "out.avi", 10.0, live=False) as sink:
            sink.write(judged(ADA))
            raise InputError("no")

    with pytest.raises(InputError, match=r"^no$"):
        run()
    assert list(tmp_path.iterdir()) == []


def test_a_video_of_nothing_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="nothing was saved"),
        VideoSaver(tmp_path / "out.avi", 10.0, live=False),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_a_video_and_keeps_it(tmp_path: Path) -> None:
    target = tmp_path / "out.avi"
    sink = VideoSaver(target, 10.0, live=False)

    def run() -> None:
        with FanOut([sink], lossless=True) as fan:
            for frame in range(saving._SPACE_EVERY + 20):
                if frame == 50:
                    sink._spare_bytes = 10**18
                fan.put(judged(ADA, frame=frame))

    with pytest.raises(RefusedError, match="ends here: the disk"):
        run()
    assert len(frames_of(target)) > 20


def test_doubled_frames_do_not_jump_over_the_disk_check(tmp_path: Path) -> None:
    """A slow camera: each picture is written several times, and never at a round number."""
    sink = VideoSaver(tmp_path / "out.avi", None, live=True)
    checks = []
    sink._check_space = lambda: checks.append(sink.written)  # type: ignore[method-assign]
    with sink:
        for frame in range(60):
            sink.write(judged(ADA, frame=frame, time_s=frame * 0.47))
    assert sink.written > 400
    assert len(checks) >= sink.written // (saving._SPACE_EVERY + 10)


def test_a_slow_encoder_keeps_its_video_when_it_is_stopped(tmp_path: Path) -> None:
    class Slow(VideoSaver):
        def write(self, judged: Judged) -> None:
            super().write(judged)
            time.sleep(0.4)

    hurried = threading.Event()
    target = tmp_path / "out.avi"
    with FanOut([Slow(target, 10.0, live=False)], lossless=True, hurried=hurried.is_set) as fan:
        for frame in range(7):
            fan.put(judged(ADA, frame=frame))
        hurried.set()
    kept = len(frames_of(target))
    assert 2 <= kept < 7
    assert kept + fan.dropped["--save"] == 7


def test_a_video_that_is_lost_when_it_is_stopped_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.sinks.base.LAST_WRITE_S", 0.1)
    go_on = threading.Event()

    class Stuck(VideoSaver):
        def write(self, judged: Judged) -> None:
            super().write(judged)
            go_on.wait(20)

    with (
        pytest.raises(SinkError, match="what was being written is lost"),
        FanOut([Stuck(tmp_path / "out.avi", 10.0, live=False)], hurried=lambda: True) as fan,
    ):
        fan.put(judged(ADA))
    go_on.set()


def test_what_cannot_be_saved_so(tmp_path: Path) -> None:
    video = file_source(write_video(tmp_path / "in.mkv", [ADA] * 2))
    cv2.imwrite(str(tmp_path / "one.png"), picture(ADA))
    one = file_source(tmp_path / "one.png")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x.png").write_bytes((tmp_path / "one.png").read_bytes())
    folder = file_source(tmp_path / "full")
    refused = [
        (video, "in.mkv", "would overwrite the source"),
        (video, "out.png", "cannot hold a video"),
        (video, "out", "cannot hold a video"),
        (video, "full", "is a folder"),
        (one, "one.png", "would overwrite"),
        (one, "out.mkv", "cannot hold a picture"),
        (folder, "full", "overwrite|not empty"),
        (folder, "one.png", "is a file"),
        (folder, "full/inside", "lies in the folder"),
    ]
    with pytest.raises(SourceError, match=r"x\\xe9.mkv is not UTF-8"):
        saver_for(tmp_path / os.fsdecode(b"x\xe9.mkv"), video)  # OpenCV would end the process
    for source, name, words in refused:
        with pytest.raises(UsageError, match=words):
            saver_for(tmp_path / name, source)
    assert isinstance(saver_for(tmp_path / "new", folder), FolderSaver)


def test_the_last_events_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    (tmp_path / "events").mkdir()
    (folder / "mine.jpg").write_text("not ours")
    with EventPictures(folder, 3) as sink:
        for second in range(5):
            event = Event("arrived", "Zoë B.", 1.0, "x", at=f"2026-01-02T03:04:0{second}.000+00:00")
            sink.write(judged(ADA, events=(event,)))
        sink.write(judged(events=(Event("left", "Zoë B.", 1.0, "x"),)))
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        *(
            f"event-0000000{second}-20260102T03040{second}.000-zoe_b{end}"
            for second in (2, 3, 4)
            for end in (".jpg", "=Ada.face.png")
        ),
        "mine.jpg",
    ]
    assert cv2.imread(str(folder / names[0])).shape == (120, 160, 3)
    assert stat.S_IMODE((folder / names[0]).stat().st_mode) == 0o600


def test_events_go_by_their_number_where_the_clock_is_behind(tmp_path: Path) -> None:
    """A Raspberry Pi without a network starts in the past; names of 0.1.0 have no number."""
    old = "event-20260301T000000.000-ada"
    (tmp_path / f"{old}.jpg").write_bytes(b"")
    (tmp_path / f"{old}=Ada.face.png").write_bytes(b"")
    with EventPictures(tmp_path, 2) as sink:
        for year in (2026, 1970, 1971):
            at = f"{year}-06-02T03:04:05.000+00:00"
            sink.write(judged(ADA, events=(Event("arrived", "Ada", 1.0, "x", at=at),)))
            newest = max(event_pictures(tmp_path), key=lambda path: path.stat().st_mtime_ns)
            assert f"{year}0602" in newest.name, "the newest is never the one that goes"
    assert [path.name[15:19] for path in event_pictures(tmp_path)] == ["1970", "1971"]
    assert [face.path.name[15:19] for face in kept_faces(tmp_path, "Ada")] == ["1970", "1971"]
    assert len(pictures_of(tmp_path, "Ada")) == 4


def test_a_command_gets_words_not_a_shell(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    code = "import json,os,sys; json.dump([sys.argv[2:], dict(os.environ)], open(sys.argv[1],'w'))"
    nasty = "$(touch x); {score} 'q\" é"
    event = Event("arrived", nasty, 1.0, "camera", 0.91, 0.6)
    sink = MatchCommand(f'{sys.executable} -c "{code}" {out} "hello {{person}}!" {{score}}')
    sink.write(judged(ADA, events=(event,)))
    words, environment = json.loads(out.read_text())
    assert words == ["hello __touch x__ _score_ ’q_ é!", "0.9100"]
    assert (environment["EDGE_PERSON"], environment["EDGE_SCORE"]) == (nasty, "0.9100")
    assert MatchCommand("echo -n").arguments(event)[:2] == ["echo", "-n"]


@pytest.mark.parametrize(
    ("name", "argument"),
    [("--config=/x", "config_/x"), ("- -rf", "rf"), ("Zoë O'Hara-B.", "Zoë O’Hara-B."),
     ("`id`", "_id_"), ("a;b|c&d\n$(e)", "a_b_c_d___e_"), ("---", "_")],
)  # fmt: skip
def test_a_name_is_no_option_and_no_code(name: str, argument: str, tmp_path: Path) -> None:
    event = Event("arrived", name, 1.0, "camera", 0.91, 0.6)
    assert MatchCommand("true").arguments(event) == ["true", argument]
    out = tmp_path / "out"
    script = f'printf %s "$EDGE_PERSON" > {out}; : {{person}}'
    MatchCommand(f"sh -c '{script}'").write(judged(ADA, events=(event,)))
    assert out.read_text() == name


def test_a_command_runs_for_matches_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sink = MatchCommand(f"touch {out}-{{person}}")
    others = (Event("arrived", None, 0, "x"), Event("left", "Ada", 0, "x"))
    sink.write(judged(events=others))
    assert list(tmp_path.iterdir()) == []
    sink.write(judged(events=(*others, ARRIVAL)))
    assert list(tmp_path.iterdir()) == [tmp_path / "out-Ada"]


def test_a_command_that_fails_or_hangs_is_an_error() -> None:
    with pytest.raises(Exception, match="left with 1"):
        MatchCommand("false").write(judged(events=(ARRIVAL,)))
    sink = MatchCommand("sh -c 'sleep 30; true'", timeout_s=0.2)
    started_s = time.monotonic()
    with pytest.raises(Exception, match=r"ended after 0\.2 s"):
        sink.write(judged(events=(ARRIVAL,)))
    assert time.monotonic() - started_s < 20


@pytest.mark.parametrize(
    ("line", "words"), [("", "is empty"), ("'x", "cannot be read"), ("no-such-x y", "no program")]
)
def test_a_command_that_is_none(line: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        MatchCommand(line)


@pytest.fixture
def hook() -> Iterator[SimpleNamespace]:
    """A server that answers with the codes in `answers` and remembers what it was told."""
    told: list[tuple[str, dict[str, object]]] = []
    answers: list[int] = []
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

        def do_GET(self) -> None:
            told.append(("GET", {}))
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append((self.headers["Content-Type"], json.loads(body)))
            asked.append(self.headers["Authorization"])
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    yield SimpleNamespace(url=url, told=told, answers=answers, asked=asked)
    server.shutdown()
    server.server_close()


def test_a_webhook_is_told(hook: SimpleNamespace) -> None:
    Webhook(hook.url).write(judged(events=(ARRIVAL, Event("left", None, 2.0, "x", seen_s=1.0))))
    (kind, first), (_, second) = hook.told
    assert kind == "application/json"
    assert (first["event"], first["person"], first["score"]) == ("arrived", "Ada", 0.91)
    assert (second["event"], second["person"], second["seen_s"]) == ("left", None, 1.0)
    assert first["at"].startswith("20")


def test_a_webhook_tries_again(hook: SimpleNamespace) -> None:
    pauses: list[float] = []
    hook.answers += [503, 429]
    Webhook(hook.url, sleep=pauses.append).write(judged(events=(ARRIVAL,)))
    assert len(hook.told) == 3
    assert pauses == [1.0, 2.0]


def test_a_webhook_gives_up(hook: SimpleNamespace) -> None:
    hook.answers += [500] * 9
    pauses: list[float] = []
    with pytest.raises(Exception, match="answer was 500"):
        Webhook(hook.url, WebhookConfig(tries=3), sleep=pauses.append).write(
            judged(events=(ARRIVAL,))
        )
    assert (len(hook.told), len(pauses)) == (3, 2)
    hook.answers[:] = [404]
    with pytest.raises(Exception, match="answer was 404"):
        Webhook(hook.url, sleep=pauses.append).write(judged(events=(ARRIVAL,)))
    assert (len(hook.told), len(pauses)) == (4, 2), "a refusal is not worth a retry"


def test_a_webhook_with_user_and_password_asks_as_such(hook: SimpleNamespace) -> None:
    url = hook.url.replace("//", "//me:s%2Fcr%20t@")
    Webhook(url).write(judged(events=(ARRIVAL,)))
    assert base64.b64decode(hook.asked[0].removeprefix("Basic ")) == b"me:s/cr t"
    Webhook(hook.url).write(judged(events=(ARRIVAL,)))
    assert hook.asked[1] is None


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirection_is_no_delivery(hook: SimpleNamespace, code: int) -> None:
    hook.answers += [code]
    with pytest.raises(SinkError, match=f"not delivered: the answer was {code}"):
        Webhook(hook.url).write(judged(events=(ARRIVAL,)))
    assert [kind for kind, _ in hook.told] == ["application/json"], "and nothing else was asked"


@pytest.mark.parametrize(
    "url",
    ["http://me:S3cretS3cret@nowhere.invalid/x", "http://nowhere.invalid/hook/S3cretS3cret",
     "http://127.0.0.1:9/x?access_token=S3cretS3cret", "http://me:S3cretS3cret@127.0.0.1:9/"],
)  # fmt: skip
def test_a_webhook_that_fails_shows_no_secret(url: str) -> None:
    sink = Webhook(url, WebhookConfig(tries=1))
    with pytest.raises(SinkError, match="not delivered") as found:
        sink.write(judged(events=(ARRIVAL,)))
    assert "S3cret" not in f"{found.value} {sink.name}"


def test_a_dead_webhook_is_counted_and_slows_nobody() -> None:
    sink = Webhook("http://me:secret@127.0.0.1:9/", sleep=lambda seconds: None)
    assert "secret" not in sink.name
    with FanOut([sink]) as fan:
        for frame in range(20):
            fan.put(judged(ADA, frame=frame, events=(ARRIVAL,)))
    assert fan.failed[sink.name] == 20


def test_a_webhook_wants_a_url() -> None:
    with pytest.raises(UsageError, match="is no URL"):
        Webhook("file:///etc/passwd")
    for url in ("http://me:S3cret/x@h/", "ftp://me:S3cret@h", "http://me:S3cret @h/"):
        with pytest.raises(UsageError, match="is no URL") as found:
            Webhook(url)
        assert "S3cret" not in str(found.value)


def test_a_headless_opencv_names_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "has_windows", lambda: False)
    with pytest.raises(UsageError, match=r"headless.*--serve"), window.Window():
        pass


def test_no_screen_names_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "has_windows", lambda: True)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"no screen.*--serve"), window.Window():
        pass


def test_a_window_shows_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    keys = [255, ord("q")]
    monkeypatch.setattr(window, "has_windows", lambda: True)
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("namedWindow", "imshow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *args, name=name: calls.append(name))
    monkeypatch.setattr(cv2, "waitKey", lambda wait: keys.pop(0))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *args: 1.0)
    with window.Window(on_close=lambda: calls.append("closed")) as sink:
        sink.write(judged(ADA))
        assert calls == ["namedWindow", "imshow"]
        sink.write(judged(ADA))
    assert calls == ["namedWindow", "imshow", "closed", "destroyAllWindows"]


def test_this_opencv_says_whether_it_has_windows() -> None:
    try:
        cv2.destroyAllWindows()
        works = True
    except cv2.error:
        works = False
    assert window.has_windows() == works
