"""Flashing: a bundle goes onto a device, becomes the current one, and can be taken back.

The device keeps bundles under `edge.bundle.locate.installed_name` and two symbolic links:
`current`, and
`previous` for the one before it. A link is switched by a rename, so that at every moment it points
to a whole bundle, whatever happens to the connection or the power.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edge.bundle.locate import installed_name
from edge.errors import BundleError, RefusedError
from export.flash import remote_script as farside
from export.flash.device import Shelf, Switched, installed_of, name_of, processes_of
from export.flash.remote import CHUNK_BYTES, ConnectionCut, RemoteError, Ssh
from export.flash.remote_script import Answer

WATCH_S = 20
"""How long a service that was asked to load a new bundle is watched."""

KEEP = 3
"""How many bundles stay on a device, the current one and the one before it among them."""

_SPARE_KIB = 1024


class DeviceError(RemoteError):
    """The device answered that it cannot do it."""


class NoSpaceLeft(DeviceError):
    """The bundle does not fit onto the device."""


class NotWritable(DeviceError):
    """The user may not write where bundles are kept."""


class UploadDamaged(DeviceError):
    """What arrived is not what was sent; the device has thrown it away."""


class BundleUnfit(DeviceError):
    """The device's own software refused the bundle in a self-test; nothing was switched."""


class ServiceDied(DeviceError):
    """What runs on the device ended when it loaded the new bundle."""


class NothingBefore(RefusedError):
    """There is no earlier bundle to go back to."""


@dataclass(frozen=True)
class BundleFile:
    """A bundle that was checked. sha256: of the whole file."""

    path: Path
    name: str
    sha256: str
    size_bytes: int

    @classmethod
    def check(cls, path: Path) -> BundleFile:
        """Read the bundle to its end. Raises as `Bundle.open` and `Bundle.verify` do."""
        from edge.bundle.reader import Bundle

        with Bundle.open(path) as bundle:
            bundle.verify()
            name = bundle.name
        digest, size_bytes = hashlib.sha256(), 0
        with Path(path).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
        return cls(Path(path), name, digest.hexdigest(), size_bytes)

    @property
    def installed(self) -> str:
        """The file's name on a device."""
        return installed_name(self.name, self.sha256)

    @property
    def kib(self) -> int:
        """Size in KiB, rounded up."""
        return -(-self.size_bytes // 1024)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "name": self.name,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "installed": self.installed,
        }


def push(
    bundle: BundleFile,
    host: str,
    ssh: Ssh,
    *,
    keep: int = KEEP,
    reload: bool = False,
    watch_s: int = WATCH_S,
    map_people: bool = False,
    drop_people: bool = False,
    allow_older: bool = False,
    dry_run: bool = False,
    on_sent: Callable[[int], None] = lambda count: None,
) -> Switched:
    """Put a bundle onto a device and make it the current one.

    Uploads only what the device lacks. Before anything is switched, the software of the device runs
    the bundle ('edge-recognize self-test'), where there is one.

    keep: bundles that stay. reload: ask a running `edge-recognize` to load it. watch_s: seconds for
    which that one must then live on; where it ends, the bundle before becomes current again.
    map_people: map people without pictures to the bundle's base even where that is poor.
    drop_people: let go of people enrolled there whom the bundle's base cannot know. allow_older:
    take a signed bundle with a smaller serial number than the current one's.
    on_sent: told how many more bytes went to ssh.
    Raises `RemoteError` where the device cannot be reached or cannot take it; the device is then
    as it was.
    """
    state = _ask(host, ssh, "state", bundle.installed, bundle.sha256)
    current = name_of(state.first("current"))
    there = state.first("has") == bundle.sha256
    if not there:
        _check_space(host, state, bundle)
    if dry_run:
        changed = current != bundle.installed
        sent = 0 if there else bundle.size_bytes
        return Switched(host, bundle.installed, current, sent, changed, dry_run=True)
    words = {
        "--map-people": map_people, "--drop-people": drop_people, "--allow-older": allow_older,
    }  # fmt: skip
    also = " ".join(word for word, given in words.items() if given)
    if there:
        answer = _ask(host, ssh, "switch", bundle.installed, keep, int(reload), watch_s, also)
    else:
        answer = _upload(bundle, host, ssh, (keep, int(reload), watch_s, also), on_sent)
    was = answer.first("switched")
    return Switched(
        host,
        bundle.installed,
        current if was is None else name_of(was),
        int(answer.first("uploaded") or 0),
        was is not None,
        answer.all("pruned"),
        processes_of(answer),
        proved=answer.first("proved") is not None,
        bare=answer.first("untried") == "",
        people=answer.first("people") or "",
    )


def rollback(host: str, ssh: Ssh, *, reload: bool = False, dry_run: bool = False) -> Switched:
    """Make the bundle before the current one current again; a second time, go forward again.

    Raises `NothingBefore`, or `DeviceError` where that bundle is damaged.
    """
    answer = _ask(host, ssh, "rollback", int(dry_run), int(reload))
    current = name_of(answer.first("current"))
    before = name_of(answer.first("switched"))
    return Switched(host, current or "", before, processes=processes_of(answer), dry_run=dry_run)


def shelf(host: str, ssh: Ssh) -> Shelf:
    """The bundles of a device."""
    answer = _ask(host, ssh, "list")
    bundles = [installed_of(line) for line in answer.all("bundle")]
    return Shelf(
        host,
        answer.first("folder") or "",
        name_of(answer.first("current")),
        name_of(answer.first("previous")),
        tuple(sorted(bundles, key=lambda bundle: (-bundle.written_s, bundle.name))),
    )


