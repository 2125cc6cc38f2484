"""A running server with the page and HTTP for programs, on a port of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.cli.forget import run_forget
from edge.sinks.base import FanOut
from edge.sinks.preview import Address, Preview
from edge.web.desk import Desk, DeskOptions
from edge.web.site import DeviceSite


@contextmanager
def served(
    bundle: Path | None, *, token: str = "", read_only: bool = False, changed: Any = lambda: None
) -> Iterator[tuple[str, FanOut]]:
    """The address of a running server, and what feeds it."""

    def forget(name: str) -> None:
        run_forget(name, bundle=bundle)

    desk = Desk(DeskOptions(bundle=bundle, keeps_visits=True, forget=forget, changed=changed))
    address = Address("127.0.0.1", 0, token)
    preview = Preview(address, site=DeviceSite(desk), read_only=read_only)
    with FanOut([desk, preview]) as fan:
        yield preview.url.rstrip("/"), fan
