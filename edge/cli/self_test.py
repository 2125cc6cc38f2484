"""`edge-recognize self-test`: may this bundle run on this device?"""

from __future__ import annotations

from pathlib import Path

import click

from edge.console.commands import PATH, command, emit_json, json_option


@command(
    "self-test",
    examples="""
    edge-recognize self-test
    edge-recognize self-test anna.edge
    edge-recognize self-test anna.edge --json
    """,
)
@click.argument("bundle", type=PATH, required=False, metavar="[NAME.edge]")
@json_option()
def self_test(bundle: Path | None, as_json: bool) -> None:
    """Run a bundle once and report whether it may replace the current one.

    Checks hashes and signature, runs detector, networks and heads in a separate process, and
    compares the decisions on the golden crops with the recorded ones. Refuses a bundle if the
    people enrolled on this device could not be recognized with its base. 'edge-flash push' calls
    this on the device before it switches. Without a name it tests the bundle that is used here, or
    the shipped base, as 'edge-flash setup' does with new software.
    """
    from edge.bundle.locate import locate
    from edge.people.store import refuse_to_lose
    from edge.recognition.self_test import self_test as run
    from edge.recognition.self_test import shipped_test

    path = locate().path if bundle is None else bundle
    if path is None:
        done = shipped_test()
    else:
        done = run(path)
        refuse_to_lose(path)
    if as_json:
        emit_json(done.to_json())
    else:
        click.echo(done.text())
