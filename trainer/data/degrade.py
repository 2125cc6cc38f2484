"""What cameras and rooms do to a face, applied to crops: for cohorts and for evaluation.

Strangers seen through a worse camera look more alike, so a threshold that was set on clean
pictures alone is too low there. Strengths are relative to the crop and drawn per crop from a seed.

Each of these is one look of a cohort and keeps its recipe: the shipped cohort and the thresholds
that were measured on it stand on them. `edge.enrolment.degrade` mixes such changes at random.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge.enrolment.degrade import jpeg, of_fewer_pixels
from edge.errors import UsageError

Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]

GREY = np.array([0.114, 0.587, 0.299], dtype=np.float32)
"""Weights of blue, green and red in luma (ITU-R BT.601)."""

GAMMA = 2.2
"""Of the display encoding, approximately (sRGB)."""


def plain(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As it is."""
    return crop


def grey(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Without color, as from a night or monochrome camera."""
    luma = np.rint(crop.astype(np.float32) @ GREY).clip(0, 255).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=2)


def low_resolution(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As of a face far away: a fourth to a half of the crop's resolution."""
    return of_fewer_pixels(crop, max(8, round(len(crop) * rng.uniform(0.25, 0.5))))


def dark(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tenth to a third of the light, with the sensor's noise amplified: shot noise of about
    1000 electrons at full scale, read noise of 4."""
    light = (crop.astype(np.float32) / 255) ** GAMMA * rng.uniform(0.1, 0.33)
    full = 1000.0
    electrons = rng.poisson(light * full) + rng.normal(0, 4, crop.shape)
    exposed = np.clip(electrons / full, 0, 1) ** (1 / GAMMA)
    return np.rint(exposed * 255).astype(np.uint8)


def blur(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A moving head, out of focus: a line of 4 to 12 % of the crop and a Gaussian of 1 to 2 %."""
    size = crop.shape[0]
    length = max(3, round(size * rng.uniform(0.04, 0.12)) | 1)
    kernel = np.zeros((length, length), dtype=np.float32)
    kernel[length // 2] = 1.0
    centre = (length / 2 - 0.5, length / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(centre, float(rng.uniform(0, 180)), 1.0)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    moved = cv2.filter2D(crop, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(moved, (0, 0), max(0.5, size * rng.uniform(0.01, 0.02)))


def compressed(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Compressed as cheap network cameras do: JPEG quality 12 to 30."""
    return jpeg(crop, int(rng.integers(12, 31)))


DEGRADATIONS: dict[str, Degradation] = {
    "plain": plain,
    "grey": grey,
    "low-resolution": low_resolution,
    "dark": dark,
    "blur": blur,
    "jpeg": compressed,
}


def degrade(crops_bgr: np.ndarray, name: str, *, seed: int = 0, first: int = 0) -> np.ndarray:
    """All crops, uint8[N, S, S, 3] BGR, degraded by `name`; a new array of the same shape.

    first: number of the first crop in a larger array, so that pieces come out as the whole would.
    Raises `UsageError` for an unknown name.
    """
    check_variants((name,))
    number = list(DEGRADATIONS).index(name)
    result = np.empty_like(crops_bgr)
    for row, crop in enumerate(crops_bgr):
        rng = np.random.default_rng((seed, number, first + row))
        result[row] = DEGRADATIONS[name](np.ascontiguousarray(crop), rng)
    return result


def check_variants(names: tuple[str, ...]) -> None:
    """Raises `UsageError` for an unknown or repeated name, and for none at all."""
    for name in names:
        if name not in DEGRADATIONS:
            raise UsageError(f"unknown variant '{name}'", hint=f"known: {', '.join(DEGRADATIONS)}")
    if not names or len(set(names)) != len(names):
        raise UsageError("variants must be named once each", hint="as in plain,grey,dark")
