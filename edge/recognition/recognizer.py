"""The recognizer: one picture through detection, alignment, embedding and decision."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import InputError, ModelError
from edge.faces.detector import Detector, DetectorConfig, detector_bytes
from edge.faces.face import Face
from edge.faces.quality import QualityGate
from edge.faces.yunet import Runtime
from edge.heads.decision import Decision, HeadScore, TaskAnswer, decide
from edge.heads.head import Head
from edge.heads.lead import with_lead
from edge.heads.scores import best_scores
from edge.heads.together import HeadsTogether
from edge.models.embedder import Embedder, Perception
from edge.recognition.observation import Observation, latency_of
from edge.recognition.result import FrameResult

if TYPE_CHECKING:
    from edge.bundle.reader import Bundle

log = logging.getLogger(__name__)


class Recognizer:
    """Recognizes the faces of images. Not thread-safe: one per thread.

    `embedder` feeds the heads; `base` gives the attributes and may be the same object, which then
    runs once per face. `base` None leaves attributes out.

    Example:
        >>> with edge.Recognizer.open("ana.edge") as recognizer:
        ...     result = recognizer.recognize(image)  # uint8[H, W, 3] BGR
        >>> [face.decision.person for face in result.faces]
        ['ana']
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
        self._closed = False
        self._together: tuple[tuple[Head, ...], HeadsTogether] | None = None

    @classmethod
    def open(
        cls,
        bundle: Bundle | Path | str,
        *,
        detector_model: Path | None = None,
        threads: int = 1,
        attributes: bool = True,
        heads: Sequence[Head] | None = None,
        detector_runtime: Runtime = "best",
    ) -> Recognizer:
        """A recognizer with the networks and heads of a bundle.

        People enrolled on this device are not in a bundle; `edge.watch` brings them.

        Args:
            bundle: An open bundle, or the path of one, which is opened and closed again.
            detector_model: YuNet's file in place of the bundle's detector.
            threads: Threads of the runtimes.
            attributes: Whether to compute attributes, too.
            heads: In place of the bundle's heads.
            detector_runtime: "litert" or "opencv"; by default the faster one that runs it.

        Raises:
            BundleError: The file is no bundle, damaged, or not signed as this machine requires.
            ModelError: A network or the detector cannot run here.
            RuntimeMissing: No runtime on this machine can run the network.
        """
        if isinstance(bundle, (str, Path)):
            from edge.bundle.reader import Bundle

            with Bundle.open(bundle) as opened:
                return cls.open(
                    opened,
                    detector_model=detector_model,
                    threads=threads,
                    attributes=attributes,
                    heads=heads,
                    detector_runtime=detector_runtime,
                )
        entry = bundle.manifest.detector
        config: DetectorConfig | None = None
        if detector_model is not None or entry is None:
            data = detector_bytes(detector_model)
        else:
            config = DetectorConfig(score_threshold=entry.score_threshold)
            data = bundle.read(entry.member)
        detector = Detector(data, config, threads=threads, runtime=detector_runtime)
        embedder = Embedder(bundle.embedder, bundle.embedder_data, threads=threads)
        base: Embedder | None = None
        if attributes:
            same = bundle.base.sha256 == bundle.embedder.sha256
            base = embedder if same else Embedder(bundle.base, bundle.base_data, threads=threads)
        return cls(detector, embedder, bundle.heads if heads is None else heads, base=base)

    def close(self) -> None:
        """Give the networks' memory back; safe to call twice. Afterwards nothing is recognized."""
        if not self._closed:
            self._closed = True
            del self.detector, self.embedder, self.base

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def recognize(self, image_bgr: np.ndarray) -> FrameResult:
        """Recognize all faces of one image, which stands for itself.

        Args:
            image_bgr: uint8[H, W, 3] in BGR order, as OpenCV reads it.

        Returns:
            The faces, largest first, with decisions, attributes and the time they took.

        Raises:
            ModelError: The recognizer is closed, or its network returns nonsense.
        """
        started = perf_counter()
        self._require_open()
        faces = self.detector.detect(image_bgr)
        detected = perf_counter()
        looks = [self.look(image_bgr, face) for face in faces]
        results = tuple(look.result() for look in looks)
        latency = latency_of(looks, detect_s=detected - started, total_s=perf_counter() - started)
        return FrameResult(faces=results, latency=latency)

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """All faces of an image, uint8[H, W, 3] BGR, largest first; see `settled`."""
        self._require_open()
        return self.detector.found(image_bgr)

    def settled(self, image_bgr: np.ndarray, face: Face) -> Face:
        """A face that `detect` has found in this image, as it is to be looked at: where the
        detector is not sure, with the landmarks that a second look finds for a tilted head."""
        return self.detector.settled(image_bgr, face)

    def _require_open(self) -> None:
        if self._closed:
            raise ModelError("this recognizer is closed", hint="open it again")

    def look(self, image_bgr: np.ndarray, face: Face) -> Observation:
        """One detected face. One that does not pass the quality gate is not embedded."""
        started = perf_counter()
        quality = self.gate.check(image_bgr, face)
        if not quality.passed:
            reason = quality.reason or "cannot be judged"
            _tell_rejected(face, reason, quality.measures)
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
        _tell_scores(face, scores)
        return Observation(
            face,
            scores=scores,
            embedding=None if perception.embeddings is None else perception.embeddings[0],
            attributes=attributes,
            tasks=self.tasks(perception),
            align_s=aligned - gated,
            embed_s=embedded - aligned,
            decide_s=perf_counter() - embedded + gated - started,
        )

    def decide(self, perception: Perception) -> Decision:
        """The decision for a perception of one crop."""
        return decide(self.scores(perception))

    def scores(self, perception: Perception) -> Sequence[HeadScore]:
        """Score one perceived crop by the head of every person; of many, with thresholds by the
        lead of the best."""
        if perception.embeddings is None:
            return ()
        if self._together is None or self._together[0] is not self.heads:
            people = [head for head in self.heads if not head.is_task]
            self._together = self.heads, HeadsTogether(people)
        return with_lead(self._together[1].scores(perception.embeddings[0]))

    def tasks(self, perception: Perception) -> dict[str, TaskAnswer]:
        """Answer the yes-or-no questions for one perceived crop, by name."""
        if perception.embeddings is None:
            return {}
        said = {h.name: _score(h, perception.embeddings) for h in self.heads if h.is_task}
        return {name: TaskAnswer(s.score, s.threshold, s.margin) for name, s in said.items()}

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
    score = float(head.score(embeddings)[0])
    return HeadScore(head.name, score, head.threshold, head.margin, head.key)


def _tell_rejected(face: Face, reason: str, measures: Mapping[str, float]) -> None:
    if log.isEnabledFor(logging.DEBUG):
        shown = ", ".join(f"{name} {value:.3g}" for name, value in measures.items())
        log.debug("%s is rejected: %s (%s)", _place(face), reason, shown)


def _tell_scores(face: Face, scores: Sequence[HeadScore]) -> None:
    if not log.isEnabledFor(logging.DEBUG):
        return
    if not scores:
        log.debug("%s: there is no head to ask", _place(face))
        return
    (best,) = best_scores(scores, 1)
    log.debug(
        "%s: nearest head %s, score %.2f, threshold %.2f, %d heads asked",
        _place(face), best.person, best.score, best.threshold, len(scores),
    )  # fmt: skip


def _place(face: Face) -> str:
    x, y, width, height = face.box_px
    return f"face of {width:.0f}x{height:.0f} px at {x:.0f},{y:.0f}"
