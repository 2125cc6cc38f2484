"""HTTP for programs: paths, what they take and give, and the OpenAPI document that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from edge.errors import InputError, PeopleError, RefusedError, ToolkitError, UsageError
from edge.sinks.exchange import Answer, Request
from edge.visits.rulings import IS, IS_NOT, NEW, Ruling
from edge.web.desk import Desk
from edge.web.enrolments import consent_text, keep_consent_text

MOST_PICTURE_BYTES = 16_000_000
MOST_JSON_BYTES = 65_536
MOST_VISITS = 500

Handle = Callable[[Desk, Request, Mapping[str, str]], Answer]


@dataclass(frozen=True)
class Route:
    """One path. path: with `{names}`. says: one line. body: content type that it takes, "" for
    none. gives: content type."""

    method: str
    path: str
    says: str
    handle: Handle
    body: str = ""
    gives: str = "application/json"

    @property
    def most_bytes(self) -> int:
        if self.body.startswith("image/"):
            return MOST_PICTURE_BYTES
        return MOST_JSON_BYTES if self.body else 0

    def match(self, method: str, path: str) -> Mapping[str, str] | None:
        """The values of the names in a path, None where it is another."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]{1,200})", re.escape(self.path))
        found = re.fullmatch(pattern, path) if method == self.method else None
        return None if found is None else found.groupdict()


def respond(routes: tuple[Route, ...], desk: Desk, request: Request) -> Answer | None:
    """The answer of the first route that fits, errors as JSON; None where none does."""
    for route in routes:
        values = route.match(request.method, request.path)
        if values is None:
            continue
        try:
            return route.handle(desk, request, values)
        except (InputError, UsageError) as problem:
            return Answer.problem(400, problem.message, problem.hint)
        except (RefusedError, PeopleError) as problem:
            return Answer.problem(409, problem.message, problem.hint)
        except ToolkitError as problem:
            return Answer.problem(500, problem.message, problem.hint)
    return None


def fields_of(request: Request) -> dict[str, Any]:
    """The JSON object of a body. Raises `InputError`."""
    if not request.kind.startswith("application/json"):
        raise InputError("the body must be application/json")
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        raise InputError("the body is no JSON") from None
    if not isinstance(found, dict):
        raise InputError("the body must be a JSON object")
    return found


def _recognize(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.recognize(request.body))


def _visits(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.visits(min(MOST_VISITS, _number(request.query.get("last", "50")))))


def _face(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer(200, "image/jpeg", desk.face(_number(values["number"])))


def _unknown(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.unknown())


def _people(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.people())


def _health(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.health())


def _events(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer(200, "text/event-stream", stream=desk.events)


def _propose(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    fields = fields_of(request)
    visits, says, name = fields.get("visits"), fields.get("says"), fields.get("name")
    if not isinstance(visits, list) or not all(type(v) is int for v in visits) or len(visits) > 50:
        raise InputError("visits must be a list of at most 50 numbers")
    if says not in (IS, IS_NOT, NEW) or not isinstance(name, str):
        raise InputError("says must be is, is-not or new, and name a text")
    return Answer.json(desk.propose(Ruling(tuple(visits), says, name)))


def _apply(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.apply(values["proposal"]))


def _undo(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.undo())


def _rename(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    name = fields_of(request).get("name")
    if not isinstance(name, str):
        raise InputError("name is a text")
    return Answer.json(desk.rename(unquote(values["name"]), name))


def _forget(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.forget(unquote(values["name"])))


def _start(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    fields = fields_of(request)
    name, by = fields.get("name"), fields.get("by")
    if not isinstance(name, str) or by not in ("photos", "camera"):
        raise InputError("name must be a text, and by photos or camera")
    if fields.get("consent") is not True:
        raise RefusedError("nobody is enrolled without consent", hint="send consent: true")
    return Answer.json(desk.enrolments.start(name, add=fields.get("add") is True, by=by))


def _photo(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.enrolments.photo(values["enrolment"], request.body))


def _sitting(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.enrolments.state(values["enrolment"]))


def _finish(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(desk.finish_enrolment(values["enrolment"]))


def _consent(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json({"text": consent_text()})


def _keep_consent(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    text = fields_of(request).get("text")
    if not isinstance(text, str):
        raise InputError("text must be a text")
    keep_consent_text(text)
    return Answer.json({"text": text})


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise InputError("a number is wanted")
    return int(text)


def _document(desk: Desk, request: Request, values: Mapping[str, str]) -> Answer:
    return Answer.json(openapi(ROUTES))


ROUTES: tuple[Route, ...] = (
    Route("POST", "/api/recognize", "Who is in a picture (JSON schema 1).", _recognize, "image/*"),
    Route("GET", "/api/visits", "The last visits, the latest first; ?last=N.", _visits),
    Route("GET", "/api/visits/{number}/face.jpg", "The best face of a visit.", _face,
          gives="image/jpeg"),
    Route("GET", "/api/unknown", "Unknown visitors, in groups who look the same.", _unknown),
    Route("GET", "/api/people", "Who is known, and what visits prove.", _people),
    Route("DELETE", "/api/people/{name}", "Forget somebody.", _forget),
    Route("POST", "/api/people/{name}/name", "Call somebody otherwise: name.", _rename,
          "application/json"),
    Route("GET", "/api/health", "What the doctor finds, and the last errors.", _health),
    Route("GET", "/api/events", "Who comes and goes, as server-sent events.", _events,
          gives="text/event-stream"),
    Route("POST", "/api/rulings", "What the owner's word on visits would change.", _propose,
          "application/json"),
    Route("POST", "/api/rulings/{proposal}", "Do what was proposed.", _apply, "application/json"),
    Route("POST", "/api/undo", "Take the last word back.", _undo, "application/json"),
    Route(
        "POST",
        "/api/enrolments",
        "Begin to enroll somebody who agrees: name, by (photos or camera), add, consent.",
        _start,
        "application/json",
    ),
    Route(
        "POST",
        "/api/enrolments/{enrolment}/photos",
        "Show one photo.",
        _photo,
        "image/*",
    ),
    Route("GET", "/api/enrolments/{enrolment}", "How far it is.", _sitting),
    Route("POST", "/api/enrolments/{enrolment}", "Enroll them.", _finish, "application/json"),
    Route("GET", "/api/consent", "The owner's text of consent, null without one.", _consent),
    Route("POST", "/api/consent", "Keep a text of consent.", _keep_consent, "application/json"),
    Route("GET", "/api/openapi.json", "This document.", _document),
)  # fmt: skip


def openapi(routes: tuple[Route, ...]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of routes."""
    from edge import __version__

    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        names = re.findall(r"\{(\w+)\}", route.path)
        operation: dict[str, Any] = {
            "summary": route.says,
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in names
            ],
            "responses": {
                "200": {"description": "done", "content": {route.gives: {}}},
                "default": {
                    "description": "what is wrong, and what helps",
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    },
                },
            },
        }
        if route.body:
            operation["requestBody"] = {"content": {route.body: {}}, "required": True}
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    problem = {
        "type": "object",
        "properties": {"error": {"type": "string"}, "hint": {"type": ["string", "null"]}},
        "required": ["error"],
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "edge-recognize", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {"Problem": problem},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }
