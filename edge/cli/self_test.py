"""`edge-recognize self-test`: may this bundle run on this device?"""

from __future__ import annotations

import os
from pathlib import Path

import click

from edge.cli.people import key_file_option
from edge.console.commands import PATH, command, emit_json, json_option, say


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
@click.option(
    "--map-people",
    is_flag=True,
    help="Map people without pictures to its base even if they are recognized less well then.",
)
@click.option("--drop-people", is_flag=True, help="Forget people whom the bundle cannot know.")
@click.option(
    "--allow-older", is_flag=True, help="Also take a signed bundle with a smaller serial number."
)
@key_file_option
@json_option()
def self_test(
    bundle: Path | None, carry_over: bool, map_people: bool, drop_people: bool, allow_older: bool,
    key_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Run a bundle once and report whether it may replace the current one.

    Checks hashes and signature, runs detector, networks and heads in a separate process, and
    compares the decisions on the golden crops with the recorded ones. Refuses a bundle if the
    people enrolled on this device could not be recognized with its base. 'edge-flash push' calls
    this on the device before it switches. Without a name it tests the bundle that is used here, or
    the shipped base, as 'edge-flash setup' does with new software. The key of encrypted people is
    by default that of the installed service.
    """
    from edge.bundle.locate import current_link, locate
    from edge.bundle.signature import KEY_VARIABLE
    from edge.people.carry_over import carry_over as carry
    from edge.people.encryption import KEY_FILE_VARIABLE, Encryption
    from edge.recognition.self_test import refuse_older, shipped_test
    from edge.recognition.self_test import self_test as run
    from edge.service.unit_install import installed_environment

    service = installed_environment()
    if KEY_VARIABLE in service:
        os.environ.setdefault(KEY_VARIABLE, service[KEY_VARIABLE])
    current = locate().path if bundle is None or current_link().is_file() else None
    path = current if bundle is None else bundle
    done = shipped_test() if path is None else run(path)
    if path is not None and current is not None and not allow_older:
        refuse_older(path, current)
    named = service.get(KEY_FILE_VARIABLE)
    vault = Encryption.open(key_file or (Path(named) if named else None))
    carried = carry(
        path, vault, current=locate().path, drop=drop_people, map_people=map_people,
        dry_run=not carry_over,
    )  # fmt: skip
    if as_json:
        people = {
            "carried_over": list(carried.names),
            "mapped": list(carried.mapped),
            "likeness": carried.likeness,
            "dropped": list(carried.dropped),
        }
        emit_json({**done.to_json(), **people})
    else:
        say("\n".join(filter(None, [done.text(), carried.text()])))
