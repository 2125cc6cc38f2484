"""`edge-recognize service`: print a systemd unit for the options that are to run."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from edge.cli.people import key_file_option
from edge.console.commands import command, emit_json, json_option, out_option


@command(
    "service",
    examples="""
    edge-recognize service -- --camera 0 | sudo tee /etc/systemd/system/edge-recognize.service
    edge-recognize service --user pi -- --camera csi --mqtt mqtt://localhost
    sudo systemctl daemon-reload && sudo systemctl enable --now edge-recognize
    sudo systemctl reload edge-recognize
    """,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- [OPTIONS]...")
@click.option("--user", metavar="NAME", help="Who runs it; by default who calls this.")
@key_file_option
@out_option(help="Write it to this file instead of standard output.")
@json_option()
def service(
    words: tuple[str, ...], user: str | None, key_file: Path | None, out: Path | None, as_json: bool
) -> None:
    """Print a systemd unit that runs edge-recognize with the options after '--'.

    It is watched and started again, may write to the data folder of its user alone, and has no
    network unless an option needs it. Enrol people as that user.
    """
    from edge.service.systemd_unit import Unit, data_of, needs_network, program_path

    user = user or getpass.getuser()
    key = None if key_file is None else key_file.expanduser().absolute()
    text = Unit(words, user, program_path(), data_of(user), key).text()
    if out is not None:
        from edge.files.atomic import atomic_file

        with atomic_file(out) as temporary:
            temporary.write_text(text)
    if as_json:
        emit_json({"schema": 1, "unit": text, "network": needs_network(words)})
    elif out is None:
        click.echo(text, nl=False)
