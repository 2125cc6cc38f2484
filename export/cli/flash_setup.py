"""`edge-flash setup`, `wheelhouse` and `status`: devices from nothing, and how they are."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from edge.console.commands import (
    PATH,
    command,
    emit_json,
    json_option,
    out_option,
    quiet_option,
    say,
)
from edge.errors import UsageError
from export.cli.flash_card import card_command
from export.cli.flash_common import (
    WORDS,
    WithWords,
    canary_option,
    dry_run_option,
    hosts_argument,
    jobs_option,
    run_on,
    ssh_of,
    ssh_options,
)
from export.cli.flash_rehearse import rehearse_command

_wheel_option = click.option(
    "--wheel",
    type=PATH,
    metavar="FILE",
    help="Use this wheel instead of the software that runs here.",
)


@click.command(
    "setup",
    cls=WithWords,
    examples="""
    edge-flash setup pi@raspberrypi.local
    edge-flash setup pi@door -- --camera csi --mqtt mqtt://broker
    edge-flash setup pi@door --wheelhouse wheels-3.13
    edge-flash setup pi@door pi@gate --canary 1
    edge-flash setup pi@door --dry-run
    edge-flash setup pi@door --uninstall --yes
    """,
)
@hosts_argument
@click.option(
    "--wheelhouse", type=PATH, metavar="DIR",
    help="Install from this folder alone, with no network there; see 'edge-flash wheelhouse'.",
)  # fmt: skip
@_wheel_option
@click.option(
    "--service/--no-service",
    default=True,
    help="Start the service with the device, or install no service.",
)
@click.option(
    "--watch", "watch_s", type=click.IntRange(0), default=20, metavar="SECONDS", show_default=True,
    help="Watch the service for this time, and undo an update if its service " "ends.",
)  # fmt: skip
@click.option(
    "--drop-people", is_flag=True,
    help="Let go of people enrolled there on another shipped base whose pictures were not kept.",
)  # fmt: skip
@click.option(
    "--uninstall", is_flag=True, help="Remove software, bundles and people from the device."
)
@click.option("--yes", is_flag=True, help="With --uninstall: do not ask for confirmation.")
@jobs_option
@canary_option
@dry_run_option
@ssh_options
@json_option()
@quiet_option()
@click.pass_context
def setup_command(
    ctx: click.Context, hosts: tuple[str, ...], wheelhouse: Path | None, wheel: Path | None,
    service: bool, watch_s: int, drop_people: bool, uninstall: bool, yes: bool, jobs: int,
    canary: int, dry_run: bool, as_json: bool, quiet: bool, **ssh_words: Any,
) -> None:  # fmt: skip
    """Install edge-recognize on a device and let it run as a service; or update it.

    What runs here is installed there, in a Python environment of its own: the system's Python is
    left alone. It is built beside the one that runs, tests itself, and becomes current by one
    rename; 'rollback --software' goes back. Options of the service stand after '--'; without any
    it keeps those it has, or looks at the camera that is connected. --dry-run shows each step.
    """
    from export.console.meters import Meters
    from export.flash.setup import Software, set_up
    from export.flash.setup import uninstall as remove

    ssh = ssh_of(ssh_words)
    words = ctx.meta.get(WORDS, ())
    if uninstall:
        if not dry_run and not yes:
            text = f"Remove edge-recognize, bundles, people and keys from {', '.join(hosts)}?"
            click.confirm(text, abort=True, err=True)
        run_on(hosts, lambda host: remove(host, ssh, dry_run=dry_run), as_json)
        return
    _check(words, service=service)
    with tempfile.TemporaryDirectory() as folder:
        software = Software.of(Path(folder), wheel, wheelhouse)
        size_kib = sum(path.stat().st_size for path in software.files()) // 1024
        with Meters(size_kib, quiet=quiet) as meters:
            run_on(
                hosts,
                lambda host: set_up(
                    software, host, ssh, words=words, service=service, watch_s=watch_s,
                    drop_people=drop_people, dry_run=dry_run,
                    on_note=lambda text: meters.note(host, text),
                    on_sent=lambda count_bytes: meters.sent(host, count_bytes),
                ),
                as_json, jobs=jobs, canary=canary,
            )  # fmt: skip


def _check(words: tuple[str, ...], *, service: bool) -> None:
    """Options of the service, as far as they can be judged here."""
    if not words:
        return
    if not service:
        raise UsageError("options after '--' are the service's", hint="leave out --no-service")
    from edge.cli.run_command import run_command

    context = run_command.make_context("run", list(words))
    if context.args:
        raise UsageError(f"'{context.args[0]}' is no option of 'edge-recognize run'")


@command(
    "wheelhouse",
    examples="""
    edge-flash wheelhouse -o wheels-3.11 --python 3.11
    edge-flash wheelhouse -o wheels-3.13 --python 3.13
    """,
)
@out_option(required=True, help="Write the wheels to this new folder.")
@click.option(
    "--python", type=click.Choice(("3.10", "3.11", "3.12", "3.13")), required=True,
    help="Python version of the device: 3.11 in bookworm, 3.13 in trixie.",
)  # fmt: skip
@click.option(
    "--machine", type=click.Choice(("aarch64", "x86_64")), default="aarch64",
    help="Processor of the device.",
)  # fmt: skip
@_wheel_option
@json_option()
def wheelhouse_command(
    out: Path, python: Any, machine: Any, wheel: Path | None, as_json: bool
) -> None:
    """Gather all wheels that a device needs, to set it up without a network.

    About 75 MB, wheels alone; nothing is compiled.
    """
    from export.flash.wheelhouse import collect

    made = collect(out, python, machine, wheel).to_json()
    if as_json:
        emit_json(made)
        return
    say(
        f"{out}: {len(made['wheels'])} wheels for Python {python} on {machine}, "
        f"{made['size_bytes'] / 2**20:.0f} MiB; edge-flash setup USER@HOST --wheelhouse {out}"
    )


@command("status", examples="edge-flash status pi@door pi@gate --json")
@hosts_argument
@jobs_option
@ssh_options
@json_option()
def status_command(hosts: tuple[str, ...], jobs: int, as_json: bool, **ssh_words: Any) -> None:
    """Show what runs on devices: software, bundle, service, space, clock, temperature."""
    from export.flash.status import status_of

    ssh = ssh_of(ssh_words)
    run_on(hosts, lambda host: status_of(host, ssh), as_json, jobs=jobs)


COMMANDS = (setup_command, wheelhouse_command, card_command, rehearse_command, status_command)
