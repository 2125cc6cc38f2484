"""Several devices: one after the other or at once, all or first a few of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

from edge.errors import RefusedError, ToolkitError
from export.flash.device import Outcome, Process, Switched
from export.flash.push import DeviceError
from export.flash.remote import checked_host

Action = Callable[[str], Any]
"""What is done on a device, by its name; see `Outcome.result`."""


class NotTried(RefusedError):
    """A device was left as it was because one of the first few failed."""


def each_of(
    hosts: tuple[str, ...], action: Action, *, jobs: int = 1, canary: int = 0
) -> Iterator[Outcome]:
    """Do it on each device once, in the order in which they are done; an error stops nothing.

    jobs: so many at once. canary: the first so many go ahead; where one of them fails, the others
    are left as they are. Raises `UsageError`, before anything is done, where one is no host.
    """
    distinct = tuple(dict.fromkeys([checked_host(host) for host in hosts]))
    failed: list[str] = []
    for outcome in _together(distinct[:canary], action, jobs):
        failed += [outcome.host] if outcome.error is not None else []
        yield outcome
    if not failed:
        yield from _together(distinct[canary:], action, jobs)
        return
    for host in distinct[canary:]:
        problem = NotTried(
            f"{host} was left as it is, since {', '.join(failed)} failed", hint="solve that first"
        )
        yield Outcome(host, error=problem)


def _together(hosts: tuple[str, ...], action: Action, jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(hosts) < 2:
        yield from (_outcome(host, action) for host in hosts)
        return
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(_outcome, host, action) for host in hosts]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            for one in waiting:
                one.cancel()


def _outcome(host: str, action: Action) -> Outcome:
    try:
        with _reading(host):
            result = action(host)
    except ToolkitError as problem:
        return Outcome(host, error=problem)
    stale = result.stale if isinstance(result, Switched) else ()
    return Outcome(host, result, _stale_error(host, stale) if stale else None)


@contextmanager
def _reading(host: str) -> Iterator[None]:
    """What a device says that is no answer becomes a `DeviceError`; the next one has its turn."""
    try:
        yield
    except (ValueError, IndexError, KeyError, TypeError) as problem:
        said = " ".join(f"{problem}".split())[:200]
        raise DeviceError(
            f"{host} gave an answer that cannot be read: {said}",
            hint=f"see with 'edge-flash list {host}', and what login scripts there print",
        ) from None


def _stale_error(host: str, stale: tuple[Process, ...]) -> ToolkitError:
    """The bundle was switched, but what runs there cannot be asked to load it."""
    process = stale[0]
    if process.state == "denied":
        return DeviceError(
            f"edge-recognize on {host} (process {process.number}) belongs to another user, so it "
            "still uses the old bundle",
            hint="run 'sudo systemctl kill -s HUP edge-recognize' there",
        )
    return DeviceError(
        f"edge-recognize on {host} (process {process.number}) does not reload on SIGHUP, so it "
        "still uses the old bundle",
        hint="restart it there, for a service: 'systemctl --user restart edge-recognize'",
    )
