"""Variations: pictures of the same face that could have been taken as well.

A head is fitted on few pictures, often of one sitting. Cutting each out a little differently,
mirrored, in other light, through a worse camera and behind a hand tells it what does not matter.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.faces.alignment import face_transform, warp
from edge.faces.face import Face
from edge.models.spec import NetworkInput

PER_PICTURE = 8
"""Variations of each picture at enrolment."""

SHIFT = 0.04
ROTATION_DEG = 8.0
ZOOM = 0.08
"""How far the cut is moved (share of its side), turned, and scaled (relative), to either side."""

WORSE_CAMERA = 0.3
COVERED = 0.5
"""Shares of the variations that look as from a worse camera, and in which something covers a part
of the face."""


def variations(
    image_bgr: np.ndarray, face: Face, expects: NetworkInput, *, count: int, seed: int
) -> np.ndarray:
    """`count` crops of a face in a picture, uint8[H, W, 3] BGR, as a network takes them.

    Returns uint8[count, S, S, 3] BGR; the same seed gives the same crops. Raises `InputError` as
    alignment does.
    """
    size = expects.size_px
    result = np.empty((count, size, size, 3), np.uint8)
    aligned = face_transform(face, expects.frame)
    for number in range(count):
        rng = np.random.Generator(np.random.Philox(key=[seed, number]))
        matrix = _moved(aligned, expects, rng)
        crop = warp(image_bgr, matrix, expects.window, size)
        crop = _light(crop, rng)
        if rng.random() < COVERED:
            crop = _cover(crop, rng)
        result[number] = _worse_camera(crop, rng) if rng.random() < WORSE_CAMERA else crop
    return result


def _moved(matrix: np.ndarray, expects: NetworkInput, rng: np.random.Generator) -> np.ndarray:
    """The transform float64[2, 3] with mirror, turn, zoom and shift about the window's middle."""
    window = expects.window
    middle = np.array([window.x_px, window.y_px]) + 0.5 * window.side_px
    angle = np.deg2rad(ROTATION_DEG) * rng.uniform(-1, 1)
    zoom = (1.0 + ZOOM) ** rng.uniform(-1, 1)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.diag([mirror, 1.0])
    shift = SHIFT * window.side_px * rng.uniform(-1, 1, 2)
    linear = turn @ matrix[:, :2]
    offset = turn @ (matrix[:, 2] - middle) + middle + shift
    return np.column_stack([linear, offset])


def _light(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other brightness, contrast and gamma, and light from a side."""
    gamma, gain = 1.5 ** rng.uniform(-1, 1), 1.25 ** rng.uniform(-1, 1)
    levels = 255.0 * (np.arange(256) / 255.0) ** gamma
    table = np.clip((levels - 127.5) * gain + 127.5 + rng.uniform(-25, 25), 0, 255)
    lit = cv2.LUT(crop, np.rint(table).astype(np.uint8))
    if rng.random() >= 0.3:
        return lit
    side = np.linspace(-1.0, 1.0, len(crop), dtype=np.float32) * np.float32(rng.uniform(-0.4, 0.4))
    return np.clip(lit * np.exp(side)[None, :, None], 0, 255).astype(np.uint8)


def _cover(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A soft-edged ellipse in about the skin's color, such as a hand, before part of the face."""
    size = len(crop)
    rows, columns = rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.7)
    colour = crop[int(rows * size), int(columns * size)] * rng.uniform(0.75, 1.2)
    middle = (float(size * rng.uniform(0.1, 0.9)), float(size * rng.uniform(0.3, 1.0)))
    axes = (float(size * rng.uniform(0.2, 0.55)), float(size * rng.uniform(0.15, 0.35)))
    shape = np.zeros((size, size), np.float32)
    cv2.ellipse(shape, (middle, axes, float(rng.uniform(0, 180))), 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(shape, (0, 0), 0.011 * size))[:, :, None]
    grain = rng.standard_normal((size, size), dtype=np.float32) * np.float32(60.0)
    texture = colour + cv2.GaussianBlur(grain, (0, 0), 0.035 * size)[:, :, None]
    return np.clip(crop * (1 - mask) + texture * mask, 0, 255).astype(np.uint8)


def _worse_camera(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gray, coarse, out of focus, noisy or compressed: each by chance."""
    size, chance = len(crop), rng.random(5)
    if chance[0] < 0.25:
        crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if chance[1] < 0.35:
        crop = cv2.GaussianBlur(crop, (0, 0), max(0.3, size * rng.uniform(0.004, 0.018)))
    if chance[2] < 0.5:
        fewer = max(8, round(size * rng.uniform(0.3, 1.0)))
        small = cv2.resize(crop, (fewer, fewer), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    if chance[3] < 0.35:
        grain = rng.standard_normal(crop.shape, dtype=np.float32)
        crop = np.clip(crop + grain * np.float32(rng.uniform(2, 12)), 0, 255).astype(np.uint8)
    if chance[4] < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        packed = cv2.imencode(".jpg", crop, quality)[1]
        crop = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return crop
