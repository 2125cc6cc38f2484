"""The vault: what lies on the disk about people, readable with a key alone where one is set.

AES-256 in GCM (NIST SP 800-38D) by the cryptography package, extra `secure`. Each file has a nonce
of its own and is bound to its name, so that files cannot be exchanged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import EncryptionError, InputError, RuntimeMissing
from edge.files.atomic import write_new_private
from edge.people import KEY_FILE_VARIABLE

log = logging.getLogger(__name__)

KEY_BYTES = 32
_NONCE_BYTES = 12
MAGIC = b"edge-sealed-1\n"
"""How encrypted files begin."""

_MAX_KEY_FILE_BYTES = 4096


@dataclass(frozen=True)
class Encryption:
    """Seals and opens bytes; without a key it leaves them as they are. Never prints its key."""

    _key: bytes | None = field(default=None, repr=False)

    @property
    def is_locked(self) -> bool:
        """Whether there is a key."""
        return self._key is not None

    @property
    def key_id(self) -> str:
        """Short name of the key, "" without one; says nothing about the key."""
        if self._key is None:
            return ""
        return hashlib.sha256(b"edge-recognize key id\0" + self._key).hexdigest()[:16]

    def seal(self, data: bytes, name: str) -> bytes:
        """The bytes to be written to the file `name`. Raises `RuntimeMissing`."""
        if self._key is None:
            return data
        nonce = os.urandom(_NONCE_BYTES)
        sealed: bytes = _cipher(self._key).encrypt(nonce, data, name.encode())
        return MAGIC + nonce + sealed

    def unseal(self, data: bytes, name: str) -> bytes:
        """What `seal` was given. Raises `EncryptionError`, or `RuntimeMissing` without the
        extra."""
        if not data.startswith(MAGIC):
            return data
        if self._key is None:
            raise key_missing()
        from cryptography.exceptions import InvalidTag

        body = data[len(MAGIC) :]
        try:
            opened: bytes = _cipher(self._key).decrypt(
                body[:_NONCE_BYTES], body[_NONCE_BYTES:], name.encode()
            )
        except (InvalidTag, ValueError):
            raise EncryptionError(
                f"{name} cannot be decrypted: it was changed, or the key {self.key_id} is wrong",
                hint="give the key that the people were enrolled with",
            ) from None
        return opened

    @classmethod
    def open(cls, key_file: Path | None) -> Encryption:
        """With the key of a file; None for none. Raises `EncryptionError`, `RuntimeMissing`."""
        if key_file is None:
            return cls()
        path = Path(key_file).expanduser()
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_KEY_FILE_BYTES)
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        except OSError as problem:
            raise EncryptionError(
                f"cannot read the key file {path}: {problem.strerror}",
                hint="check --key-file and its permissions",
            ) from None
        if mode & 0o077:
            log.warning("the key file %s can be read by others; chmod 600 it", path)
        vault = cls(_key_of(data, path))
        _cipher(vault._key or b"")  # what cannot encrypt must not begin to enrol
        return vault


def key_missing() -> EncryptionError:
    """The error where something is encrypted and no key is given."""
    return EncryptionError(
        "the people enrolled on this device are encrypted, and no key is set",
        hint=f"give --key-file FILE, or set {KEY_FILE_VARIABLE}",
    )


def write_key(path: Path) -> str:
    """Make a new key and write it, base64, readable by its owner alone; returns its id.

    Raises `InputError` when the file exists: whoever loses a key loses what it encrypts.
    """
    path = Path(path).expanduser()
    key = os.urandom(KEY_BYTES)
    try:
        write_new_private(path, base64.b64encode(key) + b"\n")
    except FileExistsError:
        raise InputError(f"{path} exists", hint="keep it, or choose another name") from None
    return Encryption(key).key_id


def _key_of(data: bytes, path: Path) -> bytes:
    """32 bytes: raw, as 64 hexadecimal digits, or as base64."""
    text = data.strip()
    for decode in (bytes.fromhex, _base64):
        try:
            key = decode(text.decode("ascii"))
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return key
    if len(data) == KEY_BYTES:
        return data
    raise EncryptionError(
        f"{path} holds no key of {KEY_BYTES} bytes",
        hint="make one: edge-recognize keygen -o FILE",
    )


def _base64(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_" if set("-_") & set(text) else None, validate=True)


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise RuntimeMissing(
            "a key is set, but nothing can be encrypted without the cryptography package",
            hint="pip install 'cryptography>=42'",
        ) from None
    return AESGCM(key)
