"""The options that say how far pictures are changed, the same for each command that augments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from edge.console.commands import PATH

_SHARE = click.FloatRange(0.0, 1.0)

_HELP = (
    ("flip", _SHARE, "P", "Share of images to mirror, left to right; never upside down."),
    ("rotation", click.FloatRange(0.0, 90.0), "DEG", "Largest rotation in degrees."),
    ("zoom", _SHARE, "R", "Largest change of scale, 0.2 for 20 %."),
    ("shift", _SHARE, "R", "Largest shift, as a share of the side."),
    ("stretch", _SHARE, "R", "Largest change of width or height."),
    ("brightness", _SHARE, "R", "Largest change of brightness, as a share of the range."),
    ("contrast", _SHARE, "R", "Largest change of contrast."),
)

RANGES = tuple(name for name, *_ in _HELP)
"""Names of the parameters that say how far."""


def augmentation_options(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: `--flip`, `--rotation`, `--zoom`, `--shift`, `--stretch`, `--brightness`,
    `--contrast`, None where not given, `--export-augmented` and `--per-photo`."""
    callback = click.option(
        "--per-photo",
        type=click.IntRange(1, 1000),
        default=5,
        metavar="N",
        help="Number of images that --export-augmented writes of each photo.",
    )(callback)
    callback = click.option(
        "--export-augmented",
        type=PATH,
        metavar="DIR",
        help="Also write augmented images to this folder; no command takes them for photos later.",
    )(callback)
    for name, kind, unit, text in reversed(_HELP):
        option = click.option(
            f"--{name}", type=kind, default=None, metavar=unit, show_default=False, help=text
        )
        callback = option(callback)
    return callback
