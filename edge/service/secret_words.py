"""Secrets of a service: in a file that its user alone can read, never in the unit."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from edge.errors import UsageError
from edge.files.atomic import atomic_file, make_folder

FILE = "service.env"
"""In the configuration folder of the service's user; lines `NAME=VALUE`."""

VARIABLES = {
    "--camera": "EDGE_CAMERA",
    "--mqtt": "EDGE_MQTT",
    "--webhook": "EDGE_WEBHOOK",
    "--serve-token": "EDGE_SERVE_TOKEN",
}
"""Environment variables that `edge-recognize run` takes in place of options."""

TOKEN_BYTES = 12
_TELLING = re.compile(r"token|key|pass|pwd|secret|auth", re.IGNORECASE)


def read_secrets(path: Path) -> dict[str, str]:
    """The variables of `VARIABLES` in a file; none where it cannot be read."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = [line.strip().partition("=") for line in lines]
    known = set(VARIABLES.values())
    return {
        name: value.strip().strip("\"'") for name, sign, value in pairs if sign and name in known
    }


def words_of(values: Mapping[str, str]) -> tuple[str, ...]:
    """The options that such variables stand for."""
    options = {variable: option for option, variable in VARIABLES.items()}
    return tuple(word for name, value in values.items() for word in (options[name], value))


def refuse_secrets(words: Sequence[str], path: Path) -> None:
    """Raise `UsageError` where a word is a secret: everybody here can read what a service runs."""
    names = ("", *words)
    for before, word in zip(names, words, strict=False):
        name, sign, value = word.partition("=")
        option, value = (name, value) if sign and name in VARIABLES else (before, word)
        if option in VARIABLES and (option == "--serve-token" or _holds_secret(value)):
            variable = VARIABLES[option]
            raise UsageError(
                f"the value of {option} is a secret, and everybody on this machine can read units",
                hint=f"leave it out, and put a line {variable}=VALUE into {path} (chmod 600)",
            )


def add_token(path: Path) -> None:
    """Put a new token for `--serve` into the file, which its owner alone can read."""
    make_folder(path.parent, private=True)
    text = path.read_text("utf-8") if path.exists() else ""
    if text and not text.endswith("\n"):
        text += "\n"
    line = f"{VARIABLES['--serve-token']}={secrets.token_hex(TOKEN_BYTES)}\n"
    with atomic_file(path, private=True) as temporary:
        temporary.write_text(text + line, "utf-8")


def in_the_open(path: Path) -> bool:
    """Whether others than the owner can read the file."""
    return path.exists() and bool(path.stat().st_mode & 0o077)


def _holds_secret(value: str) -> bool:
    if "://" not in value:
        return False
    try:
        parts = urlsplit(value)
        named = any(_TELLING.search(key) for key, _ in parse_qsl(parts.query))
        return named or bool(parts.username or parts.password)
    except ValueError:
        return True
