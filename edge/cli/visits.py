"""`edge-recognize visits` and `name`: who came, and who it was by the owner's word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.people import key_file_option, ruling_options
from edge.cli.ruling import rule
from edge.console.commands import command, emit_json, json_option, say

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
    "--last",
    type=click.IntRange(1),
    default=20,
    metavar="N",
    help="Show the last N of the kept visits.",
)
@click.option("--unknown", is_flag=True, help="Show only the visits of unknown people.")
@click.option("--groups", is_flag=True, help="Group unknown visitors who look the same.")
@key_file_option
@json_option()
def visits(last: int, unknown: bool, groups: bool, key_file: Path | None, as_json: bool) -> None:
    """List the visits that 'edge-recognize --keep-visits N' has kept, the latest last."""
    from edge.people.encryption import Encryption
    from edge.visits.store import VisitStore

    store = VisitStore(vault=Encryption.open(key_file))
    if groups:
        from edge.visits.groups import grouped

        rows = [group.to_json() for group in grouped(store.visits())][:last]
        if as_json:
            emit_json({"schema": 1, "groups": rows})
        for row in () if as_json else rows:
            words = " ".join(f"--visit {number}" for number in row["visits"])
            say(f"seen {len(row['visits'])} times, last {row['last'][:16]}: {words}")
        return
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
    help="Visit to use, by its number in 'edge-recognize visits'; may be repeated.",
)
@click.option("--new", is_flag=True, help="Enroll a new person from the samples of the visits.")
@ruling_options
def name(name: str, new: bool, **options: Any) -> None:
    """Name a visitor: add a visit's samples to a person, or enroll a new person from them.

    First shows which of the last visits would be decided differently. 'not-me --undo' undoes it.
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
