"""What `edge-recognize name` and `not-me --visit` do: propose, ask and do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.console.commands import emit_json, say
from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.visits.rulings import Says


def rule(
    name: str,
    says: Says,
    *,
    numbers: tuple[int, ...],
    preview: bool,
    yes: bool,
    bundle: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Propose, ask and do. Raises a `ToolkitError` for whatever cannot be."""
    from edge.people.registry import open_register
    from edge.people.store import only_writer, people_folder
    from edge.visits.rulings import Ruling, apply, propose
    from edge.visits.store import VisitStore

    if as_json and not (preview or yes):
        raise UsageError("--json cannot ask", hint="add --preview or --yes")
    with only_writer(people_folder()), open_register(bundle, key_file) as register:
        store = VisitStore(vault=register.vault)
        proposal = propose(register, store, Ruling(numbers, says, name))
        if not as_json:
            say(proposal.text())
            for change in proposal.foresight.changed:
                say(f"    visit {change.visit}: {change.before} -> {change.after}")
        done = not preview and (yes or agrees())
        if done:
            apply(register, store, proposal)
    if as_json:
        emit_json({"schema": 1, "done": done, **proposal.to_json()})
    elif done:
        say(
            "done; an edge-recognize that runs takes it over at SIGHUP; not-me --undo takes it back"
        )
    elif not preview:
        say("nothing was changed")


def agrees() -> bool:
    """Whether whoever sits before the terminal says yes. Raises `UsageError` without one."""
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at", hint="add --yes, or --preview")
    return click.confirm("do it?")
