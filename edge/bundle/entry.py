"""Entries: one file of the bundle, as the manifest describes it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from edge.bundle.archive import MAX_MEMBER_BYTES, checked_name
from edge.models.spec import Network
from edge.person_name import name_problem

_MAX_NAME = 120
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class MemberEntry:
    """What a member's bytes must be."""

    sha256: str
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "size_bytes": self.size_bytes}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> MemberEntry:
        return cls(_sha256(data["sha256"]), _size(data["size_bytes"]))


@dataclass(frozen=True)
class ModelEntry:
    """A model file that `edge` can run, and how."""

    member: str
    network: Network

    def to_json(self) -> dict[str, Any]:
        return {"member": self.member, "network": self.network.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ModelEntry:
        return cls(checked_name(as_text(data["member"])), Network.from_json(data["network"]))


FUSED = "fused"
"""Files of a kind that begins so hold heads beside the base, and belong to exactly these heads."""


@dataclass(frozen=True)
class FileEntry:
    """A file for other programs, such as a fused graph or a Keras model. kind: what it is."""

    member: str
    kind: str
    description: str = ""

    @property
    def holds_heads(self) -> bool:
        """Whether people can be recognized by this file alone."""
        return self.kind.startswith(FUSED)

    def to_json(self) -> dict[str, Any]:
        return {"member": self.member, "kind": self.kind, "description": self.description}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FileEntry:
        member, kind = checked_name(as_text(data["member"])), as_text(data["kind"])
        return cls(member, kind, as_text(data.get("description", "")))


@dataclass(frozen=True)
class DetectorEntry:
    """The face detector's model. score_threshold: 0..1, faces below are not reported."""

    member: str
    sha256: str
    score_threshold: float

    def to_json(self) -> dict[str, Any]:
        return {
            "member": self.member,
            "sha256": self.sha256,
            "score_threshold": self.score_threshold,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DetectorEntry:
        member, sha256 = checked_name(as_text(data["member"])), _sha256(data["sha256"])
        return cls(member, sha256, _number(data["score_threshold"]))


@dataclass(frozen=True)
class HeadEntry:
    """A person's head. embedder_sha256: of the model file that the person was enrolled on."""

    member: str
    name: str
    threshold: float
    sha256: str
    embedder_sha256: str

    def to_json(self) -> dict[str, Any]:
        return {
            "member": self.member,
            "name": self.name,
            "threshold": self.threshold,
            "sha256": self.sha256,
            "embedder_sha256": self.embedder_sha256,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> HeadEntry:
        return cls(
            checked_name(as_text(data["member"])),
            as_person_name(data["name"]),
            _number(data["threshold"]),
            _sha256(data["sha256"]),
            _sha256(data["embedder_sha256"]),
        )


@dataclass(frozen=True)
class SignatureEntry:
    """Says that `manifest.sig` belongs to the bundle. key_id: see `PublicKey.key_id`. serial: a
    device that asks for signatures takes no smaller one than it has; 0 where it was not given."""

    key_id: str
    algorithm: str = "ed25519"
    serial: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"algorithm": self.algorithm, "key_id": self.key_id, "serial": self.serial}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SignatureEntry:
        serial = data.get("serial", 0)
        if type(serial) is not int or serial < 0:
            raise ValueError("a serial number is a whole number from 0 on")
        return cls(as_text(data["key_id"]), as_text(data["algorithm"]), serial)


def as_text(value: Any) -> str:
    """`value` where it is text. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def as_name(value: Any) -> str:
    """`value` where it is text that can be shown as a name. Raises TypeError, ValueError."""
    text = as_text(value)
    if not text.strip() or len(text) > _MAX_NAME or not text.isprintable():
        raise ValueError(f"a name may not be {text[:_MAX_NAME]!r}")
    return text


def as_person_name(value: Any) -> str:
    """`value` where somebody can be called so. Raises TypeError, ValueError."""
    text = as_text(value)
    problem = name_problem(text)
    if problem is not None:
        raise ValueError(f"nobody can be called {text[:_MAX_NAME]!r}: {problem}")
    return text


def _sha256(value: Any) -> str:
    if not _SHA256.fullmatch(as_text(value)):
        raise ValueError("a SHA-256 has 64 hexadecimal digits")
    return str(value)


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_MEMBER_BYTES:
        raise ValueError(f"a member cannot have a size of {str(value)[:40]}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return float(value)
