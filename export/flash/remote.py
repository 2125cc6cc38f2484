"""Remote commands through the user's own OpenSSH: their keys, their config, their known hosts."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edge.errors import InputError, ToolkitError, UsageError

_LOG = logging.getLogger("export.flash")

CHUNK_BYTES = 65536
CONNECT_TIMEOUT_S = 20
ALIVE_INTERVAL_S = 15
"""Used where the user's ssh config sets nothing of its own."""

ANSWER_LIMIT_S = 600.0
"""How long a device may work on what it was asked after the last byte of an upload; checking a
bundle of 100 MB on a slow memory card takes about a minute."""

MAX_ANSWER_BYTES = 1 << 20
"""No device has more to say; what says more is none."""

_LAST_RESORT_S = 10.0
"""How long a closed ssh may take to end before it is killed."""


class RemoteError(ToolkitError):
    """A device cannot be reached, or cannot do what it was asked."""


class ConnectionCut(RemoteError):
    """The connection was there and went away. sent_bytes: what had been handed to ssh by then."""

    def __init__(self, message: str, *, hint: str | None = None, sent_bytes: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.sent_bytes = sent_bytes


@dataclass(frozen=True)
class Ssh:
    """How ssh is called. Passwords and passphrases are between the user and ssh.

    port, identity: as `ssh -p` and `-i`. config: a file for `ssh -F`. options: each as `ssh -o`.
    """

    port: int | None = None
    identity: Path | None = None
    config: Path | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for path, what in ((self.identity, "identity"), (self.config, "ssh config")):
            if path is not None and not path.is_file():
                raise InputError(f"there is no {what} file {path}", hint="check the path")

    def command(self, host: str, remote: str) -> list[str]:
        """The command line that runs `remote` on `host`.

        Raises `UsageError` for what is no host and `RemoteError` where there is no ssh.
        """
        program = _program()
        given = self._given()
        checked = checked_host(host)
        extra = _defaults([program, *given], checked)
        return [program, *given, *extra, "-T", "--", checked, remote]

    def _given(self) -> list[str]:
        words = [word for option in self.options for word in ("-o", option)]
        if self.config is not None:
            words += ["-F", str(self.config)]
        if self.port is not None:
            words += ["-p", str(self.port)]
        if self.identity is not None:
            words += ["-i", str(self.identity)]
        return words

    def run(
        self,
        host: str,
        remote: str,
        *,
        upload: Path | None = None,
        on_sent: Callable[[int], None] = lambda count: None,
        on_line: Callable[[str], None] = lambda line: None,
        limit_s: float | None = None,
    ) -> str:
        """Run a command line on a device, feed it a file, and return its standard output.

        on_sent: told how many more bytes were handed to ssh. on_line: told each line of the answer
        as it comes. limit_s: for the answer, `ANSWER_LIMIT_S` by default. What the far command
        makes of itself (its exit code) is for the reader of its output.
        Raises `RemoteError` with the reason in one line, `ConnectionCut` where it went away later.
        """
        _LOG.debug("ssh %s: %s", host, remote if len(remote) <= 100 else f"{remote[:100]} …")
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self.command(host, remote),
                stdin=subprocess.DEVNULL if upload is None else subprocess.PIPE,
                stdout=output,
                stderr=errors,
            )
            try:
                sent_bytes = _feed(process, upload, on_sent)
                code = _ended(process, host, (output, errors), limit_s or ANSWER_LIMIT_S, on_line)
            finally:
                _end(process)
            said, complaint = _text(output), _text(errors)
        if code == 255 or code < 0:
            raise _ssh_error(host, complaint, sent_bytes)
        if code in (126, 127) and not said:
            raise RemoteError(
                f"{host} runs no commands for this user: {_last_line(complaint)}",
                hint=f"try 'ssh {host} uname -a'",
            )
        return said


def _program() -> str:
    program = shutil.which("ssh")
    if program is None:
        raise RemoteError(
            "there is no ssh client on this machine",
            hint="install OpenSSH's (Debian, Ubuntu: apt install openssh-client)",
        )
    return program


def checked_host(host: str) -> str:
    """The host itself. Raises `UsageError` for what would be an option of ssh, or no name."""
    if not host or host.startswith("-") or any(c.isspace() or not c.isprintable() for c in host):
        raise UsageError(f"{host!r} is no host", hint="give USER@HOST or a name of your ssh config")
    return host


def _defaults(ssh: list[str], host: str) -> list[str]:
    """Options that only make ssh fit for this use; where the user chose otherwise, that counts."""
    words = ["-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"]
    settings = _settings(ssh, host)
    if settings.get("connecttimeout", "none") in ("none", "0"):
        words += ["-o", f"ConnectTimeout={CONNECT_TIMEOUT_S}"]
    if settings.get("serveraliveinterval", "0") == "0":
        words += ["-o", f"ServerAliveInterval={ALIVE_INTERVAL_S}"]
    if not _can_ask():
        words += ["-o", "BatchMode=yes"]
    return words


def _settings(ssh: list[str], host: str) -> dict[str, str]:
    """What ssh's own configuration says for this host, by `ssh -G`; empty where that fails."""
    done = subprocess.run(
        [*ssh, "-G", "--", host], capture_output=True, text=True, errors="replace", check=False
    )
    pairs = (line.partition(" ") for line in done.stdout.splitlines())
    return {name.lower(): value for name, _, value in pairs}


