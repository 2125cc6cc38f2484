"""Motion: whether a picture has changed since one that was looked at, for a few microseconds.

A person who comes into view changes the picture; an empty room does not. So a room is searched
seldom while nothing changes in it, and at once when something does.
"""

from __future__ import annotations

import cv2
import numpy as np

SMALL_PX = (64, 48)
"""Width and height that pictures are compared at: a face of 20 px in a picture of 640x480 covers
two by two of these points."""

CHANGE = 8.0
"""Least change of brightness, 0..255, of a point and its neighbors together. Of noise with a
standard deviation of 10 in every pixel, as webcams have it at night, 1.6 is left."""


class Motion:
    """Compares pictures with the one that was kept last."""

    def __init__(self) -> None:
        self._kept: np.ndarray | None = None

    def keep(self, image_bgr: np.ndarray) -> None:
        """Compare with this picture, uint8[H, W, 3] BGR, from now on."""
        self._kept = _small(image_bgr)

    def differs(self, image_bgr: np.ndarray) -> bool:
        """Whether a picture, uint8[H, W, 3] BGR, shows something else than the one kept last; True
        where none was kept."""
        if self._kept is None:
            return True
        change = cv2.blur(_small(image_bgr) - self._kept, (3, 3))
        return float(np.abs(change).max()) >= CHANGE


def _small(image_bgr: np.ndarray) -> np.ndarray:
    """float32[48, 64], brightness."""
    small = cv2.resize(image_bgr, SMALL_PX, interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(small.astype(np.float32), cv2.COLOR_BGR2GRAY)
