"""`edge-recognize visits` and `name`: who came, and who it was by the owner's word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.people import key_file_option
from edge.cli.ruling import rule
from edge.console.commands import bundle_option, command, emit_json, json_option, say

if TYPE_CHECKING:
    from edge.visits.visit import Visit


@command(
    "visits",
    examples="""
    edge-recognize --camera 0 --keep-visits 500 --visit-faces
    edge-recognize visits
    edge-recognize visits --last 50 --unknown --json
    """,
)
@click.option(
    "--last", type=click.IntRange(1), default=20, metavar="N", help="So many of the kept visits."
)
@click.option("--unknown", is_flag=True, help="Only those of nobody known.")
@key_file_option
@json_option()
def visits(last: int, unknown: bool, key_file: Path | None, as_json: bool) -> None:
    """List who came, as 'edge-recognize --keep-visits N' has kept it, the latest last."""
    from edge.people.encryption import Encryption
    from edge.visits.store import VisitStore

    store = VisitStore(vault=Encryption.open(key_file))
    found = [visit for visit in store.visits() if not unknown or visit.who is None][-last:]
    if as_json:
        rows = [visit.to_json() for visit in found]
        emit_json({"schema": 1, "visits": rows, "unreadable": store.unreadable})
        return
    for visit in found:
        say(_line(visit))
    if not found:
        say("no visits are kept; run edge-recognize with --keep-visits 500")
    if store.unreadable:
        say(f"{store.unreadable} more cannot be read: damaged, or encrypted with another key")


@command(
    "name",
    examples="""
    edge-recognize name ana --visit 12
    edge-recognize name ben --visit 12 --visit 15 --new
    edge-recognize name ana --visit 12 --preview
    """,
)
@click.argument("name")
@click.option(
    "--visit",
    "numbers",
    type=click.IntRange(1),
    multiple=True,
    required=True,
    metavar="N",
    help="A visit, as 'edge-recognize visits' numbers it; repeatable.",
)
@click.option("--new", is_flag=True, help="Somebody new: enrol them by the looks of the visits.")
@click.option("--preview", is_flag=True, help="Only say what would be decided otherwise.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@bundle_option(help="The bundle that is used; by default the one that would be.")
@key_file_option
@json_option()
def name(name: str, new: bool, **options: Any) -> None:
    """Say who came: add a visit's looks to somebody enrolled here, or enrol somebody new.

    Shows first which of the last visits would be decided otherwise. 'not-me --undo' takes it back.
    """
    rule(name, "new" if new else "is", **options)


def _line(visit: Visit) -> str:
    who = visit.person or visit.state
    score = "" if visit.score is None else f" ({visit.score:.2f} against {visit.threshold:.2f})"
    words = [f"by your word {visit.named}"] if visit.named else []
    words += [f"by your word not {other}" for other in visit.denied]
    said = f"; {', '.join(words)}" if words else ""
    day, _, clock = visit.at.partition("T")
    return (
        f"{visit.number:>5}  {day} {clock[:8]}  {who}{score}, {visit.lasted_s:.0f} s, "
        f"{visit.source}{said}"
    )


VISIT_COMMANDS = (visits, name)
