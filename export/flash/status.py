"""The status of a device: what runs there, with which software and bundle, and how it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from export.flash import setup_script as farside
from export.flash.push import asked
from export.flash.remote import Ssh

LITTLE_MIB = 300
WRONG_CLOCK_S = 120
HOT_C = 80.0
"""A Raspberry Pi 4 or 5 becomes slower from 80 °C on."""


@dataclass(frozen=True)
class Status:
    """software, bundle: what is current, "" for none. people: enrolled there. service: as
    `systemctl is-active` says it, "" without systemd. clock_s: by how much its clock is ahead.
    heat_c, free_mib: None where it does not say.
    """

    host: str
    model: str
    release: str
    software: str
    bundle: str
    people: int
    service: str
    clock_s: int
    free_mib: int | None
    heat_c: float | None

    @property
    def troubles(self) -> tuple[str, ...]:
        """What somebody should look at."""
        found = []
        if not self.software:
            found.append("no software: edge-flash setup")
        if not self.bundle:
            found.append("no bundle: edge-flash push")
        if self.software and self.service not in ("active", ""):
            found.append(f"the service is {self.service}")
        if self.free_mib is not None and self.free_mib < LITTLE_MIB:
            found.append(f"{self.free_mib} MiB left")
        if abs(self.clock_s) > WRONG_CLOCK_S:
            found.append(f"its clock is {abs(self.clock_s)} s off")
        if self.heat_c is not None and self.heat_c >= HOT_C:
            found.append(f"{self.heat_c:.0f} °C")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "troubles": list(self.troubles)}

    def text(self) -> str:
        """One line for people."""
        parts = [
            self.model or "unknown model", self.release,
            self.software.removeprefix("env-") or "no software", self.bundle or "no bundle",
            f"{self.people} enrolled there" if self.people else "",
            f"service {self.service}" if self.service else "no systemd",
            "" if self.free_mib is None else f"{self.free_mib} MiB left",
            "" if self.heat_c is None else f"{self.heat_c:.0f} °C",
        ]  # fmt: skip
        lines = [f"{self.host}: {', '.join(part for part in parts if part)}"]
        return "\n".join([*lines, *(f"  look at: {trouble}" for trouble in self.troubles)])


def status_of(host: str, ssh: Ssh) -> Status:
    """Ask a device. Raises `RemoteError` where it does not answer."""
    answer = asked(host, ssh, farside.command("status"))
    free, heat = answer.first("free"), answer.first("heat")
    return Status(
        host=host,
        model=answer.first("model") or "",
        release=answer.first("os") or "",
        software=answer.first("software") or "",
        bundle=answer.first("bundle") or "",
        people=int(answer.first("people") or 0),
        service=answer.first("service") or "",
        clock_s=int(answer.first("time") or 0) - round(time.time()),
        free_mib=None if free is None else int(free) // 1024,
        heat_c=None if heat is None else int(heat) / 1000,
    )