def _can_ask() -> bool:
    """Whether ssh could ask the user something: it uses the terminal, or a program for that."""
    if os.environ.get("SSH_ASKPASS"):
        return True
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def _feed(
    process: subprocess.Popen[bytes], upload: Path | None, on_sent: Callable[[int], None]
) -> int:
    """Write the file to ssh; stops early where ssh has ended. Returns the bytes handed over."""
    if upload is None or process.stdin is None:
        return 0
    sent_bytes = 0
    with upload.open("rb") as file:
        # A pipe whose reader is gone is no failure of ours: ssh says why it went.
        with contextlib.suppress(BrokenPipeError):
            while chunk := file.read(CHUNK_BYTES):
                process.stdin.write(chunk)
                process.stdin.flush()
                sent_bytes += len(chunk)
                on_sent(len(chunk))
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    return sent_bytes


def _ended(
    process: subprocess.Popen[bytes],
    host: str,
    said: tuple[IO[bytes], ...],
    limit_s: float,
    on_line: Callable[[str], None],
) -> int:
    """The exit code. Raises `RemoteError` for one that does not end, or does not stop talking."""
    started_s = time.monotonic()
    seen_bytes = 0
    while True:
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(0.1)
        news = os.pread(said[0].fileno(), MAX_ANSWER_BYTES, seen_bytes)
        whole = news[: news.rfind(b"\n") + 1]
        seen_bytes += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            on_line(line)
        if any(os.fstat(file.fileno()).st_size > MAX_ANSWER_BYTES for file in said):
            raise RemoteError(
                f"{host} says more than {MAX_ANSWER_BYTES // 1024} KiB, which is no answer",
                hint=f"see what 'ssh {host} true' prints there, as a login script",
            )
        if code is not None:
            return code
        if time.monotonic() - started_s > limit_s:
            raise RemoteError(
                f"{host} has not answered for {limit_s:g} s",
                hint=f"see with 'edge-flash list {host}'",
            )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let no ssh survive its caller, who may have been interrupted."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_LAST_RESORT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")


_REASONS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("REMOTE HOST IDENTIFICATION HAS CHANGED",),
        "{host} shows another host key than before: it was set up again, or somebody is in between",
        "if it was set up again, run 'ssh-keygen -R {name}', then 'ssh {host}'",
    ),
    (
        ("Host key verification failed", "host key is known for"),
        "the host key of {host} is unknown",
        "run 'ssh {host}' once and compare the fingerprint",
    ),
    (
        ("Permission denied", "Too many authentication failures", "No supported authentication"),
        "{host} refused the login",
        "check the user, or set a key up: 'ssh-copy-id {host}', or --identity FILE",
    ),
    (
        ("Could not resolve hostname",),
        "there is no host called {name}",
        "check the name; a fresh Raspberry Pi answers to raspberrypi.local",
    ),
    (
        ("Connection refused",),
        "{host} is there but runs no ssh server on this port",
        "enable ssh on it (raspi-config, Interface Options), or give --port",
    ),
    (
        ("timed out during banner", "kex_exchange_identification", "invalid characters"),
        "what answers on {host} is no ssh server, or it turns everybody away",
        "check the host and --port",
    ),
    (
        ("Connection timed out", "Operation timed out", "No route to host", "unreachable"),
        "{host} cannot be reached",
        "check that it is switched on and in the same network",
    ),
    (
        (
            "ad configuration option",
            "command-line line 0",
            "Bad owner",
        ),
        "ssh refuses its configuration: {line}",
        "check --ssh-option and the ssh config",
    ),
    (
        ("UNPROTECTED PRIVATE KEY", "bad permissions"),
        "ssh refuses a private key that others can read",
        "chmod 600 the key file",
    ),
)
"""What ssh says (any of these), what it means, and what to do; the first that fits counts."""

_CUT = ("client_loop:", "Read from remote host", "not responding", "packet_write_wait")
"""What ssh says only of connections that were there."""

_CLOSED = ("closed by", "closed.", "Connection reset", "Broken pipe", "disconnect")
"""What it also says of these; an empty complaint means the same."""


def _ssh_error(host: str, complaint: str, sent_bytes: int) -> RemoteError:
    words = {"host": host, "name": host.rpartition("@")[2], "line": _last_line(complaint)}
    if _any_of(_CUT, complaint):
        return _cut(words, sent_bytes)
    for patterns, meaning, hint in _REASONS:
        if _any_of(patterns, complaint):
            return RemoteError(meaning.format(**words), hint=hint.format(**words))
    if not complaint.strip() or _any_of(_CLOSED, complaint):
        return _cut(words, sent_bytes)
    return RemoteError(f"ssh to {host} failed: {words['line']}", hint=f"try 'ssh {host}'")


def _cut(words: dict[str, str], sent_bytes: int) -> ConnectionCut:
    why = " ({line})" if words["line"] else ""
    message = ("the connection to {host} was cut" + why).format(**words)
    return ConnectionCut(message, hint="run it again", sent_bytes=sent_bytes)


def _any_of(patterns: tuple[str, ...], text: str) -> bool:
    return any(pattern in text for pattern in patterns)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