def asked(
    host: str, ssh: Ssh, command: str, *, on_line: Callable[[str], None] = lambda line: None
) -> Answer:
    """What a script says when it is run on a device. Raises as `read_answer` and `Ssh.run`."""
    return read_answer(host, ssh.run(host, command, on_line=on_line))


def _ask(host: str, ssh: Ssh, verb: str, *arguments: object) -> Answer:
    return asked(host, ssh, farside.command(verb, *arguments))


def _upload(
    bundle: BundleFile,
    host: str,
    ssh: Ssh,
    then: tuple[int, int, int, str],
    on_sent: Callable[[int], None],
) -> Answer:
    arguments = (bundle.installed, bundle.sha256, bundle.size_bytes, *then)
    command = farside.command("upload", *arguments)
    try:
        return read_answer(host, ssh.run(host, command, upload=bundle.path, on_sent=on_sent))
    except ConnectionCut as problem:
        raise _cut_upload(host, bundle, problem) from None


def _cut_upload(host: str, bundle: BundleFile, problem: ConnectionCut) -> ConnectionCut:
    """Before the last byte nothing can have changed; after it, only the device knows."""
    if problem.sent_bytes < bundle.size_bytes:
        message = f"{problem.message} in mid-upload; the device keeps the bundle it had"
        return ConnectionCut(message, hint="run it again", sent_bytes=problem.sent_bytes)
    return ConnectionCut(
        f"{problem.message} after the upload, before the device said that it was done",
        hint=f"see with 'edge-flash list {host}', or run it again",
        sent_bytes=problem.sent_bytes,
    )


def read_answer(host: str, output: str) -> Answer:
    """Raises what the device's `error` line means, `ConnectionCut` where the end is missing."""
    answer = Answer.parse(output)
    error = answer.first("error")
    if error is not None:
        raise _device_error(host, *error.partition(" ")[::2])
    if not answer.complete:
        raise ConnectionCut(
            f"{host} did not finish what it was asked", hint=f"see with 'edge-flash list {host}'"
        )
    return answer


def _check_space(host: str, state: Answer, bundle: BundleFile) -> None:
    free = state.first("free")
    need_kib = bundle.size_bytes // 1024 + _SPARE_KIB
    if free is not None and int(free) < need_kib:
        raise NoSpaceLeft(
            f"{host} has {int(free) / 1024:.1f} MiB left, the bundle needs {need_kib / 1024:.1f}",
            hint="free some space there",
        )


_SETUP_ERRORS = {
    "python": ("{host} has no Python that runs: {said}", "use Raspberry Pi OS bookworm or trixie"),
    "venv": (
        "{host} cannot make a Python environment: {said}; what it had stays current",
        "sudo apt install python3-venv",
    ),
    "pip": (
        "the packages cannot be installed on {host}: {said}; what it had stays current",
        "check its network, or use --wheelhouse",
    ),
    "unproved": (
        "the software fails its self-test on {host}: {said}; what it had stays current",
        "run 'edge-recognize doctor' there",
    ),
    "words": ("the service on {host} cannot run these options: {said}", "correct them after '--'"),
    "softdied": (
        "the service on {host} does not live on with the new software, and what was before it is "
        "current again: {said}",
        "look at 'journalctl -u edge-recognize' there",
    ),
    "unit": ("the service on {host} cannot be removed: {said}", "nothing was removed"),
}
"""What a device says while it is set up, by the kind of its `error` line: message, next step."""


def _device_error(host: str, kind: str, said: str) -> RemoteError | RefusedError | BundleError:
    """What the script's `error` lines mean; `said` is what follows the kind."""
    if kind == "space":
        return NoSpaceLeft(
            f"no space left on {host}; the upload was removed, the bundle it had stays current",
            hint="free some space there",
        )
    if kind == "write":
        return NotWritable(
            f"cannot write to {said} on {host}", hint="check its owner and permissions there"
        )
    if kind in ("short", "corrupt"):
        arrived = f"{said} bytes arrived" if kind == "short" else "its SHA-256 differs there"
        return UploadDamaged(
            f"the bundle was damaged on its way to {host} ({arrived}); nothing was changed there",
            hint="run it again; if it stays so, check the device's memory card",
        )
    if kind == "digest":
        return DeviceError(
            f"{host} has neither sha256sum nor python3, so the upload cannot be checked",
            hint="install coreutils there",
        )
    if kind == "unfit":
        return BundleUnfit(
            f"{host} refused the bundle in its self-test: {said.removeprefix('error: ')}",
            hint="the bundle it had stays current",
        )
    if kind in ("died", "fellback"):
        now = "the bundle before is current again" if kind == "fellback" else "it had no other"
        return ServiceDied(
            f"edge-recognize on {host} (process {said}) ended after it was asked to load the "
            f"bundle; {now}",
            hint="look at 'journalctl --user -u edge-recognize' there",
        )
    if kind in _SETUP_ERRORS:
        message, hint = _SETUP_ERRORS[kind]
        return DeviceError(message.format(host=host, said=said.removeprefix("error: ")), hint=hint)
    if kind == "nosoftware":
        return NothingBefore(
            f"{host} has no software before the current one", hint="see 'edge-flash status'"
        )
    if kind == "busy":
        return DeviceError(
            f"another push, setup or rollback is under way on {host}",
            hint="run it again afterwards",
        )
    if kind == "nothing":
        return NothingBefore(
            f"{host} has no bundle before the current one", hint="push one with 'edge-flash push'"
        )
    if kind in ("gone", "damaged"):
        name = PurePosixPath(said).name
        state = "is no longer there" if kind == "gone" else "is damaged"
        return DeviceError(f"{name} on {host} {state}", hint="push it again with 'edge-flash push'")
    if kind == "home":
        return DeviceError(f"the user has no home folder on {host}", hint="use another user")
    return DeviceError(f"{host} said: {kind} {said}".rstrip())
