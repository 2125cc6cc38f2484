"""A face as the detector found it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.faces.canonical import Points


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of the image it was found in.

    Attributes:
        box_px: (x, y, width, height); may reach over the image's edge.
        landmarks_px: Five (x, y) points in the order of `edge.faces.canonical`.
        detector_score: 0..1.

    Example:
        >>> face = edge.Detector.open().detect(image)[0]
        >>> face.landmarks().shape
        (5, 2)
    """

    box_px: tuple[float, float, float, float]
    landmarks_px: Points
    detector_score: float

    def landmarks(self) -> np.ndarray:
        """float64[5, 2]."""
        return np.asarray(self.landmarks_px, dtype=np.float64)

    @property
    def area_px2(self) -> float:
        return self.box_px[2] * self.box_px[3]
