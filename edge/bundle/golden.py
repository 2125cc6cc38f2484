"""Golden crops: drawn faces with the results that the bundle gave when it was packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import BundleHashMismatch
from edge.files.npz_record import NpzRecord, npz_bytes

if TYPE_CHECKING:
    from edge.heads.head import Head
    from edge.models.embedder import Embedder

SCHEMA = 1


@dataclass(frozen=True)
class Golden:
    """N crops and the recorded results.

    crops: uint8[N, S, S, 3] BGR, in the base's input size; a network of another size is fed them
    resized (see `edge.bundle.golden.resized`), which is no proper alignment but the same on every
    machine. embeddings: float32[N, D], of length 1, by the embedder. attributes: float32[N, A]
    logits by the base, A = 0 where it has none. heads: names, in the order of the columns of
    scores: float32[N, H]. accepted: bool[N, H], score >= threshold. runtime: what recorded them.
    """

    crops: np.ndarray
    embeddings: np.ndarray
    attributes: np.ndarray
    scores: np.ndarray
    accepted: np.ndarray
    heads: tuple[str, ...] = ()
    runtime: str = ""

    @classmethod
    def record(
        cls, crops_bgr: np.ndarray, base: Embedder, embedder: Embedder, heads: Sequence[Head]
    ) -> Golden:
        """Run base, embedder and heads on crops uint8[N, S, S, 3] BGR, here and now.

        Raises `ModelError` when a network does not answer with finite numbers.
        """
        said = embedder.embed(resized(crops_bgr, embedder.network.input.size_px))
        looks = said
        if base is not embedder:
            looks = base.embed(resized(crops_bgr, base.network.input.size_px))
        assert said.embeddings is not None  # a manifest without is refused
        count = len(crops_bgr)
        scores = [head.score(said.embeddings) for head in heads]
        return cls(
            crops=crops_bgr,
            embeddings=said.embeddings,
            attributes=np.zeros((count, 0)) if looks.attributes is None else looks.attributes,
            scores=np.stack(scores, axis=1) if scores else np.zeros((count, 0)),
            accepted=np.stack(
                [s >= h.threshold for s, h in zip(scores, heads, strict=True)], axis=1
            )
            if scores
            else np.zeros((count, 0), bool),
            heads=tuple(head.name for head in heads),
            runtime=embedder.model.runtime,
        )

    def compare(self, found: Golden) -> GoldenDifference:
        """How far `found`, recorded of the same crops elsewhere, is from this."""
        cosines = np.sum(self.embeddings * found.embeddings, axis=1)
        same = self.heads == found.heads
        return GoldenDifference(
            crops=len(self.crops),
            cosine_worst=float(cosines.min()) if len(cosines) else 1.0,
            attribute_largest=_largest(self.attributes, found.attributes),
            score_largest=_largest(self.scores, found.scores) if same else 0.0,
            decisions=int(np.sum(self.accepted != found.accepted)) if same else 0,
        )

    def to_bytes(self) -> bytes:
        """As an `.npz`; the same bytes for the same content."""
        meta = {"schema": SCHEMA, "heads": list(self.heads), "runtime": self.runtime}
        arrays = {
            "crops": self.crops,
            "embeddings": self.embeddings.astype(np.float32),
            "attributes": self.attributes.astype(np.float32),
            "scores": self.scores.astype(np.float32),
            "accepted": self.accepted.astype(bool),
        }
        return npz_bytes(arrays, meta)

    def without_heads(self) -> Golden:
        """The same without scores: they are those of heads that are no longer there."""
        count = len(self.crops)
        scores = np.zeros((count, 0), np.float32)
        return replace(self, scores=scores, accepted=np.zeros((count, 0), bool), heads=())

    @classmethod
    def from_bytes(cls, data: bytes) -> Golden:
        """Raises `BundleHashMismatch` when the arrays are missing or do not fit together."""
        try:
            file = NpzRecord.read(data)
            heads = tuple(str(name) for name in file.meta["heads"])
            return cls(
                crops=file.array("crops", np.uint8, "N", "S", "S", 3),
                embeddings=file.array("embeddings", np.float32, "N", "D"),
                attributes=file.array("attributes", np.float32, "N", "A"),
                scores=file.array("scores", np.float32, "N", len(heads)),
                accepted=file.array("accepted", bool, "N", len(heads)),
                heads=heads,
                runtime=str(file.meta["runtime"]),
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise BundleHashMismatch(f"the golden crops cannot be read: {problem}") from None


@dataclass(frozen=True)
class GoldenDifference:
    """Results of this machine against the recorded ones.

    cosine_worst: between the embeddings. attribute_largest: difference of logits. score_largest:
    difference of scores. decisions: how many are others.
    """

    crops: int
    cosine_worst: float
    attribute_largest: float
    score_largest: float
    decisions: int

    def to_json(self) -> dict[str, Any]:
        return {
            "crops": self.crops,
            "cosine_worst": round(self.cosine_worst, 6),
            "attribute_largest": round(self.attribute_largest, 5),
            "score_largest": round(self.score_largest, 5),
            "decisions": self.decisions,
        }


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.max(np.abs(one - other))) if one.size else 0.0


def resized(crops_bgr: np.ndarray, size_px: int) -> np.ndarray:
    """Crops uint8[N, S, S, 3] in another size: uint8[N, size_px, size_px, 3]."""
    if crops_bgr.shape[1:3] == (size_px, size_px):
        return crops_bgr
    import cv2

    scaled = [
        cv2.resize(crop, (size_px, size_px), interpolation=cv2.INTER_AREA) for crop in crops_bgr
    ]
    return np.stack(scaled) if scaled else np.zeros((0, size_px, size_px, 3), np.uint8)
