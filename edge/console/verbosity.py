"""Telling more: `-v`, `--verbose` or `EDGE_LOG=debug` on every command."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

import click

from edge.console.display_text import for_terminal

LOG_VARIABLE = "EDGE_LOG"
"""Set to `debug`, it is as `--verbose` on each command."""

LOGGERS = ("edge", "trainer", "export", "benchmarks")

_handlers: list[logging.Handler] = []


class ForTerminal(logging.Formatter):
    """One message, without codes that a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return for_terminal(super().format(record))


class _Line(ForTerminal):
    def format(self, record: logging.LogRecord) -> str:
        return f"[{record.name.rpartition('.')[2]}] {super().format(record)}"


def is_verbose() -> bool:
    """Whether this command was asked to tell more."""
    return bool(_handlers)


@contextlib.contextmanager
def telling_more() -> Iterator[None]:
    """While entered, everything that the packages log goes to standard error, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line("%(message)s"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
    _handlers.append(handler)
    try:
        yield
    finally:
        _handlers.remove(handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


@contextlib.contextmanager
def spoken_for(logger: logging.Logger) -> Iterator[None]:
    """While entered, another handler of `logger` says what `telling_more` would."""
    mine = [handler for handler in _handlers if handler in logger.handlers]
    for handler in mine:
        logger.removeHandler(handler)
    try:
        yield
    finally:
        for handler in mine:
            logger.addHandler(handler)


def verbose_flag() -> click.Option:
    """`-v`, `--verbose`, which every command of the grammar has; no parameter of its function."""

    def begin(context: click.Context, param: click.Parameter, value: bool) -> None:
        asked = value or os.environ.get(LOG_VARIABLE, "").lower() == "debug"
        if asked and not context.resilient_parsing and not is_verbose():
            context.with_resource(telling_more())

    text = "Say why: faces rejected or not settled, nearest heads, runtimes, what was skipped."
    return click.Option(
        ["-v", "--verbose"], is_flag=True, expose_value=False, callback=begin, help=text
    )
