"""The site: the page's files, and HTTP for programs, under one address."""

from __future__ import annotations

from importlib import resources

from edge.sinks.exchange import Answer, Request
from edge.web.api import ROUTES, Route, respond
from edge.web.desk import Desk

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}


class DeviceSite:
    """Answers for a desk. Files are those of the package and no others."""

    def __init__(self, desk: Desk, routes: tuple[Route, ...] = ROUTES) -> None:
        self._desk = desk
        self._routes = routes
        folder = resources.files("edge.web") / "page"
        self._files = {path.name: path.read_bytes() for path in folder.iterdir()}

    def answer(self, request: Request) -> Answer | None:
        if request.path.startswith("/api/"):
            return respond(self._routes, self._desk, request)
        if request.method != "GET":
            return None
        name = "index.html" if request.path == "/" else request.path.removeprefix("/page/")
        data = self._files.get(name)
        kind = KINDS.get("." + name.rpartition(".")[2], "")
        return None if data is None or not kind else Answer(200, kind, data)

    def most_body_bytes(self, method: str, path: str) -> int:
        for route in self._routes:
            if route.match(method, path) is not None:
                return route.most_bytes
        return 0
