"""A webhook: every event as JSON, posted to a URL."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException

from edge.console.json_text import json_text
from edge.errors import UsageError
from edge.sinks.base import Judged, Sink, SinkError
from edge.sources.files import without_password
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
    """Posts events, one request each. Pictures are never sent."""

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
        if not url.lower().startswith(("http://", "https://")):
            raise UsageError(f"--webhook {url} is no URL", hint="give http://… or https://…")
        self.name = f"webhook {without_password(url)}"
        self._url = url
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
                    raise SinkError(f"the answer was {problem.code} {problem.reason}") from None
            except (OSError, HTTPException) as problem:
                if left == 0:
                    reason = getattr(problem, "reason", None) or problem
                    raise SinkError(f"not delivered: {reason}") from None
            self._sleep(pause_s)
            pause_s *= 2

    def _post(self, event: Event) -> None:
        request = urllib.request.Request(
            self._url,
            data=json_text(event.to_json()).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "edge-recognize"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=self._config.timeout_s) as answer:
            answer.read(1024)
