"""The capture thread: the newest frame, losses, hangs, and streams from a real server."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from faked import ADA, picture, write_script, write_video

from edge.errors import SourceError, UsageError
from edge.sources.files import Frame
from edge.sources.live import CaptureConfig, LiveSource, camera_by_name
from edge.sources.scripted import FakeCamera, Step
from edge.sources.stream import FileCamera, StreamCamera
from edge.sources.v4l2 import RawFrame

QUICK = CaptureConfig(stall_s=0.3, opening_s=1.0, first_backoff_s=0.02, longest_backoff_s=0.1)


def fake(*steps: Step, fps: float = 50.0, count: int = 256) -> FakeCamera:
    return FakeCamera([picture(ADA, number) for number in range(count)], steps, fps=fps)


def taken(source: LiveSource, wanted: int, seconds: float = 10.0) -> Iterator[Frame]:
    """Grabs as they are taken, at most `wanted`."""
    deadline_s = time.monotonic() + seconds
    while wanted and not source.ended and time.monotonic() < deadline_s:
        grab = source.take(0.2)
        if grab is not None:
            wanted -= 1
            yield grab


def take_until(source: LiveSource, wanted: int, seconds: float = 10.0) -> list[Frame]:
    return list(taken(source, wanted, seconds))


@pytest.mark.parametrize("work_s", [0.0, 0.03, 0.15])
def test_frames_are_new_however_slow_the_work_is(work_s: float) -> None:
    fps = 30.0
    ages_s = []
    with LiveSource(fake(Step("frames", 1000), fps=fps), QUICK) as source:
        for grab in taken(source, 12):
            ages_s.append(time.monotonic() - (grab.captured_at_s or 0))
            time.sleep(work_s)
        skipped, captured = source.skipped, source.captured
    assert float(np.median(ages_s)) <= 0.4, "a queue would age by as much as the work takes"
    assert skipped <= captured - 12
    if work_s > 0.1:
        assert skipped > 0


def test_the_work_sees_the_newest_frame() -> None:
    with LiveSource(fake(Step("frames", 1000), fps=100), QUICK) as source:
        first = source.take(1.0)
        time.sleep(0.3)
        second = source.take(1.0)
    assert first is not None
    assert second is not None
    assert second.number - first.number >= 3
    assert second.number == int(second.image_bgr[0, 0, 2]), "number and picture belong together"
    assert 0.15 < second.time_s - first.time_s < 10


def test_a_camera_that_vanishes_comes_back() -> None:
    camera = fake(Step("frames", 12), Step("vanish", seconds=0.15))
    with LiveSource(camera, QUICK) as source:
        grabs = take_until(source, 30, seconds=3.0)
    lost = [index for index, grab in enumerate(grabs) if grab.error]
    assert len(lost) >= 2
    assert all(grabs[index].image_bgr is None for index in lost)
    assert all("is gone" in str(grabs[index].error) for index in lost)
    assert all(one + 1 < other for one, other in pairwise(lost)), "once each"
    assert camera.opened >= 3
    numbers = [grab.number for grab in grabs if not grab.error]
    assert numbers == sorted(set(numbers))


def test_pauses_between_attempts_grow_and_end_with_success() -> None:
    waits: list[float] = []

    class Absent(FakeCamera):
        def open(self) -> None:
            waits.append(time.monotonic())
            if len(waits) < 7:
                raise SourceError("not there")
            super().open()

    config = CaptureConfig(
        first_backoff_s=0.02, longest_backoff_s=0.1, wait_for_camera=True, opening_s=5.0
    )
    with LiveSource(Absent([picture(ADA)]), config) as source:
        assert not source.connected
        (grab,) = take_until(source, 1)
        assert source.connected
    assert grab.error is None
    least_s = np.array([0.02, 0.04, 0.08, 0.1, 0.1, 0.1])
    assert (np.diff(waits) >= least_s - 0.005).all()
    assert source._backoff_s == 0.0, "the next loss begins with a short pause again"


def test_a_stall_is_noticed_and_a_fresh_camera_opened() -> None:
    camera = fake(Step("frames", 3), Step("stall", seconds=1.2))
    started_s = 0.0
    with LiveSource(camera, QUICK) as source:
        for grab in iter(lambda: source.take(2.0), None):
            if grab.error:
                break
            started_s = time.monotonic()
        noticed_s = time.monotonic() - started_s
        assert 0.25 <= noticed_s < 10
        assert re.search(r"has given no picture for \d+\.\d s", str(grab.error))
        assert source.hanging == 1
        after = source.take(10.0)
        assert after is not None
        assert after.image_bgr is not None, "a fresh camera goes on while the old one hangs"
        deadline_s = time.monotonic() + 20
        while source.hanging and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert source.hanging == 0, "the old reader leaves when it wakes up"


def test_the_default_notices_a_stall_within_5_s() -> None:
    assert CaptureConfig().stall_s * 1.25 <= 5.0


def test_no_camera_at_the_start_is_refused() -> None:
    camera = fake(Step("vanish", seconds=30))
    camera._at.gone_until_s = time.monotonic() + 30
    with pytest.raises(SourceError, match="no camera"), LiveSource(camera, QUICK):
        pass


def test_a_camera_that_opens_and_says_nothing_is_refused() -> None:
    camera = fake(Step("stall", seconds=20))
    started_s = time.monotonic()
    with (
        pytest.raises(SourceError, match=r"did not answer within 0\.3 s"),
        LiveSource(camera, CaptureConfig(opening_s=0.3)),
    ):
        pass
    assert time.monotonic() - started_s < 15


def test_a_stop_ends_waiting_for_a_camera() -> None:
    stopping = threading.Event()
    threading.Timer(0.15, stopping.set).start()
    camera = fake(Step("stall", seconds=20))
    started_s = time.monotonic()
    with LiveSource(camera, CaptureConfig(), interrupted=stopping.is_set):
        pass
    assert time.monotonic() - started_s < 15


def test_a_library_that_raises_anything_is_a_loss() -> None:
    class Broken(FakeCamera):
        def read(self) -> RawFrame | None:
            if self.shown == 2:
                self.shown += 1
                raise RuntimeError("boom")
            return super().read()

    with LiveSource(Broken([picture(ADA)], fps=200), QUICK) as source:
        errors = [grab.error for grab in take_until(source, 20) if grab.error]
    assert errors == ["fake: RuntimeError: boom"]


def test_the_end_of_a_script_is_an_end() -> None:
    with LiveSource(fake(Step("frames", 5), Step("end")), QUICK) as source:
        grabs = list(source)
    assert 1 <= len(grabs) <= 5
    assert len(grabs) + source.skipped == 5
    assert source.ended


def test_closing_does_not_wait_for_a_hang() -> None:
    source = LiveSource(fake(Step("frames", 2), Step("stall", seconds=20)), QUICK)
    with source:
        take_until(source, 1)
        time.sleep(0.1)
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 15


def test_realtime_plays_at_the_speed_of_the_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", [ADA] * 20, fps=40)
    started_s = time.monotonic()
    with LiveSource(FileCamera(path)) as source:
        grabs = []
        for grab in source:
            grabs.append(grab)
            time.sleep(0.1)
    assert time.monotonic() - started_s >= 0.4
    assert len(grabs) < 20
    assert len(grabs) + source.skipped == 20


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("3", "/dev/video3"),
        ("/dev/v4l/by-id/usb-x", "/dev/v4l/by-id/usb-x"),
        ("csi", "csi"),
        ("csi:1", "csi:1"),
        ("rtsp://me:secret@host/live", "rtsp://***@host/live"),
    ],
)
def test_words_name_cameras(word: str, name: str) -> None:
    assert camera_by_name(word).name == name


@pytest.mark.parametrize("word", ["", "front", "-1", "csi:x", "fake:", "ftp://x", "fake:/nowhere"])
def test_other_words_name_none(word: str) -> None:
    with pytest.raises(UsageError):
        camera_by_name(word)


def test_a_script_can_be_wrong(tmp_path: Path) -> None:
    path = write_script(tmp_path, [["dance", 3]])
    with pytest.raises(UsageError, match="unknown step 'dance'"):
        camera_by_name(f"fake:{path}")


SERVER = """
import sys, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer
sys.path.insert(0, sys.argv[1])
import cv2
from faked import picture

