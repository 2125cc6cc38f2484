"""The quality gate: which faces can be judged, and in one word of plain language why not.

A face that passes is not necessarily easy. The limits keep out what no embedding can judge; they
are the same at enrolment and on the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from edge.errors import InputError
from edge.faces.alignment import align
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE
from edge.faces.face import Face

CROP_PX = 64
"""Side of the aligned crop that light and sharpness are measured on."""

FACE_MM = np.array(
    [
        [-31.5, 0.0, 0.0],
        [31.5, 0.0, 0.0],
        [0.0, 34.0, -27.0],
        [-25.0, 66.0, -4.0],
        [25.0, 66.0, -4.0],
    ]
)
"""Eyes, nose tip and mouth corners of a middling face in millimetres: x to the picture's right, y
down, z away from the camera. Eye distance after Dodgson (SPIE 2004); the rest such that the median
pose of frontal portraits comes out as 0."""


NOT_A_FACE = "not a face"
UNSURE = "the detector is not sure that it is a face"
NO_FACE_REASONS = (NOT_A_FACE, UNSURE)
"""Reasons that say that there is no face at all."""


@dataclass(frozen=True)
class QualityConfig:
    """The limits. Lengths in pixels of the picture, angles in degrees, brightness 0..255.

    eye_distance_px: least; the crop of a network is about three times as wide. detector_score:
    least, 0..1; below sure_score, the landmarks must lie like a face's by doubtful_misfit. visible:
    least share of the box inside the picture. yaw_deg, pitch_deg: most, to either side. dark,
    bright: least and most mean brightness of the face. contrast: least standard deviation of the
    brightness. sharpness: least, see `Quality`: a Gaussian blur of 3 % of the crop's side, after
    which MobileFaceNet's cosine with the sharp picture is 0.6, lies below. misfit: most, see
    `Quality`; of 10,256 faces in photographs and clips 0.165 was the highest. Tuned on these.
    """

    eye_distance_px: float = 10.0
    detector_score: float = 0.6
    sure_score: float = 0.8
    visible: float = 0.8
    yaw_deg: float = 65.0
    pitch_deg: float = 45.0
    dark: float = 20.0
    bright: float = 240.0
    contrast: float = 8.0
    sharpness: float = 0.018
    misfit: float = 0.17
    doubtful_misfit: float = 0.1


@dataclass(frozen=True)
class Quality:
    """The gate's answer for one face.

    reason: what is wrong, None where the face passed. measures: name to value, as far as they were
    taken: eye_distance_px, visible, yaw_deg (positive: to the picture's right), pitch_deg
    (positive: down), misfit (how far the landmarks lie from those of any face so turned, in eye
    distances), brightness, contrast, sharpness (variance of the Laplacian over the variance of the
    brightness).
    """

    passed: bool
    reason: str | None = None
    measures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pose:
    """yaw_deg, pitch_deg, roll_deg: angles in degrees. misfit: in eye distances."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    misfit: float


class QualityGate:
    """Judges whether a face can be judged. Has no state, so it may be shared by threads."""

    def __init__(self, config: QualityConfig | None = None) -> None:
        self.config = config or QualityConfig()

    def check(self, image_bgr: np.ndarray, face: Face) -> Quality:
        """One face of a picture, uint8[H, W, 3] BGR."""
        measures: dict[str, float] = {"detector_score": face.detector_score}
        reason = self._by_place(image_bgr, face, measures)
        reason = reason or self._by_light(image_bgr, face, measures)
        return Quality(reason is None, reason, measures)

    def _by_place(
        self, image_bgr: np.ndarray, face: Face, measures: dict[str, float]
    ) -> str | None:
        limits = self.config
        if face.detector_score < limits.detector_score:
            return UNSURE
        points = face.landmarks()
        if not np.isfinite(points).all() or not np.isfinite(face.box_px).all():
            return NOT_A_FACE
        measures["eye_distance_px"] = _face_scale_px(points)
        measures["visible"] = _visible_share(face, image_bgr.shape[1], image_bgr.shape[0])
        if measures["eye_distance_px"] < limits.eye_distance_px:
            return "too small"
        if measures["visible"] < limits.visible:
            return "cut by the picture's edge"
        pose = face_pose(points)
        measures |= {"yaw_deg": pose.yaw_deg, "pitch_deg": pose.pitch_deg, "misfit": pose.misfit}
        sure = face.detector_score >= limits.sure_score
        from_behind = abs(pose.yaw_deg) > 100
        if from_behind or pose.misfit > (limits.misfit if sure else limits.doubtful_misfit):
            return NOT_A_FACE
        if abs(pose.yaw_deg) > limits.yaw_deg:
            return "turned too far to the side"
        if abs(pose.pitch_deg) > limits.pitch_deg:
            return "turned too far up or down"
        return None

    def _by_light(
        self, image_bgr: np.ndarray, face: Face, measures: dict[str, float]
    ) -> str | None:
        limits = self.config
        try:
            crop = align(image_bgr, face, ARCFACE, ARCFACE_WHOLE, CROP_PX)
        except InputError:
            return NOT_A_FACE
        measures |= light_measures(crop)
        if measures["brightness"] < limits.dark:
            return "too dark"
        if measures["brightness"] > limits.bright:
            return "too bright"
        if measures["contrast"] < limits.contrast:
            return "without contrast"
        if measures["sharpness"] < limits.sharpness:
            return "blurred"
        return None


def light_measures(crop_bgr: np.ndarray) -> dict[str, float]:
    """brightness, contrast and sharpness of an aligned crop, uint8[64, 64, 3] BGR or gray."""
    grey = crop_bgr if crop_bgr.ndim == 2 else cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY)
    inner = grey[8:60, 10:54]
    edges = cv2.Laplacian(inner, cv2.CV_32F)[1:-1, 1:-1]
    variance = float(inner.var())
    return {
        "brightness": float(inner.mean()),
        "contrast": math.sqrt(variance),
        "sharpness": float(edges.var()) / max(variance, 1.0),
    }


