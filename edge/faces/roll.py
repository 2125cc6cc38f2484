"""Tilted heads: a second look at faces that lean to the side.

YuNet is trained on faces that stand nearly upright. From about 20 degrees of roll on it still finds
the face, but its landmarks are those of an upright one: the eyes too close, the face cut askew. The
embeddings of such crops tell the tilt and not the person. In the picture turned upright the same
detector is surer and its landmarks lie right, so a face that it is not sure of is looked at again,
turned both ways. Measured on two clips of
people who tilt their heads: see benchmarks/head_poses.py.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge.faces.face import Face

ROLLS_DEG = (-35.0, 35.0)
"""How far a face is turned for the second look: with what a detector takes for upright anyway, this
covers heads tilted by up to 55 degrees."""

SURE_SCORE = 0.92
"""Faces found with at least this score are left alone. In 60 frames of faces before a webcam, at
least 44 score more; on the clips this was chosen on, most frames of tilted heads score less."""

GAIN = 0.01
"""By how much surer the second look must be. Of 391 faces on photographs, webcam and grey pictures
(with a slightly higher `SURE_SCORE`, 0.925) 11 changed, to landmarks that lean by 29 to 38
degrees. Tuned on the same clips."""

MOST_FACES = 4
"""So many of the largest faces get a second look, so that a crowd costs no more."""

LOOK_PX = 160
REACH = 2.2
"""Side of the second look in the longer sides of the face's box."""

Find = Callable[[np.ndarray], tuple[Face, ...]]
"""From a picture, uint8[H, W, 3] BGR, to the faces in it."""


def upright(image_bgr: np.ndarray, faces: tuple[Face, ...], find: Find) -> tuple[Face, ...]:
    """The faces of a picture, uint8[H, W, 3] BGR, largest first; where a second look finds one of
    them better, with its landmarks and score. Boxes stay as they are.
    """
    return tuple(
        _seen_again(image_bgr, face, find) if n < MOST_FACES else face
        for n, face in enumerate(faces)
    )


def _seen_again(image_bgr: np.ndarray, face: Face, find: Find) -> Face:
    if face.detector_score >= SURE_SCORE:
        return face
    best = face
    for roll_deg in ROLLS_DEG:
        turn = _turn(face, roll_deg)
        look = cv2.warpAffine(image_bgr, turn, (LOOK_PX, LOOK_PX), borderMode=cv2.BORDER_REPLICATE)
        back = cv2.invertAffineTransform(turn)
        for found in find(look):
            points = found.landmarks() @ back[:, :2].T + back[:, 2]
            surer = found.detector_score > max(best.detector_score, face.detector_score + GAIN)
            if surer and _is_inside(face, points):
                places = tuple((float(x), float(y)) for x, y in points)
                best = Face(face.box_px, places, found.detector_score)
    return best


def _turn(face: Face, roll_deg: float) -> np.ndarray:
    """From the picture to the second look, float64[2, 3], about the middle of the face's box."""
    x, y, w, h = face.box_px
    middle = (x + w / 2, y + h / 2)
    zoom = LOOK_PX / (REACH * max(w, h))
    turn = np.asarray(cv2.getRotationMatrix2D(middle, roll_deg, zoom), np.float64)
    shift = np.array([[0.0, 0.0, LOOK_PX / 2 - middle[0]], [0.0, 0.0, LOOK_PX / 2 - middle[1]]])
    return turn + shift


def _is_inside(face: Face, points: np.ndarray) -> bool:
    """Whether landmarks, float64[5, 2], lie about the middle of the box, so that they are no
    neighbour's."""
    x, y, w, h = face.box_px
    away = np.abs(points.mean(axis=0) - (x + w / 2, y + h / 2))
    return bool((away < 0.4 * np.array([w, h])).all())
