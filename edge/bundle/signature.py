"""Signatures: Ed25519 (RFC 8032) over the bytes of a bundle's manifest.

A public key is configured by the environment variable `EDGE_PUBLIC_KEY` (a key file, or the key's
64 hexadecimal digits) or by the file `public.pem` in the configuration folder. Where one is
configured, only bundles that it verifies are opened. Needs the extra `secure`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import BundleSignatureError, InputError, RuntimeMissing
from edge.files.atomic import write_new_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_VARIABLE = "EDGE_PUBLIC_KEY"
KEY_FILE = "public.pem"
SIGNATURE_BYTES = 64
_KEY_BYTES = 32
_MAX_KEY_FILE_BYTES = 64 * 1024


@dataclass(frozen=True)
class PublicKey:
    """Verifies signatures. raw: the 32 bytes of the key."""

    raw: bytes

    @property
    def key_id(self) -> str:
        """Short name of the key: the first 16 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raises `BundleSignatureError` unless `signature` is this key's over `data`."""
        ed25519 = _ed25519()
        from cryptography.exceptions import InvalidSignature

        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            raise BundleSignatureError(
                f"the bundle's signature does not verify with the public key {self.key_id}",
                hint="it was changed, or signed by somebody else; take it from its maker again",
            ) from None

    def to_pem(self) -> bytes:
        """SubjectPublicKeyInfo as PEM."""
        from cryptography.hazmat.primitives import serialization

        key = _ed25519().Ed25519PublicKey.from_public_bytes(self.raw)
        pem: bytes = key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return pem

    @classmethod
    def parse(cls, text: bytes, where: str) -> PublicKey:
        """From PEM or 64 hexadecimal digits. Raises `BundleSignatureError` for anything else."""
        stripped = text.strip()
        if len(stripped) == 2 * _KEY_BYTES:
            try:
                return cls(bytes.fromhex(stripped.decode("ascii")))
            except ValueError:
                pass
        ed25519 = _ed25519()
        from cryptography.hazmat.primitives import serialization

        try:
            key = serialization.load_pem_public_key(text)
        except Exception:
            key = None
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise BundleSignatureError(
                f"{where} holds no Ed25519 public key", hint="make a pair with 'edge-export keygen'"
            )
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return cls(raw)

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """Raises `BundleSignatureError` where the file cannot be read or holds no such key."""
        return cls.parse(_read_key_file(path), str(path))


@dataclass(frozen=True)
class PrivateKey:
    """Makes signatures. Never printed: its representation shows nothing of the key."""

    _key: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.key_id})"

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`, 64 bytes; the same for the same data."""
        return self._key.sign(data)

    @classmethod
    def generate(cls) -> PrivateKey:
        return cls(_ed25519().Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> PrivateKey:
        """From an unencrypted PKCS #8 PEM file. Raises `BundleSignatureError`."""
        text = _read_key_file(path)
        ed25519 = _ed25519()
        from cryptography.hazmat.primitives import serialization

        try:
            key = serialization.load_pem_private_key(text, password=None)
        except Exception:
            key = None
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise BundleSignatureError(
                f"{path} holds no Ed25519 private key without a password",
                hint="make a pair with 'edge-export keygen'",
            )
        return cls(key)

    def save(self, path: Path) -> None:
        """PKCS #8 as PEM, readable by its owner alone from the first byte on.

        Raises `InputError` when the file exists: a key that signed bundles is never overwritten.
        """
        from cryptography.hazmat.primitives import serialization

        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        try:
            write_new_private(path, pem)
        except FileExistsError:
            raise InputError(f"{path} exists", hint="keep it, or choose another name") from None


def config_folder() -> Path:
    """`$XDG_CONFIG_HOME/edge-recognize`, by default `~/.config/edge-recognize`."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".config") / "edge-recognize"


def configured_key() -> PublicKey | None:
    """The public key that bundles must be signed with, or None where none is configured.

    Raises `BundleSignatureError` when one is configured but cannot be read: a typing error must
    not turn the check off.
    """
    named = os.environ.get(KEY_VARIABLE, "").strip()
    if named:
        return as_public_key(named)
    default = config_folder() / KEY_FILE
    return PublicKey.load(default) if os.path.lexists(default) else None


def as_public_key(key: PublicKey | Path | str) -> PublicKey:
    """A key as it is given: itself, a key file, or 64 hexadecimal digits."""
    if isinstance(key, PublicKey):
        return key
    if isinstance(key, str) and len(key) == 2 * _KEY_BYTES and not Path(key).exists():
        return PublicKey.parse(key.encode("utf-8"), "the public key")
    return PublicKey.load(Path(key).expanduser())


def _read_key_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_FILE_BYTES)
    except OSError as problem:
        raise BundleSignatureError(
            f"cannot read the key file {path}: {problem.strerror}", hint="check the path"
        ) from None


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise RuntimeMissing(
            "a signature cannot be checked without the cryptography package",
            hint="pip install 'cryptography>=42'",
        ) from None
    return ed25519
