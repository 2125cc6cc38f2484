"""Devices to flash: bundles to send, a stand-in for ssh, and a real sshd on the loopback."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.bundle.writer import BundleWriter
from edge.faces.canonical import CELEBA, WIDE
from edge.files.model_file import sha256_of
from edge.models.spec import Network, NetworkInput

FAKE_SSH = r"""#!/bin/sh
# stands in for ssh: runs the command here, with a folder for each host as its home
printf '%s\n' "$*" >>"$DEVICES/ssh.log"
while [ $# -gt 0 ]; do
    case $1 in
    -G) exit 0 ;;
    -o | -F | -p | -i) shift 2 ;;
    --) shift; break ;;
    *) shift ;;
    esac
done
host=${1##*@}
[ -f "$DEVICES/$host.says" ] && { cat "$DEVICES/$host.says" >&2; exit 255; }
mkdir -p "$DEVICES/$host"
HOME=$DEVICES/$host
export HOME
unset XDG_DATA_HOME
[ -d "$DEVICES/$host.bin" ] && PATH=$DEVICES/$host.bin:$PATH
echo "a login script talks here"
exec "${DEVICE_SH:-sh}" -c "$2"
"""


def write_program(path: Path, text: str) -> Path:
    """An executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def make_bundle(path: Path, *, name: str = "anna", size_bytes: int = 3000, fill: int = 7) -> Path:
    """A bundle whose base nobody can run, but which is whole; `fill` makes it another one."""
    data = bytes([fill]) * size_bytes
    expects = NetworkInput(CELEBA, WIDE, 96)
    network = Network("tflite-int8", sha256_of(data), expects, {"embedding": "e"}, 16)
    BundleWriter(name, (network, data)).write(path)
    return path


@dataclasses.dataclass(frozen=True)
class Device:
    """A device's home folder, seen from inside."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / ".local" / "share" / "edge-recognize"

    @property
    def bundles(self) -> list[str]:
        """Everything in the folder of bundles, hidden files too."""
        folder = self.root / "bundles"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def link(self, name: str) -> str | None:
        path = self.root / name
        return path.resolve().name if path.is_symlink() else None


@dataclasses.dataclass(frozen=True)
class Sshd:
    """A running sshd and the words that reach it.

    home: of the user who logs in. environment: a file of shell assignments read at each login.
    """

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def device(self) -> Device:
        return Device(self.folder / "home")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def words(self, **changes: str) -> list[str]:
        """The options of `edge-flash`; `changes` replace `identity` or `known_hosts`."""
        identity = changes.get("identity", str(self.folder / "key"))
        known = changes.get("known_hosts", str(self.folder / "known_hosts"))
        return [
            *("--port", str(self.port), "--identity", identity),
            *("--ssh-config", str(self.folder / "ssh_config")),
            *("-o", f"UserKnownHostsFile={known}", "-o", "IdentityAgent=none"),
        ]

    def at_login(self, text: str) -> None:
        """Shell code that each login runs before its command."""
        (self.folder / "environment").write_text(text)

    def sessions(self) -> list[int]:
        """Process numbers of the connections that are open now."""
        listing = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in listing.read_text().split()]


def sshd_program() -> str:
    """The path of sshd, which has to be absolute; skips where there is none."""
    path = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None or shutil.which("ssh-keygen") is None or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH server here (Debian, Ubuntu: apt install openssh-server)")
    return str(Path(path).resolve())


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """An sshd of our own on 127.0.0.1: own host key, one user key, a home folder of its own."""
    program = sshd_program()
    _make_keys(folder)
    _privilege_folder()
    (folder / "home").mkdir()
    port = _free_port()
    _write_config(folder, port)
    with (folder / "log").open("wb") as log:
        words = [program, "-f", str(folder / "sshd_config"), "-D", "-e"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            sshd = Sshd(port, folder, process)
            _wait_for(sshd)
            yield sshd
        finally:
            process.terminate()
            process.wait(10)


def _make_keys(folder: Path) -> None:
    for name in ("host_key", "key", "other_key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]
        subprocess.run([*words, str(folder / name)], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    (folder / "authorized_keys").chmod(0o600)
    (folder / "ssh_config").write_text("StrictHostKeyChecking yes\nIdentitiesOnly yes\n")


def _privilege_folder() -> None:
    """Where sshd runs as root it wants this folder of the system."""
    if os.geteuid() == 0:
        try:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        except OSError as problem:
            pytest.skip(f"sshd needs the folder /run/sshd: {problem.strerror}")


def _write_config(folder: Path, port: int) -> None:
    (folder / "environment").write_text("")
    quoted = shlex.quote(str(folder / "home"))
    login = write_program(
        folder / "login",
        f"#!/bin/sh\nHOME={quoted}\nexport HOME\nunset XDG_DATA_HOME\n"
        f'. {shlex.quote(str(folder / "environment"))}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n',
    )
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": str(port),
        "HostKey": str(folder / "host_key"),
        "AuthorizedKeysFile": str(folder / "authorized_keys"),
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "ForceCommand": str(login),
        "SetEnv": "SHLVL=9",  # bash reads no ~/.bashrc of whoever runs the tests
    }
    text = "".join(f"{name} {value}\n" for name, value in settings.items())
    (folder / "sshd_config").write_text(text)
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(sshd: Sshd) -> None:
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        if sshd.process.poll() is not None:
            pytest.skip(f"sshd does not start here: {sshd.log.strip().splitlines()[-1:]}")
        try:
            socket.create_connection(("127.0.0.1", sshd.port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    pytest.fail(f"sshd did not answer: {sshd.log}")
