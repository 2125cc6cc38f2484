"""Bundles: one file `NAME.edge` with everything that recognizes a person, read where it lies.

Nothing is ever extracted. Opening reads the manifest alone; a member is read, and its SHA-256
compared, when it is asked for.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge.bundle.archive import Archive, check_npz
from edge.bundle.entry import HeadEntry
from edge.bundle.manifest import MANIFEST_MEMBER, MAX_MANIFEST_BYTES, SIGNATURE_MEMBER, Manifest
from edge.bundle.signature import (
    SIGNATURE_BYTES,
    PublicKey,
    as_public_key,
    configured_key,
)
from edge.errors import (
    BundleHashMismatch,
    BundleManifestInvalid,
    BundleMembersWrong,
    BundleOversized,
    BundleSignatureError,
    BundleTruncated,
)
from edge.files.model_file import sha256_of
from edge.models.spec import Network

if TYPE_CHECKING:
    from edge.bundle.golden import Golden
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

SUFFIX = ".edge"


class Store(Protocol):
    """Where members are read from: an `Archive`, or the folder of the shipped base."""

    path: Path

    @property
    def names(self) -> tuple[str, ...]: ...

    def size_bytes(self, name: str) -> int: ...

    def read(self, name: str) -> bytes: ...

    def close(self) -> None: ...


class Bundle:
    """An open bundle. Use it as a context manager, or `close` it; safe to use from threads.

    Example:
        >>> with edge.Bundle.open("ana.edge") as bundle:
        ...     print(*(head.name for head in bundle.heads))
        ana
    """

    def __init__(self, store: Store, manifest: Manifest, *, verified_by: str = "") -> None:
        """`open` and not this is how a bundle is opened. verified_by: id of the key, or ""."""
        self.path = store.path
        self.manifest = manifest
        self.verified_by = verified_by
        self._store = store

    @classmethod
    def open(cls, path: Path | str, public_key: PublicKey | Path | str | None = None) -> Bundle:
        """Read and check the manifest, none of the members.

        Args:
            path: The file `NAME.edge`.
            public_key: The key that the bundle must be signed with: a key, a key file or 64
                hexadecimal digits; None for the configured one, see
                `edge.bundle.signature.configured_key`. Where there is none, signatures are not
                checked.

        Raises:
            BundleError: By its kind: truncated, oversized, compressed, path escape, members wrong,
                schema unknown, manifest invalid, hash mismatch, signature.
        """
        key = configured_key() if public_key is None else as_public_key(public_key)
        archive = Archive.open(Path(path))
        try:
            data = _read_small(archive, MANIFEST_MEMBER, MAX_MANIFEST_BYTES)
            _check_signature(archive, data, key)
            manifest = Manifest.from_bytes(data)
            _check_members(archive, manifest)
        except BaseException:
            archive.close()
            raise
        return cls(archive, manifest, verified_by="" if key is None else key.key_id)

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def base(self) -> Network:
        """The network that gives the attributes."""
        return self.manifest.base.network

    @property
    def base_data(self) -> bytes:
        return self.read(self.manifest.base.member)

    @property
    def embedder(self) -> Network:
        """The network that gives the embedding; usually the base."""
        return self.manifest.embedder.network

    @property
    def embedder_data(self) -> bytes:
        return self.read(self.manifest.embedder.member)

    @property
    def detector_data(self) -> bytes | None:
        """The detector's model, None where the bundle brings none."""
        entry = self.manifest.detector
        return None if entry is None else self.read(entry.member)

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """Raises `BundleManifestInvalid` when a head is not what the manifest says it is."""
        return tuple(self._head(entry) for entry in self.manifest.heads)

    def cohort(self) -> Cohort | None:
        """The strangers that thresholds are set against, None where the bundle brings none."""
        member = self.manifest.cohort
        if not member:
            return None
        from edge.heads.cohort import Cohort

        return Cohort.from_bytes(self.read(member))

    @cached_property
    def golden(self) -> Golden | None:
        """Crops with recorded results, None where the bundle brings none."""
        from edge.bundle.golden import Golden

        member = self.manifest.golden
        return Golden.from_bytes(self.read(member)) if member else None

    def text(self, member: str) -> str:
        """A member that people read. "" for "", so that optional ones need no question."""
        return self.read(member).decode("utf-8", "replace") if member else ""

    def read(self, member: str) -> bytes:
        """The bytes of a declared member. Raises `BundleHashMismatch` when they were changed."""
        entry = self.manifest.members.get(member)
        if entry is None:
            raise BundleMembersWrong(f"{self.path} declares no {member}")
        data = self._store.read(member)
        if len(data) != entry.size_bytes or sha256_of(data) != entry.sha256:
            raise BundleHashMismatch(
                f"{self.path}: {member} is not what the manifest promises",
                hint="copy the bundle again from where it was made",
            )
        if member.endswith(".npz"):
            check_npz(data, member)
        return data

    def verify(self) -> None:
        """Read every member once, one at a time. Raises what `read` and `heads` raise."""
        for member in self.manifest.members:
            self.read(member)
        for entry in self.manifest.heads:
            self._head(entry)

    def _head(self, entry: HeadEntry) -> Head:
        from edge.heads.head import Head

        head = Head.from_bytes(self.read(entry.member))
        said = (head.name, float(head.threshold), head.embedder_sha256)
        if said != (entry.name, entry.threshold, entry.embedder_sha256):
            raise BundleManifestInvalid(
                f"{self.path}: {entry.member} is another head than the manifest says"
            )
        return head


def _read_small(archive: Archive, member: str, limit: int) -> bytes:
    if archive.size_bytes(member) > limit:
        raise BundleOversized(f"{archive.path}: {member} is larger than {limit} bytes")
    return archive.read(member)


def _check_signature(archive: Archive, manifest: bytes, key: PublicKey | None) -> None:
    if key is None:
        return
    if SIGNATURE_MEMBER not in archive.names:
        raise BundleSignatureError(
            f"{archive.path} is not signed, and this machine requires it (key {key.key_id})",
            hint="sign it with 'edge-export pack --sign KEY'",
        )
    key.verify(_read_small(archive, SIGNATURE_MEMBER, SIGNATURE_BYTES), manifest)


def _check_members(archive: Archive, manifest: Manifest) -> None:
    """The archive holds what the manifest declares, in the declared sizes, and nothing else."""
    if manifest.signature is not None and SIGNATURE_MEMBER not in archive.names:
        raise BundleSignatureError(f"{archive.path} was signed, but its signature was removed")
    signed = () if manifest.signature is None else (SIGNATURE_MEMBER,)
    present, declared = set(archive.names), {MANIFEST_MEMBER, *signed, *manifest.members}
    for name in sorted(present ^ declared):
        said = "has an undeclared" if name in present else "lacks its"
        raise BundleMembersWrong(f"{archive.path} {said} {name}")
    for name, entry in manifest.members.items():
        size = archive.size_bytes(name)
        if size > entry.size_bytes:
            raise BundleOversized(
                f"{archive.path}: {name} has {size} bytes, declared are {entry.size_bytes}"
            )
        if size < entry.size_bytes:
            raise BundleTruncated(
                f"{archive.path}: {name} has {size} bytes, declared are {entry.size_bytes}"
            )
