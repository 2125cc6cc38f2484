"""A light device: programs that stand in for Python, systemd and sudo where only the order of what
a script does is in question. The script, the shell, sshd and the files are real."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result
from sshd_fixture import Device, Sshd, write_program

from export.cli.flash import main

NOBODY = 65534
"""The user who logs in where that can be another one than who runs the tests."""

PYTHON = r"""#!/bin/sh
# makes environments whose programs are this one, and says of itself what a Pi's Python says
echo "python ${0##*/} $*" >>"$HOME/asked"
case "$*" in
-) echo "edge-flash python ${PYTHON_SAYS:-3.11} /usr/bin/python3"; echo "edge-flash ensurepip"
   [ -z "${PICAMERA2:-}" ] || echo "edge-flash picamera2"; cat >/dev/null ;;
"-m venv "*)
    for folder; do :; done
    mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python" ;;
"-m pip install "*)
    [ -z "${PIP_FAILS:-}" ] || { echo "ERROR: no matching distribution" >&2; exit 1; }
    cp "$0" "${0%/*}/edge-recognize" ;;
self-test*)
    [ -z "${UNFIT:-}" ] || { echo "error: it does not run here" >&2; exit 1; } ;;
doctor*) echo "all is well" ;;
*"service --install"*)
    mkdir -p "$SYSTEMD_UNIT_PATH"; echo "$*" >"$SYSTEMD_UNIT_PATH/edge-recognize.service"
    systemctl restart edge-recognize; echo "enabled and started" ;;
*"service --uninstall"*) rm -f "$SYSTEMD_UNIT_PATH/edge-recognize.service" ;;
esac
"""

SYSTEMCTL = r"""#!/bin/sh
# one service: a process that sleeps for ever, or for as long as the file `weak` says
echo "systemctl $*" >>"$HOME/asked"
case "$*" in
*"restart"*)
    [ ! -f "$HOME/pid" ] || kill "$(cat "$HOME/pid")" 2>/dev/null
    long=$(cat "$HOME/weak" 2>/dev/null); rm -f "$HOME/weak"
    setsid sleep "${long:-1000}" </dev/null >/dev/null 2>&1 &
    echo $! >"$HOME/pid" ;;
*"disable"*) [ ! -f "$HOME/pid" ] || kill "$(cat "$HOME/pid")"; rm -f "$HOME/pid" ;;
*"--user show"*) ;;
*"show -p MainPID"*) cat "$HOME/pid" 2>/dev/null || echo 0 ;;
*"is-active"*) [ -f "$HOME/pid" ] && echo active || echo inactive ;;
esac
"""

SUDO = '#!/bin/sh\necho "sudo $*" >>"$HOME/asked"\n[ "$1" = -n ] && shift\nexec "$@"\n'


def write_light_device(programs: Path, *, python: bool = True) -> None:
    """The programs, in a folder for the front of the path."""
    if python:
        write_program(programs / "python3", PYTHON)
    write_program(programs / "systemctl", SYSTEMCTL)
    write_program(programs / "sudo", SUDO)


@dataclass(frozen=True)
class Pi:
    """A device behind sshd. programs: on the front of its path."""

    sshd: Sshd
    home: Path
    programs: Path
    another_user: bool

    @property
    def soft(self) -> Path:
        return self.home / ".local" / "lib" / "edge-recognize"

    @property
    def device(self) -> Device:
        return Device(self.home)

    @property
    def asked(self) -> str:
        path = self.home / "asked"
        return path.read_text() if path.exists() else ""

    def current(self) -> str:
        return (self.soft / "current").resolve().name

    def environments(self) -> list[str]:
        return sorted(path.name for path in self.soft.iterdir() if path.name[0] != ".")

    def at_login(self, **variables: str) -> None:
        """As whom commands run, and with which variables."""
        given = {"SYSTEMD_UNIT_PATH": str(self.home / "units"), **variables}
        text = f'HOME="{self.home}"\nPATH="{self.programs}:/usr/bin:/bin"\nexport PATH\n'
        text += "".join(f"{name}={value!r}\nexport {name}\n" for name, value in given.items())
        if self.another_user:
            words = f"--reuid={NOBODY} --regid={NOBODY} --clear-groups"
            text += f'exec setpriv {words} sh -c "$SSH_ORIGINAL_COMMAND"\n'
        self.sshd.at_login(text)

    def flash(self, *words: object) -> Result:
        given = [str(word) for word in words]
        place = given.index("--") if "--" in given else len(given)
        full = [*given[:place], *self.sshd.words(), *given[place:]]
        return CliRunner().invoke(main, full, prog_name="edge-flash")

    def done(self, *words: object) -> str:
        result = self.flash(*words)
        assert result.exit_code == 0, result.output + result.stderr
        return result.stdout

    def stop(self) -> None:
        path = self.home / "pid"
        if path.exists():
            subprocess.run(["kill", path.read_text().strip()], capture_output=True, check=False)


def another_user() -> bool:
    return os.geteuid() == 0 and shutil.which("setpriv") is not None


def new_pi(server: Sshd, folder: Path) -> Pi:
    """A device below a folder, with an empty home."""
    folder.chmod(0o755)
    home = folder / "home of pi"
    (home / "units").mkdir(parents=True)
    if another_user():
        for path in (home, home / "units"):
            os.chown(path, NOBODY, NOBODY)
    made = Pi(server, home, folder / "programs", another_user())
    made.programs.mkdir()
    made.at_login()
    return made


@contextmanager
def light_pi(server: Sshd) -> Iterator[Pi]:
    """A light device in a throw-away folder."""
    with tempfile.TemporaryDirectory() as folder:
        made = new_pi(server, Path(folder))
        write_light_device(made.programs)
        yield made
        made.stop()


def a_wheel(folder: Path, version: str = "0.1.0") -> Path:
    """A wheel by name; a light device does not look into it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"edge_recognize-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("edge/__init__.py", f"__version__ = {version!r}\n")
    return path
