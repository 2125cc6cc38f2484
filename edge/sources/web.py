"""Cameras that send pictures over HTTP: MJPEG streams and addresses of a single picture.

FFmpeg ends such a stream at the first broken picture, and refuses one whose parts do not begin with
two dashes, so they are read here. Everything else that an address gives is left to FFmpeg.
"""

from __future__ import annotations

import logging
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import numpy as np

from edge.console.display_text import without_secrets, without_secrets_of
from edge.errors import PictureError, SourceError
from edge.files.header import read_header
from edge.files.image import decode_picture, is_cut_off
from edge.sources.stream import OPEN_TIMEOUT_S, StreamCamera
from edge.sources.v4l2 import RawFrame

log = logging.getLogger(__name__)

SNAPSHOTS_PER_S = 5.0
"""How often an address of a single picture is asked."""

SILENT_S = 30.0
"""Pictures that come less often than this are none; who waits for them gives up before."""

LARGEST_BYTES = 30_000_000
"""A part of a stream that is larger is no picture of a camera."""

_BROKEN_IN_A_ROW = 250
_SLOW_S = 2.0
_LINE_END = re.compile(rb"\n")
_LONGEST_MARK = 256


class WebCamera:
    """A camera at an address of HTTP, with what it sends. The name hides user and password.

    unreadable: pictures that were passed over. fps: as measured, which tells who waits for the next
    picture how long that is worth it.
    """

    def __init__(self, url: str, *, open_timeout_s: float = OPEN_TIMEOUT_S) -> None:
        self.url = url
        self.name = without_secrets(url)
        self.fps: float | None = None
        self.unreadable = 0
        self._open_timeout_s = open_timeout_s
        self._opener, self._address = _opener(url)
        self._stream: StreamCamera | None = None
        self._response: HTTPResponse | None = None
        self._parts: Iterator[bytes] | None = None
        self._next_s = 0.0
        self._last_s: float | None = None
        self._waiting_since_s: float | None = None
        self._said: set[str] = set()
        self.lazy = False

    def open(self) -> None:
        self.close()
        response = self._ask()
        if response is None:
            self._leave_to_ffmpeg()
            return
        kind = response.headers.get_content_type()
        if kind == "multipart/x-mixed-replace":
            boundary = str(response.headers.get_param("boundary", "") or "")
            self._response = response
            self._parts = self._read_parts(response, boundary)
        elif kind in ("image/jpeg", "image/jpg", "image/png", "image/webp"):
            self._say(
                f"{self.name} gives a single picture and no stream: "
                f"it is asked {SNAPSHOTS_PER_S:g} times a second"
            )
            self._parts = self._read_snapshots(response)
        else:
            response.close()
            self._leave_to_ffmpeg()

    def read(self) -> RawFrame | None:
        if self._stream is not None:
            return self._stream.read()
        self._waiting_since_s = time.monotonic()
        for _ in range(_BROKEN_IN_A_ROW):
            try:
                data = next(self._parts) if self._parts is not None else b""
            except StopIteration:
                raise SourceError(f"{self.name} has ended") from None
            except (OSError, HTTPException, ValueError) as problem:
                raise SourceError(f"{self.name} gives no more pictures: {problem}") from None
            now_s = time.monotonic()
            if self.lazy:
                self._measure(now_s)
                return RawFrame(None, now_s, partial(self._decoded, data))
            image = self._decoded(data)
            if image is not None:
                self._measure(now_s)
                return RawFrame(image, now_s)
        raise SourceError(f"{self.name} sends pictures that cannot be decoded")

    def close(self) -> None:
        response, self._response = self._response, None
        stream, self._stream = self._stream, None
        self._parts = None
        for one in (response, stream):
            if one is not None:
                one.close()

    def again(self) -> WebCamera:
        """Another object for it. What was waited for in vain says how slow it is at least."""
        other = WebCamera(self.url, open_timeout_s=self._open_timeout_s)
        other._said = self._said
        since_s = self._waiting_since_s
        if self._stream is None and since_s is not None:
            waited_s = max(time.monotonic() - since_s, 1.0 / (self.fps or 1000.0))
            other.fps = 1.0 / min(waited_s, SILENT_S / 3)
        return other

    def _ask(self) -> HTTPResponse | None:
        """The answer, None where FFmpeg should try: it takes certificates that are not known."""
        try:
            answer = self._opener.open(self._address, timeout=self._open_timeout_s)
        except urllib.error.HTTPError as problem:
            problem.close()
            hint = "check the user and the password" if problem.code in (401, 403) else None
            raise SourceError(
                f"{self.name} answers {problem.code} {problem.reason}",
                hint=hint or "check the address",
            ) from None
        except (OSError, HTTPException, ValueError) as problem:
            reason = getattr(problem, "reason", problem)
            if isinstance(reason, ssl.SSLCertVerificationError):
                return None
            raise SourceError(
                f"no pictures from {self.name}: {without_secrets_of(str(reason), self.url)}",
                hint="check the address, the password and that the camera is switched on",
            ) from None
        assert isinstance(answer, HTTPResponse)
        return answer

    def _leave_to_ffmpeg(self) -> None:
        self._stream = StreamCamera(self.url, open_timeout_s=self._open_timeout_s)
        self._stream.open()
        self.fps = self._stream.fps

    def _read_parts(self, response: HTTPResponse, boundary: str) -> Iterator[bytes]:
        """The bodies of a stream's parts, with and without Content-Length."""
        buffer = _Buffer(response)
        token = boundary.strip('-" ').encode()[:128]
        first = buffer.line()
        while not first.strip():
            first = buffer.line()
        if not first.startswith(b"--"):
            self._say(f"the parts of {self.name} begin without two dashes; they are read anyway")
        mark = re.compile(re.escape(token or first.strip().strip(b"-")))
        begin = re.compile(rb"\r?\n-{0,4}" + mark.pattern)
        while True:
            length = _length(buffer)
            if length is not None:
                yield buffer.take(length)
                buffer.until(mark)
            else:
                yield buffer.until(begin)
            buffer.line()

    def _read_snapshots(self, response: HTTPResponse | None) -> Iterator[bytes]:
        while True:
            if response is None:
                response = self._ask()
            if response is None:
                return
            with response:
                yield response.read(LARGEST_BYTES)
            response = None
            self._next_s = max(self._next_s + 1 / SNAPSHOTS_PER_S, time.monotonic())
            time.sleep(max(0.0, self._next_s - time.monotonic()))

    def _decoded(self, data: bytes) -> np.ndarray | None:
        """The picture, None for one that is broken."""
        start = data.find(b"\xff\xd8")
        data = data[max(start, 0) :] if start < 64 else data
        header = read_header(BytesIO(data))
        try:
            if header is not None and not is_cut_off(data, header):
                return decode_picture(data, self.name)
        except PictureError as problem:
            self._say(f"a picture of {self.name} was skipped: {problem.message}")
        self.unreadable += 1
        self._say(f"{self.name} sends broken pictures; they are skipped")
        return None

    def _measure(self, now_s: float) -> None:
        if self._last_s is not None and now_s > self._last_s:
            took_s = now_s - self._last_s
            if took_s > _SLOW_S:
                self._say(f"{self.name} sends a picture only every few seconds")
            before_s = took_s if self.fps is None else 1.0 / self.fps
            self.fps = 1.0 / max(1e-3, 0.5 * before_s + 0.5 * took_s)
        self._last_s = now_s

    def _say(self, text: str) -> None:
        """Once."""
        if text not in self._said:
            self._said.add(text)
            log.warning("%s", text)


