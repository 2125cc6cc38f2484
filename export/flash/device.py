"""Devices: what bundles one has, and what was done there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from edge.bundle.locate import BUNDLES, HASH_DIGITS, SUFFIX
from edge.errors import ToolkitError
from edge.files.atomic import atomic_file
from export.flash.remote_script import Answer


@dataclass(frozen=True)
class Process:
    """An `edge-recognize` that runs on the device.

    state: "running" (it was not asked), "asked" (sent SIGHUP), "deaf" (it would die of SIGHUP, so
    none was sent) or "denied" (it belongs to another user).
    """

    state: str
    number: int

    def to_json(self) -> dict[str, Any]:
        return {"state": self.state, "pid": self.number}


@dataclass(frozen=True)
class Switched:
    """What was done on a device.

    current: the file that is current now. before: the one that was, None where there was none.
    uploaded_bytes: 0 where the device had the file. changed: whether `current` was moved. pruned:
    older files that were removed. proved: the software of the device has run the bundle in a
    self-test before the switch; False where there is none that can. bare: there is no software of
    ours at all. people: what became of those enrolled there, "" where nothing. dry_run: nothing of
    it was done.
    """

    host: str
    current: str
    before: str | None
    uploaded_bytes: int = 0
    changed: bool = True
    pruned: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    dry_run: bool = False
    proved: bool = False
    bare: bool = False
    people: str = ""

    @property
    def stale(self) -> tuple[Process, ...]:
        """Processes that were to load the new bundle and could not be asked to."""
        return tuple(p for p in self.processes if p.state in ("deaf", "denied"))

    def to_json(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "current": self.current,
            "before": self.before,
            "uploaded_bytes": self.uploaded_bytes,
            "changed": self.changed,
            "pruned": list(self.pruned),
            "processes": [process.to_json() for process in self.processes],
            "dry_run": self.dry_run,
            "proved": self.proved,
            "bare": self.bare,
            "people": self.people,
        }


@dataclass(frozen=True)
class Installed:
    """A bundle on a device. written_s: seconds since 1970. sound: whether its SHA-256 is the one
    its name promises, None where the name promises none.
    """

    name: str
    size_bytes: int
    written_s: int
    sha256: str
    sound: bool | None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "size_bytes": self.size_bytes,
            "written_s": self.written_s,
            "sha256": self.sha256,
            "sound": self.sound,
        }


@dataclass(frozen=True)
class Shelf:
    """The bundles of a device, newest first. current, previous: names, None where there is none."""

    host: str
    folder: str
    current: str | None
    previous: str | None
    bundles: tuple[Installed, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "folder": self.folder,
            "current": self.current,
            "previous": self.previous,
            "bundles": [bundle.to_json() for bundle in self.bundles],
        }


class Result(Protocol):
    """What was done or found on a device."""

    @property
    def host(self) -> str: ...

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""


@dataclass(frozen=True)
class Outcome:
    """What came of one device: a result, an error, or both where only a part was done."""

    host: str
    result: Result | None = None
    error: ToolkitError | None = None

    def to_json(self) -> dict[str, Any]:
        made = {"host": self.host} if self.result is None else self.result.to_json()
        return {**made, "error": None if self.error is None else error_json(self.error)}


@dataclass(frozen=True)
class Report:
    """What came of all devices. bundle: as `BundleFile.to_json`, None where none was pushed."""

    bundle: dict[str, Any] | None
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.error is not None)

    @property
    def error(self) -> ToolkitError | None:
        """The one error, or that of all devices together; None where all went well."""
        failed = self.failed
        if len(failed) == len(self.outcomes) == 1:
            return failed[0].error
        if not failed:
            return None
        hosts = ", ".join(outcome.host for outcome in failed)
        return ToolkitError(f"{len(failed)} of {len(self.outcomes)} devices failed: {hosts}")

    def to_json(self) -> dict[str, Any]:
        made: dict[str, Any] = {"bundle": self.bundle}
        made["devices"] = [outcome.to_json() for outcome in self.outcomes]
        return made if self.error is None else {**made, "error": error_json(self.error)}

    def save(self, path: Path) -> None:
        """Write `to_json`, whole or not at all."""
        with atomic_file(Path(path)) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n", "utf-8")


def error_json(problem: ToolkitError) -> dict[str, Any]:
    """An error as the commands print it under `--json`."""
    kind = type(problem).__name__
    return {"type": kind, "message": problem.message, "hint": problem.hint}


def name_of(target: str | None) -> str | None:
    """From a link's target: a bundle's name, or the whole path of one that lies elsewhere."""
    if not target:
        return None
    path = PurePosixPath(target)
    return path.name if str(path.parent) == BUNDLES else target


def processes_of(answer: Answer) -> tuple[Process, ...]:
    """The processes that an answer tells of."""
    words = (line.split() for line in answer.all("process"))
    return tuple(Process(state, int(number)) for state, number in words)


def installed_of(line: str) -> Installed:
    """From the line of an answer: size, time, SHA-256, name."""
    size, written, sha256, name = line.split(" ", 3)
    promised = name.removesuffix(SUFFIX).rpartition("-")[2]
    known = len(promised) == HASH_DIGITS and set(promised) <= set("0123456789abcdef")
    sound = sha256.startswith(promised) if known and sha256 != "unknown" else None
    return Installed(name, int(size), int(written), sha256, sound)
