"""The face detector by two runtimes: the same faces of pictures of any size."""

from __future__ import annotations

import sys
import types

import cv2
import numpy as np
import pytest

from edge.errors import DetectorError
from edge.faces import yunet
from edge.faces.detector import APART_PX, Detector, detector_bytes, furthest_px
from edge.faces.yunet import YUNET_SHA256, decoded
from edge.files.model_file import sha256_of
from edge.models.runtime import available_runtimes
from trainer.drawn import DrawnPerson, Shot, render

LITERT = "ai-edge-litert"


@pytest.fixture(scope="module")
def both() -> tuple[Detector, Detector]:
    if LITERT not in available_runtimes():
        pytest.skip("LiteRT is not installed")
    return Detector.open(runtime="litert"), Detector.open(runtime="opencv")


@pytest.fixture(scope="module")
def crowd() -> np.ndarray:
    """uint8[480, 640, 3]: nine people."""
    image = np.full((480, 640, 3), 120, np.uint8)
    for number in range(9):
        side = 110 + 5 * number
        x, y = 5 + 210 * (number % 3), 2 + 158 * (number // 3)
        face = render(DrawnPerson.draw(30 + number), Shot(), size_px=256)
        image[y : y + side, x : x + side] = cv2.resize(face, (side, side))
    return image


@pytest.mark.parametrize("size_px", [(640, 480), (1280, 720), (333, 470), (120, 90), (160, 160)])
def test_both_runtimes_find_the_same_faces(
    both: tuple[Detector, Detector], crowd: np.ndarray, size_px: tuple[int, int]
) -> None:
    image = cv2.resize(crowd, size_px)
    lite, opencv = (detector.detect(image) for detector in both)
    assert furthest_px(lite, opencv) < APART_PX / 10
    assert np.allclose(
        [face.detector_score for face in lite],
        [face.detector_score for face in opencv],
        atol=1e-4,
    )
    assert len(lite) >= (5 if min(size_px) > 300 else 0)


def test_a_size_that_comes_again_holds_nothing_of_the_picture_before(
    both: tuple[Detector, Detector], crowd: np.ndarray
) -> None:
    lite, opencv = both
    for image in (crowd, crowd[:100, :330], np.zeros_like(crowd), crowd[:470, :633]):
        for side in (64, 96, 128, 160):  # more sizes than are kept
            lite.found(np.full((side, side, 3), side, np.uint8))
        assert furthest_px(lite.found(image), opencv.found(image)) < APART_PX / 10


def test_the_shipped_network_runs_in_litert_and_another_in_opencv(
    both: tuple[Detector, Detector],
) -> None:
    assert Detector.open().runtime == both[0].runtime == LITERT
    data = detector_bytes()
    assert sha256_of(data) == YUNET_SHA256
    another = data + b"\x72\x00"  # an empty doc_string of another field
    with pytest.raises(DetectorError, match="the shipped face detector alone"):
        Detector(another, runtime="litert")


@pytest.mark.parametrize("broken", [True, False])
def test_without_a_runtime_opencv_takes_over(
    monkeypatch: pytest.MonkeyPatch, broken: bool, crowd: np.ndarray
) -> None:
    module = types.ModuleType("broken_interpreter")

    class Interpreter:
        def __init__(self, **_: object) -> None:
            raise SystemError("_ARRAY_API not found")

    module.Interpreter = Interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "broken_interpreter", module)
    name = "broken_interpreter" if broken else "no_such_module_here"
    monkeypatch.setattr(yunet, "TFLITE_MODULES", {"tflite-runtime": name})
    detector = Detector.open()
    assert detector.runtime.startswith("opencv") and len(detector.found(crowd)) >= 5
    with pytest.raises(DetectorError, match="no TFLite runtime runs the face detector"):
        Detector.open(runtime="litert")


def test_a_cell_that_answers() -> None:
    cells = np.full((2, 3, 16), -20.0, np.float32)
    cells[1, 2] = 0.0
    cells[1, 2, :2] = 20.0
    (row,) = decoded(cells, 8, 0.6)
    assert row[:4].tolist() == [12.0, 4.0, 8.0, 8.0], "a box of one cell about its corner"
    assert row[4:14].tolist() == [16.0, 8.0] * 5
    assert row[14] == pytest.approx(1.0)
    assert len(decoded(cells, 8, 0.0)) == 6
    cells[1, 2, 0] = np.log(0.3 / 0.7)
    assert len(decoded(cells, 8, 0.6)) == 0, "the root of 0.3 is less"


def test_faces_that_differ_in_number_are_not_alike(
    both: tuple[Detector, Detector], crowd: np.ndarray
) -> None:
    faces = both[0].found(crowd)
    assert furthest_px(faces, faces) == 0
    assert furthest_px(faces, faces[1:]) == np.inf
