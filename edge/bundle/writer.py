"""Writing bundles: everything that goes into one, put together and written at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.bundle.archive import write_archive
from edge.bundle.entry import (
    DetectorEntry,
    FileEntry,
    HeadEntry,
    MemberEntry,
    ModelEntry,
    SignatureEntry,
)
from edge.bundle.manifest import MANIFEST_MEMBER, SIGNATURE_MEMBER, Manifest
from edge.bundle.reader import Bundle
from edge.bundle.signature import PrivateKey, configured_key
from edge.errors import BundleHashMismatch, BundleManifestInvalid, BundleSignatureError
from edge.files.model_file import sha256_of
from edge.models.spec import Network

if TYPE_CHECKING:
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

CARD, LABELS, COHORT, GOLDEN = "README.md", "labels.txt", "cohort.npz", "golden.npz"
Put = Callable[[str, bytes], str]
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True)
class BundleWriter:
    """What goes into a bundle: pairs of what a file is and its bytes.

    base, embedder, alternatives: networks with their files; embedder None where it is the base.
    files: entries for other programs with their bytes. detector: file, name of it, and score
    threshold. cohort, golden: as their `to_bytes` gives them, b"" for none. licences: file name to
    text. versions, facts: see `Manifest`.
    """

    name: str
    base: tuple[Network, bytes]
    embedder: tuple[Network, bytes] | None = None
    alternatives: tuple[tuple[Network, bytes], ...] = ()
    files: tuple[tuple[FileEntry, bytes], ...] = ()
    detector: tuple[str, bytes, float] | None = None
    heads: tuple[Head, ...] = ()
    cohort: bytes = b""
    golden: bytes = b""
    card: str = ""
    labels: str = ""
    licences: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        *,
        heads: Iterable[Head] | None = None,
        cohort: Cohort | None = None,
        **changes: Any,
    ) -> BundleWriter:
        """Everything of an open bundle, read into memory; its signature is left behind.

        heads, cohort: in place of the bundle's own; None keeps what there is. Golden results of
        other heads would be wrong, so golden crops are then kept without scores. changes: other
        fields. Writing over the open bundle is allowed.
        """
        manifest, read = bundle.manifest, bundle.read
        own = manifest.embedder.member == manifest.base.member
        detector = manifest.detector
        made = cls(
            name=manifest.name,
            base=(bundle.base, bundle.base_data),
            embedder=None if own else (bundle.embedder, bundle.embedder_data),
            alternatives=tuple((e.network, read(e.member)) for e in manifest.alternatives),
            files=tuple((entry, read(entry.member)) for entry in manifest.files),
            detector=None
            if detector is None
            else (Path(detector.member).name, read(detector.member), detector.score_threshold),
            heads=bundle.heads,
            cohort=read(manifest.cohort) if manifest.cohort else b"",
            golden=read(manifest.golden) if manifest.golden else b"",
            card=bundle.text(manifest.card),
            labels=bundle.text(manifest.labels),
            licences={Path(name).name: bundle.text(name) for name in manifest.licences},
            versions=dict(manifest.versions),
            facts=dict(manifest.facts),
        )
        if heads is not None:
            made = made.with_heads(heads)
        if cohort is not None:
            made = replace(made, cohort=cohort.to_bytes())
        return replace(made, **changes)

    def with_heads(self, heads: Iterable[Head]) -> BundleWriter:
        """The same with other heads; what is of the heads before is dropped: golden results, and
        files that hold heads themselves."""
        from edge.bundle.golden import Golden

        golden = Golden.from_bytes(self.golden).without_heads().to_bytes() if self.golden else b""
        files = tuple(pair for pair in self.files if not pair[0].holds_heads)
        return replace(self, heads=tuple(heads), golden=golden, files=files)

    def write(self, path: Path, *, key: PrivateKey | None = None, serial: int = 0) -> None:
        """Write the bundle, whole or not at all; the same content gives the same bytes.

        Readable by its owner alone where it holds people. Signed where a key is given, with a
        serial number, see `SignatureEntry`. Raises
        `BundleManifestInvalid` when the parts do not fit together, `BundleSignatureError` when an
        unsigned bundle could not be opened here.
        """
        required = configured_key()
        if required is not None and (key is None or key.public != required):
            raise BundleSignatureError(
                f"this machine opens only bundles signed with the key {required.key_id}",
                hint="sign with that key (--sign KEY), or remove the configured public key",
            )
        members: dict[str, bytes] = {}
        manifest = self._manifest(members)
        if key is not None:
            manifest = replace(manifest, signature=SignatureEntry(key.public.key_id, serial=serial))
        data = manifest.to_bytes()
        head = {MANIFEST_MEMBER: data}
        if key is not None:
            head[SIGNATURE_MEMBER] = key.sign(data)
        Manifest.from_bytes(data)  # what could not be read is never written
        write_archive(path, {**head, **members}, private=bool(self.heads))

    def _manifest(self, members: dict[str, bytes]) -> Manifest:
        """The manifest; `members` is filled with the files on the way."""

        def put(member: str, data: bytes) -> str:
            if members.setdefault(member, data) != data:
                raise BundleManifestInvalid(f"two different files would be called {member}")
            return member

        def model(role: str, pair: tuple[Network, bytes]) -> ModelEntry:
            network, data = pair
            if network.sha256 != sha256_of(data):
                raise BundleHashMismatch(f"the {role}'s file is not the one that is described")
            return ModelEntry(put(_model_member(role, network), data), network)

        base = model("base", self.base)
        embedder = base if self.embedder is None else model("embedder", self.embedder)
        alternatives = tuple(model("base", pair) for pair in self.alternatives)
        for entry, data in self.files:
            put(entry.member, data)
        heads = tuple(self._head(head, put) for head in self.heads)
        return Manifest(
            name=self.name,
            base=base,
            embedder=embedder,
            alternatives=alternatives,
            files=tuple(entry for entry, _ in self.files),
            detector=self._detector(put),
            heads=heads,
            cohort=put(COHORT, self.cohort) if self.cohort else "",
            golden=put(GOLDEN, self.golden) if self.golden else "",
            card=put(CARD, self.card.encode()) if self.card else "",
            labels=put(LABELS, self.labels.encode()) if self.labels else "",
            licences=tuple(
                put(f"licences/{name}", text.encode()) for name, text in self.licences.items()
            ),
            versions=self.versions,
            facts=self.facts,
            members={name: MemberEntry(sha256_of(d), len(d)) for name, d in members.items()},
        )

    def _detector(self, put: Put) -> DetectorEntry | None:
        if self.detector is None:
            return None
        name, data, threshold = self.detector
        return DetectorEntry(put(f"detector/{name}", data), sha256_of(data), threshold)

    def _head(self, head: Head, put: Put) -> HeadEntry:
        data = head.to_bytes()
        member = put(f"heads/{file_stem(head.name)}.npz", data)
        return HeadEntry(
            member, head.name, float(head.threshold), sha256_of(data), head.embedder_sha256
        )


def file_stem(name: str) -> str:
    """A file name for any name: itself where it is plain ASCII, else with a part of its hash."""
    plain = _UNSAFE.sub("-", name).strip("-.+")[:60]
    return plain if plain == name != "" else f"{plain or 'name'}-{sha256_of(name.encode())[:8]}"


def _model_member(role: str, network: Network) -> str:
    container, _, number = network.format.partition("-")
    return f"models/{role}.{number}.{container}"
