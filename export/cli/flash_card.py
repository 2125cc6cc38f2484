"""`edge-flash card`: a memory card that boots into a running recognizer."""

from __future__ import annotations

from pathlib import Path

import click

from edge.console.commands import PATH, say
from edge.errors import UsageError
from export.cli.flash_common import WORDS, WithWords


@click.command(
    "card",
    cls=WithWords,
    examples="""
    edge-flash wheelhouse -o wheels-3.13 --python 3.13
    edge-flash card /media/me/bootfs --wheelhouse wheels-3.13 --bundle anna.edge
    edge-flash card /media/me/bootfs --wheelhouse wheels-3.13 -- --camera csi
    """,
)
@click.argument("boot", type=PATH, metavar="DIR")
@click.option(
    "--wheelhouse",
    type=PATH,
    required=True,
    metavar="DIR",
    help="Folder of wheels, from 'edge-flash wheelhouse'.",
)
@click.option("--bundle", type=PATH, metavar="NAME.edge", help="Bundle to put onto the card.")
@click.option("--hostname", default="raspberrypi", help="Name of the Pi in the network.")
@click.option("--user", default="pi", help="User who logs in (by key alone) and runs the service.")
@click.option(
    "--ssh-key", type=PATH, default=Path("~/.ssh/id_ed25519.pub"), metavar="FILE",
    help="Your SSH public key.",
)  # fmt: skip
@click.option(
    "--wifi", metavar="NAME", help="Connect to this Wi-Fi; the command asks for its password."
)
@click.option(
    "--wifi-password-file",
    type=PATH,
    metavar="FILE",
    help="Read the Wi-Fi's password from this file.",
)
@click.option("--country", metavar="XX", help="Country of the Wi-Fi, in two letters.")
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@click.pass_context
def card_command(
    ctx: click.Context, boot: Path, wheelhouse: Path, bundle: Path | None, hostname: str, user: str,
    ssh_key: Path, wifi: str | None, wifi_password_file: Path | None, country: str | None,
    yes: bool,
) -> None:  # fmt: skip
    """Prepare a freshly written card, so that its first start ends in a running recognizer.

    DIR is the mounted boot partition of Raspberry Pi OS Trixie. At the first start the Pi installs
    the wheels, the bundle and the service by itself, with no screen and no network but its own;
    what it did stands in edge-recognize/first-boot.log there. Options of the service stand after
    '--'. Only a key made from the Wi-Fi password is written.
    """
    from export.flash.card import Wifi, card_of, check_boot, wifi_key

    check_boot(boot)
    network = None
    if wifi is not None:
        if country is None or len(country) != 2:
            raise UsageError("Wi-Fi needs its country", hint="add --country, as DE or US")
        if wifi_password_file is not None:
            password = wifi_password_file.read_text("utf-8").strip()
        else:
            password = click.prompt(f"Password of {wifi}", hide_input=True, err=True)
        network = Wifi(wifi, wifi_key(wifi, password), country.upper())
    words = ctx.meta.get(WORDS, ())
    card = card_of(hostname, user, ssh_key.expanduser(), wheelhouse, bundle, network, words)
    say(f"onto {boot}:")
    for line in card.lines():
        say(f"  {line}")
    if not yes:
        click.confirm("Write it?", abort=True, err=True)
    card.write(boot)
    say(f"written; unmount it, and find the Pi as {user}@{hostname}.local in about five minutes")
