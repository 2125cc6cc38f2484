"""The sheets that people are painted on: coordinates, colours and brushes.

Lengths are counted in *u*: one u is the distance between the two eye centres of the person,
the origin lies between the eyes, x points to the viewer's right, y down, z towards the viewer.
Colours are float32 BGR in linear light; the picture's 8-bit values are ``255 * sqrt(linear)``
(gamma 2, near enough to sRGB and cheap). Painted colour is kept in planes, [3, h, w], and a single
colour is [3, 1, 1], so that masks [h, w], rows [1, w] and columns [h, 1] apply without reshaping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

Cut = tuple[slice, slice]
"""Rows and columns of a part of a sheet."""


@dataclass(frozen=True)
class Sheet:
    """A rectangle of texels in the head's plane.

    ``left_u``, ``top_u`` is its upper left corner, ``px_per_u`` its resolution, ``shape`` its
    (height, width) in texels. Coordinates are kept as a row and a column, so that brushes which
    depend on one of them alone stay cheap: ``x`` is float32 [1, w], ``y`` float32 [h, 1], in u at
    the centres of the texels.
    """

    left_u: float
    top_u: float
    px_per_u: int
    shape: tuple[int, int]
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def cover(
        cls, left_u: float, top_u: float, right_u: float, bottom_u: float, px_per_u: int
    ) -> Sheet:
        """Return the sheet over the given extent (in u), its edges on whole texels."""
        left, right = round(left_u * px_per_u), round(right_u * px_per_u)
        top, bottom = round(top_u * px_per_u), round(bottom_u * px_per_u)
        x = ((np.arange(left, right, dtype=np.float32) + 0.5) / px_per_u)[None, :]
        y = ((np.arange(top, bottom, dtype=np.float32) + 0.5) / px_per_u)[:, None]
        shape = (bottom - top, right - left)
        return cls(left / px_per_u, top / px_per_u, px_per_u, shape, x, y)

    def part(
        self, left_u: float, top_u: float, right_u: float, bottom_u: float
    ) -> tuple[Sheet, Cut]:
        """Return the part of the sheet within an extent, and the slices that cut it out."""
        c0, c1 = (round((v - self.left_u) * self.px_per_u) for v in (left_u, right_u))
        r0, r1 = (round((v - self.top_u) * self.px_per_u) for v in (top_u, bottom_u))
        cut = (slice(max(r0, 0), r1), slice(max(c0, 0), c1))
        return self._cut(cut), cut

    def around(self, mask: np.ndarray, also: Cut | None = None) -> tuple[Sheet, Cut]:
        """Return the smallest part that holds all of a mask [h, w] and a texel beside it.

        ``also`` is a part that it holds in any case.
        """
        used = mask > 0.002
        if also is not None:
            used[also] = True
        rows, columns = (np.flatnonzero(used.any(axis=axis)) for axis in (1, 0))
        cut = (
            slice(max(int(rows[0]) - 1, 0), int(rows[-1]) + 2),
            slice(max(int(columns[0]) - 1, 0), int(columns[-1]) + 2),
        )
        return self._cut(cut), cut

    def _cut(self, cut: Cut) -> Sheet:
        x, y = self.x[:, cut[1]], self.y[cut[0]]
        left = self.left_u + cut[1].start / self.px_per_u
        top = self.top_u + cut[0].start / self.px_per_u
        return Sheet(left, top, self.px_per_u, (y.size, x.size), x, y)


@lru_cache(maxsize=1)
def head_sheet() -> Sheet:
    """The sheet of heads: from the highest hat or hair to the longest hair before the chest."""
    return Sheet.cover(-2.1, -2.75, 2.1, 3.3, 56)


@lru_cache(maxsize=1)
def body_sheet() -> Sheet:
    """The sheet of torsos: neck to chest, shoulder to shoulder."""
    return Sheet.cover(-3.75, 0.2, 3.75, 4.4, 36)


@lru_cache(maxsize=1)
def back_sheet() -> Sheet:
    """The sheet of the hair behind the neck, which is soft and needs few texels."""
    return Sheet.cover(-2.1, -2.75, 2.1, 3.3, 32)


def planes(b: float, g: float, r: float) -> np.ndarray:
    """Three factors in the shape of a colour, float32 [3, 1, 1]."""
    return np.array([b, g, r], np.float32)[:, None, None]


def linear(rgb: Sequence[float]) -> np.ndarray:
    """Turn an 8-bit RGB triple into a linear BGR colour, float32 [3, 1, 1]."""
    r, g, b = rgb
    return (planes(b, g, r) / 255.0) ** 2


def blend_colours(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """Mix two linear colours; t = 0 gives a, t = 1 gives b."""
    return (a * (1.0 - t) + b * t).astype(np.float32)


def smooth(
    start: float | np.ndarray, end: float | np.ndarray, value: float | np.ndarray
) -> np.ndarray:
    """Smoothstep from 0 at ``start`` to 1 at ``end`` (``start`` may be the larger one)."""
    t = np.clip((value - start) / (end - start), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def bump(
    s: Sheet, cx: float, cy: float, rx: float, ry: float | None = None, *, tilt: float = 0.0
) -> np.ndarray:
    """Gaussian hill of height 1 at (cx, cy), standard deviations rx, ry in u, tilted in radians."""
    ry = rx if ry is None else ry
    dx, dy = s.x - cx, s.y - cy
    if not tilt:
        return np.exp(-0.5 * (dx / rx) ** 2) * np.exp(-0.5 * (dy / ry) ** 2)
    c, n = float(np.cos(tilt)), float(np.sin(tilt))
    return np.exp(-0.5 * (((c * dx + n * dy) / rx) ** 2 + ((c * dy - n * dx) / ry) ** 2))


def disc(s: Sheet, cx: float, cy: float, rx: float, ry: float, soft: float = 0.03) -> np.ndarray:
    """Filled ellipse with a soft edge of ``soft`` u, values 0 to 1."""
    r = np.sqrt(((s.x - cx) / rx) ** 2 + ((s.y - cy) / ry) ** 2)
    edge = soft / min(rx, ry)
    return smooth(1.0 + edge, 1.0 - edge, r)


def line(value: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """Soft line where ``value`` (a signed distance in u) is near zero."""
    return np.exp(-((value / width) ** 2))


def paint(colour: np.ndarray, mask: np.ndarray, pigment: np.ndarray) -> None:
    """Lay ``pigment`` ([3, h, w] or [3, 1, 1]) over ``colour`` where ``mask`` is 1, in place."""
    change = pigment - colour
    change *= mask
    colour += change


def darken(colour: np.ndarray, amount: np.ndarray, tint: tuple[float, float, float]) -> None:
    """Multiply ``colour`` by (1 - amount * tint) in place; tint is per channel, BGR."""
    for plane, share in zip(colour, tint, strict=True):
        plane *= 1.0 - share * amount


def cloud(rng: np.random.Generator, s: Sheet, per_u: tuple[float, float] | float) -> np.ndarray:
    """Smooth noise, about N(0, 1) at its grid points, float32 [h, w].

    ``per_u`` is the number of grid cells in one u, downwards and across (or the same for both).
    """
    down, across = per_u if isinstance(per_u, tuple) else (per_u, per_u)
    rows = max(1, round(down * s.shape[0] / s.px_per_u)) + 3
    columns = max(1, round(across * s.shape[1] / s.px_per_u)) + 3
    knots = rng.standard_normal((rows, columns)).astype(np.float32)
    return cv2.resize(knots, (s.shape[1], s.shape[0]), interpolation=cv2.INTER_CUBIC)


def full(s: Sheet, value: float | np.ndarray) -> np.ndarray:
    """Spread a number, row or column over the whole sheet, float32 [h, w], writable."""
    return np.broadcast_to(np.asarray(value, np.float32), s.shape).copy()


def flat(s: Sheet, colour: np.ndarray) -> np.ndarray:
    """Spread one colour ([3, 1, 1]) over the whole sheet, float32 [3, h, w], writable."""
    return np.broadcast_to(np.asarray(colour, np.float32), (3, *s.shape)).copy()


def cut_planes(colour: np.ndarray, cut: Cut) -> np.ndarray:
    """Return the part of a colour [3, h, w] within a cut; painting it paints the whole."""
    return colour[:, cut[0], cut[1]]


def blur(s: Sheet, image: np.ndarray, sigma_u: float) -> np.ndarray:
    """Gaussian blur of an image on sheet ``s`` with a standard deviation in u."""
    return cv2.GaussianBlur(image, (0, 0), max(0.3, sigma_u * s.px_per_u))


def below(s: Sheet, mask: np.ndarray, distance_u: float) -> np.ndarray:
    """Move a mask down by ``distance_u``, as a shadow falls under lamps; nothing enters above."""
    step = round(distance_u * s.px_per_u)
    moved = np.zeros_like(mask)
    moved[step:] = mask[: mask.shape[0] - step]
    return moved


def normals(s: Sheet, height: np.ndarray) -> np.ndarray:
    """Unit normals, float32 [3, h, w] as (x, y, z), of a height map in u."""
    scale = s.px_per_u / 8.0
    gx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=scale)
    gy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=scale)
    inverse = 1.0 / np.sqrt(gx * gx + gy * gy + 1.0)
    return np.stack([-gx * inverse, -gy * inverse, inverse])
