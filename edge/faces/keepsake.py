"""A keepsake: a face cut out with its surroundings, to align it again for any other network."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.errors import PictureError
from edge.faces.face import Face

AROUND = 2.6
"""Side of what is kept, in box sides: the widest window and the largest variation need 2.3."""

LARGEST_PX = 320
_QUALITY = 95


@dataclass(frozen=True, eq=False)
class Keepsake:
    """jpeg: the picture. points_px: float32[7, 2] in it: the box's corner, its size, five
    landmarks. detector_score: as it was."""

    jpeg: bytes
    points_px: np.ndarray
    detector_score: float

    def image_bgr(self) -> np.ndarray:
        """uint8[H, W, 3]. Raises `PictureError` where it is damaged."""
        image = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise PictureError("a picture that was kept of somebody is damaged")
        return image

    def face(self) -> Face:
        """Where the face is in it."""
        (x, y), (w, h), *points = ((float(a), float(b)) for a, b in self.points_px)
        return Face((x, y, w, h), tuple(points), self.detector_score)


def keepsake_of(image_bgr: np.ndarray, face: Face) -> Keepsake:
    """Cut a face out of an image, uint8[H, W, 3] BGR; its background mostly goes."""
    x, y, w, h = face.box_px
    half = AROUND * max(w, h) / 2
    left, top = max(0, int(x + w / 2 - half)), max(0, int(y + h / 2 - half))
    right, bottom = int(np.ceil(x + w / 2 + half)), int(np.ceil(y + h / 2 + half))
    part = image_bgr[top:bottom, left:right]
    scale = min(1.0, LARGEST_PX / max(part.shape[:2]))
    points = np.array([(x, y), (w, h), *face.landmarks()], np.float64)
    points -= np.array([(left, top), (0, 0)] + [(left, top)] * (len(points) - 2))
    if scale < 1.0:
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        points *= np.array(size) / np.array(part.shape[1::-1])
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise PictureError("a face cannot be kept as a picture")
    return Keepsake(data.tobytes(), points.astype(np.float32), face.detector_score)
