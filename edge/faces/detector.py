"""Face detection with YuNet (Wu et al., 2023), see `edge.faces.yunet`."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge.errors import DetectorError
from edge.faces.face import Face
from edge.faces.roll import SURE_SCORE, upright
from edge.faces.yunet import SHIPPED_DETECTOR, YUNET_SHA256, Runtime, open_eye
from edge.files.model_file import read_model_file

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectorConfig:
    """How faces are looked for.

    score_threshold: 0..1, faces below are not reported. nms_iou: overlap above which the weaker of
    two boxes is dropped. long_side_px: pictures are scaled down to this longest side before
    detection. short_side_px: smaller pictures are scaled up so that tiny crops can be searched.
    """

    score_threshold: float = 0.6
    nms_iou: float = 0.3
    long_side_px: int = 640
    short_side_px: int = 178


def detector_bytes(model: Path | None = None) -> bytes:
    """The detector's model file, verified.

    A file given by the user may be another YuNet, so only the shipped one is held to its hash.
    Raises `DetectorError` with the remedy where there is none.
    """
    if model is not None:
        return read_model_file(model, error=DetectorError)
    return read_model_file(SHIPPED_DETECTOR, sha256=YUNET_SHA256, error=DetectorError)


class Detector:
    """Finds faces in BGR images. Not thread-safe: one per thread.

    Example:
        >>> faces = edge.Detector.open().detect(image)  # uint8[H, W, 3] BGR
        >>> len(faces)
        1
    """

    def __init__(
        self,
        model: bytes,
        config: DetectorConfig | None = None,
        *,
        threads: int = 1,
        runtime: Runtime = "best",
    ) -> None:
        """threads: of LiteRT. Raises `DetectorError` when no runtime can load `model`."""
        self.config = config or DetectorConfig()
        nothing = np.empty((0, 0, 3), np.uint8)
        self._last = (nothing, nothing)
        self._eye = open_eye(
            model,
            self.config.score_threshold,
            self.config.nms_iou,
            runtime=runtime,
            threads=threads,
        )
        log.debug("%s runs the detector", self.runtime)

    @property
    def runtime(self) -> str:
        """What runs the network, in words."""
        return self._eye.runtime

    @classmethod
    def open(
        cls,
        model: Path | None = None,
        config: DetectorConfig | None = None,
        *,
        threads: int = 1,
        runtime: Runtime = "best",
    ) -> Detector:
        """From a file, or the shipped one. Raises `DetectorError`."""
        return cls(detector_bytes(model), config, threads=threads, runtime=runtime)

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """All faces of a picture, uint8[H, W, 3] BGR or uint8[H, W], largest first; tilted ones
        with landmarks by a second look, see `edge.faces.roll`."""
        scaled_bgr, back = self._searched(image_bgr)
        faces = upright(scaled_bgr, self._found(scaled_bgr), self._found)
        return tuple(_scaled(face, back) for face in faces)

    def found(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """As `detect`, without second looks: landmarks of tilted faces may be wrong, boxes are
        right."""
        scaled_bgr, back = self._searched(image_bgr)
        return tuple(_scaled(face, back) for face in self._found(scaled_bgr))

    def settled(self, image_bgr: np.ndarray, face: Face) -> Face:
        """A face that was `found` in this picture, with what a second look says about it."""
        if face.detector_score >= SURE_SCORE:
            return face
        original, scaled_bgr = self._last
        if original is not image_bgr:
            scaled_bgr, _ = self._searched(image_bgr)
        back = np.array(image_bgr.shape[1::-1]) / np.array(scaled_bgr.shape[1::-1])
        (seen,) = upright(scaled_bgr, (_scaled(face, 1 / back),), self._found)
        return replace(_scaled(seen, back), box_px=face.box_px)

    def _searched(self, image_bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The picture in the size that it is searched in, and the factors back, float64[2]."""
        original = image_bgr
        if image_bgr.ndim == 2:
            image_bgr = cv2.cvtColor(image_bgr, cv2.COLOR_GRAY2BGR)
        height, width = image_bgr.shape[:2]
        scale = min(1.0, self.config.long_side_px / max(height, width))
        if min(height, width) * scale < self.config.short_side_px:
            scale = min(
                self.config.short_side_px / min(height, width),
                self.config.long_side_px / max(height, width),
            )
        if scale != 1.0:
            size_px = (max(1, round(width * scale)), max(1, round(height * scale)))
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            image_bgr = cv2.resize(image_bgr, size_px, interpolation=method)
        self._last = (original, image_bgr)
        return image_bgr, np.array([width / image_bgr.shape[1], height / image_bgr.shape[0]])

    def _found(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """The faces that YuNet finds in an image of its own size, largest first."""
        rows = self._eye.rows(image_bgr)
        faces = (_face(row) for row in rows if np.isfinite(row).all())
        return tuple(sorted(faces, key=lambda face: -face.area_px2))


APART_PX = 0.5
"""Two runtimes find the same faces where boxes and landmarks differ by no more; on 680 frames of
clips they differ by less than 0.01."""


def furthest_px(some: Sequence[Face], others: Sequence[Face]) -> float:
    """By how much boxes and landmarks of the same faces differ at most, in pixels; infinite where
    they are not as many."""
    if len(some) != len(others):
        return math.inf
    apart = [0.0]
    for one, other in zip(some, others, strict=True):
        apart.append(float(np.abs(np.subtract(one.box_px, other.box_px)).max()))
        apart.append(float(np.abs(one.landmarks() - other.landmarks()).max()))
    return max(apart)


def _face(row: np.ndarray) -> Face:
    """One row of YuNet: x, y, w, h, five points, score."""
    values = row[:14].reshape(7, 2).astype(np.float64)
    x, y, w, h = (float(v) for v in values[:2].ravel())
    points = tuple((float(px), float(py)) for px, py in values[2:])
    return Face(box_px=(x, y, w, h), landmarks_px=points, detector_score=float(row[14]))


def _scaled(face: Face, back: np.ndarray) -> Face:
    """In pixels of the original picture."""
    box = np.array(face.box_px).reshape(2, 2) * back
    x, y, w, h = (float(v) for v in box.ravel())
    points = tuple((float(px), float(py)) for px, py in face.landmarks() * back)
    return Face(box_px=(x, y, w, h), landmarks_px=points, detector_score=face.detector_score)
