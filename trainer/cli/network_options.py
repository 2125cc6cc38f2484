"""Options of a network and its training that several commands share; their defaults may differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

Made = TypeVar("Made", bound=Callable[..., object])

POSITIVE = click.FloatRange(0.0, min_open=True)


def network_options(
    *,
    arch_help: str,
    input_size: int,
    least_input_size: int,
    windows: tuple[str, ...],
    window_help: str,
    weights: str,
) -> Callable[[Made], Made]:
    """`--arch`, `--input-size`, `--window`, `--alpha` and `--weights`."""
    options = (
        click.option("--arch", default="mobilenet_v2", metavar="NAME", help=arch_help),
        click.option(
            "--input-size",
            type=click.IntRange(least_input_size, 512),
            default=input_size,
            metavar="PX",
            help="Side of the network's input in pixels.",
        ),
        click.option(
            "--window", type=click.Choice(list(windows)), default="tight", help=window_help
        ),
        click.option(
            "--alpha", type=POSITIVE, default=1.0, help="Width multiplier of MobileNetV2."
        ),
        click.option(
            "--weights",
            default=weights,
            metavar="imagenet|none|FILE",
            help="Weights that the network starts from.",
        ),
    )
    return _all_of(options)


def dropout_option(default: float) -> Callable[[Made], Made]:
    """`--dropout`."""
    return click.option(
        "--dropout",
        type=click.FloatRange(0, 0.9),
        default=default,
        help="Share of the features that dropout sets to 0.",
    )


def batch_size_option() -> Callable[[Made], Made]:
    """`--batch-size`."""
    return click.option("--batch-size", type=click.IntRange(1), default=32, help="Images per step.")


def optimizer_option(default: str, named: str) -> Callable[[Made], Made]:
    """`--optimizer`. named: a few of those that there are."""
    return click.option(
        "--optimizer", default=default, metavar="NAME", help=f"Optimizer: {named}, …"
    )


def _all_of(options: tuple[Callable[[Made], Made], ...]) -> Callable[[Made], Made]:
    def add(function: Made) -> Made:
        for option in reversed(options):
            function = option(function)
        return function

    return add
