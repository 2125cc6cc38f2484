"""HTTP for programs: what it answers, who gets in, who may change something."""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from device_factory import bare_home
from embedding_factory import World, unit
from faked import ADA, picture, result
from register_factory import a_cohort, album_of, open_bundle, write_bundle
from site_factory import served
from visit_factory import visit_of

from edge.people.registry import Registry
from edge.sinks.base import Judged
from edge.sinks.guard import WRONG_TOKENS, Guard, Verdict
from edge.tracking.presence import Event
from edge.visits.store import VisitStore
from edge.visits.visit import Visit
from edge.web.api import MOST_JSON_BYTES, ROUTES

WORLD = World(5)
COHORT = a_cohort(WORLD, people=160)
ANA = WORLD.person()
TOKEN = "abcdef123456"
OURS = {"X-Edge-Recognize": "1"}
JSON = {**OURS, "Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bare_home(tmp_path / "home", monkeypatch)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle on which Ana is enrolled on this device."""
    path = write_bundle(tmp_path / "family.edge", COHORT, ())
    Registry(open_bundle(path)).enrol(
        "Ana", album_of(WORLD.pictures(ANA, 16)), camera="one", one_sitting=True
    )
    return path


@pytest.fixture
def wrong(bundle: Path) -> Visit:
    """A stored visit of somebody else that was decided to be Ana's."""
    heads = Registry(open_bundle(bundle)).heads
    visits = []
    for _ in range(60):
        other = unit(WORLD.rng.standard_normal(64) * WORLD.scale)
        visits.append(visit_of(WORLD.pictures(unit(0.75 * ANA + 0.66 * other), 12), heads))
    accepted = [visit for visit in visits if visit.person == "Ana"]
    return VisitStore().add(min(accepted, key=lambda visit: visit.score or 0.0))


def ask(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, _content(answer), dict(answer.headers)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, _content(problem), dict(problem.headers)


def _content(answer: Any) -> Any:
    data = answer.read()
    return json.loads(data) if "json" in answer.headers["Content-Type"] else data


def post(url: str, fields: Any, **headers: str) -> tuple[int, Any, dict[str, str]]:
    return ask(url, "POST", json.dumps(fields).encode(), **{**JSON, **headers})


def test_visits_people_and_faces(bundle: Path, wrong: Visit) -> None:
    with served(bundle) as (url, _):
        code, found, headers = ask(f"{url}/api/visits?last=5")
        assert (code, headers["Cache-Control"]) == (200, "no-store")
        assert [visit["visit"] for visit in found["visits"]] == [wrong.number]
        code, jpeg, headers = ask(f"{url}/api/visits/{wrong.number}/face.jpg")
        assert (code, headers["Content-Type"]) == (200, "image/jpeg")
        assert jpeg == wrong.face_jpeg
        assert ask(f"{url}/api/people")[1]["people"][0]["name"] == "Ana"
        assert ask(f"{url}/api/visits/99/face.jpg")[0] == 400
        assert ask(f"{url}/api/visits?last=x")[0] == 400
        assert ask(f"{url}/api/nothing")[0] == 404
        assert ask(f"{url}/api/health")[1]["findings"]


def test_a_word_is_shown_done_and_taken_back(bundle: Path, wrong: Visit) -> None:
    reloads: list[int] = []
    with served(bundle, changed=lambda: reloads.append(1)) as (url, _):
        word = {"visits": [wrong.number], "says": "is-not", "name": "Ana"}
        code, seen, _ = post(f"{url}/api/rulings", word)
        assert code == 200
        assert seen["changed"][0]["visit"] == wrong.number
        assert not reloads
        code, done, _ = post(f"{url}/api/rulings/{seen['proposal']}", {})
        assert (code, done["done"], len(reloads)) == (200, True, 1)
        assert ask(f"{url}/api/visits")[1]["visits"][0]["denied"] == ["Ana"]
        assert ask(f"{url}/api/people")[1]["can_undo"] is True
        assert post(f"{url}/api/rulings/{seen['proposal']}", {})[0] == 400, "once"
        assert post(f"{url}/api/undo", {})[1]["visits"] == [wrong.number]
        assert post(f"{url}/api/undo", {})[0] == 409
        assert len(reloads) == 2


def test_somebody_is_called_otherwise_and_it_is_taken_back(bundle: Path, wrong: Visit) -> None:
    reloads: list[int] = []
    with served(bundle, changed=lambda: reloads.append(1)) as (url, _):
        code, done, _ = post(f"{url}/api/people/Ana/name", {"name": "Zoë <b>"})
        assert (code, done["new"], done["visits"], len(reloads)) == (200, "Zoë <b>", 1, 1)
        assert ask(f"{url}/api/people")[1]["people"][0]["name"] == "Zoë <b>"
        assert ask(f"{url}/api/visits")[1]["visits"][0]["person"] == "Zoë <b>"
        assert post(f"{url}/api/people/Ana/name", {"name": "Eva"})[0] == 400
        again = post(f"{url}/api/people/Zo%C3%AB%20%3Cb%3E/name", {"name": "Zoë <b>"})
        assert again[0] == 409
        assert ask(f"{url}/api/people")[1]["can_undo"] is True
        assert post(f"{url}/api/undo", {})[0] == 200
        assert ask(f"{url}/api/people")[1]["people"][0]["name"] == "Ana"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {},
        {"visits": [1], "says": "kill", "name": "Ana"},
        {"visits": ["1"], "says": "is", "name": "Ana"},
        {"visits": [True], "says": "is", "name": "Ana"},
        {"visits": [1], "says": "is", "name": None},
        {"visits": list(range(99)), "says": "is", "name": "Ana"},
        {"visits": [], "says": "is", "name": "Ana"},
        {"visits": [9], "says": "is", "name": "Ana"},
        {"visits": [9], "says": "new", "name": "a/b"},
    ],
)
def test_words_that_mean_nothing(bundle: Path, fields: Any) -> None:
    with served(bundle) as (url, _):
        code, found, _ = post(f"{url}/api/rulings", fields)
        assert code == 400
        assert found["error"]


