"""Names of people: one rule for enrolling, training, packing and for heads in bundles of others.

A name becomes a word of the screen, a topic of MQTT, an argument of a command and part of a file's
name. What would mean something else in one of these is no name.
"""

from __future__ import annotations

from edge.errors import UsageError

LONGEST = 120

RESERVED = frozenset({"unknown", "uncertain", "rejected", "match", "nobody", "somebody unknown"})
"""Words that results use for who has no name, in any case of letters."""

_MEANING = {
    "/": "separates folders and topics",
    "#": "stands for all topics in MQTT",
    "+": "stands for any topic in MQTT",
}


def name_problem(name: str) -> str | None:
    """Why nobody can be called so, None where somebody can."""
    if not name.strip():
        return "it is empty"
    if len(name) > LONGEST:
        return f"it has more than {LONGEST} characters"
    if not name.isprintable():
        return "it holds control characters"
    if name != name.strip():
        return "it begins or ends with a blank"
    if not name.strip("."):
        return "it stands for a folder"
    if name.startswith("-"):
        return "it begins with -, as options do"
    if name.casefold() in RESERVED:
        return "results use that word for who has no name"
    found = next((sign for sign in _MEANING if sign in name), None)
    return None if found is None else f"it holds {found}, which {_MEANING[found]}"


def checked_person_name(name: str) -> str:
    """The name itself. Raises `UsageError` with the reason where nobody can be called so."""
    problem = name_problem(name)
    if problem is not None:
        raise UsageError(
            f"nobody can be called {name[:LONGEST]!r}: {problem}", hint="choose another name"
        )
    return name
