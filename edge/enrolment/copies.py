"""Copies: whether two pictures of a face are one photo, turned, mirrored, zoomed, cropped, or
shown on a screen, or two photos of the same person.

Hashes of whole pictures cannot say: a copy that is turned looks unlike, and another photo in the
same place looks alike. So the faces are laid over each other (enhanced correlation coefficient,
Evangelidis and Psarakis, PAMI 2008; as they are and mirrored), and what counts is the place in the
face where they differ most: a copy differs a little everywhere, another photo in mouth, eyes or
light. Measured: see "Copies of photos" in RESULTS.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from edge.faces.alignment import face_transform, warp
from edge.faces.canonical import ARCFACE, CropRegion
from edge.faces.face import Face

SIDE_PX = 96

AROUND = CropRegion("around", -28.0, -20.0, 168.0)
"""Of the ArcFace frame: the face and half as much again."""

LEAST_COARSE = 0.15
"""Correlation of two aligned faces without fine detail, below which they are not compared. Measured
on 2,686 copies of photos of people and of one room: the lowest has 0.2."""

LEAST_LIKE = 0.92
"""Correlation of two faces that are laid over each other at half size, below which they are no
copies. Measured on 961 of these: 99 % of the copies lie above 0.93."""

MOST_DIFFERENT = 0.05
"""Largest difference of a copy that was mirrored, cut, recolored or compressed, see `difference`.
Measured: other photos in other places lie above 0.08."""

MOST_TURNED = 0.012
"""The same where the picture was turned or scaled alone: so may a head before a camera be. Measured
on 7 people of `cmu-faces`: other shots of a head that moved lie above 0.015."""

MOST_UNCHANGED = 0.008
"""The same where the picture as a whole is as it was: then a copy is nearly equal, and what differs
is another shot by the same camera in the same place. Measured on 7 people of `cmu-faces`: of their
other shots one pair lies below, the next at 0.009."""

_FACE_PX = (18, 78)
"""Rows and columns that show brows to chin."""

_DETAIL_PX = (1.6, 5.0)
"""Standard deviations between which detail is compared: finer is noise and compression."""

_EDGE = np.ones((17, 17), np.uint8)
"""Reaches as far as the coarser of them spreads what a picture's edge shows."""

_AREA_PX = 10
_FEWEST_SHARE = 0.2
"""Of the face, how much both pictures must show, neither black nor white."""

_SAME_SCALE, _SAME_DEG, _SAME_CONTRAST, _SAME_NOISE = 0.08, 4.0, 0.12, 0.15
"""Logarithms but for the degrees: shots of `cmu-faces` that are alike stay within these."""

_SMALL_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-3)
_FINE_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-5)
_CUBIC = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
_NEAREST = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True, eq=False)
class FaceMarks:
    """What copies of a picture are told by.

    grey: uint8[96, 96], the aligned face with half as much again around it. shown: bool[96, 96],
    what of it lies in the picture. size_px: width and height of the picture. scale, turned_deg: of
    the face in it, against the canonical frame. mirrored: whether left and right were exchanged.
    """

    grey: np.ndarray = field(repr=False)
    shown: np.ndarray = field(repr=False)
    size_px: tuple[int, int]
    scale: float
    turned_deg: float
    mirrored: bool = False

    @cached_property
    def coarse(self) -> np.ndarray:
        """float32[900] of mean 0 and length 1: the face without fine detail."""
        wide = self.small - cv2.GaussianBlur(self.small, (0, 0), 6.0)
        low, high = (edge // 2 for edge in _FACE_PX)
        flat = wide[low:high, low:high].ravel()
        flat = flat - flat.mean()
        return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6))

    @cached_property
    def small(self) -> np.ndarray:
        """float32[48, 48], at half size."""
        blurred = cv2.GaussianBlur(self.fine, (0, 0), 1.7)
        return cv2.resize(blurred, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)

    @cached_property
    def fine(self) -> np.ndarray:
        """float32[96, 96], a little blurred, as faces are laid over each other."""
        return cv2.GaussianBlur(self.grey.astype(np.float32), (0, 0), 1.0)

    @cached_property
    def judged(self) -> np.ndarray:
        """uint8[96, 96], 1 where the picture shows something, neither black nor white, and so far
        from its edges that what lies beyond them, such as a screenshot's bars, has no effect."""
        inside = cv2.erode(self.shown.astype(np.uint8), _EDGE, borderValue=1).astype(bool)
        return (inside & (self.grey > 6) & (self.grey < 249)).astype(np.uint8)

    @cached_property
    def mirror(self) -> FaceMarks:
        """Of the mirrored picture."""
        grey, shown = (np.ascontiguousarray(each[:, ::-1]) for each in (self.grey, self.shown))
        return FaceMarks(grey, shown, self.size_px, self.scale, -self.turned_deg, not self.mirrored)


