"""A light device: programs that stand in for Python, systemd and sudo where only the order of what
a script does is in question. The script, the shell, sshd and the files are real."""

from __future__ import annotations

from pathlib import Path

from sshd_fixture import write_program

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
