"""What is drawn into pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from faked import ADA, BLURRED, POINTS, STRANGER, face, picture, result

from edge.faces.face import Face
from edge.heads.decision import STATES, Decision
from edge.recognition.annotate import COLOURS_BGR, annotate, clock, footer, label, plain_text
from edge.recognition.result import FaceResult, FrameResult


def has_colour(image: np.ndarray, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    near = np.abs(image.astype(int) - colour).max(axis=2) <= tolerance
    return int(near.sum()) >= 10


def test_every_state_has_a_colour_of_its_own() -> None:
    assert set(COLOURS_BGR) == set(STATES)
    assert len(set(COLOURS_BGR.values())) == len(STATES)


@pytest.mark.parametrize(
    ("who", "state"), [(ADA, "match"), (STRANGER, "unknown"), (BLURRED, "rejected")]
)
def test_faces_are_marked_in_the_colour_of_their_state(who: int, state: str) -> None:
    plain = np.full((480, 640, 3), 90, np.uint8)
    marked = annotate(plain, result(who))
    assert (marked.shape, marked.dtype) == (plain.shape, np.uint8)
    marked = marked[:400]  # without the figures
    assert has_colour(marked, COLOURS_BGR[state])
    for other, colour in COLOURS_BGR.items():
        assert has_colour(marked, colour) == (other == state)


def test_the_picture_itself_is_left_alone() -> None:
    plain = picture(ADA)
    before = plain.copy()
    annotate(plain, result(ADA))
    assert np.array_equal(plain, before)


def test_a_read_only_or_strided_picture_can_be_annotated() -> None:
    plain = picture(0, 0, (640, 480))[:, ::-1]
    plain.flags.writeable = False
    assert annotate(plain, result(ADA)).shape == (480, 640, 3)


@pytest.mark.parametrize("size_px", [(16, 12), (60, 40), (160, 120), (4000, 3000)])
@pytest.mark.parametrize(
    "box_px", [(-20.0, -20.0, 40.0, 40.0), (5.0, 5.0, 1.0, 1.0), (1e4, 1e4, 50.0, 50.0)]
)
def test_no_box_and_no_size_is_too_strange(
    size_px: tuple[int, int], box_px: tuple[float, float, float, float]
) -> None:
    name = "a very long name that no plate of this picture can hold " * 3
    judged = FaceResult(Face(box_px, POINTS, 0.5), Decision("match", name, 0.9, 0.5))
    strange = FrameResult("x", 0, 1.0, (judged,))
    assert annotate(picture(0, 0, size_px), strange).shape == (size_px[1], size_px[0], 3)


def test_the_box_is_where_the_face_is() -> None:
    plain = picture(0, 0, (640, 480))
    judged = dataclasses.replace(face(ADA), face=Face((300.0, 200.0, 100.0, 120.0), POINTS, 0.9))
    changed = (annotate(plain, FrameResult("x", 0, 0.0, (judged,))) != plain).any(axis=2)
    changed[440:, :200] = False  # the figures
    rows, columns = np.nonzero(changed)
    assert columns.min() == pytest.approx(300, abs=6)
    assert columns.max() == pytest.approx(400, abs=6)
    assert rows.max() == pytest.approx(320, abs=6)
    assert not changed[240:280, 340:360].any(), "the face itself stays free"


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (Decision("match", "Ada", 0.914, 0.6), "Ada 0.91"),
        (Decision("match", "Ada"), "Ada"),
        (Decision("unknown", None, 0.2, 0.6), "unknown 0.20"),
        (Decision("unknown", reason="no person is enrolled"), "unknown"),
        (Decision("uncertain", None, 0.6, 0.6, "close"), "uncertain"),
        (Decision("rejected", reason="too blurred"), "too blurred"),
    ],
)
def test_labels(decision: Decision, text: str) -> None:
    assert label(decision) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Zoë Weiß", "Zoe Weiss"), ("Łukasz Ørsted", "Lukasz Orsted"), ("李 a", "? a"), ("é", "e")],
)
def test_names_are_spelt_in_the_letters_that_the_font_has(text: str, plain: str) -> None:
    assert plain_text(text) == plain


def test_the_figures() -> None:
    assert footer(result(ADA, STRANGER, time_s=65.25)) == "01:05.2   2 faces   10 ms"
    assert footer(result(ADA)) == "1 face   10 ms"
    assert [clock(value) for value in (0, 59.96, 3599.99)] == ["00:00.0", "01:00.0", "1:00:00.0"]
