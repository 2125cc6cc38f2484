"""The follower with its schedule: decisions over time, and how seldom they need the detector."""

from __future__ import annotations

import numpy as np
import pytest
from look_factory import BLANK, Person, Scene

from edge.recognition.result import FaceResult
from edge.tracking.budget import Budget
from edge.tracking.follower import Follower
from edge.tracking.schedule import Schedule, ScheduleConfig

FPS = 30
EVERY_FRAME = ScheduleConfig(quick_s=0, scan_s=0, matched_s=0, unknown_s=0, hopeless_s=0)


def standing(time_s: float) -> tuple[float, float]:
    return (100.0, 100.0)


def played(
    scene: Scene, seconds: float = 3.0, follower: Follower | None = None
) -> list[tuple[float, tuple[FaceResult, ...]]]:
    """The faces of every picture with its time."""
    follower = follower or Follower()
    found = []
    for number in range(round(seconds * FPS)):
        scene.time_s = number / FPS
        found.append((scene.time_s, follower.follow(scene, BLANK, scene.time_s)[0]))
    return found


def states(found: list[tuple[float, tuple[FaceResult, ...]]]) -> list[str]:
    """One state a picture; exactly one face in each."""
    return [faces[0].decision.state for _, faces in found]


def test_a_match_within_a_quarter_of_a_second() -> None:
    scene = Scene([Person(0, standing, lambda time_s: 1.0)])
    found = played(scene)
    assert states(found) == ["uncertain"] * 6 + ["match"] * 84
    assert {face.decision.person for _, faces in found[6:] for face in faces} == {"Ada"}
    assert {face.track for _, faces in found for face in faces} == {1}
    assert len(scene.detections) <= 90 / 4
    assert len(scene.looks) <= 6


@pytest.mark.parametrize("excess", [1.0, -1.0])
def test_leaving_out_detections_does_not_change_decisions(excess: float) -> None:
    sparing, full = (Scene([Person(0, standing, lambda time_s: excess)]) for _ in range(2))
    every = Follower(schedule=Schedule(EVERY_FRAME))
    some, all_of_them = played(sparing), played(full, follower=every)
    assert len(full.detections) == len(full.looks) == 90
    assert len(sparing.detections) < 25
    assert states(some)[6:] == states(all_of_them)[6:]
    assert [f[0].face.box_px for _, f in some] == [f[0].face.box_px for _, f in all_of_them]


def test_predicted_faces_say_so() -> None:
    found = played(Scene([Person(0, standing, lambda time_s: 1.0)]), 0.5)
    predicted = [faces[0].predicted for _, faces in found]
    assert predicted[:7] == [False, True, True, False, True, True, False]
    looks = [None if f[0].look is None else f[0].look.state for _, f in found]
    assert looks[:7] == ["match", None, None, "match", None, None, "match"]
    assert found[0][1][0].to_json()["predicted"] is False
    assert found[0][1][0].to_json()["look"] == "match"
    assert found[1][1][0].to_json()["look"] is None


@pytest.mark.parametrize(("usual", "odd", "expected"), [(-1.5, 2.0, "unknown"), (1, -4, "match")])
def test_one_odd_second_look_changes_nothing(usual: float, odd: float, expected: str) -> None:
    scene = Scene([Person(0, standing, lambda time_s: odd if 1.0 <= time_s < 1.05 else usual)])
    found = played(scene, follower=Follower(schedule=Schedule(EVERY_FRAME)))
    assert set(states(found)[5:]) == {expected}


def test_a_stranger_in_the_persons_place_is_found_out() -> None:
    scene = Scene([Person(0, standing, lambda time_s: 1.0 if time_s < 2 else -1.5)])
    found = played(scene, 5.0)
    last = max(time_s for time_s, faces in found if faces[0].decision.state == "match")
    assert last <= 2.0 + 1.0 + 0.4, "the next look comes after a second, then three agree"


def test_two_people_crossing_keep_their_names() -> None:
    ada = Person(0, lambda t: (50 + 120 * t, 100), lambda time_s: 1.0)
    other = Person(1, lambda t: (410 - 120 * t, 105))
    found = played(Scene([ada, other]))
    tracks = {(face.track, face.decision.state) for _, faces in found[8:] for face in faces}
    assert len(tracks) == 2
    assert {state for _, state in tracks} == {"match", "unknown"}
    assert len({number for number, _ in tracks}) == 2


