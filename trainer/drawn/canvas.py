"""The sheet that a head is painted on: its coordinates, colours and brushes.

Lengths are counted in *u*: one u is the distance between the two eye centres of the person,
the origin lies between the eyes, x points to the viewer's right, y down, z towards the viewer.
Colours are float32 BGR in linear light; the picture's 8-bit values are ``255 * sqrt(linear)``
(gamma 2, near enough to sRGB and cheap).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

PX_PER_U = 72
LEFT_U, RIGHT_U = -3.0, 3.0
TOP_U, BOTTOM_U = -2.7, 3.8
SHEET_W = int((RIGHT_U - LEFT_U) * PX_PER_U)
SHEET_H = int((BOTTOM_U - TOP_U) * PX_PER_U)


@dataclass(frozen=True)
class Sheet:
    """Coordinates of every texel of a rectangle of the sheet.

    ``x`` and ``y`` are float32 [h, w] in u; ``rows`` and ``columns`` select the rectangle in a
    full sheet of shape [SHEET_H, SHEET_W].
    """

    x: np.ndarray
    y: np.ndarray
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape[0], self.x.shape[1]


@lru_cache(maxsize=8)
def sheet(
    left_u: float = LEFT_U,
    top_u: float = TOP_U,
    right_u: float = RIGHT_U,
    bottom_u: float = BOTTOM_U,
) -> Sheet:
    """Return the rectangle of the sheet that covers the given extent (in u)."""
    c0, c1 = (round((v - LEFT_U) * PX_PER_U) for v in (left_u, right_u))
    r0, r1 = (round((v - TOP_U) * PX_PER_U) for v in (top_u, bottom_u))
    columns = np.arange(c0, c1, dtype=np.float32) + 0.5
    rows = np.arange(r0, r1, dtype=np.float32) + 0.5
    x, y = np.meshgrid(columns / PX_PER_U + LEFT_U, rows / PX_PER_U + TOP_U)
    x.flags.writeable = False
    y.flags.writeable = False
    return Sheet(x.astype(np.float32), y.astype(np.float32), slice(r0, r1), slice(c0, c1))


def linear(rgb: tuple[float, float, float]) -> np.ndarray:
    """Turn an 8-bit RGB triple into a linear BGR colour, float32 [3]."""
    return (np.array(rgb[::-1], np.float32) / 255.0) ** 2


def blend_colours(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """Mix two linear colours; t = 0 gives a, t = 1 gives b."""
    return (a * (1.0 - t) + b * t).astype(np.float32)


def smooth(start: float, end: float, value: np.ndarray) -> np.ndarray:
    """Smoothstep from 0 at ``start`` to 1 at ``end`` (``start`` may be the larger one)."""
    t = np.clip((value - start) / (end - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def bump(
    s: Sheet, cx: float, cy: float, rx: float, ry: float | None = None, *, tilt: float = 0.0
) -> np.ndarray:
    """Gaussian hill of height 1 at (cx, cy), standard deviations rx, ry in u, tilted in radians."""
    ry = rx if ry is None else ry
    dx, dy = s.x - cx, s.y - cy
    if tilt:
        c, n = float(np.cos(tilt)), float(np.sin(tilt))
        dx, dy = c * dx + n * dy, -n * dx + c * dy
    return np.exp(-0.5 * ((dx / rx) ** 2 + (dy / ry) ** 2))


def disc(s: Sheet, cx: float, cy: float, rx: float, ry: float, soft: float = 0.03) -> np.ndarray:
    """Filled ellipse with a soft edge of ``soft`` u, values 0 to 1."""
    r = np.sqrt(((s.x - cx) / rx) ** 2 + ((s.y - cy) / ry) ** 2)
    edge = soft / min(rx, ry)
    return smooth(1.0 + edge, 1.0 - edge, r)


def line(value: np.ndarray, width: float) -> np.ndarray:
    """Soft line where ``value`` (a signed distance in u) is near zero."""
    return np.exp(-((value / width) ** 2))


def paint(colour: np.ndarray, mask: np.ndarray, pigment: np.ndarray) -> None:
    """Lay ``pigment`` ([3] or [h, w, 3]) over ``colour`` [h, w, 3] where ``mask`` is 1, in place."""
    colour += (pigment - colour) * mask[..., None]


def darken(colour: np.ndarray, amount: np.ndarray, tint: tuple[float, float, float]) -> None:
    """Multiply ``colour`` by (1 - amount * tint) in place; tint is per channel, BGR."""
    colour *= 1.0 - amount[..., None] * np.array(tint, np.float32)


def cloud(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise, about N(0, 1) at the grid points: ``cells`` (rows, columns), float32 [h, w]."""
    seeds = rng.standard_normal((cells[0] + 3, cells[1] + 3)).astype(np.float32)
    return cv2.resize(seeds, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def blur(image: np.ndarray, sigma_u: float) -> np.ndarray:
    """Gaussian blur with a standard deviation in u."""
    return cv2.GaussianBlur(image, (0, 0), max(0.3, sigma_u * PX_PER_U))


def normals(height: np.ndarray) -> np.ndarray:
    """Unit normals, float32 [h, w, 3] as (x, y, z), of a height map in u."""
    scale = PX_PER_U / 8.0
    gx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3) * scale
    gy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3) * scale
    inverse = 1.0 / np.sqrt(gx * gx + gy * gy + 1.0)
    return cv2.merge([-gx * inverse, -gy * inverse, inverse])
