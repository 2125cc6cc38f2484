"""Blurring: strangers made unrecognizable in a copy of a picture."""

from __future__ import annotations

import cv2
import numpy as np

from edge.recognition.result import FrameResult

AROUND = 0.25
"""How far beyond its box a face is blurred, in box sizes, to each side: hair and chin."""

BLOCKS = 6
"""What is left of a face: so many blocks across, too few to tell anybody by."""


def blur_strangers(image_bgr: np.ndarray, result: FrameResult) -> np.ndarray:
    """A copy of uint8[H, W, 3] BGR in which every face but those of a match is a few blocks.

    Faces that the detector has not found are not in `result` and stay as they are.
    """
    canvas = np.ascontiguousarray(image_bgr).copy()
    height_px, width_px = canvas.shape[:2]
    for face in result.faces:
        if face.decision.state == "match":
            continue
        x, y, wide, high = face.face.box_px
        left, right = int(x - AROUND * wide), int(x + (1 + AROUND) * wide) + 1
        top, bottom = int(y - AROUND * high), int(y + (1 + AROUND) * high) + 1
        area = canvas[max(0, top) : min(height_px, bottom), max(0, left) : min(width_px, right)]
        if area.size:
            small = cv2.resize(area, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
            size = (area.shape[1], area.shape[0])
            area[:] = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)
    return canvas
