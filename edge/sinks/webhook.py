"""A webhook: every event as JSON, posted to a URL."""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from edge.console.display_text import without_secrets, without_secrets_of
from edge.console.json_text import json_text
from edge.errors import SinkError, UsageError
from edge.sinks.base import Judged, Sink
from edge.tracking.presence import Event

WORTH_A_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a little later (RFC 9110, RFC 6585, RFC 8470)."""


@dataclass(frozen=True)
class WebhookConfig:
    """timeout_s: for one attempt. tries: attempts per event. first_pause_s: doubled each time."""

    timeout_s: float = 5.0
    tries: int = 4
    first_pause_s: float = 1.0


class Webhook(Sink):
    """Posts events, one request each. Pictures are never sent.

    `user:password@` of the URL becomes Basic authentication (RFC 7617). An event counts as
    delivered where the address itself answers with 2xx; a redirection is not followed, as it would
    turn the POST into a GET without the event.
    """

    name = "webhook"
    only_events = True

    def __init__(
        self,
        url: str,
        config: WebhookConfig | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises `UsageError` for what is no URL of http or https."""
        self._given = url
        self._url, self._authorization = _parts(url)
        self.name = f"webhook {without_secrets(url)}"
        self._opener = urllib.request.build_opener(_NoRedirection)
        self._config = config or WebhookConfig()
        self._sleep = sleep

    def write(self, judged: Judged) -> None:
        for event in judged.events:
            self._deliver(event)

    def _deliver(self, event: Event) -> None:
        """Raises `SinkError` when all attempts have failed, or another would be in vain."""
        pause_s = self._config.first_pause_s
        for left in reversed(range(self._config.tries)):
            try:
                self._post(event)
                return
            except urllib.error.HTTPError as problem:
                problem.close()
                if left == 0 or problem.code not in WORTH_A_RETRY:
                    raise self._refused(problem) from None
            except (OSError, HTTPException) as problem:
                if left == 0:
                    reason = getattr(problem, "reason", None) or problem
                    said = without_secrets_of(str(reason), self._given)
                    raise SinkError(f"not delivered: {said}") from None
            self._sleep(pause_s)
            pause_s *= 2

    def _refused(self, problem: urllib.error.HTTPError) -> SinkError:
        said = without_secrets_of(f"{problem.code} {problem.reason}", self._given)
        if not 300 <= problem.code < 400:
            return SinkError(f"the answer was {said}")
        where = without_secrets(problem.headers.get("Location", ""))
        return SinkError(
            f"not delivered: the answer was {said}, a redirection to {where}",
            hint="give the address that it leads to",
        )

    def _post(self, event: Event) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "edge-recognize"}
        if self._authorization:
            headers["Authorization"] = self._authorization
        body = json_text(event.to_json()).encode()
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")
        with self._opener.open(request, timeout=self._config.timeout_s) as answer:
            answer.read(1024)


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Leaves every 3xx the error that it is for a POST."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _parts(url: str) -> tuple[str, str]:
    """The URL without user and password, and what they become as a header, "" without any.

    Raises `UsageError`, without the URL's secrets.
    """
    shown, hint = without_secrets(url), "give http://… or https://…"
    if not url.lower().startswith(("http://", "https://")):
        raise UsageError(f"--webhook {shown} is no URL", hint=hint)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(
            f"--webhook {shown} is no URL", hint="write / and @ of a password as %2F and %40"
        ) from None
    if not parts.hostname or not url.isascii() or any(not c.isprintable() or c == " " for c in url):
        raise UsageError(f"--webhook {shown} is no URL", hint=hint)
    if parts.username is None:
        return url, ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    plain = urlunsplit(parts._replace(netloc=host if port is None else f"{host}:{port}"))
    words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return plain, f"Basic {base64.b64encode(words.encode()).decode()}"
