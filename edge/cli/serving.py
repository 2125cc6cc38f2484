"""What `--serve` opens: the picture, and the page and HTTP for programs beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edge.cli.forget import run_forget
from edge.sinks.base import Sink
from edge.sinks.preview import Address, Preview
from edge.web.desk import Desk, DeskOptions
from edge.web.site import DeviceSite


def serving_sinks(
    address: Address,
    *,
    sources: Sequence[str],
    read_only: bool,
    bundle: Path | None,
    key_file: Path | None,
    detector_model: Path | None,
    keeps_visits: bool,
    changed: Callable[[], None],
) -> tuple[Sink, ...]:
    """sources: labels of several. changed: called when the page has changed who is known.

    Raises `EncryptionError`.
    """

    def forget(name: str) -> None:
        run_forget(name, bundle=bundle, key_file=key_file)

    desk = Desk(DeskOptions(bundle, key_file, detector_model, keeps_visits, forget, changed))
    return desk, Preview(address, sources, site=DeviceSite(desk), read_only=read_only)