def test_a_picture_is_recognized(ana: Path) -> None:
    with served(ana / "ana.edge") as (url, _):
        data = (ana / "ana.jpg").read_bytes()
        code, found, _ = ask(f"{url}/api/recognize", "POST", data, **OURS)
        assert (code, found["schema"]) == (200, 1)
        assert [face["person"] for face in found["faces"]] == ["ana"]
        code, found, _ = ask(f"{url}/api/recognize", "POST", b"no picture", **OURS)
        assert (code, "picture" in found["error"]) == (400, True)


def test_events_come_as_they_happen(bundle: Path) -> None:
    with served(bundle) as (url, fan):
        host = url.removeprefix("http://")
        connection = HTTPConnection(host, timeout=10)
        connection.request("GET", "/api/events")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.readline() == b"retry: 3000\n"
        event = Event("arrived", "Ada <b>", 1.0, "camera", 0.9, 0.6, track=7)
        image = picture(ADA, 0, (320, 240))
        fan.put(Judged(image, result(ADA), (event,)))
        lines = [answer.readline().decode().strip() for _ in range(4)]
        assert lines[1:3] == ["id: 1", "event: visit"]
        assert json.loads(lines[3].removeprefix("data: "))["person"] == "Ada <b>"
        connection.close()


def test_the_document_names_every_path(bundle: Path) -> None:
    with served(bundle) as (url, _):
        code, document, _ = ask(f"{url}/api/openapi.json")
        assert (code, document["openapi"]) == (200, "3.1.0")
        named = {(m.upper(), p) for p, methods in document["paths"].items() for m in methods}
        assert named == {(route.method, route.path) for route in ROUTES}
        for method, path in named - {("GET", "/api/events")}:
            concrete = re.sub(r"\{\w+\}", "1", path)
            code, _, _ = ask(url + concrete, method, b"" if method == "POST" else None, **OURS)
            assert code != 404, path


def test_writes_by_pages_of_others_are_refused(bundle: Path) -> None:
    with served(bundle) as (url, _):
        host = url.removeprefix("http://")
        for headers, code in (
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"X-Edge-Recognize": ""}, 409),
            ({"Origin": f"http://{host}"}, 409),
        ):
            assert post(f"{url}/api/undo", {}, **headers)[0] == code, headers
        bare = {"Content-Type": "application/json"}
        assert ask(f"{url}/api/undo", "POST", b"{}", **bare)[0] == 403
        assert ask(f"{url}/api/people/Ana", "DELETE")[0] == 403
        assert ask(f"{url}/api/undo", "POST", b"{}", **OURS, Host="evil.example")[0] == 403


