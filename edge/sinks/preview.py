"""A live preview in the browser: the annotated picture as MJPEG, with names and figures."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2

from edge.errors import SinkError, UsageError
from edge.recognition.result import FrameResult, Latency
from edge.sinks.base import Judged, Sink
from edge.sinks.exchange import Answer, Request, Site
from edge.sinks.guard import Guard, Verdict, is_loopback
from edge.sinks.login_page import LOGIN

log = logging.getLogger(__name__)

TOKEN_VARIABLE = "EDGE_SERVE_TOKEN"
SHORTEST_TOKEN = 8
MAX_WIDTH_PX = 1280
JPEG_QUALITY = 80
SHOWN_EVERY_S = 1 / 15
KEPT_EVENTS = 20
MOST_WATCHERS = 8
SLOW_CLIENT_S = 5.0
MOST_CONNECTIONS = 64
"""More are closed at once, so that nobody can use up the descriptors of the recognizer."""

BEFORE_TOKEN_S = 5.0
"""How long a connection may take until its token was seen, however slowly it sends."""

BODY_S = 30.0
"""How long a body may take to come."""

MOST_LARGE_BODIES, LARGE_BYTES = 2, 65_536
"""So many bodies larger than this are held at once."""

MOST_FORM_BYTES = 1024

_BOUNDARY = "picture"

_POLICY = (
    "default-src 'none'; img-src 'self' blob:; connect-src 'self'; style-src 'self' {inline}; "
    "script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Address:
    """Where the preview is served. token: what a browser has to know, "" for none."""

    host: str
    port: int
    token: str = ""

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @classmethod
    def parse(cls, text: str, token: str | None = None) -> Address:
        """`HOST:PORT` or `[IPV6]:PORT`; the token may stand in `EDGE_SERVE_TOKEN`.

        Raises `UsageError` for another text, and where a token is missing or too short.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise UsageError(
                f"--serve {text} is no address", hint="give HOST:PORT, as 127.0.0.1:8080"
            )
        token = token or os.environ.get(TOKEN_VARIABLE, "")
        address = cls(host.strip("[]"), int(port), token)
        if not address.is_loopback and not token:
            raise UsageError(
                f"--serve {text} can be reached from other machines and has no token",
                hint=f"add --serve-token SECRET, set {TOKEN_VARIABLE}, or serve on 127.0.0.1",
            )
        if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isalnum()):
            raise UsageError(
                f"the token has to be at least {SHORTEST_TOKEN} letters and digits",
                hint="try 'openssl rand -hex 12'",
            )
        return address


