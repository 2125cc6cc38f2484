"""The preview: what a browser gets, who gets in, and that nobody slows recognition."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException

import cv2
import numpy as np
import pytest
from faked import ADA, STRANGER, picture, result

from edge.errors import SinkError, UsageError
from edge.sinks import preview as serving
from edge.sinks.base import FanOut, Judged
from edge.sinks.preview import MOST_CONNECTIONS, MOST_WATCHERS, Address, Preview
from edge.tracking.presence import Event

TOKEN = "abcdef123456"


def judged(number: int = 0, size_px: tuple[int, int] = (320, 240)) -> Judged:
    """Ada on track 7, and somebody unknown on track 8."""
    come = Event("arrived", "Ada <b>", 1.0, "camera", 0.9, 0.6, track=7)
    found = result(ADA, STRANGER, frame=number)
    faces = tuple(replace(face, track=7 + k) for k, face in enumerate(found.faces))
    return Judged(
        picture(ADA, number, size_px),
        replace(found, faces=faces),
        (come,) if number == 0 else (),
    )


@contextmanager
def feeding(fan: FanOut) -> Iterator[None]:
    """Pictures come in the background, 40 a second."""
    stop = threading.Event()

    def feed() -> None:
        number = 0
        while not stop.wait(0.025):
            fan.put(judged(number))
            number += 1

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def preview() -> Iterator[Preview]:
    sink = Preview(Address("127.0.0.1", 0))
    with FanOut([sink]) as fan, feeding(fan):
        yield sink


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.02)


def get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read(), dict(problem.headers)


def test_what_comes_with_every_answer(preview: Preview) -> None:
    code, _, headers = get(preview.url + "state.json")
    assert code == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert headers["Server"].strip() == "edge-recognize"
    assert get(preview.url)[0] == 404, "the page is the site's, see test_web_page"


def test_the_state(preview: Preview) -> None:
    deadline_s = time.monotonic() + 30
    while (state := json.loads(get(preview.url + "state.json")[1]))["frames"] < 5:
        assert time.monotonic() < deadline_s
    assert [face["decision"] for face in state["faces"]] == ["match", "unknown"]
    assert (state["latency_ms"], state["error"], state["source"]) == (10, None, "camera")
    stages = {"detect": 1, "align": 2, "embed": 3, "decide": 4, "track": 0}
    assert state["latency_stages_ms"] == stages
    assert [face["track"] for face in state["faces"]] == [7, 8]
    assert (state["events"][0]["person"], state["events"][0]["track"]) == ("Ada <b>", 7)
    assert 1 < state["rate"] < 200


def test_the_stream_is_one_that_opencv_reads(preview: Preview) -> None:
    capture = cv2.VideoCapture(preview.url + "stream.mjpg", cv2.CAP_FFMPEG)
    found, image = capture.read()
    capture.release()
    assert found
    assert image.shape == (240, 320, 3)
    assert np.abs(image.astype(int) - picture(ADA, 0, (320, 240))).max() > 40, "it is annotated"


def test_nothing_is_encoded_while_nobody_watches(preview: Preview) -> None:
    time.sleep(0.2)
    assert preview._views[""].sequence == 0


def test_large_pictures_are_scaled_down(preview: Preview) -> None:
    preview.begin_watching()
    preview._views[""].encoded_at_s = 0.0
    preview.write(judged(1, (2560, 1440)))
    jpeg = np.frombuffer(preview._views[""].jpeg, np.uint8)
    assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape[1] <= 1280


def test_unknown_paths_and_methods(preview: Preview) -> None:
    assert get(preview.url + "../../etc/passwd")[0] == 404
    for method, code in (("POST", 403), ("PUT", 501)):
        request = urllib.request.Request(preview.url, method=method, data=b"x")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=5)
        caught.value.close()
        assert caught.value.code == code


def test_a_name_of_another_site_is_not_served(preview: Preview) -> None:
    state = preview.url + "state.json"
    assert get(state, Host="evil.example")[0] == 403
    assert get(state, Host="localhost:1234")[0] == 200


def test_the_token_opens_by_header_and_streams_by_address() -> None:
    with FanOut([sink := Preview(Address("127.0.0.1", 0, TOKEN))]):
        for path in ("", "state.json", "stream.mjpg", "?token=wrong", f"?token={TOKEN}"):
            assert get(sink.url + path)[0] == 401, path
        state = sink.url + "state.json"
        assert get(state, Authorization=f"Bearer {TOKEN}")[0] == 200
        assert get(state, Cookie=f"x=1; edge_session={TOKEN}")[0] == 401
        assert get(state, Host="pi.local", Authorization=f"Bearer {TOKEN}")[0] == 200
        with socket.create_connection(("127.0.0.1", int(sink.url[:-1].rpartition(":")[2]))) as end:
            end.sendall(f"GET /stream.mjpg?token={TOKEN} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            assert b" 200 " in end.recv(100)


def test_a_watcher_that_does_not_read_slows_nobody() -> None:
    sink = Preview(Address("127.0.0.1", 0))
    with FanOut([sink]) as fan:
        port = int(sink.url[:-1].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as end:
            end.sendall(b"GET /stream.mjpg HTTP/1.0\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: sink._watchers == 1)
            started_s = time.monotonic()
            for number in range(50):
                fan.put(judged(number, (1280, 720)))
            assert time.monotonic() - started_s < 10
            wait_until(lambda: sink.state()["frames"] + sum(fan.dropped.values()) == 50)


def test_only_so_many_may_watch() -> None:
    with Preview(Address("127.0.0.1", 0)) as sink:
        assert all(sink.begin_watching() is not None for _ in range(MOST_WATCHERS))
        assert get(sink.url + "stream.mjpg")[0] == 503
        sink.end_watching()
        assert sink.begin_watching() is not None


def test_a_port_in_use_is_said() -> None:
    with Preview(Address("127.0.0.1", 0)) as sink:
        port = int(sink.url[:-1].rpartition(":")[2])
        with pytest.raises(SinkError, match=f"cannot serve on 127.0.0.1:{port}"):
            Preview(Address("127.0.0.1", port)).__enter__()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("localhost:1", "localhost", 1), ("[::1]:9", "::1", 9)],
)
def test_addresses_of_this_machine_need_no_token(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == Address(host, port, "")


@pytest.mark.parametrize("text", ["0.0.0.0:8080", "[::]:80", "192.168.1.5:80", "pi.local:80"])
def test_other_addresses_need_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="has no token"):
        Address.parse(text)
    assert Address.parse(text, TOKEN).token == TOKEN
    monkeypatch.setenv("EDGE_SERVE_TOKEN", TOKEN)
    assert Address.parse(text).token == TOKEN


@pytest.mark.parametrize("token", ["short", "with spaces in it", "ümlautümlaut", "a;b=c;d=e;f"])
def test_a_token_has_to_be_one(token: str) -> None:
    with pytest.raises(UsageError, match="at least 8 letters and digits"):
        Address.parse("0.0.0.0:80", token)


@pytest.mark.parametrize("text", ["8080", ":8080", "localhost", "localhost:x", "localhost:99999"])
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        Address.parse(text)


def test_slow_connections_use_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token, none lasts, however slowly it sends, and there are never too many."""
    monkeypatch.setattr(serving, "BEFORE_TOKEN_S", 0.6)
    with FanOut([sink := Preview(Address("127.0.0.1", 0, TOKEN))]) as fan, feeding(fan):
        port = int(sink.url.rsplit(":", 1)[1].strip("/"))
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(MOST_CONNECTIONS + 40)]
        names = [thread.name for thread in threading.enumerate()]
        assert sum("process_request_thread" in name for name in names) <= MOST_CONNECTIONS
        for end in slow:
            with contextlib.suppress(OSError):
                end.send(b"GET / HT")
        wait_until(
            lambda: get_code(sink.url + "state.json", Authorization=f"Bearer {TOKEN}") == 200
        )
        for end in slow:
            end.settimeout(5)
            with contextlib.suppress(ConnectionError):
                assert end.recv(1) == b""
            end.close()


def get_code(url: str, **headers: str) -> int:
    try:
        return get(url, **headers)[0]
    except (OSError, HTTPException):
        return 0


def test_closed_tabs_free_their_places_while_no_picture_comes() -> None:
    with FanOut([sink := Preview(Address("127.0.0.1", 0))]):
        port = int(sink.url.rsplit(":", 1)[1].strip("/"))
        tabs = [socket.create_connection(("127.0.0.1", port)) for _ in range(MOST_WATCHERS)]
        for tab in tabs:
            tab.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in tab.recv(100)
        assert get(sink.url + "stream.mjpg")[0] == 503
        for tab in tabs:
            tab.close()
        wait_until(lambda: sink._watchers == 0, 10)
