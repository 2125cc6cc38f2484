"""The machine: heat, power, clock, disk and memory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from edge.doctor.report import OK, PROBLEM, SKIPPED, WARNING, Finding, Patient

WARM_C, HOT_C = 70.0, 80.0
"""A Pi slows down from 80 °C on, a Pi 3B+ from 60 or 70
(https://www.raspberrypi.com/documentation/computers/config_txt.html)."""

THROTTLED_NOW = {
    0: "the voltage is too low",
    1: "the clock rate is limited",
    2: "the processor is throttled",
    3: "the soft temperature limit is reached",
}
"""Bits of `vcgencmd get_throttled`; 16 bits higher: so it was since the start
(https://www.raspberrypi.com/documentation/computers/os.html#get_throttled)."""

THIS_PROJECT_S = 1_735_689_600
"""2025-01-01: no right clock shows an earlier time."""

LEAST_DISK_BYTES, LITTLE_DISK_BYTES = 100_000_000, 500_000_000
LEAST_MEMORY_BYTES = 150_000_000


def check_temperature(patient: Patient) -> Iterator[Finding]:
    """How hot the processor is."""
    celsius = _celsius(patient)
    if celsius is None:
        yield Finding("temperature", SKIPPED, "this machine does not tell it")
    elif celsius >= HOT_C:
        text = f"{celsius:.0f} °C, the processor slows down"
        yield Finding("temperature", PROBLEM, text, "give it a heat sink and a fan, or more air")
    elif celsius >= WARM_C:
        yield Finding(
            "temperature", WARNING, f"{celsius:.0f} °C", "give it a heat sink or more air"
        )
    else:
        yield Finding("temperature", OK, f"{celsius:.0f} °C")


def check_power(patient: Patient) -> Iterator[Finding]:
    """Whether a Pi is or was throttled, mostly for its power supply."""
    answer = patient.ask("vcgencmd", "get_throttled")
    try:
        bits = int((answer or "").partition("=")[2], 16)
    except ValueError:
        if patient.is_pi:
            text, remedy = "vcgencmd does not answer", "sudo usermod -aG video $USER"
            yield Finding("power", SKIPPED, text, remedy)
        return
    now = [text for bit, text in THROTTLED_NOW.items() if bits >> bit & 1]
    before = [text for bit, text in THROTTLED_NOW.items() if bits >> (bit + 16) & 1]
    remedy = "use the power supply made for this Pi and a short cable; cool it"
    if now:
        yield Finding("power", PROBLEM, " and ".join(now), remedy)
    elif before:
        text = f"now well, but since the start: {' and '.join(before)}"
        yield Finding("power", WARNING, text, remedy)
    else:
        yield Finding("power", OK, "never throttled since the start")


def check_clock(patient: Patient) -> Iterator[Finding]:
    """Whether the time is right: events carry it, and TLS needs it."""
    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    if time.time() < THIS_PROJECT_S:
        remedy = "connect it to the network, or set it: sudo date -s '2025-01-31 12:00'"
        yield Finding("clock", PROBLEM, f"{now} is long ago", remedy)
        return
    marker = patient.root / "run/systemd/timesync/synchronized"
    said = patient.ask("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    if said == "no" and not marker.exists():
        remedy = "sudo timedatectl set-ntp true, and connect it to the network"
        yield Finding("clock", WARNING, f"{now}, not synchronized", remedy)
    else:
        known = said == "yes" or marker.exists()
        yield Finding("clock", OK, f"{now}{', synchronized' if known else ''}")


def check_disk(patient: Patient) -> Iterator[Finding]:
    """Free space where bundles and events are kept."""
    from edge.bundle.locate import data_folder

    folder = data_folder()
    while not folder.exists():
        folder = folder.parent
    yield disk_finding(folder, shutil.disk_usage(folder).free)


def disk_finding(folder: Path, free_bytes: int) -> Finding:
    """Judge the amount of free space."""
    text = f"{free_bytes / 1e9:.1f} GB free at {folder}"
    remedy = "remove what is not needed: sudo apt clean; journalctl --vacuum-size=50M"
    if free_bytes < LEAST_DISK_BYTES:
        return Finding("disk", PROBLEM, text, remedy)
    if free_bytes < LITTLE_DISK_BYTES:
        return Finding("disk", WARNING, text, remedy)
    return Finding("disk", OK, text)


def check_memory(patient: Patient) -> Iterator[Finding]:
    """Memory that is left for recognition."""
    for line in (patient.read("/proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            available = int(value.split()[0]) * 1024
            text = f"{available / 1e6:.0f} MB available"
            if available < LEAST_MEMORY_BYTES:
                yield Finding("memory", WARNING, text, "end other programs, or a desktop")
            else:
                yield Finding("memory", OK, text)


def _celsius(patient: Patient) -> float | None:
    answer = patient.ask("vcgencmd", "measure_temp")
    try:
        return float((answer or "").partition("=")[2].partition("'")[0])
    except ValueError:
        pass
    millidegrees = patient.read("/sys/class/thermal/thermal_zone0/temp")
    try:
        return int(millidegrees or "") / 1000
    except ValueError:
        return None
