"""Tilted heads: landmarks by a second look, upright faces as they are, nobody's neighbour's."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import pytest

from edge.faces.detector import Detector
from edge.faces.face import Face
from edge.faces.roll import GAIN, MOST_FACES, REACH, SURE_SCORE, upright
from trainer.drawn import DrawnPerson, Shot, render

SIZE_PX = 480
SEEDS = (7, 12, 21)


@lru_cache(maxsize=1)
def detector() -> Detector:
    return Detector.open()


def turned(image: np.ndarray, roll_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture turned about its middle, and by what."""
    middle = (image.shape[1] / 2, image.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, roll_deg, 0.7)
    size_px = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size_px, borderMode=cv2.BORDER_REPLICATE), matrix


def error(face: Face, truth: np.ndarray) -> float:
    """The worst landmark's distance from the truth, in eye distances."""
    eyes = float(np.linalg.norm(truth[1] - truth[0]))
    return float(np.linalg.norm(face.landmarks() - truth, axis=1).max()) / eyes


@pytest.mark.parametrize("roll_deg", [-40, 40])
def test_landmarks_of_tilted_heads_lie_where_the_upright_ones_do(roll_deg: float) -> None:
    first, second = [], []
    for seed in SEEDS:
        image = render(DrawnPerson.draw(seed), Shot(), size_px=SIZE_PX)
        plain = detector().detect(image)[0]
        tilted, matrix = turned(image, roll_deg)
        truth = plain.landmarks() @ matrix[:, :2].T + matrix[:, 2]
        first.append(error(detector()._found(tilted)[0], truth))
        second.append(error(detector().detect(tilted)[0], truth))
    assert max(second) < 0.25
    assert max(first) > 0.4


def a_face(x_px: float, score: float, side_px: float = 100.0) -> Face:
    points = tuple(
        (x_px + u * side_px, 100 + v * side_px)
        for u, v in ((0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75))
    )
    return Face((x_px, 100.0, side_px, side_px), points, score)


def finder(score: float, at_px: float = 80.0) -> tuple[Callable[..., tuple[Face, ...]], list[int]]:
    """Finds one face in every second look, about the middle by default; and counts the looks."""
    looks = []

    def find(image: np.ndarray) -> tuple[Face, ...]:
        looks.append(image.shape[0])
        side_px = image.shape[0] / REACH
        place = Face((0.0, 0.0, side_px, side_px), ((at_px, 80.0),) * 5, score)
        return (place,)

    return find, looks


IMAGE = np.zeros((300, 1000, 3), np.uint8)


def test_sure_faces_get_no_second_look() -> None:
    find, looks = finder(1.0)
    faces = (a_face(100, SURE_SCORE), a_face(300, 0.99))
    assert upright(IMAGE, faces, find) == faces
    assert not looks


def test_a_second_look_that_is_hardly_surer_changes_nothing() -> None:
    face = a_face(100, 0.80)
    assert upright(IMAGE, (face,), finder(0.80 + GAIN / 2)[0]) == (face,)
    assert upright(IMAGE, (face,), lambda image: ()) == (face,)


def test_a_surer_one_brings_landmarks_and_score_but_no_box() -> None:
    face = a_face(100, 0.80)
    (seen,) = upright(IMAGE, (face,), finder(0.95)[0])
    assert seen.detector_score == 0.95
    assert seen.box_px == face.box_px
    assert np.allclose(seen.landmarks(), (150, 150), atol=1)


def test_a_neighbours_landmarks_are_not_taken() -> None:
    face = a_face(100, 0.80)
    assert upright(IMAGE, (face,), finder(0.95, at_px=5.0)[0]) == (face,)


def test_a_crowd_costs_no_more_than_the_largest() -> None:
    find, looks = finder(0.95)
    faces = tuple(a_face(90 * n, 0.80, 90 - n) for n in range(MOST_FACES + 3))
    seen = upright(IMAGE, faces, find)
    assert len(looks) == 2 * MOST_FACES
    assert seen[MOST_FACES:] == faces[MOST_FACES:]


def test_upright_faces_are_found_as_before() -> None:
    for seed in SEEDS:
        image = render(DrawnPerson.draw(seed), Shot(), size_px=SIZE_PX)
        before, after = detector()._found(image), detector().detect(image)
        assert [face.box_px for face in before] == [face.box_px for face in after]
        assert np.allclose(before[0].landmarks(), after[0].landmarks())
