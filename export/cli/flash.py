"""The command `edge-flash`: software and bundles onto devices, through the user's own ssh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge.console.commands import PATH, group, json_option, quiet_option
from export.cli.flash_common import (
    canary_option,
    dry_run_option,
    hosts_argument,
    jobs_option,
    reload_option,
    run_on,
    ssh_of,
    ssh_options,
)
from export.cli.flash_setup import COMMANDS


@group(
    "edge-flash",
    examples="""
    edge-flash setup pi@raspberrypi.local
    edge-flash push anna.edge pi@raspberrypi.local
    edge-flash push anna.edge pi@door pi@gate --reload --canary 1
    edge-flash status pi@door pi@gate
    edge-flash rollback pi@door --reload
    """,
)
def main() -> None:
    """Put software and bundles onto devices over ssh, and go back to earlier ones.

    Uses the OpenSSH client of this machine with its keys, config and known hosts: if 'ssh
    USER@HOST' works, this works. Each device needs 'setup' once.
    """


for _command in COMMANDS:
    main.add_command(_command)


@main.command(
    "push",
    examples="""
    edge-flash push anna.edge pi@raspberrypi.local
    edge-flash push anna.edge pi@door pi@gate --reload --canary 1
    edge-flash push anna.edge pi@10.0.0.7 --port 2222 --identity ~/.ssh/pi -o ConnectTimeout=5
    edge-flash push anna.edge door --ssh-config ./ssh_config --dry-run
    """,
)
@click.argument("bundle", type=PATH, metavar="NAME.edge")
@hosts_argument
@click.option(
    "--keep", type=click.IntRange(2), default=3, metavar="N",
    help="Keep N bundles on the device, the current and the previous one " "included.",
)  # fmt: skip
@reload_option
@click.option(
    "--watch",
    "watch_s",
    type=click.IntRange(0),
    default=20,
    metavar="SECONDS",
    show_default=True,
    help="With --reload: watch the recognizer for this time, and go back to "
    "the previous bundle if it ends.",
)
@click.option(
    "--map-people", is_flag=True,
    help="Map people without pictures to its base even if they are recognized less well then.",
)  # fmt: skip
@click.option(
    "--drop-people", is_flag=True,
    help="Forget people enrolled there on another base whose pictures were not kept.",
)  # fmt: skip
@click.option(
    "--allow-older", is_flag=True,
    help="Also take a signed bundle with a smaller serial number than the current one's.",
)  # fmt: skip
@jobs_option
@canary_option
@dry_run_option
@ssh_options
@json_option()
@quiet_option()
def push_command(
    bundle: Path, hosts: tuple[str, ...], keep: int, reload: bool, watch_s: int, map_people: bool,
    drop_people: bool, allow_older: bool, jobs: int, canary: int, dry_run: bool, as_json: bool,
    quiet: bool, **ssh_words: Any,
) -> None:  # fmt: skip
    """Check a bundle, upload it, and make it the current one.

    Before it switches, the device checks the upload by its SHA-256 and runs it once with its own
    software (edge-recognize self-test). People enrolled there on another base are enrolled again
    from the pictures that were kept of them, or mapped to its base where that costs little, or the
    push stops and names them. The previous bundle
    stays there for 'rollback'. A bundle that is there already is not uploaded again. With --canary
    each device's service is asked to load the bundle (--reload), and the other devices wait until
    the first ones were watched.
    """
    from export.console.meters import Meters
    from export.flash.push import BundleFile, push

    ssh = ssh_of(ssh_words)
    checked = BundleFile.check(bundle)
    reload = reload or canary > 0
    with Meters(checked.kib, quiet=quiet) as meters:
        run_on(
            hosts,
            lambda host: push(
                checked, host, ssh, keep=keep, reload=reload, watch_s=watch_s,
                map_people=map_people, drop_people=drop_people,
                allow_older=allow_older, dry_run=dry_run,
                on_sent=lambda count_bytes: meters.sent(host, count_bytes),
            ),
            as_json, bundle=checked.to_json(), asked=reload, jobs=jobs, canary=canary,
        )  # fmt: skip


@main.command(
    "rollback",
    examples="""
    edge-flash rollback pi@door --reload
    edge-flash rollback pi@door --software
    """,
)
@hosts_argument
@click.option("--software", is_flag=True, help="Go back to the previous software instead.")
@reload_option
@dry_run_option
@ssh_options
@json_option()
def rollback_command(
    hosts: tuple[str, ...], software: bool, reload: bool, dry_run: bool, as_json: bool,
    **ssh_words: Any,
) -> None:  # fmt: skip
    """Make the previous bundle current; a second call goes forward again.

    With --software, go back to the software that 'setup' installed before, and start the service
    again.
    """
    from export.flash.push import rollback
    from export.flash.setup import undo_software

    ssh = ssh_of(ssh_words)

    def action(host: str) -> Any:
        if software:
            return undo_software(host, ssh, dry_run=dry_run)
        return rollback(host, ssh, reload=reload, dry_run=dry_run)

    run_on(hosts, action, as_json, asked=reload and not software)


@main.command("list", examples="edge-flash list pi@door pi@gate --json")
@hosts_argument
@ssh_options
@json_option()
def list_command(hosts: tuple[str, ...], as_json: bool, **ssh_words: Any) -> None:
    """List the bundles of a device: the current, the previous, and the damaged ones."""
    from export.flash.push import shelf

    ssh = ssh_of(ssh_words)
    run_on(hosts, lambda host: shelf(host, ssh), as_json)


if __name__ == "__main__":
    main()
