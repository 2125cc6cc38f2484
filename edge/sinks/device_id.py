"""The device id: what tells this device from others of the same host name."""

from __future__ import annotations

import logging
import os
import re
import secrets

from edge.bundle.locate import data_folder
from edge.errors import UsageError
from edge.files.atomic import atomic_file

log = logging.getLogger(__name__)

FILE = "device-id"
"""Below the data folder, see `edge.bundle.locate.data_folder`."""

DEVICE_ID_VARIABLE = "EDGE_DEVICE_ID"
_RIGHT = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def device_id() -> str:
    """The id of this device: of `EDGE_DEVICE_ID`, else the stored one, else a random one that is
    stored now. Where nothing can be written, it lasts as long as the process. Raises `UsageError`
    for a wrong `EDGE_DEVICE_ID`."""
    given = os.environ.get(DEVICE_ID_VARIABLE, "").strip()
    if given:
        return checked_id(given)
    path = data_folder() / FILE
    try:
        stored = path.read_text("ascii", "replace").strip()
    except OSError:
        stored = ""
    if _RIGHT.fullmatch(stored):
        return stored
    made = secrets.token_hex(4)
    try:
        store_id(made)
    except OSError as problem:
        log.warning("the id of this device, %s, is lost at the next start: %s", made, problem)
    return made


def checked_id(text: str) -> str:
    """An id as it may be. Raises `UsageError`."""
    if not _RIGHT.fullmatch(text):
        raise UsageError(
            f"'{text}' is no id of a device",
            hint="give up to 32 lower-case letters, digits, - and _, the first none of - and _",
        )
    return text


def store_id(text: str) -> None:
    """Keep an id. Raises `UsageError` and OSError."""
    with atomic_file(data_folder() / FILE) as temporary:
        temporary.write_text(f"{checked_id(text)}\n", "ascii")
