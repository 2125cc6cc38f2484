"""The card: a freshly written memory card that boots into a running recognizer, by cloud-init.

Raspberry Pi OS Trixie reads `user-data`, `network-config` and `meta-data` from its boot partition
at the first start. What `setup` and `push` run over ssh is run there by the device itself.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import InputError, RefusedError, UsageError
from edge.files.model_file import sha256_of
from export.flash.push import BundleFile
from export.flash.remote_script import script as push_script
from export.flash.setup import pack_parcel
from export.flash.setup_script import setup_script
from export.flash.wheel import fingerprint_of
from export.flash.wheelhouse import Wheelhouse

FOLDER = "edge-recognize"
PSK_ROUNDS, PSK_BYTES = 4096, 32
"""Of WPA2's key: PBKDF2-HMAC-SHA1 over password and network name (IEEE 802.11i)."""

_FIRST_BOOT = """#!/bin/sh
# Written by edge-flash card; cloud-init runs it once, as root.
here=$(cd "$(dirname "$0")" && pwd)
as_user() { su - @USER@ -c "$1"; }
parcel=$here/parcel.tar
site=0
python3 -c "import picamera2" >/dev/null 2>&1 && site=1
{
    as_user "sh '$here/setup.sh' build @NAME@ @SHA256@ @BYTES@ $site 1 '@WHEEL@' <'$parcel'"
    @PUSH@
    as_user "sh '$here/setup.sh' service 0 0 @WORDS@"
    as_user "sh '$here/setup.sh' doctor"
} >"$here/first-boot.log" 2>&1
"""


@dataclass(frozen=True)
class Wifi:
    """A network. key: as `wifi_key` makes it, never the password."""

    name: str
    key: str
    country: str


@dataclass(frozen=True)
class Card:
    """What goes onto a card. words: options of the service."""

    hostname: str
    user: str
    ssh_keys: tuple[str, ...]
    wheelhouse: Wheelhouse
    bundle: BundleFile | None = None
    wifi: Wifi | None = None
    words: tuple[str, ...] = ()

    def user_data(self) -> dict[str, Any]:
        """For cloud-init: the user, who logs in by key alone, and the first start."""
        user = {
            "name": self.user,
            "groups": "users,adm,dialout,audio,video,plugdev,render,input,gpio,spi,i2c,netdev,sudo",
            "shell": "/bin/bash",
            "lock_passwd": True,
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "ssh_authorized_keys": list(self.ssh_keys),
        }
        return {
            "hostname": self.hostname,
            "manage_etc_hosts": True,
            "users": [user],
            "ssh_pwauth": False,
            "runcmd": [
                ["systemctl", "enable", "--now", "ssh"],
                ["sh", f"/boot/firmware/{FOLDER}/first-boot.sh"],
            ],
        }

    def network(self) -> dict[str, Any]:
        """For netplan: the cable, and Wi-Fi where one is named."""
        made: dict[str, Any] = {"version": 2, "ethernets": {"eth0": _DHCP}}
        if self.wifi is not None:
            made["wifis"] = {
                "wlan0": {
                    **_DHCP,
                    "regulatory-domain": self.wifi.country,
                    "access-points": {self.wifi.name: {"password": self.wifi.key}},
                }
            }
        return {"network": made}

    def lines(self) -> tuple[str, ...]:
        """What would be written, for people; no secret is among it."""
        wifi = "cable only" if self.wifi is None else f"cable and Wi-Fi {self.wifi.name}"
        found = [
            f"user-data: host {self.hostname}, user {self.user} with {len(self.ssh_keys)} SSH key, "
            "no password",
            f"network-config: {wifi}",
            "meta-data: a number, so that this counts as a first start",
            f"{FOLDER}/: {len(self.wheelhouse.files)} wheels for Python {self.wheelhouse.python}",
        ]
        if self.bundle is not None:
            found.append(f"{FOLDER}/{self.bundle.installed}: {self.bundle.size_bytes} bytes")
        return (*found, f"service: edge-recognize {shlex.join(self.words) or 'with its camera'}")

    def write(self, boot: Path) -> None:
        """Write it onto a mounted boot partition. Raises as `check_boot`."""
        check_boot(boot)
        folder = boot / FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "setup.sh").write_text(setup_script(), "utf-8")
        (folder / "push.sh").write_text(push_script(), "utf-8")
        pack_parcel(self.wheelhouse.wheel, self.wheelhouse, "", folder / "parcel.tar")
        if self.bundle is not None:
            shutil.copyfile(self.bundle.path, folder / self.bundle.installed)
        (folder / "first-boot.sh").write_text(self._first_boot(folder), "utf-8")
        number = secrets.token_hex(8)
        (boot / "meta-data").write_text(f"instance-id: edge-{number}\n", "utf-8")
        (boot / "network-config").write_text(_yaml(self.network()), "utf-8")
        (boot / "user-data").write_text(f"#cloud-config\n{_yaml(self.user_data())}", "utf-8")

    def _first_boot(self, folder: Path) -> str:
        parcel, wheel = folder / "parcel.tar", self.wheelhouse.wheel
        push = ":"
        if self.bundle is not None:
            one = self.bundle
            words = f"upload {one.installed} {one.sha256} {one.size_bytes} 3 0 0 ''"
            push = f"as_user \"sh '$here/push.sh' {words} <'$here/{one.installed}'\""
        name = fingerprint_of([wheel.fingerprint, *self.wheelhouse.files])[:12]
        values = {
            "USER": self.user,
            "NAME": f"env-{wheel.version}-{name}",
            "SHA256": sha256_of(parcel.read_bytes()),
            "BYTES": str(parcel.stat().st_size),
            "WHEEL": wheel.requirement,
            "PUSH": push,
            "WORDS": shlex.join(self.words).replace("\\", "\\\\").replace('"', '\\"'),
        }
        text = _FIRST_BOOT
        for word, value in values.items():
            text = text.replace(f"@{word}@", value)
        return text


