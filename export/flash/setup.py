"""Setting up: our software onto a device, beside what runs there, and switched by one rename."""

from __future__ import annotations

import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import InputError, RefusedError
from edge.files.model_file import sha256_of
from export.flash import setup_script as farside
from export.flash.push import asked, read_answer
from export.flash.remote import Ssh
from export.flash.remote_script import MARK, Answer
from export.flash.wheel import Wheel, fingerprint_of, make_wheel
from export.flash.wheelhouse import PYTHONS, RELEASES, Wheelhouse, constraints_for

NEED_MIB = 700
"""Free space for an environment of about 260 MB, its wheels, and what pip unpacks besides."""

BUILD_LIMIT_S = 3600.0
"""A Raspberry Pi Zero 2 with a slow card takes about ten minutes."""

MOST_WRONG_S = 24 * 3600
"""A clock that is further off lets no certificate of a registry pass."""

STEPS = {
    "received": "arrived",
    "unpacked": "making the environment",
    "made": "installing packages",
    "installed": "self-test",
    "tested": "flushing",
    "synced": "switching",
    "switched": "switched",
    "enabled": "watching the service",
}
"""What a device is doing after each step of its script, for people."""


@dataclass(frozen=True)
class Software:
    """What is installed. requirements: constraint file's text. offline: from the wheelhouse."""

    wheel: Wheel
    wheelhouse: Wheelhouse | None = None

    @classmethod
    def of(cls, folder: Path, wheel: Path | None, wheelhouse: Path | None) -> Software:
        """Ours by default, made in `folder`. Raises as `Wheel.open`, `Wheelhouse.open` and
        `make_wheel`."""
        if wheelhouse is not None:
            house = Wheelhouse.open(wheelhouse)
            return cls(house.wheel if wheel is None else Wheel.open(wheel), house)
        return cls(make_wheel(folder) if wheel is None else Wheel.open(wheel))

    def files(self) -> tuple[Path, ...]:
        """All that travels, our wheel first."""
        if self.wheelhouse is None:
            return (self.wheel.path,)
        others = [name for name in self.wheelhouse.files if not name.startswith("edge_recognize-")]
        return (self.wheel.path, *(self.wheelhouse.folder / name for name in others))


@dataclass(frozen=True)
class Facts:
    """The state of a device. release: of its operating system. free_kib: None where it does
    not say. current, previous: environments of ours. taken: where `~/edge` is something else.
    """

    machine: str
    bits: str
    release: str
    model: str
    python: str
    time_s: int
    free_kib: int | None
    has: frozenset[str]
    current: str
    previous: str
    taken: str

    @classmethod
    def of(cls, answer: Answer) -> Facts:
        free = answer.first("free")
        flags = ("ensurepip", "picamera2", "systemd", "root", "unit")
        return cls(
            machine=answer.first("machine") or "",
            bits=answer.first("bits") or "",
            release=answer.first("os") or "",
            model=answer.first("model") or "",
            python=(answer.first("python") or "").partition(" ")[0],
            time_s=int(answer.first("time") or 0),
            free_kib=None if free is None else int(free),
            has=frozenset(flag for flag in flags if answer.first(flag) is not None),
            current=answer.first("current") or "",
            previous=answer.first("previous") or "",
            taken=answer.first("taken") or "",
        )

    def check(self, host: str, software: Software) -> None:
        """Raises `RefusedError` where the software cannot run there, with what helps."""
        house = software.wheelhouse
        if self.machine not in ("aarch64", "arm64", "x86_64") or self.bits == "32":
            raise RefusedError(
                f"{host} is {self.machine}, {self.bits or '?'} bit",
                hint="write the 64-bit Raspberry Pi OS onto its card",
            )
        if self.python not in PYTHONS:
            raise RefusedError(
                f"{host} has Python {self.python or '?'}, which is none of {', '.join(PYTHONS)}",
                hint="use Raspberry Pi OS bookworm or trixie",
            )
        if "ensurepip" not in self.has:
            raise RefusedError(
                f"{host} cannot make Python environments", hint="sudo apt install python3-venv"
            )
        if self.free_kib is not None and self.free_kib < NEED_MIB * 1024:
            raise RefusedError(
                f"{host} has {self.free_kib // 1024} MiB left, the software needs {NEED_MIB}",
                hint="free some space there",
            )
        wrong_s = abs(time.time() - self.time_s)
        if house is None and wrong_s > MOST_WRONG_S:
            raise RefusedError(
                f"the clock of {host} is {wrong_s / 86400:.0f} days off, so that it can trust no "
                "registry",
                hint="run 'sudo timedatectl set-ntp true' there, or use --wheelhouse",
            )
        if house is not None and (house.python, house.machine) != (self.python, self.machine):
            raise RefusedError(
                f"{house.folder} is for Python {house.python} on {house.machine}, and {host} has "
                f"Python {self.python} on {self.machine}",
                hint=f"edge-flash wheelhouse -o DIR --python {self.python}",
            )


