"""`edge-recognize data`: all that this device keeps of people."""

from __future__ import annotations

from edge.console.commands import command, emit_json, json_option, say


@command(
    "data",
    examples="""
    edge-recognize data
    edge-recognize data --json
    """,
)
@json_option()
def data(as_json: bool) -> None:
    """List what this device keeps of people: what, where, since when, how large, how protected.

    Files that you wrote with --save, and folders that you named with --events-folder, are yours to
    keep account of.
    """
    from edge.visits.kept import kept_here

    found = kept_here()
    if as_json:
        emit_json({"schema": 1, "kept": [one.to_json() for one in found]})
        return
    for one in found:
        say(one.text())
    if not found:
        say("nothing of anybody is kept on this device")