class _Buffer:
    """What has been received and not been used. Raises OSError at the end of the stream."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self._data = bytearray()

    def line(self) -> bytes:
        """Up to the next line's end."""
        return self.until(_LINE_END)

    def take(self, count: int) -> bytes:
        while len(self._data) < count:
            self._fill()
        return self._cut(count, 0)

    def until(self, mark: re.Pattern[bytes]) -> bytes:
        """What stands before `mark`, which is passed over as well."""
        start = 0
        while True:
            found = mark.search(self._data, start)
            if found is not None:
                return self._cut(found.start(), found.end() - found.start())
            if len(self._data) > LARGEST_BYTES:
                raise OSError("what it sends is no stream of pictures")
            start = max(0, len(self._data) - _LONGEST_MARK)
            self._fill()

    def _cut(self, count: int, passed: int) -> bytes:
        data = bytes(self._data[:count])
        del self._data[: count + passed]
        return data

    def _fill(self) -> None:
        more = self._response.read1(1 << 16)
        if not more:
            raise OSError("the stream has ended")
        self._data += more


def _length(buffer: _Buffer) -> int | None:
    """Read the header of a part to its blank line: the length that it says, or None."""
    length = None
    for _ in range(64):
        name, _, value = buffer.line().partition(b":")
        if not name.strip():
            break
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
    return length if length is not None and 0 < length <= LARGEST_BYTES else None


class _Closing:
    """Closes the answer that asks for the password, which urllib's handlers leave open."""

    def http_error_401(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any) -> Any:
        try:
            answer = super().http_error_401(req, fp, code, msg, headers)  # type: ignore[misc]
        except urllib.error.HTTPError:
            fp.close()
            raise
        if answer is not None:
            fp.close()
        return answer


class _Basic(_Closing, urllib.request.HTTPBasicAuthHandler):
    """As urllib's, with that answer closed."""


class _Digest(_Closing, urllib.request.HTTPDigestAuthHandler):
    """As urllib's, with that answer closed."""


def _opener(url: str) -> tuple[urllib.request.OpenerDirector, str]:
    """What opens the address, straight and with user and password, and the address without."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    address = urlunsplit((parts.scheme, host, parts.path or "/", parts.query, ""))
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if at:
        user, _, password = login.partition(":")
        known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        known.add_password(None, address, unquote(user), unquote(password))
        handlers += [_Basic(known), _Digest(known)]
    return urllib.request.build_opener(*handlers), address
