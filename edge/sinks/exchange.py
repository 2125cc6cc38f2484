"""What a browser or a program asks of the server, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge.console.json_text import json_text


@dataclass(frozen=True)
class Request:
    """A request that was let in. path: without query. query: the last value of each field. body:
    b"" where there is none. kind: the body's content type. languages: as the browser asks."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    kind: str = ""
    languages: str = ""


@dataclass(frozen=True)
class Answer:
    """code: of HTTP. kind: content type. body: whole. stream: makes pieces instead, until the
    browser goes; called with a function that says whether it is still there."""

    code: int
    kind: str
    body: bytes = b""
    stream: Callable[[Callable[[], bool]], Iterator[bytes]] | None = None

    @classmethod
    def json(cls, value: Any, code: int = 200) -> Answer:
        return cls(code, "application/json", json_text(value).encode())

    @classmethod
    def problem(cls, code: int, message: str, hint: str | None = None) -> Answer:
        return cls.json({"error": message, "hint": hint}, code)


class Site(Protocol):
    """What is served beside the live picture."""

    def answer(self, request: Request) -> Answer | None:
        """None where there is nothing under that path."""

    def most_body_bytes(self, method: str, path: str) -> int:
        """How large a body may be, 0 where none is taken."""
