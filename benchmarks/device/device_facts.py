"""The device that was measured: board, processor, clock, heat, system and versions."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

VCGENCMD_TIMEOUT_S = 5.0

_THROTTLING = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
}
"""Bits of `vcgencmd get_throttled`: now, and 16 higher since the start."""

_PACKAGES = ("numpy", "click", "rich", "psutil")


@dataclass(frozen=True)
class DeviceFacts:
    """The facts about this machine; None if it does not tell.

    board: of a single-board computer. cores: that this process may use. governor: how the kernel
    chooses the clock. memory_mib: of the machine. throttled_now, throttled_before: reasons, before
    means since the start. load: mean number of running processes in the last minute.
    versions: runtimes and libraries with their versions.
    """

    board: str | None
    machine: str
    processor: str | None
    cores: int
    governor: str | None
    clock_mhz: float | None
    max_clock_mhz: float | None
    temperature_c: float | None
    throttled_now: tuple[str, ...] | None
    throttled_before: tuple[str, ...] | None
    memory_mib: int | None
    load: float | None
    system: str | None
    kernel: str
    python: str
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def name(self) -> str:
        """In a few words, for the head of a table."""
        return f"{self.board or self.processor or self.machine}, {self.cores} cores"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes times on this machine worth less."""
        found = []
        if self.throttled_now:
            found.append(f"the board is held back: {', '.join(self.throttled_now)}")
        elif self.throttled_before:
            found.append(f"the board was held back before: {', '.join(self.throttled_before)}")
        if self.governor == "powersave":
            found.append("the governor is 'powersave'; times at full clock need 'performance'")
        if self.load is not None and self.load > 0.7 * self.cores:
            found.append(f"the machine is busy: load {self.load:.1f} on {self.cores} cores")
        return tuple(found)


def device_facts(root: Path = Path("/")) -> DeviceFacts:
    """Ask this machine. root: where `/proc` and `/sys` hang."""
    clock = root / "sys/devices/system/cpu/cpu0/cpufreq"
    throttling = _throttling()
    return DeviceFacts(
        board=_text(root / "proc/device-tree/model"),
        machine=platform.machine(),
        processor=_processor(root),
        cores=_cores(),
        governor=_text(clock / "scaling_governor"),
        clock_mhz=_mega(clock / "scaling_cur_freq"),
        max_clock_mhz=_mega(clock / "scaling_max_freq"),
        temperature_c=temperature_c(root),
        throttled_now=None if throttling is None else _reasons(throttling),
        throttled_before=None if throttling is None else _reasons(throttling >> 16),
        memory_mib=_memory_mib(root),
        load=_load(),
        system=_system(root),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=_versions(),
    )


def temperature_c(root: Path = Path("/")) -> float | None:
    """Of the processor, in degrees Celsius."""
    said = _vcgencmd("measure_temp")
    found = re.search(r"temp=([\d.]+)", said or "")
    if found:
        return float(found[1])
    thousandths = _text(root / "sys/class/thermal/thermal_zone0/temp")
    return int(thousandths) / 1000 if thousandths and thousandths.isdigit() else None


def peak_memory_mib() -> float | None:
    """The most memory that this process has held so far."""
    found = re.search(r"VmHWM:\s*(\d+) kB", _text(Path("/proc/self/status")) or "")
    if found:
        return int(found[1]) / 1024
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if platform.system() == "Darwin" else 1024)


def _vcgencmd(*words: str) -> str | None:
    """What the Raspberry Pi's firmware says, None on other machines."""
    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=VCGENCMD_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _throttling() -> int | None:
    found = re.search(r"throttled=0x([0-9a-fA-F]+)", _vcgencmd("get_throttled") or "")
    return int(found[1], 16) if found else None


def _reasons(bits: int) -> tuple[str, ...]:
    return tuple(reason for bit, reason in _THROTTLING.items() if bits >> bit & 1)


def _processor(root: Path) -> str | None:
    text = _text(root / "proc/cpuinfo") or ""
    for key in ("model name", "Model name", "Hardware", "Processor"):
        found = re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE)
        if found:
            return found[1].strip()
    part = re.search(r"^CPU part\s*:\s*(\w+)", text, re.MULTILINE)
    return _ARM_PARTS.get(int(part[1], 16), f"ARM part {part[1]}") if part else None


_ARM_PARTS = {
    0xB76: "ARM1176",
    0xC07: "Cortex-A7",
    0xD03: "Cortex-A53",
    0xD08: "Cortex-A72",
    0xD0B: "Cortex-A76",
}
"""The parts of the Raspberry Pis so far; their `/proc/cpuinfo` has no model name."""


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _mega(path: Path) -> float | None:
    text = _text(path)
    return int(text) / 1000 if text and text.isdigit() else None


def _memory_mib(root: Path) -> int | None:
    found = re.search(r"MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo") or "")
    return int(found[1]) // 1024 if found else None


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


def _system(root: Path) -> str | None:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text(root / "etc/os-release") or "", re.M)
    return found[1] if found else None


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().replace(b"\0", b"").decode("utf-8", "replace").strip() or None
    except OSError:
        return None


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    from edge import __version__
    from edge.models.runtime import available_runtimes

    found = {"edge-recognize": __version__, **available_runtimes()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
