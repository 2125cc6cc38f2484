"""Options of commands that take a yes-or-no question."""

from __future__ import annotations

import click

group_regex_option = click.option(
    "--group-regex",
    default="",
    metavar="REGEX",
    help="Regular expression that finds the person in a file's name; its "
    "first group, if it has one.",
)
