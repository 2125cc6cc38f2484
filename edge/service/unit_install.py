"""The installed unit: where systemd finds it, what it runs, and how it gets there and away."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from edge.bundle.locate import APPLICATION
from edge.bundle.signature import config_folder
from edge.errors import ToolkitError
from edge.files.atomic import atomic_file, make_folder

UNIT_FOLDER = Path("/etc/systemd/system")
"""Of the machine's own units; `SYSTEMD_UNIT_PATH` names another one, as for systemd itself."""

UNIT_NAME = f"{APPLICATION}.service"
_OWN_WORDS = ("--systemd", "--quiet")


def unit_path() -> Path:
    """Where the unit is once it is installed."""
    given = os.environ.get("SYSTEMD_UNIT_PATH", "").partition(":")[0]
    return (Path(given) if given else UNIT_FOLDER) / UNIT_NAME


def systemd_version() -> int:
    """Of this machine, as 252; 0 where it has none."""
    try:
        done = subprocess.run(
            ["systemctl", "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.match(r"systemd (\d+)", done.stdout)
    return int(found[1]) if found else 0


def installed_words() -> tuple[str, ...]:
    """The options that the installed unit runs; none where there is no unit of ours."""
    try:
        text = unit_path().read_text("utf-8")
    except OSError:
        return ()
    found = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
    if found is None:
        return ()
    try:
        words = shlex.split(found[1].replace("%%", "%").replace("$$", "$"))
    except ValueError:
        return ()
    return tuple(word for word in words[1:] if word not in _OWN_WORDS)


def installed_environment() -> dict[str, str]:
    """The variables that the installed unit sets; none where there is no unit of ours."""
    try:
        text = unit_path().read_text("utf-8")
    except OSError:
        return {}
    found = re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
    pairs = (word.partition("=") for line in found for word in shlex.split(line))
    return {name: value.replace("%%", "%").replace("$$", "$") for name, _, value in pairs}


def install_unit(text: str) -> Path:
    """Write the unit, let it start with the machine, and start it (again) now; where it is.

    Raises `ToolkitError` where this user may not, with the commands that do it; the unit then lies
    in the configuration folder.
    """
    _need_systemd()
    target = unit_path()
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / UNIT_NAME
            file.write_text(text, "utf-8")
            as_root("install", "-m", "644", str(file), str(target))
        as_root("systemctl", "daemon-reload")
        as_root("systemctl", "enable", APPLICATION)
        as_root("systemctl", "restart", APPLICATION)
    except PermissionError:
        kept = config_folder() / UNIT_NAME
        make_folder(kept.parent, private=True)
        with atomic_file(kept) as temporary:
            temporary.write_text(text, "utf-8")
        raise ToolkitError(
            "installing a service needs root, and sudo asks for a password here",
            hint=f"run 'sudo install -m 644 {kept} {target} && sudo systemctl daemon-reload && "
            f"sudo systemctl enable --now {APPLICATION}'",
        ) from None
    return target


def uninstall_unit() -> bool:
    """Stop the service and remove its unit; whether there was one. Raises `ToolkitError`."""
    target = unit_path()
    (config_folder() / UNIT_NAME).unlink(missing_ok=True)
    if not target.exists():
        return False
    _need_systemd()
    try:
        as_root("systemctl", "disable", "--now", APPLICATION)
        as_root("rm", "-f", str(target))
        as_root("systemctl", "daemon-reload")
    except PermissionError:
        raise ToolkitError(
            "removing a service needs root, and sudo asks for a password here",
            hint=f"run 'sudo systemctl disable --now {APPLICATION} && sudo rm {target}'",
        ) from None
    return True


def as_root(*words: str) -> None:
    """Run a command as root: directly, or by sudo where that asks for no password.

    Raises PermissionError where sudo would ask or is missing, `ToolkitError` where it fails.
    """
    root = os.geteuid() == 0
    if not root and (shutil.which("sudo") is None or not _sudo_is_open()):
        raise PermissionError(words[0])
    done = subprocess.run(
        words if root else ("sudo", "-n", *words),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = " ".join(done.stderr.split()[-40:]) or f"status {done.returncode}"
        raise ToolkitError(f"'{shlex.join(words)}' failed: {said}")


def _sudo_is_open() -> bool:
    done = subprocess.run(
        ["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode == 0


def _need_systemd() -> None:
    if shutil.which("systemctl") is None:
        raise ToolkitError(
            "there is no systemd on this machine", hint="start edge-recognize by its own means"
        )