@dataclass(frozen=True)
class SetUp:
    """What was done, or would be. environment: what is current now. left: what a person still has
    to do. doctor: what `edge-recognize doctor` said there. steps: of a dry run. people: what became
    of those enrolled there, "" where nothing.
    """

    host: str
    environment: str
    before: str
    changed: bool
    service: str = ""
    left: tuple[str, ...] = ()
    doctor: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    dry_run: bool = False
    people: str = ""

    def to_json(self) -> dict[str, Any]:
        lists = {name: list(getattr(self, name)) for name in ("left", "doctor", "steps")}
        return {**vars(self), **lists}

    def text(self) -> str:
        """A few lines for people."""
        if self.dry_run:
            return "\n".join([f"{self.host}: would", *(f"  {step}" for step in self.steps)])
        was = f", before it {self.before}" if self.before and self.changed else ""
        lines = [
            f"{self.host}: {self.environment} is current{was if self.changed else ', as before'}"
        ]
        lines += [f"  people of {self.host}: {self.people}"] if self.people else []
        lines += [f"  {self.service}"] if self.service else []
        lines += [f"  {line}" for line in self.doctor if line.strip()]
        lines += [f"  left to do: {line}" for line in self.left]
        return "\n".join(lines)


def set_up(
    software: Software,
    host: str,
    ssh: Ssh,
    *,
    words: Sequence[str] = (),
    service: bool = True,
    watch_s: int = 20,
    drop_people: bool = False,
    dry_run: bool = False,
    on_note: Callable[[str], None] = lambda text: None,
    on_sent: Callable[[int], None] = lambda count: None,
) -> SetUp:
    """Install the software on a device and let a service run it.

    The environment is built beside the one that is current, tests itself there, and becomes the
    current one by one rename. words: options of the service; without any it keeps its own, or looks
    at the camera that is connected. watch_s: so long the service must live on, else the
    environment before is current again. drop_people: let go of people enrolled there whom a new
    shipped base cannot know. Raises `RefusedError` where the device cannot run it, and
    `RemoteError` as `export.flash.push.push`.
    """
    facts = Facts.of(asked(host, ssh, farside.command("facts")))
    facts.check(host, software)
    release = _release(facts)
    name = _name(software, facts, release)
    if dry_run:
        steps = _steps(software, facts, name, words, release, service)
        return SetUp(host, name, facts.current, facts.current != name, steps=steps, dry_run=True)
    changed = facts.current != name
    people = ""
    if changed:
        also = "--drop-people" if drop_people else ""
        answer = _build(software, host, ssh, name, facts, release, also, on_note, on_sent)
        people = answer.first("people") or ""
    left: list[str] = []
    said = ""
    if service:
        answer = asked(
            host, ssh,
            farside.command("service", watch_s, int(changed and bool(facts.current)), *words),
            on_line=_noted(on_note),
        )  # fmt: skip
        left += answer.all("left")
        said = answer.first("service") or ""
    on_note("doctor")
    doctor = asked(host, ssh, farside.command("doctor")).all("doctor")
    if facts.taken:
        left.append(f"{facts.taken} is something else; edge-recognize is in ~/{_HANDY}")
    return SetUp(host, name, facts.current, changed, said, tuple(left), doctor, people=people)


def undo_software(host: str, ssh: Ssh, *, dry_run: bool = False) -> SetUp:
    """Make the software before the current one current again, and start the service again."""
    answer = asked(host, ssh, farside.command("undo", int(dry_run)))
    now, before = answer.first("current") or "", answer.first("switched") or ""
    steps = (f"switch from {before} to {now}",) if dry_run else ()
    return SetUp(host, now, before, True, left=answer.all("left"), steps=steps, dry_run=dry_run)


