"""Tracks: faces that keep their numbers through motion, gaps and crossings."""

from __future__ import annotations

import numpy as np
import pytest
from look_factory import a_face, a_look, a_rejection

from edge.faces.face import Face
from edge.recognition.observation import Observation
from edge.tracking.track import Track, Tracks, iou, moved


class Pictures:
    """Feeds tracks picture by picture; people by number to where their face is."""

    def __init__(self) -> None:
        self.tracks = Tracks()
        self.recalled = 0

    def show(self, time_s: float, **places: tuple[float, float]) -> dict[str, int]:
        """The track's number of each person: `p0`, `p1`, …"""
        faces = [a_face(*place) for place in places.values()]
        looks = [a_look(1.0, face=f, who=int(n[1])) for n, f in zip(places, faces, strict=True)]

        def recall(index: int) -> Observation:
            self.recalled += 1
            return looks[index]

        self.tracks.expire(time_s)
        assigned = self.tracks.assign(faces, time_s, recall)
        for track, look in zip(assigned, looks, strict=True):
            track.add(look, time_s)
        return {name: track.number for name, track in zip(places, assigned, strict=True)}


def test_a_face_that_moves_keeps_its_number_without_a_look() -> None:
    pictures = Pictures()
    numbers = [pictures.show(n / 10, p0=(100 + 15 * n, 100))["p0"] for n in range(10)]
    assert numbers == [1] * 10
    assert pictures.recalled == 0


def test_a_fast_face_is_known_by_its_embedding() -> None:
    pictures = Pictures()
    numbers = [pictures.show(n / 10, p0=(90 * n, 100))["p0"] for n in range(5)]
    assert numbers == [1] * 5
    assert pictures.recalled > 0


def test_two_people_crossing_keep_their_numbers() -> None:
    pictures = Pictures()
    for n in range(41):
        numbers = pictures.show(n / 10, p0=(100 + 10 * n, 100), p1=(500 - 10 * n, 110))
        assert numbers == {"p0": 1, "p1": 2}


def test_crossing_behind_one_another_keeps_the_numbers() -> None:
    pictures = Pictures()
    for n in range(41):
        people = {"p0": (100.0 + 10 * n, 100.0), "p1": (500.0 - 10 * n, 100.0)}
        if abs(n - 20) <= 2:
            del people["p1"]
        numbers = pictures.show(n / 10, **people)
        assert numbers == {name: {"p0": 1, "p1": 2}[name] for name in people}


def test_the_order_of_the_detector_does_not_matter() -> None:
    pictures = Pictures()
    pictures.show(0.0, p0=(100, 100), p1=(300, 100))
    assert pictures.show(0.1, p1=(300, 100), p0=(100, 100)) == {"p1": 2, "p0": 1}


def test_a_number_is_not_used_again() -> None:
    pictures = Pictures()
    assert pictures.show(0.0, p0=(100, 100)) == {"p0": 1}
    pictures.show(0.1)
    assert pictures.tracks.shown == []
    pictures.show(1.5)
    assert pictures.tracks.living == []
    assert pictures.show(1.6, p0=(100, 100)) == {"p0": 2}
    assert pictures.show(1.7, p0=(100, 100), p1=(300, 100)) == {"p0": 2, "p1": 3}


def test_who_is_hidden_for_a_moment_is_found_again() -> None:
    pictures = Pictures()
    for time_s in (0.0, 0.1):
        pictures.show(time_s, p0=(100, 100))
    for time_s in (0.2, 0.4, 0.6):
        pictures.show(time_s)
    assert pictures.show(0.8, p0=(110, 100)) == {"p0": 1}


def test_somebody_else_in_the_same_place_is_another_track() -> None:
    pictures = Pictures()
    for time_s in (0.0, 0.1):
        pictures.show(time_s, p0=(100, 100))
    for time_s in (0.2, 0.4, 0.6):
        pictures.show(time_s)
    assert pictures.show(0.8, p1=(100, 100)) == {"p1": 2}


def test_a_jump_of_somebody_else_is_another_track() -> None:
    pictures = Pictures()
    pictures.show(0.0, p0=(100, 100))
    assert pictures.show(0.1, p1=(190, 100)) == {"p1": 2}


def test_a_face_twice_as_large_far_off_is_another() -> None:
    tracks = Tracks()
    first, second = a_face(100, 100, 40), a_face(130, 100, 120)
    assert tracks.assign([first], 0.0, lambda index: a_look(1.0))[0].number == 1
    assert tracks.assign([second], 0.1, lambda index: a_look(1.0))[0].number == 2


def test_what_cannot_be_embedded_is_followed_by_its_place() -> None:
    tracks, reject = Tracks(), lambda index: a_rejection("blurred")
    assert [t.number for t in tracks.assign([a_face(100), a_face(150)], 0.0, reject)] == [1, 2]
    assert [t.number for t in tracks.assign([a_face(104), a_face(154)], 0.1, reject)] == [1, 2]
    assert [t.number for t in tracks.assign([a_face(400)], 0.2, reject)] == [3]


def test_time_that_jumps_back_ends_all() -> None:
    pictures = Pictures()
    pictures.show(5.0, p0=(100, 100))
    assert pictures.show(0.0, p0=(100, 100)) == {"p0": 2}


def test_a_track_that_nobody_looked_for_ends_as_well() -> None:
    tracks = Tracks()
    tracks.assign([a_face()], 0.0, lambda index: a_look(1.0))
    tracks.expire(3.0)
    assert len(tracks.living) == 1
    tracks.expire(4.5)
    assert tracks.living == []


def test_prediction_moves_box_and_landmarks_alike() -> None:
    track = Track(1, a_face(100, 100), 0.0, Tracks().votes)
    for n in range(1, 12):
        track.found(a_face(100 + 10 * n, 100), n / 10)
    face = track.predicted(1.3)
    assert face.box_px == pytest.approx((230, 100, 80, 80), abs=0.5)
    shift = np.subtract(face.landmarks_px, track.face.landmarks_px)
    assert shift == pytest.approx(np.tile([20.0, 0.0], (5, 1)), abs=0.5)
    assert track.moved_share(1.3) == pytest.approx(0.25, abs=0.01)


def test_likeness_needs_two_sides() -> None:
    track = Track(1, a_face(), 0.0, Tracks().votes)
    look = a_look(1.0, who=2)
    assert track.likeness(look.embedding) is None
    track.add(look, 0.0)
    assert track.likeness(None) is None
    assert track.likeness(look.embedding) == pytest.approx(1.0)
    assert track.likeness(a_look(1.0, who=3).embedding) == pytest.approx(0.0)


def test_overlap() -> None:
    assert iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1.0
    assert iou((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 10, 10), (10, 0, 10, 10)) == 0.0
    face = Face((0.0, 0.0, 1.0, 1.0), a_face().landmarks_px, 0.9)
    assert moved(face, 3, 4).box_px == (3, 4, 1, 1)


def test_neighbours_who_stand_still_need_no_looks() -> None:
    pictures = Pictures()
    for n in range(5):
        assert pictures.show(n / 10, p0=(100, 100), p1=(190, 100)) == {"p0": 1, "p1": 2}
    assert pictures.recalled == 0
