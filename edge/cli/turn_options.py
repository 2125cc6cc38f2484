"""`--rotate` and `--mirror`, for commands that look through a camera or at a video."""

from __future__ import annotations

from typing import Any

import click

AUTO = "auto"


def _degrees(context: click.Context, param: click.Parameter, value: str) -> int | None:
    return None if value == AUTO else int(value)


def turn_options(callback: Any) -> Any:
    """Parameters `rotate`, degrees or None for "auto", and `mirror`."""
    rotate = click.option(
        "--rotate",
        type=click.Choice([AUTO, "0", "90", "180", "270"]),
        default=AUTO,
        callback=_degrees,
        help="Turn frames clockwise; auto finds the angle by the first faces of a camera or video.",
    )
    mirror = click.option(
        "--mirror", is_flag=True, help="Swap left and right, for a camera that gives mirror images."
    )
    return rotate(mirror(callback))
