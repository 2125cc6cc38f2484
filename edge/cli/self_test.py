"""`edge-recognize self-test`: may this bundle run on this device?"""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.people import key_file_option
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
@click.option(
    "--carry-over",
    is_flag=True,
    help="Enroll the people of this device again on its base, from the pictures that were kept.",
)
@click.option("--drop-people", is_flag=True, help="Let go of whom it cannot know.")
@key_file_option
@json_option()
def self_test(
    bundle: Path | None, carry_over: bool, drop_people: bool, key_file: Path | None, as_json: bool
) -> None:
    """Run a bundle once and report whether it may replace the current one.

    Checks hashes and signature, runs detector, networks and heads in a separate process, and
    compares the decisions on the golden crops with the recorded ones. Refuses a bundle if the
    people enrolled on this device could not be recognized with its base. 'edge-flash push' calls
    this on the device before it switches. Without a name it tests the bundle that is used here, or
    the shipped base, as 'edge-flash setup' does with new software. The key of encrypted people is
    by default that of the installed service.
    """
    from edge.bundle.locate import locate
    from edge.people.carry_over import CarriedOver
    from edge.people.carry_over import carry_over as carry
    from edge.people.encryption import KEY_FILE_VARIABLE, Encryption
    from edge.recognition.self_test import self_test as run
    from edge.recognition.self_test import shipped_test
    from edge.service.unit_install import installed_environment

    path = locate().path if bundle is None else bundle
    carried = CarriedOver()
    if path is None:
        done = shipped_test()
    else:
        done = run(path)
        named = installed_environment().get(KEY_FILE_VARIABLE)
        vault = Encryption.open(key_file or (Path(named) if named else None))
        carried = carry(path, vault, drop=drop_people, dry_run=not carry_over)
    if as_json:
        people = {"carried_over": list(carried.names), "dropped": list(carried.dropped)}
        emit_json({**done.to_json(), **people})
    else:
        click.echo("\n".join(filter(None, [done.text(), carried.text()])))