def test_read_only_lets_nothing_change(bundle: Path, ana: Path) -> None:
    with served(bundle, read_only=True) as (url, _):
        assert post(f"{url}/api/undo", {})[0] == 403
        assert ask(f"{url}/api/people/Ana", "DELETE", **OURS)[0] == 403
        assert ask(f"{url}/api/people")[0] == 200
        assert ask(f"{url}/api/recognize", "POST", b"no picture", **OURS)[0] == 400


def test_the_token_comes_by_header_form_or_cookie_and_opens_streams_alone_by_address(
    bundle: Path,
) -> None:
    with served(bundle, token=TOKEN) as (url, _):
        assert ask(f"{url}/api/people")[0] == 401
        assert ask(f"{url}/api/people?token={TOKEN}")[0] == 401
        assert ask(f"{url}/?token={TOKEN}")[0] == 401
        assert ask(f"{url}/api/people", Authorization=f"Bearer {TOKEN}")[0] == 200
        form = ask(url, Accept="text/html")
        assert (form[0], b'action="login"' in form[1]) == (401, True)
        host = url.removeprefix("http://")
        connection = HTTPConnection(host, timeout=10)
        connection.request("POST", "/login", f"token={TOKEN}")
        answer = connection.getresponse()
        cookie = answer.headers["Set-Cookie"]
        connection.close()
        assert answer.status == 303
        assert "HttpOnly; SameSite=Strict" in cookie
        assert TOKEN not in cookie
        assert ask(f"{url}/api/people", Cookie=cookie.partition(";")[0])[0] == 200
        assert ask(f"{url}/api/people", Cookie="edge_session=" + 64 * "0")[0] == 401
        connection = HTTPConnection(host, timeout=10)
        connection.request("GET", f"/api/events?token={TOKEN}")
        assert connection.getresponse().status == 200
        connection.close()


def test_who_tries_tokens_is_not_heard_any_more(bundle: Path) -> None:
    with served(bundle, token=TOKEN) as (url, _):
        codes = [
            ask(f"{url}/api/people", Authorization=f"Bearer wrong{number}")[0]
            for number in range(WRONG_TOKENS + 2)
        ]
        assert codes == [401] * WRONG_TOKENS + [429] * 2
        assert ask(f"{url}/api/people", Authorization=f"Bearer {TOKEN}")[0] == 429
    guard = Guard(TOKEN)
    for _ in range(WRONG_TOKENS):
        assert guard.judge_token("wrong", "10.0.0.1") is Verdict.STRANGER
    assert guard.judge_token(TOKEN, "10.0.0.1") is Verdict.TIRESOME
    assert guard.judge_token(TOKEN, "10.0.0.2") is Verdict.WELCOME
    cookie = {"Cookie": guard.cookie.partition(";")[0]}
    assert guard.judge(cookie, "10.0.0.1", "/", "") is Verdict.WELCOME