class Camera(BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
        self.end_headers()
        for number in range(int(sys.argv[3]) if self.path == "/short" else 10**6):
            jpeg = cv2.imencode(".jpg", picture(1, number))[1].tobytes()
            head = b"--x\\r\\nContent-Type: image/jpeg\\r\\nContent-Length: %d\\r\\n\\r\\n"
            self.wfile.write(head % len(jpeg) + jpeg + b"\\r\\n")
            time.sleep(0.02)
        if self.path == "/short": time.sleep(60)

server = HTTPServer(("127.0.0.1", int(sys.argv[2])), Camera)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def mjpeg_server(port: int = 0, frames: int = 20) -> Iterator[int]:
    """A network camera in a process of its own; `/short` gives some frames and then hangs."""
    here = str(Path(__file__).resolve().parents[1] / "factories")
    command = [sys.executable, "-c", SERVER, here, str(port), str(frames)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def stream(url: str) -> StreamCamera:
    return StreamCamera(url, open_timeout_s=3.0, read_timeout_s=1.0)


def test_a_network_camera_dies_and_comes_back() -> None:
    config = CaptureConfig(stall_s=2.0, first_backoff_s=0.05, longest_backoff_s=0.2)
    with mjpeg_server() as port:
        source = LiveSource(stream(f"http://127.0.0.1:{port}/live"), config)
        source.open()
        before = take_until(source, 5)
    try:
        assert all(grab.image_bgr.shape == (120, 160, 3) for grab in before)
        loss = next(grab for grab in taken(source, 10**6, seconds=30) if grab.error)
        assert "has ended" in str(loss.error)
        with mjpeg_server(port):
            after = take_until(source, 3)
            assert [grab.error for grab in after] == [None] * 3
    finally:
        source.close()


def test_a_network_camera_that_stops_sending_is_noticed() -> None:
    with mjpeg_server(frames=40) as port:
        url = f"http://127.0.0.1:{port}/short"
        config = CaptureConfig(stall_s=0.5, first_backoff_s=5.0)
        with LiveSource(stream(url), config) as source:
            last_s = time.monotonic()
            while True:
                grab = source.take(0.2)
                if grab is not None and grab.error:
                    break
                last_s = time.monotonic() if grab else last_s
                assert time.monotonic() - last_s < 20


def test_nobody_at_the_address_is_refused_soon() -> None:
    source = LiveSource(stream("http://a:b@127.0.0.1:9/x"), QUICK)
    with pytest.raises(SourceError, match=r"no pictures from http://\*\*\*@127"), source:
        pass


def test_no_thread_stays_behind() -> None:
    camera = fake(Step("frames", 100))
    camera.name = "tidy"
    with LiveSource(camera, QUICK) as source:
        take_until(source, 2)
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        if not [t for t in threading.enumerate() if t.name == "capture tidy"]:
            return
        time.sleep(0.02)
    pytest.fail("the capture thread goes on")
