"""The plain loop: what one would write without this toolkit, to compare with.

YuNet on every whole picture, the bundle's networks on every face that it finds, every head's
score: no scaling of large pictures, no quality gate, no tracking, nothing remembered.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from edge.bundle.reader import Bundle
from edge.faces.alignment import align
from edge.faces.detector import detector_bytes
from edge.faces.face import Face
from edge.models.runtime import open_model
from edge.models.spec import Network
from edge.recognition.result import Latency

_FACE_SCORE = 0.6
_NMS_IOU = 0.3


class PlainDetector:
    """YuNet, 2023mar as ONNX bytes, on whole pictures."""

    def __init__(self, data: bytes) -> None:
        model, config = np.frombuffer(data, np.uint8), np.empty(0, np.uint8)
        self._yunet = cv2.FaceDetectorYN.create(
            "onnx", model, config, (320, 320), _FACE_SCORE, _NMS_IOU
        )

    def __call__(self, image_bgr: np.ndarray) -> list[Face]:
        """The faces of a picture, uint8[H, W, 3] BGR."""
        self._yunet.setInputSize((image_bgr.shape[1], image_bgr.shape[0]))
        rows = self._yunet.detect(image_bgr)[1]
        return [] if rows is None else [_face(row) for row in rows]


class PlainLoop:
    """Judges pictures one by one. Not thread-safe.

    scores: of the last picture, a list per face with one score per head.
    """

    def __init__(
        self, bundle: Bundle, *, detector_model: Path | None = None, threads: int = 1
    ) -> None:
        """Raises as `Recognizer.open` does."""
        data = None if detector_model is not None else bundle.detector_data
        self._detect = PlainDetector(data or detector_bytes(detector_model))
        self._networks = [bundle.embedder]
        self._models = [open_model(bundle.embedder_data, bundle.embedder.format, threads=threads)]
        if bundle.base.sha256 != bundle.embedder.sha256:
            self._networks.append(bundle.base)
            self._models.append(open_model(bundle.base_data, bundle.base.format, threads=threads))
        self._heads = bundle.heads
        self.scores: list[list[float]] = []

    def judge(self, image_bgr: np.ndarray) -> tuple[int, Latency]:
        """The number of faces of a picture, uint8[H, W, 3] BGR, and the times."""
        started = perf_counter()
        faces = self._detect(image_bgr)
        detected = perf_counter()
        self.scores = []
        align_s = embed_s = decide_s = 0.0
        for face in faces:
            start = perf_counter()
            crops = [_crop(image_bgr, face, network) for network in self._networks]
            aligned = perf_counter()
            outputs = [
                model.run(_tensor(crop, network))
                for crop, network, model in zip(crops, self._networks, self._models, strict=True)
            ]
            embedded = perf_counter()
            self.scores.append(self._score(outputs[0]))
            align_s += aligned - start
            embed_s += embedded - aligned
            decide_s += perf_counter() - embedded
        parts = (detected - started, align_s, embed_s, decide_s, perf_counter() - started)
        return len(faces), Latency(*(1000 * part for part in parts))

    def _score(self, outputs: dict[str, np.ndarray]) -> list[float]:
        """The score of every head for the first crop."""
        name = self._networks[0].outputs["embedding"]
        embedding = outputs[name].reshape(len(outputs[name]), -1)[:1]
        embedding = embedding / max(float(np.linalg.norm(embedding)), 1e-12)
        return [float(head.score(embedding)[0]) for head in self._heads]


def _face(row: np.ndarray) -> Face:
    x, y, w, h = (float(value) for value in row[:4])
    points = tuple((float(px), float(py)) for px, py in row[4:14].reshape(5, 2))
    return Face((x, y, w, h), points, float(row[14]))


def _crop(image_bgr: np.ndarray, face: Face, network: Network) -> np.ndarray:
    expects = network.input
    return align(image_bgr, face, expects.frame, expects.window, expects.size_px)


def _tensor(crop_bgr: np.ndarray, network: Network) -> np.ndarray:
    """One crop as the file's whole batch."""
    tensor = network.input.tensor(crop_bgr[None])
    return np.repeat(tensor, network.input.batch, axis=0) if network.input.batch > 1 else tensor
