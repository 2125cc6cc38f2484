"""The recognizer: one picture through detection, alignment, embedding and decision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from edge.decision import Decision, HeadScore, decide, rejected
from edge.detector import Detector, DetectorConfig
from edge.embedder import Embedder, Perception
from edge.errors import InputError
from edge.face import Face
from edge.head import Head
from edge.quality import QualityGate
from edge.result import FaceResult, Latency

if TYPE_CHECKING:
    from edge.bundle import Bundle


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
    ) -> Recognizer:
        """From an open bundle. `detector_model` replaces the bundle's detector.

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
        return cls(detector, embedder, bundle.heads, base=base)

    def judge(self, image_bgr: np.ndarray) -> tuple[tuple[FaceResult, ...], Latency]:
        """All faces of a picture, uint8[H, W, 3] BGR, largest first, and the time they took."""
        started = perf_counter()
        faces = self.detector.detect(image_bgr)
        detected = perf_counter()
        align_s = embed_s = decide_s = 0.0
        results = []
        for face in faces:
            result, seconds = self.judge_face(image_bgr, face)
            results.append(result)
            align_s += seconds[0]
            embed_s += seconds[1]
            decide_s += seconds[2]
        latency = Latency(
            detect_ms=1000 * (detected - started),
            align_ms=1000 * align_s,
            embed_ms=1000 * embed_s,
            decide_ms=1000 * decide_s,
            total_ms=1000 * (perf_counter() - started),
        )
        return tuple(results), latency

    def judge_face(
        self, image_bgr: np.ndarray, face: Face
    ) -> tuple[FaceResult, tuple[float, float, float]]:
        """One detected face, and the seconds spent on aligning, embedding and deciding.

        A face that does not pass the quality gate is rejected without being embedded.
        """
        started = perf_counter()
        quality = self.gate.judge(image_bgr, face)
        if not quality.passed:
            spent = perf_counter() - started
            result = FaceResult(face, rejected(quality.reason or "cannot be judged"))
            return result, (0.0, 0.0, spent)
        gated = perf_counter()
        try:
            crop = self.embedder.crop(image_bgr, face)
            other = self._base_crop(image_bgr, face)
        except InputError as problem:
            return FaceResult(face, rejected(problem.message)), (perf_counter() - gated, 0.0, 0.0)
        aligned = perf_counter()
        perception = self.embedder.embed(crop[None])
        attributes = self._attributes(perception, other)
        embedded = perf_counter()
        decision = self.decide(perception)
        done = perf_counter()
        seconds = (aligned - gated, embedded - aligned, done - embedded + gated - started)
        return FaceResult(face, decision, attributes=attributes), seconds

    def decide(self, perception: Perception) -> Decision:
        """The decision for a perception of one crop."""
        if perception.embeddings is None:
            return decide(())
        return decide([_score(head, perception.embeddings) for head in self.heads])

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
