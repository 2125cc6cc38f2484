"""Key pairs for signing bundles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bundle.signature import KEY_VARIABLE, PrivateKey
from edge.errors import InputError
from edge.files.atomic import atomic_file


@dataclass(frozen=True)
class KeyPair:
    """Where the two halves were written. key_id: see `edge.bundle.signature.PublicKey.key_id`."""

    private: Path
    public: Path
    key_id: str
    public_hex: str

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"private key {self.private} (keep it to yourself), public key {self.public}",
            f"key {self.key_id}; on a device: {KEY_VARIABLE}={self.public_hex}",
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "private": str(self.private),
            "public": str(self.public),
            "key_id": self.key_id,
            "public_hex": self.public_hex,
        }


def keygen(private: Path) -> KeyPair:
    """Write a new pair; the private file is readable by its owner alone.

    Raises `InputError` when one of the two files exists.
    """
    public = private.with_name(f"{private.name}.pub")
    if public.exists():
        raise InputError(f"{public} exists", hint="keep it, or choose another name")
    key = PrivateKey.generate()
    key.save(private)
    with atomic_file(public) as temporary:
        temporary.write_bytes(key.public.to_pem())
    return KeyPair(private, public, key.public.key_id, key.public.raw.hex())
