"""Face detection with YuNet (Wu et al., 2023), through OpenCV's `FaceDetectorYN`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.errors import DetectorError
from edge.faces.face import Face
from edge.faces.roll import upright
from edge.files.model_file import read_model_file

log = logging.getLogger(__name__)

YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
"""face_detection_yunet_2023mar.onnx of the OpenCV model zoo (MIT)."""

YUNET_NAME = "face_detection_yunet_2023mar.onnx"

SHIPPED_DETECTOR = Path(__file__).parents[1] / "shipped" / YUNET_NAME
"""The copy that comes with the distribution, beside its licence."""


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

    def __init__(self, model: bytes, config: DetectorConfig | None = None) -> None:
        """Raises `DetectorError` when OpenCV cannot load `model`."""
        self.config = config or DetectorConfig()
        log.debug("opencv %s runs the detector, %d threads", cv2.__version__, cv2.getNumThreads())
        if not hasattr(cv2, "FaceDetectorYN"):
            raise DetectorError(
                f"OpenCV {cv2.__version__} has no FaceDetectorYN",
                hint="install opencv-python-headless 4.10 or newer",
            )
        try:
            self._yunet = cv2.FaceDetectorYN.create(
                "onnx",
                np.frombuffer(model, np.uint8),
                np.empty(0, np.uint8),
                (320, 320),
                self.config.score_threshold,
                self.config.nms_iou,
                5000,
            )
        except cv2.error as problem:
            raise DetectorError(
                f"OpenCV {cv2.__version__} cannot load the face detector: {problem.err}",
                hint=f"use {YUNET_NAME} with OpenCV 4.10 or newer",
            ) from None

    @classmethod
    def open(cls, model: Path | None = None, config: DetectorConfig | None = None) -> Detector:
        """From a file, or the shipped one. Raises `DetectorError`."""
        return cls(detector_bytes(model), config)

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """All faces of a picture, uint8[H, W, 3] BGR or uint8[H, W], largest first; tilted ones
        with landmarks by a second look, see `edge.faces.roll`."""
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
        faces = upright(image_bgr, self._found(image_bgr), self._found)
        back = np.array([width / image_bgr.shape[1], height / image_bgr.shape[0]])
        return tuple(_scaled(face, back) for face in faces)

    def _found(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """The faces that YuNet finds in an image of its own size, largest first."""
        self._yunet.setInputSize((image_bgr.shape[1], image_bgr.shape[0]))
        rows = self._yunet.detect(np.ascontiguousarray(image_bgr))[1]
        if rows is None:
            return ()
        faces = (_face(row) for row in rows if np.isfinite(row).all())
        return tuple(sorted(faces, key=lambda face: -face.area_px2))


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
