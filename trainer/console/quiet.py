"""Native libraries kept quiet, and Python's warnings with them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

from edge.console.native_output import stderr_hidden


@contextlib.contextmanager
def quiet_native() -> Iterator[None]:
    """Drop what native libraries write to standard error, and Python's warnings.

    Errors arrive as exceptions, as ever.
    """
    with stderr_hidden(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
