"""A visit: somebody before the camera, from coming to going, and its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.errors import PeopleError, ToolkitError
from edge.files.closed_set import one_of
from edge.files.npz_record import NpzRecord, npz_bytes
from edge.heads.decision import STATES, DecisionState

SCHEMA = 1
MATCH, UNKNOWN = "match", "unknown"


@dataclass(frozen=True, eq=False)
class Looks:
    """The looks at a visitor that are kept, in their order.

    time_s: float64[N], seconds of the source. heads: `Head.key` of each column. scores:
    float32[N, H], NaN where a head was not asked. embeddings: float32[N, D] of length 1, only where
    the owner keeps faces, else float32[0, 0]. embedder_sha256: the file that they are of.
    """

    time_s: np.ndarray
    heads: tuple[str, ...]
    scores: np.ndarray
    embeddings: np.ndarray
    embedder_sha256: str = ""

    @property
    def count(self) -> int:
        return len(self.time_s)

    @property
    def has_embeddings(self) -> bool:
        return len(self.embeddings) > 0


@dataclass(frozen=True, eq=False)
class Visit:
    """Somebody who came and went.

    Attributes:
        number: Of the visit, as `edge-recognize visits` shows it; 0 before it is stored.
        source: The camera, without a password.
        at: When it began, ISO 8601 in UTC.
        lasted_s: From the first to the last picture.
        state: What it settled on: "match", "unknown", "uncertain" or "rejected".
        person: The name of a match, else None.
        score: Of the nearest head as it was decided, None where no head was asked.
        threshold: Of the same head.
        levels: `Head.key` to the highest threshold at which the vote could have accepted this
            visitor, see `level_of`.
        looks: The looks that are kept.
        face_jpeg: The best face with its surroundings, b"" where no faces are kept.
        named: Who it was, by the owner's word, else None.
        denied: Who it was not, by the owner's word.
    """

    number: int
    source: str
    at: str
    lasted_s: float
    state: DecisionState
    person: str | None
    score: float | None
    threshold: float | None
    levels: Mapping[str, float]
    looks: Looks
    face_jpeg: bytes = field(default=b"", repr=False)
    named: str | None = None
    denied: tuple[str, ...] = ()

    @property
    def who(self) -> str | None:
        """By the owner's word, else as it was decided; None for somebody unknown."""
        if self.named is not None:
            return self.named
        return None if self.person in self.denied else self.person

    def names(self, name: str) -> bool:
        """Whether somebody stands in it as who it was taken for or is."""
        return name in (self.person, self.named)

    def to_json(self) -> dict[str, Any]:
        """For programs; without vectors and picture."""
        return {
            "visit": self.number,
            "source": self.source,
            "at": self.at,
            "lasted_s": round(self.lasted_s, 1),
            "decision": self.state,
            "person": self.person,
            "score": None if self.score is None else round(self.score, 3),
            "threshold": None if self.threshold is None else round(self.threshold, 3),
            "looks": self.looks.count,
            "has_face": bool(self.face_jpeg),
            "named": self.named,
            "denied": list(self.denied),
        }

    def to_bytes(self) -> bytes:
        """As an `.npz` of stored arrays; the number is the file's name."""
        meta = {
            "schema": SCHEMA,
            "source": self.source,
            "at": self.at,
            "lasted_s": self.lasted_s,
            "state": self.state,
            "person": self.person,
            "score": self.score,
            "threshold": self.threshold,
            "levels": dict(self.levels),
            "heads": list(self.looks.heads),
            "embedder_sha256": self.looks.embedder_sha256,
            "named": self.named,
            "denied": list(self.denied),
        }
        arrays: dict[str, np.ndarray] = {
            "time_s": np.asarray(self.looks.time_s, np.float64),
            "scores": np.asarray(self.looks.scores, np.float32),
            "embeddings": np.asarray(self.looks.embeddings, np.float32),
            "face_jpeg": np.frombuffer(self.face_jpeg, np.uint8),
        }
        return npz_bytes(arrays, meta)

    @classmethod
    def from_bytes(cls, data: bytes, number: int) -> Visit:
        """Raises `PeopleError` when it is none, damaged or of another schema."""
        try:
            file = NpzRecord.read(data, schema=SCHEMA)
            meta = file.meta
            heads = tuple(map(str, meta["heads"]))
            looks = Looks(
                file.array("time_s", np.float64, "L"),
                heads,
                file.array("scores", np.float32, "L", len(heads)),
                file.array("embeddings", np.float32, "E", "D"),
                str(meta["embedder_sha256"]),
            )
            return cls(
                number=number,
                source=str(meta["source"]),
                at=str(meta["at"]),
                lasted_s=float(meta["lasted_s"]),
                state=one_of(meta["state"], STATES),
                person=meta["person"],
                score=meta["score"],
                threshold=meta["threshold"],
                levels={str(k): float(v) for k, v in meta["levels"].items()},
                looks=looks,
                face_jpeg=file.array("face_jpeg", np.uint8, "bytes").tobytes(),
                named=meta["named"],
                denied=tuple(map(str, meta["denied"])),
            )
        except (KeyError, TypeError, ValueError, AttributeError, ToolkitError) as problem:
            raise PeopleError(
                f"visit {number} cannot be read: {problem}", hint="remove its file"
            ) from None


def level_of(scores: Sequence[float], votes: int, of: int) -> float:
    """The highest threshold at which `votes` of some `of` consecutive looks accept: float.

    A match needs that, and besides that the evidence of all remembered looks agrees, so that a
    visit whose level lies below a threshold is not accepted by it. -inf with fewer looks.
    """
    best = -np.inf
    for end in range(votes, len(scores) + 1):
        window = sorted(scores[max(0, end - of) : end], reverse=True)
        best = max(best, window[votes - 1])
    return float(best)
