"""The recognizer: one picture through detection, alignment, embedding and decision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import InputError
from edge.faces.detector import Detector, DetectorConfig
from edge.faces.face import Face
from edge.faces.quality import QualityGate
from edge.heads.decision import Decision, HeadScore, decide
from edge.heads.head import Head
from edge.models.embedder import Embedder, Perception
from edge.recognition.observation import Observation, latency_of
from edge.recognition.result import FaceResult, Latency

if TYPE_CHECKING:
    from edge.bundle.reader import Bundle


class Recognizer:
    """Judges the faces of pictures. Not thread-safe: one per thread.

    `embedder` feeds the heads; `base` gives the attributes and may be the same object, which then
    runs once per face. `base` None leaves attributes out.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        heads: Sequence[Head] = (),
        *,
        base: Embedder | None = None,
        gate: QualityGate | None = None,
    ) -> None:
        self.detector = detector
        self.embedder = embedder
        self.heads = tuple(heads)
        self.base = base
        self.gate = gate or QualityGate()

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        *,
        detector_model: Path | None = None,
        threads: int = 1,
        attributes: bool = True,
        heads: Sequence[Head] | None = None,
    ) -> Recognizer:
        """From an open bundle. `detector_model` replaces its detector, `heads` its heads.

        Raises `ModelError`, `DetectorError` or `RuntimeMissing` when a part cannot run here.
        """
        entry = bundle.manifest.detector
        if detector_model is not None or entry is None:
            detector = Detector.open(detector_model)
        else:
            config = DetectorConfig(score_threshold=entry.score_threshold)
            detector = Detector(bundle.read(entry.member), config)
        embedder = Embedder(bundle.embedder, bundle.embedder_data, threads=threads)
        base: Embedder | None = None
        if attributes:
            same = bundle.base.sha256 == bundle.embedder.sha256
            base = embedder if same else Embedder(bundle.base, bundle.base_data, threads=threads)
        return cls(detector, embedder, bundle.heads if heads is None else heads, base=base)

    def judge(self, image_bgr: np.ndarray) -> tuple[tuple[FaceResult, ...], Latency]:
        """All faces of a picture, uint8[H, W, 3] BGR, largest first, and the time they took."""
        started = perf_counter()
        faces = self.detect(image_bgr)
        detected = perf_counter()
        looks = [self.look(image_bgr, face) for face in faces]
        results = tuple(look.result() for look in looks)
        latency = latency_of(looks, detect_s=detected - started, total_s=perf_counter() - started)
        return results, latency

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """All faces of a picture, uint8[H, W, 3] BGR, largest first."""
        return self.detector.detect(image_bgr)

    def look(self, image_bgr: np.ndarray, face: Face) -> Observation:
        """One detected face. One that does not pass the quality gate is not embedded."""
        started = perf_counter()
        quality = self.gate.judge(image_bgr, face)
        if not quality.passed:
            reason = quality.reason or "cannot be judged"
            return Observation(face, reason, decide_s=perf_counter() - started)
        gated = perf_counter()
        try:
            crop = self.embedder.crop(image_bgr, face)
            other = self._base_crop(image_bgr, face)
        except InputError as problem:
            return Observation(face, problem.message, align_s=perf_counter() - gated)
        aligned = perf_counter()
        perception = self.embedder.embed(crop[None])
        attributes = self._attributes(perception, other)
        embedded = perf_counter()
        scores = self.scores(perception)
        return Observation(
            face,
            scores=scores,
            embedding=None if perception.embeddings is None else perception.embeddings[0],
            attributes=attributes,
            align_s=aligned - gated,
            embed_s=embedded - aligned,
            decide_s=perf_counter() - embedded + gated - started,
        )

    def decide(self, perception: Perception) -> Decision:
        """The decision for a perception of one crop."""
        return decide(self.scores(perception))

    def scores(self, perception: Perception) -> tuple[HeadScore, ...]:
        """What every head says of a perception of one crop."""
        if perception.embeddings is None:
            return ()
        return tuple(_score(head, perception.embeddings) for head in self.heads)

    def _base_crop(self, image_bgr: np.ndarray, face: Face) -> np.ndarray | None:
        if self.base is None or self.base is self.embedder:
            return None
        return self.base.crop(image_bgr, face)

    def _attributes(self, perception: Perception, crop_bgr: np.ndarray | None) -> dict[str, float]:
        if self.base is None:
            return {}
        if crop_bgr is not None:
            perception = self.base.embed(crop_bgr[None])
        if perception.attributes is None:
            return {}
        probabilities = 1.0 / (1.0 + np.exp(-perception.attributes[0].astype(np.float64)))
        names = self.base.network.attributes
        return {name: float(p) for name, p in zip(names, probabilities, strict=True)}


def _score(head: Head, embeddings: np.ndarray) -> HeadScore:
    return HeadScore(head.name, float(head.score(embeddings)[0]), head.threshold, head.margin)
