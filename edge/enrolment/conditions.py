"""Where pictures are from, as far as they show it: one camera in one place, or many.

Strangers who come before the camera that took my pictures look more like me than strangers on
photographs do. So it matters whether my pictures have a look in common, and which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from edge.errors import InputError
from edge.faces.alignment import align
from edge.faces.canonical import CELEBA, WIDE
from edge.faces.face import Face
from edge.faces.quality import Quality
from edge.heads.threshold import ONE, POOR, SEVERAL, CameraKind

WIDE_PX = 96

LIGHTNESS_SPREAD = 25.0
COLOUR_SPREAD = 1.0
"""Median absolute deviations of the background's lightness and colour (CIE L*a*b*, 0..255) above
which, both, pictures are of many places; in doubt they are of one. Measured: 63 series before one
camera, in which people moved, 0.1 to 18 and 0 to 5.5 (one or the other alone would have taken five
of them for many cameras); photographs of 37 people by many photographers mostly 35 to 60 and from
1.3 upward."""

COLOURLESS = 12.0
"""Mean saturation, 0..255, below which a picture is grey."""

SMALL_FACE_PX = 20.0
"""Eye distance below which a face fills too few pixels to be sharp in a network's input."""

DIFFERENT_LIGHTNESS = 40.0
DIFFERENT_COLOUR = 8.0
"""Differences of the medians of two sets of pictures from which they are of different looks."""


@dataclass(frozen=True)
class Scene:
    """What one picture shows beside the face. lightness, green_red, blue_yellow: means of the
    background beside the head in CIE L*a*b* as OpenCV scales it, 0..255. saturation: mean of the
    face and its surroundings, 0..255. eye_distance_px: in the picture.
    """

    lightness: float
    green_red: float
    blue_yellow: float
    saturation: float
    eye_distance_px: float

    def numbers(self) -> tuple[float, ...]:
        return tuple(vars(self).values())


@dataclass(frozen=True)
class Origin:
    """What a set of pictures has in common. camera: one of `edge.heads.threshold.CAMERAS`. spread:
    median absolute deviations of lightness and of the two colour axes' larger one. median: of each
    number of `Scene`.
    """

    camera: CameraKind
    lightness_spread: float
    colour_spread: float
    median: Scene

    def to_json(self) -> dict[str, Any]:
        return {
            "camera": self.camera,
            "lightness_spread": round(self.lightness_spread, 2),
            "colour_spread": round(self.colour_spread, 2),
            "median": {name: round(value, 2) for name, value in vars(self.median).items()},
        }

    def describe(self) -> str:
        """For people."""
        return {
            ONE: "all pictures share one look: one camera in one place",
            POOR: "faces are small or without color, as from one poor camera",
            SEVERAL: "the pictures are of many places or cameras",
        }[self.camera]

    def differs(self, other: Origin) -> bool:
        """Whether two sets of pictures look so different that a head could learn just that."""
        one, two = np.array(self.median.numbers()), np.array(other.median.numbers())
        away = np.abs(one - two)
        grey = (one[3] < COLOURLESS) != (two[3] < COLOURLESS)
        return bool(away[0] > DIFFERENT_LIGHTNESS or away[1:3].max() > DIFFERENT_COLOUR or grey)


def measure_scene(image_bgr: np.ndarray, face: Face, quality: Quality) -> Scene | None:
    """The scene of a picture, uint8[H, W, 3] BGR, around one face; None where it cannot be aligned.

    The background is taken from the upper corner regions beside the head, in the frame of CelebA.
    """
    try:
        crop = align(image_bgr, face, CELEBA, WIDE, WIDE_PX)
    except InputError:
        return None
    lab = cv2.cvtColor(crop, cv2.COLOR_BGR2LAB).astype(np.float64)
    corner = WIDE_PX // 8
    beside = np.concatenate([lab[: 3 * corner, :corner], lab[: 3 * corner, -corner:]], axis=1)
    lightness, green_red, blue_yellow = (float(v) for v in beside.reshape(-1, 3).mean(axis=0))
    saturation = float(cv2.cvtColor(crop, cv2.COLOR_BGR2HSV)[..., 1].mean())
    eyes = quality.measures.get("eye_distance_px", 0.0)
    return Scene(lightness, green_red, blue_yellow, saturation, eyes)


def origin_of(scenes: Sequence[Scene]) -> Origin:
    """What pictures have in common. Raises `InputError` without any."""
    if not scenes:
        raise InputError("there is no usable image")
    numbers = np.array([scene.numbers() for scene in scenes])
    median = np.median(numbers, axis=0)
    spread = np.median(np.abs(numbers - median), axis=0)
    lightness, colour = float(spread[0]), float(spread[1:3].max())
    middle = Scene(*(float(v) for v in median))
    return Origin(_camera(lightness, colour, middle), lightness, colour, middle)


def _camera(lightness: float, colour: float, median: Scene) -> CameraKind:
    """Light alone, or color alone, may change in one place. Without color nothing shows that
    pictures are of many, so that they count as by one poor camera."""
    if median.saturation < COLOURLESS:
        return POOR
    if lightness > LIGHTNESS_SPREAD and colour > COLOUR_SPREAD:
        return SEVERAL
    return POOR if median.eye_distance_px < SMALL_FACE_PX else ONE
