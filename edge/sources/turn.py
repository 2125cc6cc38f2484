"""The turn: how pictures of a camera that hangs on its side or upside down are put right."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}

QUARTERS_DEG = (0, 90, 180, 270)


@dataclass(frozen=True)
class Turn:
    """rotation_deg: clockwise, one of `QUARTERS_DEG`. mirror: swap left and right afterwards."""

    rotation_deg: int = 0
    mirror: bool = False

    @property
    def is_none(self) -> bool:
        """Whether pictures stay as they are."""
        return self == Turn()

    @property
    def flips(self) -> tuple[bool, bool] | None:
        """Whether to swap left and right, and top and bottom, to the same effect; None for a
        quarter turn, which no swap gives."""
        if self.rotation_deg % 180:
            return None
        half = self.rotation_deg == 180
        return half != self.mirror, half

    def applied(self, image_bgr: np.ndarray) -> np.ndarray:
        """uint8[H, W, 3] BGR turned; the same object where nothing is to be done."""
        if self.rotation_deg:
            image_bgr = cv2.rotate(image_bgr, _CODES[self.rotation_deg])
        return cv2.flip(image_bgr, 1) if self.mirror else image_bgr
