"""The guard: who may ask the server, and who may change something.

The token comes by header, by the form, or as the cookie that the form sets, which holds a key made
from the token and not the token. In an address it opens nothing but streams, for players that can
do nothing else: addresses end in logs.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

COOKIE = "edge_session"
HEADER = "X-Edge-Recognize"
"""A write by a browser needs this header, which no page of another site can send unasked."""

STREAMS = ("/stream.mjpg", "/api/events")

WRONG_TOKENS, WITHIN_S = 10, 60.0
"""After so many wrong tokens from one address within so long, none is looked at any more."""

MOST_ADDRESSES = 1000


class Verdict(Enum):
    """Whether somebody may come in."""

    WELCOME = "welcome"
    STRANGER = "no right token"
    TIRESOME = "too many wrong tokens"


class Guard:
    """Keeps the door of one server. Thread-safe. token: "" for none, on loopback."""

    def __init__(self, token: str = "", *, read_only: bool = False) -> None:
        self.read_only = read_only
        self._token = token.encode()
        self._session = hmac.new(self._token, b"edge-recognize session", hashlib.sha256).hexdigest()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def asks(self) -> bool:
        """Whether a token is needed."""
        return bool(self._token)

    @property
    def cookie(self) -> str:
        """What the form sets, as the value of `Set-Cookie`."""
        return f"{COOKIE}={self._session}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000"

    def knows_host(self, host: str) -> bool:
        """On loopback the host has to be one too, so that no web page can ask through a name of
        its own (DNS rebinding); elsewhere the token guards."""
        return self.asks or is_loopback(_host_of(host))

    def judge(self, headers: Mapping[str, str], client: str, path: str, given: str) -> Verdict:
        """given: the token of the address, "" for none, which counts for streams alone."""
        if not self.asks or self._has_cookie(headers):
            return Verdict.WELCOME
        bearer = headers.get("Authorization") or ""
        token = bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else ""
        if not token and path in STREAMS:
            token = given
        return self.judge_token(token, client) if token else Verdict.STRANGER

    def judge_token(self, token: str, client: str) -> Verdict:
        """A token that somebody brings; wrong ones are counted by their address."""
        with self._lock:
            now_s = time.monotonic()
            wrong = [at_s for at_s in self._wrong.pop(client, []) if now_s - at_s < WITHIN_S]
            if len(wrong) >= WRONG_TOKENS:
                self._wrong[client] = wrong
                return Verdict.TIRESOME
            if hmac.compare_digest(token.encode(), self._token):
                return Verdict.WELCOME
            self._wrong[client] = [*wrong, now_s]
            while len(self._wrong) > MOST_ADDRESSES:
                self._wrong.popitem(last=False)
            return Verdict.STRANGER

    def write_problem(self, headers: Mapping[str, str]) -> str | None:
        """Why a request may not change anything, None where it may: of another origin, or by a
        browser's form."""
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != (headers.get("Host") or ""):
            return "of another origin"
        if (headers.get("Sec-Fetch-Site") or "same-origin") not in ("same-origin", "none"):
            return "of another site"
        by_program = (headers.get("Authorization") or "").startswith("Bearer ")
        if not by_program and headers.get(HEADER) is None:
            return f"without the header {HEADER}"
        return None

    def _has_cookie(self, headers: Mapping[str, str]) -> bool:
        try:
            cookie = SimpleCookie(headers.get("Cookie") or "").get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(
            cookie.value.encode(), self._session.encode()
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