def test_large_and_slow_bodies(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.sinks import preview

    monkeypatch.setattr(preview, "BODY_S", 0.5)
    with served(bundle) as (url, _):
        assert post(f"{url}/api/rulings", {"x": "y" * MOST_JSON_BYTES})[0] == 413
        assert ask(f"{url}/api/people/Ana", "DELETE", b"x", **OURS)[0] == 413
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as end:
            head = "POST /api/rulings HTTP/1.0\r\nHost: localhost\r\nX-Edge-Recognize: 1\r\n"
            end.sendall(f"{head}Content-Length: 100\r\n\r\n".encode())
            stop = threading.Event()

            def drip() -> None:
                while not stop.wait(0.1):
                    try:
                        end.sendall(b"x")
                    except OSError:
                        return

            thread = threading.Thread(target=drip)
            thread.start()
            first = end.recv(100)
            stop.set()
            thread.join()
        assert b" 408 " in first
        for length in ("-1", "9" * 20, "abc"):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as end:
                end.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
                assert b" 413 " in end.recv(100)


def test_paths_lead_nowhere_else(bundle: Path) -> None:
    with served(bundle) as (url, _):
        assert ask(url + "/")[0] == 200
        for path in ("/page/../api.py", "/page/..%2fapi.py", "/page//etc/passwd", "/page/x.py"):
            port = int(url.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=10) as end:
                end.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                assert b" 404 " in end.recv(200), path


def test_hostile_names_stay_text(bundle: Path, wrong: Visit) -> None:
    name = "<img src=x onerror=alert(1)>"
    VisitStore().write(replace(wrong, named=name))
    with served(bundle) as (url, _):
        _, found, headers = ask(f"{url}/api/visits")
        assert found["visits"][0]["named"] == name
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe-inline" not in headers["Content-Security-Policy"]


def test_a_camera_with_nobody_enrolled_has_a_page_too(tmp_path: Path) -> None:
    empty = write_bundle(tmp_path / "empty.edge", COHORT, ())
    with served(empty) as (url, fan):
        fan.put(Judged(np.zeros((9, 9, 3), np.uint8), replace(result(), error="lost"), ()))
        assert ask(f"{url}/api/people")[1]["people"] == []
        assert ask(f"{url}/api/visits")[1]["visits"] == []
        done, jpeg = cv2.imencode(".jpg", np.zeros((20, 20, 3), np.uint8))
        assert done
        assert ask(f"{url}/api/recognize", "POST", jpeg.tobytes(), **OURS)[0] in (200, 500)


def test_nobody_is_enrolled_who_has_not_agreed(ana: Path) -> None:
    with served(ana / "ana.edge") as (url, _):
        word = {"name": "ben", "by": "photos", "consent": False}
        assert post(f"{url}/api/enrolments", word)[0] == 409
        assert post(f"{url}/api/enrolments", {**word, "by": "x", "consent": True})[0] == 400
        taken = {**word, "name": "ana", "consent": True}
        assert "known already" in post(f"{url}/api/enrolments", taken)[1]["error"]
        assert post(f"{url}/api/enrolments/none", {})[0] == 400
        code, found, _ = post(f"{url}/api/enrolments", {**word, "consent": True})
        assert (code, found["looks"]) == (200, 0)
        path = f"{url}/api/enrolments/{found['enrolment']}"
        code, seen, _ = ask(f"{path}/photos", "POST", (ana / "ana.jpg").read_bytes(), **OURS)
        assert (code, seen["taken"], seen["looks"]) == (200, True, 1)
        again = ask(f"{path}/photos", "POST", (ana / "ana.jpg").read_bytes(), **OURS)[1]
        assert (again["taken"], again["reason"]) == (False, "as before")
        code, found, _ = post(path, {})
        assert code == 409
        assert "1 good look is too few" in found["error"]


def test_a_sitting_before_the_camera_says_what_to_do(ana: Path) -> None:
    image = cv2.imread(str(ana / "ana.jpg"))
    with served(ana / "ana.edge") as (url, fan):
        word = {"name": "ben", "by": "camera", "consent": True}
        _, found, _ = post(f"{url}/api/enrolments", word)
        assert found["words"] == "look into the camera"
        fan.put(Judged(image, replace(result(), time_s=1.0), ()))
        path = f"{url}/api/enrolments/{found['enrolment']}"
        for _ in range(100):
            state = ask(path)[1]
            if state["looks"]:
                break
            threading.Event().wait(0.1)
        assert state["looks"] == 1
        fan.put(Judged(np.zeros_like(image), replace(result(), time_s=2.0), ()))
        for _ in range(100):
            state = ask(path)[1]
            if "no face" in state["refused"]:
                break
            threading.Event().wait(0.1)
        assert state["words"] == "I see no face: stand before the camera"


def test_the_text_of_consent_is_the_owners(bundle: Path) -> None:
    with served(bundle) as (url, _):
        assert ask(f"{url}/api/consent")[1] == {"text": None}
        assert post(f"{url}/api/consent", {"text": "yes <b>"})[0] == 200
        assert ask(f"{url}/api/consent")[1] == {"text": "yes <b>"}
        assert post(f"{url}/api/consent", {"text": "x" * 10_001})[0] == 400
