"""`edge-recognize rename`: somebody enrolled here under another name, everywhere."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.people import events_folder_option, key_file_option
from edge.console.commands import bundle_option, command, emit_json, json_option, say
from edge.errors import PeopleError, UsageError


@command(
    "rename",
    examples="""
    edge-recognize rename ana anna
    edge-recognize rename --undo
    """,
)
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--undo", is_flag=True, help="Undo the last rename.")
@events_folder_option
@bundle_option(help="Use this bundle; by default the one that 'edge-recognize run' uses.")
@key_file_option
@json_option()
def rename_command(
    old: str | None,
    new: str | None,
    undo: bool,
    events_folder: Path | None,
    bundle: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Rename a person who is enrolled on this device: head, visits, event images.

    Thresholds and samples stay as they are. A name that is drawn into an event image stays there.
    """
    if undo and (old or new or events_folder):
        raise UsageError("--undo takes the last renaming back and nothing else")
    if not undo and not (old and new):
        raise UsageError("give the OLD and the NEW name")
    from edge.people.registry import open_register
    from edge.people.store import only_writer, people_folder
    from edge.visits.renaming import rename, take_back_rename
    from edge.visits.store import VisitStore

    with only_writer(people_folder()), open_register(bundle, key_file) as register:
        store = VisitStore(vault=register.vault)
        if undo:
            done = take_back_rename(register, store)
            if done is None:
                raise PeopleError("there is no renaming to undo: only the last ruling can be")
        else:
            assert old and new
            done = rename(register, store, old, new, events_folder)
    if as_json:
        emit_json(done.to_json())
    else:
        say(done.text())
