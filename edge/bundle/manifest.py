"""The manifest: what a bundle holds, and what its networks, heads and files are (schema 1)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edge.bundle.archive import checked_name
from edge.bundle.entry import (
    DetectorEntry,
    FileEntry,
    HeadEntry,
    MemberEntry,
    ModelEntry,
    SignatureEntry,
    as_name,
    as_text,
)
from edge.errors import (
    BundleHashMismatch,
    BundleManifestInvalid,
    BundleMembersWrong,
    BundleSchemaUnknown,
    ModelError,
)

SCHEMA = 1
"""Version of the manifest. Fields may be added within a version; none is renamed or removed."""

SCHEMA_FILE = Path(__file__).parents[1] / "schema" / f"manifest-{SCHEMA}.json"
"""The JSON schema (draft 2020-12) that every manifest this version writes conforms to."""

MANIFEST_MEMBER, SIGNATURE_MEMBER = "manifest.json", "manifest.sig"
MAX_MANIFEST_BYTES = 2**20
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Manifest:
    """Everything about a bundle but the bytes of its members.

    base: gives the attributes. embedder: gives the embedding that the heads were enrolled on,
    usually the base itself. alternatives: the base in other formats that passed the parity gate.
    files: for other programs. cohort, golden, card, labels: member names, "" where there is none.
    versions: distribution to version at packing. facts: for people (figures, parity table, why
    this format); `edge` decides nothing by them. members: every member but the manifest itself
    and the signature.
    """

    name: str
    base: ModelEntry
    embedder: ModelEntry
    members: dict[str, MemberEntry]
    alternatives: tuple[ModelEntry, ...] = ()
    files: tuple[FileEntry, ...] = ()
    detector: DetectorEntry | None = None
    heads: tuple[HeadEntry, ...] = ()
    cohort: str = ""
    golden: str = ""
    card: str = ""
    labels: str = ""
    licences: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    signature: SignatureEntry | None = None

    def __post_init__(self) -> None:
        self._check_members()
        if "embedding" not in self.embedder.network.outputs:
            raise BundleManifestInvalid("the bundle's embedder gives no embedding")
        names = [head.name for head in self.heads]
        if len(set(names)) != len(names):
            raise BundleManifestInvalid("two heads of the bundle have the same name")
        for head in self.heads:
            if head.embedder_sha256 != self.embedder.network.sha256:
                raise BundleManifestInvalid(
                    f"{head.name} was enrolled on another embedder "
                    f"({head.embedder_sha256[:12]}…) than the bundle's "
                    f"({self.embedder.network.sha256[:12]}…), so the scores would mean nothing",
                    hint="enroll on the bundle's own embedder file",
                )

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        """The base, the embedder where it is another file, and the alternatives."""
        own = () if self.embedder.member == self.base.member else (self.embedder,)
        return (self.base, *own, *self.alternatives)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "name": self.name,
            "base": self.base.to_json(),
            "embedder": self.embedder.to_json(),
            "alternatives": [entry.to_json() for entry in self.alternatives],
            "files": [entry.to_json() for entry in self.files],
            "detector": None if self.detector is None else self.detector.to_json(),
            "heads": [entry.to_json() for entry in self.heads],
            "cohort": self.cohort,
            "golden": self.golden,
            "card": self.card,
            "labels": self.labels,
            "licences": list(self.licences),
            "versions": dict(self.versions),
            "facts": self.facts,
            "signature": None if self.signature is None else self.signature.to_json(),
            "members": {name: entry.to_json() for name, entry in self.members.items()},
        }

    def to_bytes(self) -> bytes:
        """The bytes of `manifest.json`: the same for the same manifest."""
        text = json.dumps(self.to_json(), indent=1, sort_keys=True, allow_nan=False)
        return text.encode("ascii") + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Raises `BundleSchemaUnknown`, `BundleManifestInvalid`, and what a member is refused by:
        `BundlePathEscape`, `BundleMembersWrong`, `BundleHashMismatch`.
        """
        try:
            fields = json.loads(
                data, object_pairs_hook=_object, parse_constant=_finite, parse_float=_finite
            )
        except (ValueError, RecursionError) as problem:
            raise BundleManifestInvalid(f"the bundle's manifest is no JSON: {problem}") from None
        if not isinstance(fields, dict) or "schema" not in fields:
            raise BundleManifestInvalid("the bundle's manifest does not say its schema")
        if type(fields["schema"]) is not int or fields["schema"] != SCHEMA:
            raise BundleSchemaUnknown(
                f"the bundle has schema {str(fields['schema'])[:40]}, this version reads {SCHEMA}",
                hint="update edge-recognize, or pack the bundle again with this version",
            )
        try:
            return cls._from_fields(fields)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
            raise BundleManifestInvalid(
                f"the bundle's manifest is wrong: {type(problem).__name__} {str(problem)[:200]}"
            ) from None
        except ModelError as problem:
            raise BundleManifestInvalid(f"the bundle's manifest is wrong: {problem}") from None

    @classmethod
    def _from_fields(cls, data: dict[str, Any]) -> Manifest:
        return cls(
            name=as_name(data["name"]),
            base=ModelEntry.from_json(data["base"]),
            embedder=ModelEntry.from_json(data["embedder"]),
            members={
                checked_name(name): MemberEntry.from_json(entry)
                for name, entry in data["members"].items()
            },
            alternatives=_each(data["alternatives"], ModelEntry.from_json),
            files=_each(data["files"], FileEntry.from_json),
            detector=_maybe(data["detector"], DetectorEntry.from_json),
            heads=_each(data["heads"], HeadEntry.from_json),
            cohort=_member(data["cohort"]),
            golden=_member(data["golden"]),
            card=_member(data["card"]),
            labels=_member(data["labels"]),
            licences=_each(data["licences"], lambda name: checked_name(as_text(name))),
            versions={as_text(name): as_text(text) for name, text in data["versions"].items()},
            facts=dict(data["facts"].items()),
            signature=_maybe(data["signature"], SignatureEntry.from_json),
        )

    def _check_members(self) -> None:
        if not {MANIFEST_MEMBER, SIGNATURE_MEMBER}.isdisjoint(self.members):
            raise BundleManifestInvalid("the manifest declares itself")
        for member, sha256 in self._references():
            if member not in self.members:
                raise BundleMembersWrong(f"the manifest names {member} but does not declare it")
            if sha256 is not None and sha256 != self.members[member].sha256:
                raise BundleHashMismatch(f"the manifest gives {member} two different hashes")

    def _references(self) -> Iterator[tuple[str, str | None]]:
        """Every member that the manifest names, and the hash that it gives beside it."""
        for model in self.models:
            yield model.member, model.network.sha256
        if self.detector is not None:
            yield self.detector.member, self.detector.sha256
        for head in self.heads:
            yield head.member, head.sha256
        for file in self.files:
            yield file.member, None
        for name in (self.cohort, self.golden, self.card, self.labels, *self.licences):
            if name:
                yield name, None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a field is there twice")
    return made


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text[:40]} is no number")
    return float(text)


def _each(values: Any, read: Callable[[Any], Entry]) -> tuple[Entry, ...]:
    if not isinstance(values, list):
        raise TypeError("expected a list")
    return tuple(read(value) for value in values)


def _maybe(value: Any, read: Callable[[Any], Entry]) -> Entry | None:
    return None if value is None else read(value)


def _member(value: Any) -> str:
    return checked_name(as_text(value)) if value != "" else ""