def face_pose(points_px: np.ndarray) -> Pose:
    """How a face is turned, from its landmarks, float[5, 2].

    A scaled orthographic camera is fitted to `FACE_MM` by least squares and its axes made
    orthonormal (POS of DeMenthon and Davis, IJCV 1995).
    """
    model = FACE_MM - FACE_MM.mean(axis=0)
    seen = np.asarray(points_px, np.float64) - np.mean(points_px, axis=0)
    affine = np.linalg.lstsq(model, seen, rcond=None)[0].T
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    scale = float(sizes.mean())
    rotation = left @ right
    misfit = seen - scale * model @ rotation.T
    eye_distance = max(scale * 2 * abs(FACE_MM[0, 0]), 1e-6)
    across, down = rotation
    away = np.cross(across, down)  # the third row: roll, which comes last, leaves it as it is
    return Pose(
        yaw_deg=math.degrees(math.atan2(away[0], away[2])),
        pitch_deg=math.degrees(math.asin(float(np.clip(away[1], -1.0, 1.0)))),
        roll_deg=math.degrees(math.atan2(across[1], down[1])),
        misfit=float(np.sqrt((misfit**2).sum(axis=1).mean()) / eye_distance),
    )


def _face_scale_px(points: np.ndarray) -> float:
    """The eye distance of the face if it were frontal, in pixels: also right in half profile."""
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across = float(np.linalg.norm(points[1] - points[0]))
    down = float(np.linalg.norm(mouth - eyes)) * 63.0 / 66.0
    return max(across, down)


def _visible_share(face: Face, width_px: int, height_px: int) -> float:
    x, y, w, h = face.box_px
    across = min(x + w, width_px) - max(x, 0.0)
    down = min(y + h, height_px) - max(y, 0.0)
    return max(0.0, across) * max(0.0, down) / max(w * h, 1e-9)
