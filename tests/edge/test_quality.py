"""The gate: each reason by a face made for it, and poses against rotations of the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.faces.face import Face
from edge.faces.quality import FACE_MM, QualityConfig, QualityGate, face_pose, light_measures

GATE = QualityGate()
SCALE = 1.0
"""Pixels per millimetre, so that the eyes are 63 px apart."""


def rotation(yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> np.ndarray:
    """Turned to the picture's right, down, and counter-clockwise, in this order."""
    y, p, r = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    yaw = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    roll = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(roll @ pitch @ yaw)


def a_face(
    matrix: np.ndarray | None = None,
    *,
    scale: float = SCALE,
    centre: tuple[float, float] = (160, 130),
) -> Face:
    seen = scale * (FACE_MM @ (np.eye(3) if matrix is None else matrix).T)[:, :2] + centre
    x, y = seen.min(axis=0) - 25 * scale
    w, h = seen.max(axis=0) + 25 * scale - (x, y)
    points = tuple((float(a), float(b)) for a, b in seen)
    return Face((float(x), float(y), float(w), float(h)), points, 0.93)


def a_picture(*, level: float = 128, contrast: float = 40, blur: float = 0.8) -> np.ndarray:
    """Noise with about the sharpness of a face."""
    grain = np.random.default_rng(0).standard_normal((320, 320)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 3 * blur)
    picture = level + contrast * grain / grain.std()
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


PICTURE = a_picture()


def test_a_good_face_passes_with_all_measures() -> None:
    quality = GATE.check(PICTURE, a_face())
    assert (quality.passed, quality.reason) == (True, None)
    assert set(quality.measures) == {
        "detector_score",
        "eye_distance_px",
        "visible",
        "yaw_deg",
        "pitch_deg",
        "misfit",
        "brightness",
        "contrast",
        "sharpness",
    }
    assert quality.measures["eye_distance_px"] == pytest.approx(63, abs=4)


BADLY = {
    "too small": (PICTURE, a_face(scale=0.1)),
    "cut by the picture's edge": (PICTURE, a_face(centre=(30, 130))),
    "turned too far to the side": (PICTURE, a_face(rotation(72))),
    "turned too far up or down": (PICTURE, a_face(rotation(0, 55))),
    "too dark": (a_picture(level=8, contrast=6), a_face()),
    "too bright": (a_picture(level=250, contrast=6), a_face()),
    "without contrast": (a_picture(contrast=2), a_face()),
    "blurred": (a_picture(blur=6), a_face()),
    "the detector is not sure that it is a face": (PICTURE, replace(a_face(), detector_score=0.4)),
}


@pytest.mark.parametrize("reason", BADLY)
def test_each_reason(reason: str) -> None:
    quality = GATE.check(*BADLY[reason])
    assert not quality.passed
    assert quality.reason == reason


@pytest.mark.parametrize(
    "points",
    [
        ((10, 10),) * 5,
        ((100, 100), (160, 100), (130, 90), (100, 60), (160, 60)),
        ((100, 100), (160, 100), (130, 240), (100, 160), (160, 160)),
        ((100, 100), (160, 100), (float("nan"), 130), (100, 160), (160, 160)),
    ],
)
def test_what_is_no_face(points: tuple[tuple[float, float], ...]) -> None:
    face = replace(a_face(), landmarks_px=points)
    assert GATE.check(PICTURE, face).reason in {"not a face", "too small"}
    assert not GATE.check(PICTURE, face).passed


def test_a_doubtful_detection_must_look_more_like_a_face() -> None:
    odd = a_face().landmarks() + np.array([(0, 0), (0, 0), (0, 0), (0, -12), (0, 12)])
    face = replace(a_face(), landmarks_px=tuple((float(x), float(y)) for x, y in odd))
    assert 0.1 < face_pose(face.landmarks()).misfit < 0.17
    assert GATE.check(PICTURE, face).passed
    assert GATE.check(PICTURE, replace(face, detector_score=0.7)).reason == "not a face"


@pytest.mark.parametrize("yaw", [-60, -30, 0, 20, 50])
@pytest.mark.parametrize("pitch", [-25, 0, 25])
@pytest.mark.parametrize("roll", [-20, 0])
def test_poses_are_those_of_the_model(yaw: float, pitch: float, roll: float) -> None:
    pose = face_pose(3.0 * (FACE_MM @ rotation(yaw, pitch, roll).T)[:, :2] + 50)
    assert pose.misfit < 1e-6
    assert pose.yaw_deg == pytest.approx(yaw, abs=1e-6)
    assert pose.pitch_deg == pytest.approx(pitch, abs=1e-6)
    assert pose.roll_deg == pytest.approx(roll, abs=1e-6)


def test_pose_does_not_depend_on_size_and_place() -> None:
    points = (FACE_MM @ rotation(25, 10).T)[:, :2]
    one, other = face_pose(points), face_pose(7.5 * points + [100, -20])
    assert one.yaw_deg == pytest.approx(other.yaw_deg)
    assert one.misfit == pytest.approx(other.misfit, abs=1e-9)


def test_half_profiles_are_not_small() -> None:
    narrow = GATE.check(PICTURE, a_face(rotation(60))).measures["eye_distance_px"]
    assert narrow > 50


def test_limits_can_be_chosen() -> None:
    strict = QualityGate(QualityConfig(eye_distance_px=80))
    assert strict.check(PICTURE, a_face()).reason == "too small"


def test_blur_lowers_sharpness_whatever_the_light() -> None:
    sharp = light_measures(cv2.resize(PICTURE, (64, 64), interpolation=cv2.INTER_AREA))
    soft = light_measures(cv2.GaussianBlur(cv2.resize(PICTURE, (64, 64)), (0, 0), 2))
    half = light_measures(
        (cv2.resize(PICTURE, (64, 64), interpolation=cv2.INTER_AREA) / 2).astype(np.uint8)
    )
    assert soft["sharpness"] < 0.5 * sharp["sharpness"]
    assert half["sharpness"] == pytest.approx(sharp["sharpness"], rel=0.1)


def test_most_real_faces_pass(shared: Path) -> None:
    from edge.faces.detector import Detector
    from edge.files.image import read_picture

    detector = Detector.open()
    passed = []
    for path in sorted((shared / "data" / "people").rglob("*.jpg"))[::60]:
        picture = read_picture(path)
        faces = detector.detect(picture)
        passed += [GATE.check(picture, faces[0]).passed] if faces else []
    assert len(passed) > 30
    assert np.mean(passed) > 0.9