class Preview(Sink):
    """Serves the pictures, and a site beside them; encoded is only while somebody watches.

    sources: labels of several sources; the page shows each of them. site: the page and what else is
    served beside the pictures. read_only: whether nothing can be changed.
    """

    name = "preview"
    wants_images = True

    def __init__(
        self,
        address: Address,
        sources: Sequence[str] = (),
        *,
        site: Site | None = None,
        read_only: bool = False,
    ) -> None:
        self.address = address
        self.site = site
        self.guard = Guard(address.token, read_only=read_only)
        self._changed = threading.Condition()
        self._views = {label: _View() for label in sources or ("",)}
        self._watchers = 0
        self._closing = False
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where a browser finds the page, without the token."""
        port = self._server.server_address[1] if self._server else self.address.port
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        return f"http://{host}:{port}/"

    def __enter__(self) -> Preview:
        """Raises `SinkError` when the address cannot be used."""
        try:
            self._server = _Server(self)
        except OSError as problem:
            raise SinkError(
                f"cannot serve on {self.address.host}:{self.address.port}: {problem.strerror}",
                hint="choose another port or address",
            ) from None
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.1,), name="preview", daemon=True).start()
        log.info("preview at %s", self.url)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def write(self, judged: Judged) -> None:
        now_s = time.monotonic()
        view = self._views[judged.label]
        with self._changed:
            view.frames += 1
            view.times_s.append(now_s)
            view.result = judged.result
            if not judged.result.latency.only_followed:
                view.looked_ms = judged.result.latency.total_ms
                view.stages.append(judged.result.latency)
            self._events.extendleft(event.to_json() for event in judged.events)
            wanted = self._watchers > 0 and now_s - view.encoded_at_s >= SHOWN_EVERY_S
        image = judged.annotated_bgr if wanted else None
        if image is None:
            return
        if image.shape[1] > MAX_WIDTH_PX:
            scale = MAX_WIDTH_PX / image.shape[1]
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        with self._changed:
            view.jpeg = encoded.tobytes() if done else b""
            view.sequence += 1
            view.encoded_at_s = now_s
            self._changed.notify_all()

    def know(self, people: Sequence[str]) -> None:
        with self._changed:
            shown = {*people, None}
            kept = [event for event in self._events if event["person"] in shown]
            self._events = deque(kept, maxlen=KEPT_EVENTS)

    def state(self) -> dict[str, Any]:
        """What the page shows, beside the pictures: of the first source, with all events, and under
        "sources" of each of several."""
        with self._changed:
            events = list(self._events)
            states = {label: view.state() for label, view in self._views.items()}
        first = next(iter(states.values()))
        several = [{"label": label, **state} for label, state in states.items() if label]
        return {**first, "events": events, "sources": several}

    def begin_watching(self, label: str = "") -> int | None:
        """Number of the last picture of a source, None where there are too many watchers.

        Who was taken in has to call `end_watching`.
        """
        with self._changed:
            if self._watchers >= MOST_WATCHERS:
                return None
            self._watchers += 1
            return self._view(label).sequence

    def end_watching(self) -> None:
        """A watcher has gone."""
        with self._changed:
            self._watchers -= 1

    def next_jpeg(
        self, after: int, is_there: Callable[[], bool] = lambda: True, label: str = ""
    ) -> tuple[bytes, int] | None:
        """A picture of a source newer than number `after`, with its number; None when the preview
        closes, or when `is_there`, asked every second without a picture, says that nobody waits."""
        with self._changed:
            view = self._view(label)
            while not self._closing and view.sequence <= after:
                if not self._changed.wait(1.0) and not is_there():
                    return None
            return None if self._closing else (view.jpeg, view.sequence)

    def _view(self, label: str) -> _View:
        """Of an unknown label the first one."""
        return self._views.get(label) or next(iter(self._views.values()))


@dataclass
class _View:
    """The newest of one source. jpeg: the picture last encoded, the `sequence`-th, at
    `encoded_at_s`. times_s: when the last results came. stages: of those that networks looked
    at."""

    jpeg: bytes = b""
    sequence: int = 0
    encoded_at_s: float = 0.0
    result: FrameResult | None = None
    looked_ms: float | None = None
    frames: int = 0
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=30))
    stages: deque[Latency] = field(default_factory=lambda: deque(maxlen=30))

    def state(self) -> dict[str, Any]:
        result, times_s = self.result, list(self.times_s)
        span_s = times_s[-1] - times_s[0] if len(times_s) > 1 else 0.0
        return {
            "source": result.source if result else "",
            "error": result.error if result else None,
            "faces": [face.to_json() for face in result.faces] if result else [],
            "latency_ms": self.looked_ms,
            "latency_stages_ms": _medians_ms(self.stages),
            "frame_age_ms": result.frame_age_ms if result else None,
            "rate": (len(times_s) - 1) / span_s if span_s > 0 else None,
            "frames": self.frames,
        }


def _medians_ms(stages: Sequence[Latency]) -> dict[str, float] | None:
    """The median of each stage; None where networks have not looked yet."""
    if not stages:
        return None
    every = [{k: v for k, v in each.to_json().items() if k != "total"} for each in stages]
    return {key: statistics.median(one[key] for one in every) for key in every[0]}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, preview: Preview) -> None:
        address = preview.address
        self.preview = preview
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.large = threading.BoundedSemaphore(MOST_LARGE_BODIES)
        self._connections = 0
        self._waiting: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__((address.host, address.port), _Handler)

    def server_bind(self) -> None:
        """As `HTTPServer` does, without asking the network for this machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.preview.address.host, self.server_address[1]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more."""
        with self._lock:
            if self._connections >= MOST_CONNECTIONS:
                return False
            self._connections += 1
            self._waiting[request] = time.monotonic()
            return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections -= 1
                self._waiting.pop(request, None)

    def let_in(self, request: socket.socket) -> None:
        """Lift the time limit of a connection with a known request and token."""
        with self._lock:
            self._waiting.pop(request, None)

    def service_actions(self) -> None:
        """Shut what has not said within `BEFORE_TOKEN_S` what it wants; called several times a
        second."""
        due_s = time.monotonic() - BEFORE_TOKEN_S
        with self._lock:
            for request, since_s in list(self._waiting.items()):
                if since_s < due_s:
                    with contextlib.suppress(OSError):
                        request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers leave whenever they like; that is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SLOW_CLIENT_S
    server_version, sys_version = "edge-recognize", ""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        """Who is not known gets the form and nothing else; bodies are read of who is let in."""
        parts, guard = urlsplit(self.path), self.server.preview.guard
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        client = str(self.client_address[0])
        if not guard.knows_host(self.headers.get("Host", "")):
            self.send_error(403, "Unknown host")
            return
        if self.command == "POST" and parts.path == "/login":
            self._log_in(client)
            return
        verdict = guard.judge(dict(self.headers), client, parts.path, query.pop("token", ""))
        if verdict is not Verdict.WELCOME:
            self._refuse(verdict)
            return
        self.server.let_in(self.connection)
        problem = None if self.command == "GET" else guard.write_problem(dict(self.headers))
        if problem is not None:
            self._give(Answer.problem(403, f"this was asked {problem}"))
        elif self.command != "GET" and guard.read_only and parts.path != "/api/recognize":
            hint = "leave out --serve-read-only"
            self._give(Answer.problem(403, "nothing can be changed here", hint))
        else:
            self._answer(parts.path, query)

    def _answer(self, path: str, query: dict[str, str]) -> None:
        preview = self.server.preview
        if self.command == "GET" and path == "/stream.mjpg":
            self._stream(query.get("source", ""))
            return
        if self.command == "GET" and path == "/state.json":
            self._give(Answer.json(preview.state()))
            return
        answer = None if preview.site is None else self._ask(preview.site, path, query)
        self._give(answer or Answer.problem(404, f"there is nothing under {path[:80]}"))

    def _ask(self, site: Site, path: str, query: dict[str, str]) -> Answer | None:
        size = self._size()
        if size is None or size > site.most_body_bytes(self.command, path):
            return Answer.problem(413, "the body is too large, or of no stated length")
        is_large = size > LARGE_BYTES
        if is_large and not self.server.large.acquire(timeout=SLOW_CLIENT_S):
            return Answer.problem(503, "too many large bodies come at once", "try again")
        try:
            body = self._body(size)
            if body is None:
                return Answer.problem(408, "the body did not come in time")
            kind = self.headers.get("Content-Type", "")
            languages = self.headers.get("Accept-Language", "")
            return site.answer(Request(self.command, path, query, body, kind, languages))
        finally:
            if is_large:
                self.server.large.release()

    def _size(self) -> int | None:
        text = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not text.isdigit() or len(text) > 12:
            return None
        return int(text)

    def _body(self, size: int) -> bytes | None:
        """None where it does not come within `BODY_S`."""
        ends_at_s, parts, left = time.monotonic() + BODY_S, [], size
        while left > 0:
            piece = self.rfile.read1(min(left, 65_536)) if time.monotonic() < ends_at_s else b""
            if not piece:
                return None
            parts.append(piece)
            left -= len(piece)
        return b"".join(parts)

    def _log_in(self, client: str) -> None:
        """The form: a right token is answered with the cookie."""
        size, guard = self._size(), self.server.preview.guard
        body = self._body(size) if size is not None and size <= MOST_FORM_BYTES else None
        given = parse_qs((body or b"").decode("utf-8", "replace")).get("token", [""])[0]
        verdict = guard.judge_token(given, client) if guard.asks else Verdict.WELCOME
        if verdict is not Verdict.WELCOME:
            self._refuse(verdict)
            return
        self.send_response(303)
        self.send_header("Location", "./")
        if guard.asks:
            self.send_header("Set-Cookie", guard.cookie)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _refuse(self, verdict: Verdict) -> None:
        if verdict is Verdict.TIRESOME:
            self._give(Answer.problem(429, verdict.value, "wait for a minute"))
        elif "text/html" in self.headers.get("Accept", ""):
            self._send(401, "text/html; charset=utf-8", LOGIN.encode(), inline=True)
        else:
            hint = "send it as 'Authorization: Bearer TOKEN'"
            self._give(Answer.problem(401, verdict.value, hint))

    def _give(self, answer: Answer) -> None:
        if answer.stream is None:
            self._send(answer.code, answer.kind, answer.body)
            return
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.kind)
        self._send_common()
        for piece in answer.stream(self._is_there):
            self.wfile.write(piece)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: they hold the token."""

    def _send(self, code: int, kind: str, body: bytes, *, inline: bool = False) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self._send_common(inline=inline)
        self.wfile.write(body)

    def _send_common(self, *, inline: bool = False) -> None:
        policy = _POLICY.format(inline="'unsafe-inline'" if inline else "")
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()

    def _is_there(self) -> bool:
        """Whether the browser still holds its end; it has nothing more to say."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        try:
            return not poll.poll(0) or bool(self.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _stream(self, label: str) -> None:
        preview = self.server.preview
        number = preview.begin_watching(label)
        if number is None:
            self.send_error(503, "Too many watchers")
            return
        try:
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            self._send_common()
            while (found := preview.next_jpeg(number, self._is_there, label)) is not None:
                jpeg, number = found
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
        finally:
            preview.end_watching()