def marks_of(image_bgr: np.ndarray, face: Face) -> FaceMarks:
    """The marks of a face in a picture, uint8[H, W, 3] BGR. Raises `InputError` as alignment."""
    transform = face_transform(face, ARCFACE)
    twice = warp(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), transform, AROUND, 2 * SIDE_PX)
    grey = cv2.resize(twice, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    zoom = SIDE_PX / AROUND.side_px
    matrix = zoom * transform
    matrix[:, 2] += -zoom * np.array([AROUND.x_px, AROUND.y_px]) + 0.5 * (zoom - 1)
    back = cv2.invertAffineTransform(matrix)
    places = np.stack(np.meshgrid(np.arange(SIDE_PX), np.arange(SIDE_PX)), -1)
    x_px, y_px = np.moveaxis(places @ back[:, :2].T + back[:, 2], -1, 0)
    height, width = image_bgr.shape[:2]
    shown = (x_px >= 0) & (x_px <= width - 1) & (y_px >= 0) & (y_px <= height - 1)
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    turned_deg = float(np.degrees(np.arctan2(transform[1, 0], transform[0, 0])))
    return FaceMarks(grey, shown, (width, height), scale, turned_deg)


def is_copy(one: FaceMarks, other: FaceMarks) -> bool:
    """Whether two pictures of a face are one photo, also where one of them is mirrored."""
    return any(_is_copy(one, candidate) for candidate in (other, other.mirror))


def _is_copy(one: FaceMarks, other: FaceMarks) -> bool:
    if float(one.coarse @ other.coarse) < LEAST_COARSE:
        return False
    rough = _laid_over(one.small, other.small, _SMALL_STEPS, np.eye(2, 3, dtype=np.float32))
    if rough is None or rough[0] < LEAST_LIKE:
        return False
    start = rough[1]
    start[:, 2] *= 2
    found = _laid_over(one.fine, other.fine, _FINE_STEPS, start)
    if found is None:
        return False
    differs, contrast, noise = difference(one, other, found[1])
    if _is_edited(one, other, contrast, noise):
        return differs <= MOST_DIFFERENT
    return differs <= (MOST_TURNED if _is_turned(one, other, found[1]) else MOST_UNCHANGED)


def _laid_over(
    one: np.ndarray, other: np.ndarray, steps: tuple[int, int, float], start: np.ndarray
) -> tuple[float, np.ndarray] | None:
    """How alike two faces are at best, and the affine transform float32[2, 3] from places in one
    to places in the other; None where there is none."""
    low, high = (edge * len(one) // SIDE_PX for edge in _FACE_PX)
    corner = np.array([low, low], np.float32)
    matrix = start.copy()
    matrix[:, 2] += matrix[:, :2] @ corner
    face = np.ascontiguousarray(one[low:high, low:high])
    nothing = np.full(other.shape, 255, np.uint8)
    try:
        likeness, matrix = cv2.findTransformECC(
            face, other, matrix, cv2.MOTION_AFFINE, steps, nothing, 1
        )
    except cv2.error:  # it does not converge: the faces have nothing in common
        return None
    matrix = np.array(matrix, np.float32)
    matrix[:, 2] -= matrix[:, :2] @ corner
    return float(likeness), matrix


def difference(one: FaceMarks, other: FaceMarks, matrix: np.ndarray) -> tuple[float, float, float]:
    """How much two faces differ, laid over each other by an affine transform float[2, 3].

    First the difference where it is largest, as a share of the energy of the face's most detailed
    place: 0 for equal pictures, infinite where too little is shown in both. Then the contrast of
    the first against the second, and its noise against the second's, 1 where they are equal.
    """
    low, high = _FACE_PX
    moved = cv2.warpAffine(
        other.grey.astype(np.float32),
        matrix,
        (SIDE_PX, SIDE_PX),
        flags=_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    both = one.judged & cv2.warpAffine(other.judged, matrix, (SIDE_PX, SIDE_PX), flags=_NEAREST)
    both = cv2.erode(both, np.ones((3, 3), np.uint8), borderValue=0)[low:high, low:high]
    seen = both.astype(np.float32)
    if seen.mean() < _FEWEST_SHARE:
        return float("inf"), 1.0, 1.0
    here, there = (_detail(g, *_DETAIL_PX)[low:high, low:high] for g in (one.grey, moved))
    gain = float((seen * here * there).sum() / max(float((seen * there**2).sum()), 1e-6))
    area = (_AREA_PX, _AREA_PX)
    rest = cv2.blur(seen * (here - gain * there) ** 2, area)
    energy = cv2.blur(seen * here**2, area)
    noises = [float(_detail(m.grey, 0.0, 1.0)[low:high, low:high].std()) for m in (one, other)]
    noise = noises[0] / max(noises[1], 1e-3) / max(gain, 1e-3)
    return float(rest.max() / max(float(energy.max()), 1e-6)), gain, noise


def _detail(grey: np.ndarray, fine_px: float, coarse_px: float) -> np.ndarray:
    values = grey.astype(np.float32)
    fine = cv2.GaussianBlur(values, (0, 0), fine_px) if fine_px else values
    return np.asarray(fine - cv2.GaussianBlur(values, (0, 0), coarse_px))


def _is_edited(one: FaceMarks, other: FaceMarks, contrast: float, noise: float) -> bool:
    """Whether one was mirrored, cut, made lighter or compressed: two shots by one camera in one
    place differ in none of these."""
    return bool(
        one.mirrored != other.mirrored
        or one.size_px != other.size_px
        or abs(np.log(max(contrast, 1e-3))) > _SAME_CONTRAST
        or abs(np.log(max(noise, 1e-3))) > _SAME_NOISE
    )


def _is_turned(one: FaceMarks, other: FaceMarks, matrix: np.ndarray) -> bool:
    """Whether the faces have other sizes or directions in their pictures."""
    more = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    scale = np.log(max(more * one.scale, 1e-6) / max(other.scale, 1e-6))
    turned = np.degrees(np.arctan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))
    degrees = (turned + other.turned_deg - one.turned_deg + 180) % 360 - 180
    return bool(abs(scale) > _SAME_SCALE or abs(degrees) > _SAME_DEG)
