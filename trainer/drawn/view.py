"""Where a head is placed in a picture and how it is turned; its five landmarks there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.faces.alignment import similarity
from trainer.drawn.attributes import wears_glasses, wears_hat
from trainer.drawn.features import EYE_X, mouth_corner_y, mouth_half_width
from trainer.drawn.person import DrawnPerson
from trainer.drawn.shot import Shot
from trainer.drawn.surface import head

PIVOT_Y = 0.5
"""Height (u below the eyes) of the point about which a head nods and tilts."""

NECK_Y = 1.2
"""Height (u below the eyes) at which the torso hangs on the head."""

U_PER_SIDE = 5.2
"""Side of a square picture in eye distances at zoom 1."""

TORSO_TURNS = 0.35
TORSO_NODS = 0.2
TORSO_TILTS = 0.45
"""Shares of the head's yaw, pitch and roll that the torso follows."""


_STEEPEST = 0.49
"""Tangent of the turn up to which depth moves points as it should (26 degrees)."""


@dataclass(frozen=True)
class View:
    """Similarity from the head's plane (u) to the picture (px): scale, turn and place.

    The centre of the picture's first pixel is (0, 0).
    """

    scale_px: float
    roll_deg: float
    x_px: float
    y_px: float

    def matrix(self) -> np.ndarray:
        """Return the float64 [2, 3] matrix that maps (u, v) in u to (x, y) in px."""
        a = np.deg2rad(self.roll_deg)
        c, s = self.scale_px * np.cos(a), self.scale_px * np.sin(a)
        return np.array([[c, -s, self.x_px], [s, c, self.y_px]])

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> View:
        """Read a similarity, float [2, 3] from u to px."""
        a, b = float(matrix[0, 0]), float(matrix[1, 0])
        roll = float(np.rad2deg(np.arctan2(b, a)))
        return cls(float(np.hypot(a, b)), roll, float(matrix[0, 2]), float(matrix[1, 2]))

    def put(self, point_u: tuple[float, float], place_px: tuple[float, float]) -> View:
        """Return the view moved such that a point of the head lies at a place in the picture."""
        x, y = np.array(place_px) - self.matrix()[:, :2] @ np.array(point_u)
        return replace(self, x_px=float(x), y_px=float(y))


def rotation(yaw_deg: float, pitch_deg: float) -> np.ndarray:
    """Return the float32 [3, 3] rotation of points and normals.

    Positive yaw looks to the viewer's right.
    """
    a, b = np.deg2rad(yaw_deg), np.deg2rad(pitch_deg)
    yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return (pitch @ yaw).astype(np.float32)


def depth_share(turn: np.ndarray) -> float:
    """Return the share of its depth that a head shows under a rotation, float [3, 3].

    All of it in ordinary poses; less when turned far, where one sheet would fold over itself.
    """
    slant = float(np.hypot(turn[0, 2], turn[1, 2]) / max(float(turn[2, 2]), 0.1))
    return min(1.0, _STEEPEST / max(slant, 1e-6))


def roll_matrix(roll_deg: float) -> np.ndarray:
    """Return the float32 [3, 3] rotation in the picture's plane."""
    a = np.deg2rad(roll_deg)
    c, s = np.cos(a), np.sin(a)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)


def view_of(shot: Shot, size_px: int) -> View:
    """Return the view of an ordinary square picture of ``size_px``."""
    view = View(size_px / U_PER_SIDE * shot.zoom, shot.roll_deg, 0.0, 0.0)
    return view.put((0.0, 0.35), (size_px * (0.5 + shot.shift_x), size_px * (0.53 + shot.shift_y)))


def aligned_view(person: DrawnPerson, shot: Shot, points_px: np.ndarray) -> View:
    """Return the view in which the person's five landmarks lie on ``points_px``, float [5, 2].

    Least squares, as the toolkit aligns faces; the shot's own roll, shift and zoom do not matter.
    """
    return View.from_matrix(similarity(landmarks_u(person, shot), points_px))


def torso_view(shot: Shot, view: View) -> View:
    """Return the view of the torso that belongs to a head: it tilts less, and hangs below it."""
    m = view.matrix()
    joint = m[:, :2] @ np.array([0.0, NECK_Y]) + m[:, 2]
    tilted = replace(view, roll_deg=view.roll_deg - (1.0 - TORSO_TILTS) * shot.roll_deg)
    return tilted.put((0.0, NECK_Y), (float(joint[0]), float(joint[1])))


def landmarks_u(person: DrawnPerson, shot: Shot) -> np.ndarray:
    """Return the five points (eyes, nose, mouth corners; viewer's left first) in the head's plane.

    Float64 [5, 2] in u, after yaw and pitch and before the view.
    """
    half = mouth_half_width(person, shot.expression)
    corner_y = mouth_corner_y(person, shot.expression)
    flat = np.array(
        [(-EYE_X, 0.0), (EYE_X, 0.0), (0.0, person.nose_y), (-half, corner_y), (half, corner_y)]
    )
    layer = head(person, wears_hat(person, shot), wears_glasses(person, shot)).layer
    texels = (flat - (layer.sheet.left_u, layer.sheet.top_u)) * layer.sheet.px_per_u - 0.5
    x, y = texels.astype(np.float32).T
    z = cv2.remap(np.asarray(layer.depth), x[:, None], y[:, None], cv2.INTER_LINEAR)[:, 0]
    turn = rotation(shot.yaw_deg, shot.pitch_deg)
    points = np.column_stack([flat[:, 0], flat[:, 1] - PIVOT_Y, z * depth_share(turn)])
    turned = points @ turn.T.astype(np.float64)
    return np.asarray(turned[:, :2] + (0.0, PIVOT_Y))


def landmarks_px(person: DrawnPerson, shot: Shot, view: View) -> np.ndarray:
    """Return the five points in the picture, float64 [5, 2] in px."""
    m = view.matrix()
    return np.asarray(landmarks_u(person, shot) @ m[:, :2].T + m[:, 2])
