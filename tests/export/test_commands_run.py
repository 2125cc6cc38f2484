"""The commands of README and docs/raspberry-pi.md, run one after the other as they stand there.

Devices are folders behind a stand-in for ssh, with stand-ins for Python and systemd; a clip stands
for the camera. What is not run here is run by another test, which is named.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from light_device import a_wheel, write_light_device
from sshd_fixture import FAKE_SSH, make_bundle, write_program

from edge.cli.main import main as recognize
from export.cli.flash import main as flash
from export.flash import setup
from export.flash.wheel import Wheel

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "raspberry-pi.md")

ELSEWHERE = {
    "edge-train person": ("tests/factories/ana_factory.py", "enrol_person"),
    "edge-train evaluate-person": ("tests/trainer/test_evaluate_person.py", "evaluate-person"),
    "edge-export pack": ("tests/factories/ana_factory.py", "export.pack"),
    "edge-flash wheelhouse": ("tests/export/test_setup_sshd.py", "write_listing"),
    "edge-flash setup pi@raspberrypi.local --wheelhouse": (
        "tests/export/test_setup_sshd.py", "--wheelhouse",
    ),
    "edge-flash card": ("tests/export/test_card.py", "card"),
    "edge-recognize --camera csi": ("tests/edge/test_camera.py", "csi"),
    "edge-recognize enrol": ("tests/edge/test_takeover.py", "enrol"),
    "edge-recognize forget": ("tests/edge/test_forgetting.py", "forget"),
}  # fmt: skip
"""How a command begins; which file runs it or what it calls, and a word that stands there."""

HEARS_HUP = (
    'setsid sh -c \'trap "kill \\$!" HUP; trap "kill \\$!; exit" TERM; '
    "while :; do sleep 1000 & wait $!; done' "
    "</dev/null >/dev/null 2>&1 &\n"
    "    for wait in $(seq 500); do\n"
    "        grep -q '^SigCgt.*[13579bdf]$' /proc/$!/status && break; sleep 0.01\n"
    "    done"
)
"""A service that loads a bundle when it is asked to; it is ready before systemctl returns. Below
nohup it never is, since a shell cannot catch what is ignored where it starts."""

ASLEEP = 'setsid sleep "${long:-1000}" </dev/null >/dev/null 2>&1 &'


def lines_of(document: Path) -> list[str]:
    """The commands of ours in its shell blocks, without those that need the Pi itself."""
    found: list[str] = []
    inside = False
    for line in document.read_text("utf-8").splitlines():
        if line.startswith("```"):
            inside = line == "```sh"
        elif inside and line.startswith("edge-") and "(hardware)" not in line:
            found.append(line.partition("  #")[0].partition(" > ")[0].strip())
    return found


def elsewhere(line: str) -> tuple[str, str] | None:
    return next((where for begin, where in ELSEWHERE.items() if line.startswith(begin)), None)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ana: Path) -> Iterator[Path]:
    """A workstation, and the devices that the documents name."""
    devices = tmp_path / "devices"
    write_program(tmp_path / "bin" / "ssh", FAKE_SSH)
    for host in ("raspberrypi.local", "door", "gate", "hall"):
        programs = devices / f"{host}.bin"
        write_light_device(programs)
        systemctl = (programs / "systemctl").read_text()
        assert ASLEEP in systemctl
        write_program(programs / "systemctl", systemctl.replace(ASLEEP, HEARS_HUP))
        sleep = shutil.which("sleep")
        write_program(programs / "sleep", f'#!/bin/sh\n[ "$1" = 1 ] || exec {sleep} "$@"\n')
    path = [p for p in os.environ["PATH"].split(os.pathsep) if not Path(p, "edge-flash").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), *path]))
    monkeypatch.setenv("DEVICES", str(devices))
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "SYSTEMD_UNIT_PATH"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("EDGE_BUNDLE", "EDGE_PUBLIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(setup, "make_wheel", newer_wheels(tmp_path / "wheels"))
    shutil.copy(ana / "ana.edge", tmp_path / "anna.edge")
    (tmp_path / "photos").symlink_to(ana / "photos")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for pid in devices.glob("*/pid"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(pid.read_text()), signal.SIGKILL)


def newer_wheels(folder: Path) -> Any:
    """Each time that the software is set up, it is another version."""
    count = iter(range(1, 100))
    return lambda target: Wheel.open(a_wheel(folder, f"0.1.{next(count)}"))


def test_each_command_runs(world: Path, ana: Path) -> None:
    before = make_bundle(world / "before.edge")
    clip = str(ana / "clip.mkv")
    words = ["push", str(before), "pi@raspberrypi.local"]
    assert CliRunner().invoke(flash, words).exit_code == 0
    ran = []
    for line in [line for document in DOCUMENTS for line in lines_of(document)]:
        if elsewhere(line) is not None:
            continue
        tool, *words = shlex.split(line)
        if tool == "edge-recognize" and "--camera" in words:
            place = words.index("--camera")
            words[place : place + 2] = ["--source", clip, "--bundle", "anna.edge"]
        program = {"edge-flash": flash, "edge-recognize": recognize}[tool]
        done = CliRunner().invoke(program, words, prog_name=tool, input="y\n")
        # doctor ends with 1 where this machine has a trouble
        assert done.exit_code in ((0, 1) if words == ["doctor"] else (0,)), f"{line}: {done.output}"
        ran.append(line)
    assert len(ran) >= 15
    assert "edge-flash push anna.edge pi@door pi@gate pi@hall --canary 1" in ran
    for host in ("door", "gate", "hall"):
        current = world / "devices" / host / ".local/share/edge-recognize/current"
        assert current.read_bytes() == (world / "anna.edge").read_bytes()


def test_what_is_not_run_here_is_run_elsewhere() -> None:
    lines = [line for document in DOCUMENTS for line in lines_of(document)]
    for begin, (name, word) in ELSEWHERE.items():
        assert any(line.startswith(begin) for line in lines), f"no document says {begin}"
        assert word in (ROOT / name).read_text("utf-8")