def test_somebody_new_is_found_while_others_stay() -> None:
    scene = Scene(
        [
            Person(0, standing, lambda time_s: 1.0),
            Person(1, lambda t: (300.0, 100.0) if t >= 1.01 else None),
        ]
    )
    found = played(scene)
    decided = [t for t, faces in found for f in faces if f.decision.state == "unknown"]
    assert decided[0] <= 1.01 + 0.2 + 0.25


def test_a_hand_before_the_face_does_not_lose_it() -> None:
    scene = Scene([Person(0, lambda t: None if 1 <= t < 1.6 else (100.0, 100.0), lambda t: 1.0)])
    found = played(scene)
    assert {face.track for _, faces in found for face in faces} == {1}
    assert [faces for t, faces in found if 1.25 < t < 1.6] == [()] * 10
    assert found[-1][1][0].decision.state == "match"


def test_a_rejected_track_never_becomes_a_match() -> None:
    scene = Scene([Person(0, standing, lambda time_s: 2.0, reason="not a face")])
    found = played(scene, 10.0)
    assert set(states(found)) == {"rejected"}
    assert {faces[0].decision.reason for _, faces in found} == {"not a face"}
    assert len(scene.looks) < 45, "and is looked at less often in time"


def test_nobody_there_is_looked_for_seldom_while_nothing_moves() -> None:
    scene = Scene([Person(0, lambda time_s: None)])
    assert [faces for _, faces in played(scene)] == [()] * 90
    assert len(scene.detections) == 3
    follower, light = Follower(), np.full_like(BLANK, 200)
    scene.detections.clear()
    for number in range(90):
        scene.time_s = number / FPS
        follower.follow(scene, light if number // 6 % 2 else BLANK, scene.time_s)
    assert len(scene.detections) == 15, "and at the usual rate where something does"


def test_a_fast_walker_is_detected_more_often() -> None:
    slow = Scene([Person(0, lambda t: (50 + 20 * t, 100), lambda t: 1.0)])
    fast = Scene([Person(0, lambda t: (50 + 300 * t, 100), lambda t: 1.0)])
    played(slow), played(fast)
    assert len(fast.detections) > len(slow.detections) + 5
    assert {f.track for _, fs in played(Scene(fast.people)) for f in fs} == {1}


def test_another_looker_begins_to_vote_anew() -> None:
    follower = Follower()
    first = Scene([Person(0, standing, lambda time_s: 1.0)])
    played(first, 1.0, follower)
    second = Scene(first.people)
    second.time_s = 1.0
    (face,), _ = follower.follow(second, BLANK, 1.0)
    assert (face.track, face.decision.state) == (1, "uncertain")


def test_at_most_so_many_detections_a_second() -> None:
    config = ScheduleConfig().at_most(2.0)
    scene = Scene([Person(0, standing, lambda time_s: 1.0)])
    played(scene, follower=Follower(schedule=Schedule(config)))
    assert len(scene.detections) == 6


def test_what_the_budget_does_not_afford_waits() -> None:
    times = {"clock": 0.0, "used": 0.0}
    budget = Budget(
        0.05, clock=lambda: times["clock"], used=lambda: times["used"], sleep=lambda s: None
    )
    budget.spent("detect", 0.04)

    class Costly(Scene):
        def detect(self, image_bgr):  # type: ignore[no-untyped-def]
            times["used"] += 0.04
            return super().detect(image_bgr)

    scene = Costly([Person(0, standing, lambda time_s: 1.0)])
    follower = Follower(schedule=Schedule(budget=budget))
    for number in range(300):
        scene.time_s = times["clock"] = number / FPS
        follower.follow(scene, BLANK, scene.time_s)
    assert 11 <= len(scene.detections) <= 15, "ten seconds and the first burst at 0.04 s each"
    assert times["used"] <= 0.05 * 10 + 0.1 + 0.04


def test_times_add_up() -> None:
    scene = Scene([Person(0, standing)])
    _, latency = Follower().follow(scene, BLANK, 0.0)
    parts = latency.detect_ms + latency.align_ms + latency.embed_ms + latency.decide_ms
    assert parts + latency.track_ms == pytest.approx(latency.total_ms)
    assert latency.to_json()["track"] > 0
