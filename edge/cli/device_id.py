"""`edge-recognize device-id`: what this device is called beside others of its name."""

from __future__ import annotations

import os

import click

from edge.console.commands import command, emit_json, json_option, say
from edge.errors import UsageError


@command(
    "device-id",
    examples="""
    edge-recognize device-id
    edge-recognize device-id --set door
    """,
)
@click.option("--set", "name", metavar="ID", help="Set this id for the device.")
@json_option()
def device_id_command(name: str | None, as_json: bool) -> None:
    """Show or set the id that tells this device from others.

    It is random and made at the first use. MQTT uses it in topics and for Home Assistant's devices,
    so that two devices with the same host name stay apart.
    """
    from edge.sinks.device_id import DEVICE_ID_VARIABLE, device_id, store_id

    if name is not None:
        if os.environ.get(DEVICE_ID_VARIABLE):
            raise UsageError(f"{DEVICE_ID_VARIABLE} is set and takes precedence", hint="unset it")
        store_id(name)
    if as_json:
        emit_json({"schema": 1, "device_id": device_id()})
    else:
        say(device_id())