@dataclass(frozen=True)
class Removed:
    """What was removed, or would be. people: enrolled there, and lost with it."""

    host: str
    places: tuple[str, ...]
    people: int
    dry_run: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "places": list(self.places)}

    def text(self) -> str:
        """A few lines for people."""
        if not self.places:
            return f"{self.host}: nothing of edge-recognize is there"
        verb = "would remove" if self.dry_run else "removed"
        who = f", with {self.people} people enrolled there" if self.people else ""
        return f"{self.host}: {verb} {', '.join(self.places)}{who}"


def uninstall(host: str, ssh: Ssh, *, dry_run: bool = False) -> Removed:
    """Remove software, service, bundles, people and keys; nothing stays."""
    answer = asked(host, ssh, farside.command("uninstall", int(dry_run)))
    return Removed(host, answer.all("goes"), int(answer.first("people") or 0), dry_run)


_HANDY = ".local/lib/edge-recognize/current/bin"


def _release(facts: Facts) -> str:
    """Whose constraints count: beside picamera2 the system's, elsewhere none. What is in a
    wheelhouse was chosen by them already."""
    if "picamera2" in facts.has:
        return facts.release if constraints_for(facts.release) else RELEASES.get(facts.python, "")
    return ""


def _name(software: Software, facts: Facts, release: str) -> str:
    """Of the environment: the same for the same content."""
    house = software.wheelhouse
    words = [
        software.wheel.fingerprint, facts.python, constraints_for(release),
        str("picamera2" in facts.has), *(house.files if house is not None else ()),
    ]  # fmt: skip
    return f"env-{software.wheel.version}-{fingerprint_of(words)[:12]}"


def _steps(
    software: Software, facts: Facts, name: str, words: Sequence[str], release: str, service: bool
) -> tuple[str, ...]:
    steps = []
    if facts.current != name:
        size = sum(path.stat().st_size for path in software.files()) / 2**20
        where = "the wheelhouse alone" if software.wheelhouse is not None else "the registry"
        site = ", which sees picamera2" if "picamera2" in facts.has else ""
        limits = f", limited by {release}'s constraints" if release else ""
        steps += [
            f"upload {size:.1f} MiB",
            f"make ~/.local/lib/edge-recognize/{name} with Python {facts.python}{site}",
            f"install edge-recognize {software.wheel.version} from {where}{limits}",
            "run its self-test there",
            f"make it current, before it {facts.current or 'nothing'}",
        ]
    if service and "systemd" in facts.has:
        given = " ".join(words) or ("as it is" if "unit" in facts.has else "--camera csi or 0")
        how = "" if "root" in facts.has else " (sudo asks for a password: you will be told how)"
        steps.append(f"install, enable and start the service: {given}{how}")
    return (*steps, "run edge-recognize doctor")


def _build(
    software: Software,
    host: str,
    ssh: Ssh,
    name: str,
    facts: Facts,
    release: str,
    also: str,
    on_note: Callable[[str], None],
    on_sent: Callable[[int], None],
) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        parcel = Path(folder) / "parcel.tar"
        pack_parcel(software.wheel, software.wheelhouse, constraints_for(release), parcel)
        site, offline = int("picamera2" in facts.has), int(software.wheelhouse is not None)
        command = farside.command(
            "build", name, sha256_of(parcel.read_bytes()), parcel.stat().st_size, site, offline,
            software.wheel.requirement, also,
        )  # fmt: skip
        on_note("uploading")
        said = ssh.run(
            host, command, upload=parcel, on_sent=on_sent, on_line=_noted(on_note),
            limit_s=BUILD_LIMIT_S,
        )  # fmt: skip
    return read_answer(host, said)


def pack_parcel(
    wheel: Wheel, wheelhouse: Wheelhouse | None, constraints: str, parcel: Path
) -> None:
    """Write the tar that a device builds an environment from."""
    software = Software(wheel, wheelhouse)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "constraints.txt"
        text.write_text(constraints, "utf-8")
        with tarfile.open(parcel, "w", format=tarfile.USTAR_FORMAT) as file:
            for path in (text, *software.files()):
                if len(path.name) > 99:
                    raise InputError(f"{path.name} is too long a name")
                file.add(path, path.name)


def _noted(on_note: Callable[[str], None]) -> Callable[[str], None]:
    """Lines of a script's answer to what the device is doing."""

    def on_line(line: str) -> None:
        words = line.split()
        if words[:2] == [MARK, "step"] and len(words) == 3:
            on_note(STEPS.get(words[2], words[2]))

    return on_line
