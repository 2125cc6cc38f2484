"""The unit: a systemd service for `edge-recognize`, with no more rights than its words need."""

from __future__ import annotations

import getpass
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle.locate import APPLICATION, data_folder
from edge.errors import UsageError
from edge.files.platform import home_of
from edge.sources.files import is_url

NETWORK_OPTIONS = ("--serve", "--mqtt", "--webhook", "--on-match", "--on-unknown", "--on-left")
"""Outputs that need the network, or may need it, as the programs of users do; without any of them
the service has none at all."""

WATCHDOG_S = 30
"""Without progress for so long, the service is started again; a lost camera that is being looked
for is progress."""

RESTART_S = 3
"""Pause before a new start. 'edge-flash push' looks each second whether the service lives on, and
makes the bundle before current again within this time, so that the next start has it."""

STEPS_SINCE, STEPS, LONGEST_PAUSE_S = 254, 8, 300
"""From this version of systemd on the pause before a new start grows in so many steps to so long.
It never gives up, as nobody is there to start it again, but for wrong usage (exit code 2)."""

HARDENING = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
CapabilityBoundingSet=
UMask=0077"""
"""See systemd.exec(5). Writing is left to the data folder alone."""


@dataclass(frozen=True)
class Unit:
    """words: options of edge-recognize. user: who runs it. program: its path. data: the user's data
    folder, which alone may be written to. key_file: of people who are encrypted, see
    `edge.people.encryption`. environment: variables besides. secrets_file: more of them, see
    `edge.service.secret_words`; secret_words: the options that it stands for now. systemd: the
    version that will read the unit, 0 for any.
    """

    words: tuple[str, ...]
    user: str
    program: str
    data: Path
    key_file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets_file: Path | None = None
    secret_words: tuple[str, ...] = ()
    systemd: int = 0

    def text(self) -> str:
        """The unit file. Raises `UsageError` for words that cannot run as a service."""
        words = self._words()
        everything = (*words, *self.secret_words)
        network = needs_network(everything)
        after = "After=network-online.target\nWants=network-online.target\n" if network else ""
        variables = dict(self.environment)
        if self.key_file is not None:
            variables["EDGE_RECOGNIZE_KEY_FILE"] = str(self.key_file)
        more = [f"Environment={name}={_quoted(value)}" for name, value in variables.items()]
        if self.secrets_file is not None:
            more.append(f"EnvironmentFile=-{str(self.secrets_file).replace('%', '%%')}")
        slower = [f"RestartSteps={STEPS}", f"RestartMaxDelaySec={LONGEST_PAUSE_S}"]
        families = "AF_UNIX AF_INET AF_INET6" if network else "AF_UNIX"
        if _uses_libcamera(everything):
            families += " AF_NETLINK"  # libcamera finds its devices through udev's netlink socket
        lines = [
            "[Unit]",
            "Description=Recognize people before a camera",
            "Documentation=man:systemd.exec(5)",
            *after.splitlines(),
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            "Type=notify",
            f"ExecStart={' '.join(map(_quoted, (self.program, *words)))}",
            "ExecReload=/bin/kill -HUP $MAINPID",
            f"User={self.user}",
            "SupplementaryGroups=video",
            "Restart=always",
            f"RestartSec={RESTART_S}",
            *(slower if self.systemd >= STEPS_SINCE else []),
            "RestartPreventExitStatus=2",
            f"WatchdogSec={WATCHDOG_S}",
            "TimeoutStopSec=10",
            "Environment=PYTHONUNBUFFERED=1",
            *more,
            f"ReadWritePaths=-{_quoted(str(self.data))}",
            *HARDENING.splitlines(),
            f"RestrictAddressFamilies={families}",
            f"PrivateNetwork={'no' if network else 'yes'}",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
        ]
        return "\n".join(lines) + "\n"

    def _words(self) -> tuple[str, ...]:
        names = {word.partition("=")[0] for word in (*self.words, *self.secret_words)}
        if not names & {"--camera", "--source"}:
            raise UsageError("the service has nothing to look at", hint="add -- --camera 0")
        if "--window" in self.words:
            raise UsageError("a service has no window", hint="use --serve 127.0.0.1:8080")
        more = [word for word in ("--systemd", "--quiet") if word not in self.words]
        return (*self.words, *more)


def _uses_libcamera(words: tuple[str, ...]) -> bool:
    return any(
        word == "--camera=csi" or word.startswith("--camera=csi:")
        or (before == "--camera" and word.partition(":")[0] == "csi")
        for before, word in zip(("", *words), words, strict=False)
    )  # fmt: skip


def needs_network(words: Sequence[str]) -> bool:
    """Whether options of edge-recognize ask for an output or a camera over the network."""
    names = [word.partition("=")[0] for word in words]
    urls = [part for word in words for part in (word, word.partition("=")[2]) if is_url(part)]
    return bool(urls) or any(name in NETWORK_OPTIONS for name in names)


def data_of(user: str) -> Path:
    """The data folder of a user of this machine, see `edge.bundle.locate.data_folder`.

    Raises `UsageError` where there is no such user.
    """
    if user == getpass.getuser():
        return data_folder()
    try:
        return home_of(user) / ".local" / "share" / APPLICATION
    except KeyError:
        raise UsageError(f"there is no user {user} here", hint="give --user NAME") from None


def program_path() -> str:
    """The installed `edge-recognize`, beside this Python or on the path."""
    beside = Path(sys.executable).with_name("edge-recognize")
    return str(beside) if beside.exists() else shutil.which("edge-recognize") or str(beside)


def _quoted(word: str) -> str:
    """A word as systemd's command lines take it; `%` and `$` mean something there."""
    word = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    plain = shlex.quote(word) == word
    return word if plain else '"' + word.replace('"', '\\"') + '"'
