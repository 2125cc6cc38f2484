"""The challenge: heads pass, flat and bent pictures do not, whatever is done with them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from faked import ADA, BEN, POINTS, face, picture, write_video
from look_factory import BLANK, Person, Scene

from edge.cli.main import main
from edge.faces.detector import Detector
from edge.faces.face import Face
from edge.faces.quality import FACE_MM
from edge.files.image import read_picture
from edge.recognition.observation import Observer
from edge.recognition.result import FaceResult, FrameResult, Latency
from edge.sinks.base import Judged
from edge.sinks.prompts import Prompts
from edge.sources.files import file_source
from edge.tracking.challenge import (
    FAILED,
    LEFT,
    NOD,
    PASSED,
    RIGHT,
    RUNNING,
    STEPS,
    WORDS,
    Challenge,
    Challenger,
    stance_of,
)
from edge.tracking.follower import Follower

DRAWN_FACE = Path(__file__).resolve().parents[2] / "edge/shipped/drawn-face.jpg"
FLAT_MM = FACE_MM * (1.0, 1.0, 0.0)
AWAY_MM = 600.0


def bent(radius_mm: float, *, lengthwise: bool = False) -> np.ndarray:
    """The points of a printed face on a cylinder, float64[5, 3], the middle towards the camera."""
    points = FLAT_MM.copy()
    axis = 1 if lengthwise else 0
    middle = 33.0 if lengthwise else 0.0
    angle = (points[:, axis] - middle) / radius_mm
    points[:, axis] = radius_mm * np.sin(angle) + middle
    points[:, 2] = radius_mm * (1.0 - np.cos(angle))
    return points


def seen(points_mm: np.ndarray, yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """Points turned by degrees before a camera at 60 cm: float64[5, 2] in pixels."""
    a, b, c = np.deg2rad([yaw, pitch, roll])
    turn_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    turn_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned = (points_mm - (0, 33, 0)) @ (turn_z @ turn_x @ turn_y).T
    return np.asarray(600.0 * turned[:, :2] / (AWAY_MM + turned[:, 2:]) + (320, 240))


def sweep(points_mm: np.ndarray, most_deg: float = 60.0) -> Iterator[np.ndarray]:
    """Straight, then every way to turn and tilt there and back, again and again."""
    for _ in range(6):
        yield seen(points_mm)
    angles = most_deg * np.sin(np.linspace(0, 4 * np.pi, 80))
    for roll in (0.0, 25.0):
        for yaw, pitch in ((1.0, 0.0), (0.0, 0.7), (0.7, 0.5), (-0.7, 0.5)):
            for angle in angles:
                yield seen(points_mm, yaw * angle, pitch * angle, roll)


def played(
    frames: Iterator[np.ndarray], order: tuple[str, ...], seconds: float = 19.0
) -> Challenge:
    every = list(frames)
    challenge = Challenge(0.0, order=order)
    for number, points in enumerate(every):
        challenge.update(points, seconds * number / len(every))
    return challenge


def obeying(points_mm: np.ndarray, order: tuple[str, ...]) -> Iterator[np.ndarray]:
    turns = {LEFT: (32.0, 0.0), RIGHT: (-32.0, 0.0), NOD: (0.0, 20.0)}
    for _ in range(6):
        yield seen(points_mm)
    for step in order:
        for share in np.sin(np.linspace(0, np.pi, 15)):
            yaw, pitch = turns[step]
            yield seen(points_mm, yaw * share, pitch * share)


@pytest.mark.parametrize("order", permutations(STEPS))
def test_a_head_that_obeys_passes(order: tuple[str, ...]) -> None:
    assert played(obeying(FACE_MM, order), order).state == PASSED


@pytest.mark.parametrize("order", permutations(STEPS))
def test_a_head_that_does_something_else_does_not(order: tuple[str, ...]) -> None:
    other = {LEFT: RIGHT, RIGHT: LEFT, NOD: LEFT}[order[0]]
    challenge = played(obeying(FACE_MM, (other,) * 3), order)
    assert (challenge.state, challenge.done) == (RUNNING, 0)


@pytest.mark.parametrize("order", permutations(STEPS))
@pytest.mark.parametrize(
    "points_mm",
    [FLAT_MM, bent(100.0), bent(63.0), bent(100.0, lengthwise=True), bent(63.0, lengthwise=True)],
    ids=["flat", "bent", "bent more", "bent lengthwise", "bent lengthwise more"],
)
def test_no_picture_passes(points_mm: np.ndarray, order: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    trembling = (points + rng.normal(0, 0.3, (5, 2)) for points in sweep(points_mm))
    challenge = played(trembling, order)
    assert challenge.state != PASSED
    assert played(obeying(points_mm, order), order).done == 0


def test_a_flat_picture_keeps_its_stance_under_every_projection() -> None:
    straight = stance_of(seen(FLAT_MM))
    assert straight is not None
    for points in sweep(FLAT_MM):
        stance = stance_of(points)
        assert stance is not None
        assert stance.across == pytest.approx(straight.across, abs=1e-3)
        assert stance.down == pytest.approx(straight.down, abs=1e-3)
    turned = stance_of(seen(FACE_MM, yaw=30))
    assert turned is not None and turned.across > 0.2


def test_points_that_are_no_face() -> None:
    assert stance_of(np.zeros((5, 2))) is None
    assert stance_of(np.array([(0, 0), (10, 0), (5, 5), (10, 10), (0, 10)])) is None


@pytest.mark.parametrize("end", ["late", "gone"])
def test_time_runs_out(end: str) -> None:
    challenge = Challenge(0.0, order=STEPS)
    for number in range(10):
        challenge.update(seen(FACE_MM), 0.1 * number)
    assert (challenge.state, challenge.words[:9]) == (RUNNING, "turn your")
    challenge.update(seen(FACE_MM), 2.5 if end == "gone" else 0.9)
    if end == "late":
        for number in range(30):
            challenge.update(seen(FACE_MM), 1.0 + 0.9 * number)
    assert challenge.state == FAILED
    challenge.update(seen(FACE_MM, yaw=40), 3.0)
    assert challenge.state == FAILED


def test_orders_are_random() -> None:
    assert len({Challenge(0.0).order for _ in range(100)}) == 6


# a printed photo before the real detector


@pytest.mark.parametrize("order", [STEPS, (NOD, RIGHT, LEFT)])
def test_a_photo_before_the_detector_does_not_pass(order: tuple[str, ...]) -> None:
    photo = cv2.resize(read_picture(DRAWN_FACE), (300, 300), interpolation=cv2.INTER_CUBIC)
    corners = np.array([(-75, -75), (75, -75), (75, 75), (-75, 75)], np.float64)
    plane_mm = np.column_stack([corners + np.array([0.0, 33.0]), np.zeros(4)])
    detector = Detector.open()

    def frames() -> Iterator[np.ndarray]:
        for yaw, pitch, roll in [
            *[(0, 0, 0)] * 6,
            *((yaw, 0, 0) for yaw in (-60, -45, -30, -15, 0, 15, 30, 45, 60, 0)),
            *((0, pitch, 0) for pitch in (-50, -35, -20, 0, 20, 35, 50, 0)),
            *((yaw, yaw // 3, 20) for yaw in (-45, -30, 0, 30, 45, 0)),
        ]:
            target = 1.8 * (seen(plane_mm, yaw, pitch, roll) - (320, 240)) + (320, 240)
            source = np.float32([(0, 0), (299, 0), (299, 299), (0, 299)])
            matrix = cv2.getPerspectiveTransform(source, target.astype(np.float32))
            image = cv2.warpPerspective(
                photo, matrix, (640, 480), borderMode=cv2.BORDER_CONSTANT, borderValue=(120,) * 3
            )
            for found in detector.detect(image)[:1]:
                yield found.landmarks()

    every = list(frames())
    assert len(every) > 20, "the detector sees the photo"
    assert played(iter(every), order).state != PASSED


@pytest.mark.shared
def test_real_heads_turn_far_enough(shared: Path) -> None:
    """Of people who look to the sides in clips: the turn to one side counts."""
    detector = Detector.open()
    every = []
    with file_source(shared / "data/video/head-pose-woman.gif") as source:
        for grab in source:
            assert grab.image_bgr is not None
            every += [found.landmarks() for found in detector.detect(grab.image_bgr)[:1]]
    stances = [(stance_of(points), points) for points in every]
    straight = min((s for s in stances if s[0]), key=lambda s: abs(s[0].across if s[0] else 9))
    counted = {
        step: played(iter([straight[1]] * 6 + every), (step,) * 3).done for step in (LEFT, RIGHT)
    }
    assert max(counted.values()) >= 1, counted


# bound to a track, before a match counts


class Script:
    """A follower whose faces are given; None is a picture in which none was found. Tracks live on
    until another face is shown."""

    def __init__(self, faces: list[FaceResult | None]) -> None:
        self.faces = faces
        self.living: list[int] = []

    def needs(self, time_s: float) -> bool:
        return True

    def follow(
        self, looker: Observer, image_bgr: np.ndarray | None, time_s: float
    ) -> tuple[tuple[FaceResult, ...], Latency]:
        face = self.faces.pop(0)
        if face is None:
            return (), Latency()
        self.living = [] if face.track is None else [face.track]
        return (face,), Latency()


def shown(points: np.ndarray, who: int = ADA, track: int | None = 1) -> FaceResult:
    landmarks = tuple((float(x), float(y)) for x, y in points)
    return FaceResult(Face((0, 0, 99, 99), landmarks, 0.9), face(who).decision, track)


def judged(
    faces: list[FaceResult | None], monkeypatch: pytest.MonkeyPatch, step_s: float = 0.1
) -> tuple[Challenger, list]:
    monkeypatch.setattr("random.SystemRandom.sample", lambda self, steps, count: list(STEPS))
    challenger, found = Challenger(Script(list(faces))), []
    for number in range(len(faces)):
        seen = challenger.follow(None, picture(ADA), step_s * number)[0]
        found += [face.decision for face in seen]
    return challenger, found


def test_a_match_counts_once_the_challenge_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = [shown(points) for points in obeying(FACE_MM, STEPS)]
    challenger, found = judged(faces, monkeypatch)
    assert found[0].state == "uncertain"
    assert found[0].reason == "challenge for Ada, 1 of 3: look straight into the camera"
    assert found[6].reason == "challenge for Ada, 1 of 3: turn your head to your left, then back"
    assert (found[-1].state, found[-1].person) == ("match", "Ada")
    assert (challenger.passed, challenger.failed) == (1, 0)


def test_another_name_or_track_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [shown(points) for points in obeying(FACE_MM, STEPS)]
    for other in (shown(seen(FACE_MM), BEN), shown(seen(FACE_MM), ADA, 2)):
        _, found = judged([*passed, other], monkeypatch)
        assert [each.state for each in found[-2:]] == ["match", "uncertain"]
    _, (alone,) = judged([shown(seen(FACE_MM), track=None)], monkeypatch)
    assert alone.state == "uncertain"


def test_missed_detections_neither_end_nor_renew_it(monkeypatch: pytest.MonkeyPatch) -> None:
    faces: list[FaceResult | None] = [shown(points) for points in obeying(FACE_MM, STEPS)]
    for place in (30, 20, 10, 3):
        faces[place:place] = [None, None]
    challenger, found = judged(faces, monkeypatch)
    assert (found[-1].state, found[-1].person) == ("match", "Ada")
    assert (challenger.passed, challenger.failed, challenger.broken) == (1, 0, 0)
    challenger, found = judged([*faces, None, shown(seen(FACE_MM))], monkeypatch)
    assert found[-1].state == "match", "what was passed stays passed while the track lives"


def test_who_breaks_off_is_counted_and_gets_no_endless_tries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    straight = seen(FACE_MM)
    passing_by = [shown(straight, ADA, track) for track in range(1, 9)]
    challenger, _ = judged(passing_by, monkeypatch)
    assert challenger.broken == 0, "nobody was told an order"
    tries = [shown(straight, ADA, track) for track in (1, 2, 3, 4) for _ in range(8)]
    challenger, found = judged(tries, monkeypatch)
    assert (challenger.passed, challenger.failed, challenger.broken) == (0, 0, 3)
    assert "turn your head" in found[23].reason
    assert (
        found[24].reason == "challenge for Ada, 1 of 3: not passed 3 times; wait 58 s to try again"
    )
    obeyed = [shown(points, ADA, 5) for points in obeying(FACE_MM, STEPS)]
    _, found = judged([*tries, *obeyed], monkeypatch)
    assert found[-1].state == "uncertain"
    waited = [shown(straight, ADA, 5)] * 700
    challenger, found = judged([*tries, *waited, *obeyed], monkeypatch)
    assert (challenger.passed, found[-1].state) == (1, "match")
    ben = [shown(points, BEN, 6) for points in obeying(FACE_MM, STEPS)]
    _, found = judged([*tries, *ben], monkeypatch)
    assert found[-1].state == "match", "another person has tries of their own"


def test_another_name_on_the_track_breaks_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = [shown(seen(FACE_MM))] * 8 + [shown(seen(FACE_MM), BEN)]
    challenger, found = judged(faces, monkeypatch)
    assert challenger.broken == 1
    assert "look straight" in found[-1].reason


def test_a_track_of_the_real_follower_outlives_a_missed_detection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The person blinks out of the detector's sight for half a second."""
    monkeypatch.setattr("random.SystemRandom.sample", lambda self, steps, count: list(STEPS))
    here = Person(0, lambda t: None if 2.0 <= t < 2.5 else (100.0, 100.0), lambda t: 1.0)
    scene, challenger = Scene([here]), Challenger(Follower())
    reasons = []
    for number in range(100):
        scene.time_s = number / 25
        faces, _ = challenger.follow(scene, BLANK, scene.time_s)
        reasons += [
            face.decision.reason for face in faces if "challenge" in (face.decision.reason or "")
        ]
    assert "turn your head" in reasons[-1]
    first = next(n for n, words in enumerate(reasons) if "turn your head" in words)
    assert all("turn your head" in words for words in reasons[first:]), "it is not begun again"
    assert challenger.broken == 0


def test_prompts_are_printed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    sink = Prompts(stream)
    monkeypatch.setattr("random.SystemRandom.sample", lambda self, steps, count: list(STEPS))
    faces: list[FaceResult | None] = [shown(points) for points in obeying(FACE_MM, STEPS)]
    challenger = Challenger(Script(list(faces)))
    for number in range(len(faces)):
        found, _ = challenger.follow(None, picture(ADA), 0.1 * number)
        sink.write(Judged(None, FrameResult(faces=found)))
    said = [line.partition(": ")[2] for line in stream.getvalue().splitlines()]
    orders = [words for words in said if words != "look straight into the camera"]
    assert orders == [WORDS[step] for step in STEPS]
    assert len(said) == 2 * len(STEPS), "each order once, and straight before it"


def test_by_the_command(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mkv", [ADA])
    for words, said in (
        (["--source", str(video), "--no-track"], "bound to a track"),
        (["--source", str(DRAWN_FACE)], "needs somebody who moves"),
    ):
        done = CliRunner().invoke(main, [*words, "--challenge"], prog_name="edge-recognize")
        assert done.exit_code == 2
        assert said in done.stderr
    assert stance_of(np.array(POINTS)) is not None
