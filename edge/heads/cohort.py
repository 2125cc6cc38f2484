"""Cohorts: embeddings of strangers in groups, each seen in several looks, and nobody's name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from edge.errors import InputError, ModelError
from edge.files.atomic import atomic_file
from edge.files.model_file import sha256_of
from edge.files.npz_record import NpzRecord, npz_bytes

SCHEMA = 1

EVERYBODY = "strangers"
"""Name of the one group of a cohort that tells of none."""

_WIDEST = 8192


def _nothing() -> np.ndarray:
    return np.zeros(0, np.uint8)


@dataclass(frozen=True, eq=False)
class Cohort:
    """N embeddings of strangers.

    Attributes:
        embeddings: float16[N, D] of length 1, by the embedder whose file has `embedder_sha256`.
        identity: int32[N] >= 0: shuffled numbers, no names.
        variant: uint8[N], index into `variants`: how the face was degraded.
        variants: Names of the variants.
        embedder_sha256: Hash of the embedder's file.
        source: For people: where the faces are from.
        licence: For people: under which terms.
        group: uint8[N], index into `groups`: kinds of people whom an embedder may take for each
            other (by age, origin or kind of picture); all of one group where it is left out.
        groups: Names of the groups.

    Example:
        >>> with edge.Bundle.open("ana.edge") as bundle:
        ...     cohort = bundle.cohort()
        >>> cohort.vectors().shape == (len(cohort), cohort.size)
        True
    """

    embeddings: np.ndarray
    identity: np.ndarray
    variant: np.ndarray
    variants: tuple[str, ...]
    embedder_sha256: str
    source: str = ""
    licence: str = ""
    group: np.ndarray = field(default_factory=_nothing)
    groups: tuple[str, ...] = (EVERYBODY,)

    def __post_init__(self) -> None:
        """Raises `InputError` when the arrays do not fit together."""
        count = len(self.embeddings)
        if self.embeddings.dtype != np.float16 or self.embeddings.ndim != 2:
            raise InputError("a cohort's embeddings must be float16[N, D]")
        if count == 0 or not 1 <= self.embeddings.shape[1] <= _WIDEST:
            raise InputError(f"a cohort cannot have the shape {self.embeddings.shape}")
        if not np.isfinite(self.embeddings).all():
            raise InputError("a cohort's embeddings must be finite numbers")
        if self.identity.dtype != np.int32 or self.identity.shape != (count,):
            raise InputError("a cohort's identities must be int32[N]")
        if self.variant.dtype != np.uint8 or self.variant.shape != (count,):
            raise InputError("a cohort's variants must be uint8[N]")
        if self.identity.min() < 0 or self.variant.max() >= len(self.variants):
            raise InputError("a cohort has an identity below 0, or a variant without name")
        if not len(self.group) and len(self.groups) == 1:
            object.__setattr__(self, "group", np.zeros(count, np.uint8))
        if self.group.dtype != np.uint8 or self.group.shape != (count,):
            raise InputError("a cohort's groups must be uint8[N]")
        if self.group.max() >= len(self.groups):
            raise InputError("a cohort has a group without name")

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def people(self) -> int:
        """Number of different strangers."""
        return len(np.unique(self.identity))

    @property
    def people_of_groups(self) -> dict[str, int]:
        """Number of different strangers in each group that has any, by its name."""
        return {
            self.groups[number]: len(np.unique(self.identity[self.group == number]))
            for number in np.unique(self.group).tolist()
        }

    def group_of_people(self) -> np.ndarray:
        """The group of each stranger, uint8[P], in the order of the identities."""
        return np.asarray(self.group[np.unique(self.identity, return_index=True)[1]])

    @property
    def size(self) -> int:
        """Dimensions of an embedding."""
        return int(self.embeddings.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """Tells one cohort from another: the first 16 digits of its file's SHA-256."""
        return sha256_of(self.to_bytes())[:16]

    def vectors(self) -> np.ndarray:
        """The embeddings as float32[N, D], of length 1 again after float16."""
        values = self.embeddings.astype(np.float32)
        return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)

    def select(self, rows: np.ndarray) -> Cohort:
        """The rows of `rows` (bool[N] or integers). Raises `InputError` when none is left."""
        return replace(
            self,
            embeddings=self.embeddings[rows],
            identity=self.identity[rows],
            variant=self.variant[rows],
            group=self.group[rows],
        )

    def of_variants(self, names: tuple[str, ...]) -> Cohort:
        """The rows seen in one of the looks `names`. Raises `InputError` when there are none."""
        wanted = [i for i, name in enumerate(self.variants) if name in names]
        return self.select(np.isin(self.variant, wanted))

    def halves(self, seed: int = 0) -> tuple[Cohort, Cohort]:
        """Divided by identity: strangers that train heads, and those that thresholds are set on.

        To which half somebody belongs follows from the identity's number and the seed alone, so a
        part of a cohort is divided as the whole is. Raises `InputError` where a half is empty.
        """
        first = trains(self.identity, seed)
        return self.select(first), self.select(~first)

    def joined(self, other: Cohort) -> Cohort:
        """Both cohorts; `other`'s identities get new numbers, looks and groups are matched by name.

        Raises `ModelError` when they are of different embedders.
        """
        if self.embedder_sha256 != other.embedder_sha256 or self.size != other.size:
            raise ModelError(
                "the two cohorts were made by different embedders",
                hint="make both with the same --embedding",
            )
        names = (*self.variants, *(n for n in other.variants if n not in self.variants))
        place = np.array([names.index(name) for name in other.variants], np.uint8)
        groups = (*self.groups, *(n for n in other.groups if n not in self.groups))
        group_place = np.array([groups.index(name) for name in other.groups], np.uint8)
        _, order = np.unique(other.identity, return_inverse=True)
        numbers = order.reshape(-1).astype(np.int32) + np.int32(self.identity.max() + 1)
        return replace(
            self,
            embeddings=np.concatenate([self.embeddings, other.embeddings]),
            identity=np.concatenate([self.identity, numbers]),
            variant=np.concatenate([self.variant, place[other.variant]]),
            variants=names,
            group=np.concatenate([self.group, group_place[other.group]]),
            groups=groups,
            source=" + ".join(dict.fromkeys(filter(None, (self.source, other.source)))),
            licence=" + ".join(dict.fromkeys(filter(None, (self.licence, other.licence)))),
        )

    def to_bytes(self) -> bytes:
        """As an `.npz` of stored arrays; the same bytes for the same content."""
        meta = {
            "schema": SCHEMA,
            "embedder_sha256": self.embedder_sha256,
            "variants": list(self.variants),
            "groups": list(self.groups),
            "source": self.source,
            "licence": self.licence,
        }
        arrays = {
            "embeddings": np.ascontiguousarray(self.embeddings),
            "identity": np.ascontiguousarray(self.identity),
            "variant": np.ascontiguousarray(self.variant),
            "group": np.ascontiguousarray(self.group),
        }
        return npz_bytes(arrays, meta)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        with atomic_file(Path(path)) as temporary:
            temporary.write_bytes(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the cohort") -> Cohort:
        """A file without groups is read as of one. Raises `InputError` when it is no cohort,
        damaged, or of another schema."""
        try:
            file = NpzRecord.read(data, schema=SCHEMA)
            meta = file.meta
            return cls(
                embeddings=file.array("embeddings", np.float16, "N", "D"),
                identity=file.array("identity", np.int32, "N"),
                variant=file.array("variant", np.uint8, "N"),
                variants=tuple(str(v) for v in meta["variants"]),
                embedder_sha256=str(meta["embedder_sha256"]),
                source=str(meta.get("source", "")),
                licence=str(meta.get("licence", "")),
                group=file.array("group", np.uint8, "N") if "group" in file else _nothing(),
                groups=tuple(str(g) for g in meta.get("groups", (EVERYBODY,))),
            )
        except (KeyError, TypeError, ValueError, InputError) as problem:
            raise InputError(
                f"{name} cannot be read: {problem}", hint="make it with edge-train cohort"
            ) from None

    @classmethod
    def load(cls, path: Path) -> Cohort:
        """Raises `InputError` when the file is missing or no cohort."""
        try:
            data = Path(path).read_bytes()
        except OSError as problem:
            raise InputError(f"cannot read the cohort {path}: {problem.strerror}") from None
        return cls.from_bytes(data, str(path))


def trains(identity: np.ndarray, seed: int = 0) -> np.ndarray:
    """bool[N]: whether strangers, int[N], belong to the half that trains heads.

    A hash of number and seed (splitmix64, Steele et al., OOPSLA 2014) decides, alike on all
    machines.
    """
    with np.errstate(over="ignore"):
        z = identity.astype(np.uint64) + np.uint64((seed + 1) & 0xFFFFFFFF) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(63)) == 0)
