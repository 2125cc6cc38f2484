"""A live preview in the browser: the annotated picture as MJPEG, with names and figures."""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import logging
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2

from edge.console.json_text import json_text
from edge.errors import SinkError, UsageError
from edge.recognition.result import FrameResult
from edge.sinks.base import Judged, Sink
from edge.sinks.preview_page import PAGE

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

_BOUNDARY = "picture"
_COOKIE = "edge_token"


@dataclass(frozen=True)
class Address:
    """Where the preview is served. token: what a browser has to know, "" for none."""

    host: str
    port: int
    token: str = ""

    @property
    def is_loopback(self) -> bool:
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

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
    """Serves the page; pictures are encoded only while somebody watches.

    sources: labels of several sources; the page shows each of them.
    """

    name = "preview"
    wants_images = True

    def __init__(self, address: Address, sources: Sequence[str] = ()) -> None:
        self.address = address
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
    `encoded_at_s`. times_s: when the last results came."""

    jpeg: bytes = b""
    sequence: int = 0
    encoded_at_s: float = 0.0
    result: FrameResult | None = None
    frames: int = 0
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=30))

    def state(self) -> dict[str, Any]:
        result, times_s = self.result, list(self.times_s)
        span_s = times_s[-1] - times_s[0] if len(times_s) > 1 else 0.0
        return {
            "source": result.source if result else "",
            "error": result.error if result else None,
            "faces": [face.to_json() for face in result.faces] if result else [],
            "latency_ms": result.latency.total_ms if result else None,
            "frame_age_ms": result.frame_age_ms if result else None,
            "rate": (len(times_s) - 1) / span_s if span_s > 0 else None,
            "frames": self.frames,
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, preview: Preview) -> None:
        address = preview.address
        self.preview = preview
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
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
        parts = urlsplit(self.path)
        if not self._is_for_us():
            self.send_error(403, "Unknown host")
        elif self.server.preview.address.token and self._takes_token(parts.query):
            return
        elif not self._may():
            self._send(401, "text/plain; charset=utf-8", b"Open the address with ?token=...\n")
        else:
            self.server.let_in(self.connection)
            self._answer(parts.path, parse_qs(parts.query).get("source", [""])[0])

    def _answer(self, path: str, label: str) -> None:
        if path == "/":
            self._send(200, "text/html; charset=utf-8", PAGE.encode())
        elif path == "/state.json":
            self._send(200, "application/json", json_text(self.server.preview.state()).encode())
        elif path == "/stream.mjpg":
            self._stream(label)
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: they hold the token."""

    def _is_for_us(self) -> bool:
        """On loopback the host has to be one too, so that no web page can ask through a name of
        its own (DNS rebinding); elsewhere the token guards."""
        address = self.server.preview.address
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        return bool(address.token) or Address(host, 0).is_loopback

    def _takes_token(self, query: str) -> bool:
        """A right token in the address moves into a cookie, out of sight."""
        given = parse_qs(query).get("token", [""])[0]
        if not self._is_right(given):
            return False
        self.send_response(303)
        self.send_header("Location", "./")
        self.send_header("Set-Cookie", f"{_COOKIE}={given}; HttpOnly; SameSite=Strict; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def _may(self) -> bool:
        if not self.server.preview.address.token:
            return True
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            cookie = None
        return self._is_right(bearer) or (cookie is not None and self._is_right(cookie.value))

    def _is_right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.server.preview.address.token.encode())

    def _send(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self._send_common()
        self.wfile.write(body)

    def _send_common(self) -> None:
        policy = "default-src 'none'; img-src 'self'; connect-src 'self'; "
        policy += "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'"
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
