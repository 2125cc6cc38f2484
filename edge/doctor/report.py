"""The doctor: what on this machine would keep recognition from working, and what helps."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

FindingState = Literal["ok", "warning", "problem", "skipped"]

OK: Final = "ok"
WARNING: Final = "warning"
PROBLEM: Final = "problem"
SKIPPED: Final = "skipped"

CHECKS = (
    "edge.doctor.checks.install:check_python",
    "edge.doctor.checks.install:check_ownership",
    "edge.doctor.checks.install:check_packages",
    "edge.doctor.checks.vision:check_opencv",
    "edge.doctor.checks.vision:check_detector",
    "edge.doctor.checks.bundle:check_bundle",
    "edge.doctor.checks.strangers:check_strangers",
    "edge.doctor.checks.vision:check_inference",
    "edge.doctor.checks.camera:check_cameras",
    "edge.doctor.checks.camera:check_csi",
    "edge.doctor.checks.machine:check_temperature",
    "edge.doctor.checks.machine:check_power",
    "edge.doctor.checks.machine:check_clock",
    "edge.doctor.checks.machine:check_disk",
    "edge.doctor.checks.machine:check_memory",
)
"""Functions from a `Patient` to findings, in the order of their report. They are imported when
their turn comes, so that what cannot be imported is a finding too."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    check: what it was about, one or two words. text: what was found. remedy: what helps, None
    where nothing has to.
    """

    check: str
    state: FindingState
    text: str
    remedy: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "state": self.state,
            "text": self.text,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Patient:
    """The machine that is examined, and what it is to use.

    root: where /dev, /proc, /run and /sys lie. bundle, detector_model: as given to
    `edge-recognize`. answers: what commands say, by their name, instead of running them; None for
    one that is not there.
    """

    root: Path = Path("/")
    bundle: Path | None = None
    detector_model: Path | None = None
    answers: dict[str, str | None] = field(default_factory=dict)

    def read(self, path: str) -> str | None:
        """The text of a file below the root, None where it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_text("utf-8", "replace").strip("\0\n ")
        except OSError:
            return None

    def ask(self, *words: str) -> str | None:
        """What a command prints, None where it is missing or fails."""
        if words[0] in self.answers:
            return self.answers[words[0]]
        try:
            done = subprocess.run(
                words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5, text=True
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    @property
    def model(self) -> str:
        """What the device tree calls the machine, "" where there is none."""
        return self.read("/proc/device-tree/model") or ""

    @property
    def is_pi(self) -> bool:
        return self.model.startswith("Raspberry Pi")


def examine(patient: Patient, checks: tuple[str, ...] = CHECKS) -> Iterator[Finding]:
    """All findings, one after the other. A check that fails is a finding itself."""
    for name in checks:
        module, _, function = name.partition(":")
        try:
            yield from getattr(importlib.import_module(module), function)(patient)
        except Exception as problem:  # the doctor says what is wrong; it never gives up
            text = " ".join(f"{type(problem).__name__}: {problem}".split())
            about = function.removeprefix("check_")
            yield Finding(about, PROBLEM, text, "install the wheel of edge-recognize again")


def is_healthy(findings: list[Finding]) -> bool:
    """Whether nothing that was found is a problem; warnings are none."""
    return all(finding.state != PROBLEM for finding in findings)