_DHCP = {"dhcp4": True, "optional": True}


def check_boot(boot: Path) -> None:
    """Raise where a folder is not the boot partition of an image with cloud-init."""
    if not (boot / "config.txt").is_file() or not (boot / "cmdline.txt").is_file():
        raise InputError(
            f"{boot} is no boot partition of Raspberry Pi OS",
            hint="write the image first, put the card in again, name its partition 'bootfs'",
        )
    if not (boot / "user-data").exists() and not (boot / "meta-data").exists():
        raise RefusedError(
            f"the image on {boot} is older than Trixie and has no cloud-init",
            hint="write Raspberry Pi OS Trixie, or use edge-flash setup once it runs",
        )


def wifi_key(name: str, password: str) -> str:
    """The network's key, 64 hexadecimal digits. Raises `UsageError` for what can be no password."""
    if not 8 <= len(password.encode()) <= 63:
        raise UsageError("a Wi-Fi password has 8 to 63 characters")
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), name.encode(), PSK_ROUNDS, PSK_BYTES)
    return key.hex()


def read_keys(path: Path) -> tuple[str, ...]:
    """SSH public keys of a file. Raises `InputError` where it has none, or a private one."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    keys = tuple(line.strip() for line in lines if line.startswith(("ssh-", "ecdsa-", "sk-")))
    if not keys:
        raise InputError(f"{path} holds no SSH public key", hint="make one: ssh-keygen -t ed25519")
    return keys


def card_of(
    hostname: str,
    user: str,
    ssh_key: Path,
    wheelhouse: Path,
    bundle: Path | None,
    wifi: Wifi | None,
    words: Sequence[str],
) -> Card:
    """Everything read and checked. Raises `InputError`, `UsageError` and `BundleError`."""
    for text, what in ((hostname, "host name"), (user, "user name")):
        plain = text.replace("-", "a").replace("_", "a")
        if not text[:1].isalpha() or not plain.isalnum() or not text.isascii():
            raise UsageError(f"{text!r} can be no {what}", hint="use letters, digits and '-'")
    if "'" in " ".join(words):
        raise UsageError("an option of the service holds a quote", hint="set it up by ssh later")
    house = Wheelhouse.open(wheelhouse)
    file = None if bundle is None else BundleFile.check(bundle)
    return Card(hostname, user, read_keys(ssh_key), house, file, wifi, tuple(words))


def _yaml(data: dict[str, Any]) -> str:
    """JSON is YAML."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
