"""`edge-flash rehearse`: a bundle on an emulated Raspberry Pi, before any real one has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge.console.commands import PATH, command, emit_json, json_option, quiet_option, say


@command(
    "rehearse",
    examples="""
    edge-flash rehearse anna.edge
    edge-flash rehearse anna.edge --model pi4 --os bookworm --source clip.mkv
    """,
)
@click.argument("bundle", type=PATH, metavar="NAME.edge")
@click.option(
    "--model", type=click.Choice(("pi4", "pi5")), default="pi5", help="Raspberry Pi to emulate."
)
@click.option(
    "--os", "release", type=click.Choice(("bookworm", "trixie")), default="trixie",
    help="Release of its system: bookworm has Python 3.11, trixie 3.13.",
)  # fmt: skip
@click.option("--source", type=PATH, metavar="CLIP", help="Also recognize 8 frames of this video.")
@click.option(
    "--mirror", metavar="URL", help="Use this Debian mirror; by default that of this machine."
)
@json_option()
@quiet_option()
def rehearse_command(
    bundle: Path, model: Any, release: Any, source: Path | None, mirror: str | None, as_json: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Run a bundle in a Raspberry Pi's own Python, emulated here, and compare with this machine.

    Installs the wheels for aarch64, runs doctor, the golden crops and a clip. Fetches qemu and
    Debian's arm64 Python by apt-get download the first time (about 40 MB, kept in the cache
    folder); needs no root. With a C compiler and Debian 12's qemu it counts the instructions that a
    frame costs in each stage; of speed it says nothing. Ends with 1 where the Pi would decide
    otherwise.
    """
    from export.rehearse.emulator import open_emulator
    from export.rehearse.rehearsal import rehearse

    def note(text: str) -> None:
        if not quiet:
            say(f"{text} …", err=True)

    note(f"preparing {model} with {release}")
    done = rehearse(bundle, source, open_emulator(model, release, mirror=mirror), note)
    if as_json:
        emit_json(done.to_json())
    else:
        say(done.text())
    if not done.passed:
        click.get_current_context().exit(1)
