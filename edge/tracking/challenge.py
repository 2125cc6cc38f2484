"""The challenge: turn left, turn right, nod, in random order, so that a printed photo cannot pass.

A nose stands out from the plane of eyes and mouth corners. Where its tip lies among these four
points is measured through the homography that takes them to fixed places: however a flat picture is
moved, turned or tilted, that place stays, as projections keep it (Hartley and Zisserman, Multiple
View Geometry, 2nd ed. 2004, section 2.3). On a head that turns it moves. A bent picture stands out,
too, but less than a nose, and has to be turned so far that it becomes narrow, which does not count.

It does not stop a video of the person that shows the right movements, a mask, or a screen with a
face that follows orders. It is no door lock by itself.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from edge.heads.decision import Decision
from edge.recognition.observation import Observer
from edge.recognition.result import FaceResult, Latency

LEFT, RIGHT, NOD = "left", "right", "nod"
STEPS = (LEFT, RIGHT, NOD)

WORDS = {
    LEFT: "turn your head to your left, then back",
    RIGHT: "turn your head to your right, then back",
    NOD: "nod slowly",
}

LOOK_STRAIGHT = "look straight into the camera"
RUNNING, PASSED, FAILED = "running", "passed", "failed"

PROMPT = "challenge for"
"""How the reason of a match that waits for its challenge begins."""

LIMITS = (
    "the challenge stops printed photos, also moved, tilted and gently bent ones; it does not stop "
    "a video of the person, a mask or a screen that follows orders, and is no door lock by itself"
)
"""What reports say of it."""

_PLACES = np.array([[-0.5, 0.0], [0.5, 0.0], [-0.4, 1.0], [0.4, 1.0]], np.float32)
"""Eyes and mouth corners, in eye distances across and eye-mouth distances down."""


@dataclass(frozen=True)
class ChallengeConfig:
    """Limits. Measured by YuNet on faces of five people printed flat and bent (radius half the
    picture's width) and turned by computation, and on clips of people who turn.

    turn: how far the nose has to move to a side among eyes and mouth, in eye distances. A flat
    picture reaches 0.10 before it is too narrow, a bent one 0.19; a head 0.22 at about 27 degrees.
    nod: the same up or down, in eye-mouth distances. narrow, wide: ratio of eye distance to
    eye-mouth distance, relative to the straight face, between which movements count. back: nearer
    than this to the straight place is back again. straight: pictures before the first order.
    seconds: for all orders. pause_s: before a new attempt. gap_s: a face unseen for longer
    has failed. tries: attempts of one person that may end without success within `lock_s`; then
    there is no other until so much time has passed since the first of them.
    """

    turn: float = 0.22
    nod: float = 0.12
    narrow: float = 0.78
    wide: float = 1.15
    back: float = 0.1
    straight: int = 5
    seconds: float = 20.0
    pause_s: float = 3.0
    gap_s: float = 1.0
    tries: int = 3
    lock_s: float = 60.0


@dataclass(frozen=True)
class Stance:
    """How a face stands. across, down: place of the nose's tip among eyes and mouth. width: eye
    distance over eye-mouth distance."""

    across: float
    down: float
    width: float


def stance_of(points_px: np.ndarray) -> Stance | None:
    """From landmarks, float[5, 2]; None where they lie like no face's."""
    points = np.asarray(points_px, np.float64)
    eyes, mouth = points[:2], points[3:]
    height = float(np.linalg.norm(mouth.mean(axis=0) - eyes.mean(axis=0)))
    width = float(np.linalg.norm(eyes[1] - eyes[0]))
    corners = np.concatenate([eyes, mouth]).astype(np.float32)
    if min(height, width) < 2.0 or not cv2.isContourConvex(corners[[0, 1, 3, 2]]):
        return None
    matrix = cv2.getPerspectiveTransform(corners, _PLACES)
    place = matrix @ np.array([*points[2], 1.0])
    if abs(place[2]) < 1e-9:
        return None
    return Stance(float(place[0] / place[2]), float(place[1] / place[2]), width / height)


class Challenge:
    """One attempt of one face. state: "running", "passed" or "failed"."""

    def __init__(
        self,
        started_s: float,
        config: ChallengeConfig | None = None,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        """order: of the steps; by default random, of the system's randomness."""
        self.config = config or ChallengeConfig()
        self.order = tuple(order or random.SystemRandom().sample(STEPS, len(STEPS)))
        self.state = RUNNING
        self.done = 0
        self.ended_s: float | None = None
        self._ends_at_s = started_s + self.config.seconds
        self._seen_s = started_s
        self._straight: deque[Stance] = deque(maxlen=self.config.straight)
        self._base: Stance | None = None
        self._is_back = True

    @property
    def has_ordered(self) -> bool:
        """Whether the person has been told an order, so that a new attempt would be another try."""
        return self._base is not None

    @property
    def words(self) -> str:
        """What the person is to do."""
        if self._base is None or not self._is_back:
            return LOOK_STRAIGHT
        return WORDS[self.order[self.done]] if self.done < len(self.order) else ""

    def update(self, points_px: np.ndarray, time_s: float) -> None:
        """The face's landmarks in the next picture, float[5, 2]."""
        if self.state != RUNNING:
            return
        if time_s > self._ends_at_s or time_s - self._seen_s > self.config.gap_s:
            self._end(FAILED, time_s)
            return
        self._seen_s = time_s
        stance = stance_of(points_px)
        if stance is None:
            return
        if self._base is None:
            self._settle(stance)
        elif not self._is_back:
            self._is_back = abs(stance.across - self._base.across) <= self.config.back
        elif self._has_moved(stance, self._base, self.order[self.done]):
            self.done += 1
            self._is_back = False
            if self.done == len(self.order):
                self._end(PASSED, time_s)

    def refuse(self, time_s: float) -> None:
        """Let it have failed without a try."""
        self._end(FAILED, time_s)

    def _settle(self, stance: Stance) -> None:
        """Take the straight face once it holds still."""
        self._straight.append(stance)
        if len(self._straight) < self.config.straight:
            return
        values = np.array([[s.across, s.down, s.width] for s in self._straight])
        middle = np.median(values, axis=0)
        if np.ptp(values[:, 0]) <= self.config.back and abs(middle[0]) <= self.config.turn:
            self._base = Stance(*(float(value) for value in middle))

    def _has_moved(self, stance: Stance, base: Stance, step: str) -> bool:
        config = self.config
        width = stance.width / base.width
        if not config.narrow <= width <= config.wide:
            return False
        across = stance.across - base.across
        if step == NOD:
            return abs(stance.down - base.down) >= config.nod and abs(across) < config.turn
        return across >= config.turn if step == LEFT else across <= -config.turn

    def _end(self, state: str, time_s: float) -> None:
        self.state, self.ended_s = state, time_s


class Followed(Protocol):
    """What follows faces from picture to picture; `edge.tracking.follower.Follower` is one.

    living: numbers of the tracks that have not ended, seen in the last picture or not.
    """

    @property
    def living(self) -> Collection[int]: ...

    def needs(self, time_s: float) -> bool:
        """Whether the picture of this time may be searched."""

    def follow(
        self, looker: Observer, image_bgr: np.ndarray | None, time_s: float
    ) -> tuple[tuple[FaceResult, ...], Latency]:
        """The faces of the next picture with their tracks."""


class Challenger:
    """Lets a match count only once the same track has passed a challenge.

    Until then the decision is "uncertain", and its reason says what to do. A challenge lives as
    long as its track, so that a missed detection neither ends nor renews it. passed, failed,
    broken: how many attempts ended so; broken are those that an order was given in when the track
    ended or went on with another name.
    """

    def __init__(self, follower: Followed, config: ChallengeConfig | None = None) -> None:
        self.config = config or ChallengeConfig()
        self.passed = self.failed = self.broken = 0
        self._follower = follower
        self._open: dict[int, tuple[str, Challenge]] = {}
        self._missed_s: dict[str, deque[float]] = {}

    @property
    def living(self) -> Collection[int]:
        return self._follower.living

    def needs(self, time_s: float) -> bool:
        """As the follower."""
        return self._follower.needs(time_s)

    def follow(
        self, looker: Observer, image_bgr: np.ndarray | None, time_s: float
    ) -> tuple[tuple[FaceResult, ...], Latency]:
        """As the follower's, with decisions that wait for the challenge."""
        faces, latency = self._follower.follow(looker, image_bgr, time_s)
        for track in set(self._open) - set(self._follower.living):
            self._close(track, time_s)
        return tuple(self._judged(face, time_s) for face in faces), latency

    def _judged(self, face: FaceResult, time_s: float) -> FaceResult:
        if face.track is None:
            return replace(face, decision=_waiting(face.decision, "it needs a track"))
        challenge = self._challenge(face, face.track, time_s)
        if challenge is None:
            return face
        before = challenge.state
        challenge.update(face.face.landmarks(), time_s)
        if before == RUNNING and challenge.state != RUNNING:
            self.passed += challenge.state == PASSED
            if challenge.state == FAILED:
                self.failed += 1
                self._miss(self._open[face.track][0], time_s)
        if challenge.state == PASSED:
            return face
        words = challenge.words
        if challenge.state == FAILED:
            wait_s = self._locked_s(self._open[face.track][0], time_s)
            words = f"not passed; {LOOK_STRAIGHT} to try again"
            if wait_s > 0:
                words = f"not passed {self.config.tries} times; wait {wait_s:.0f} s to try again"
        count = f"{min(challenge.done + 1, len(STEPS))} of {len(STEPS)}"
        return replace(face, decision=_waiting(face.decision, f"{count}: {words}"))

    def _challenge(self, face: FaceResult, track: int, time_s: float) -> Challenge | None:
        """The track's challenge; another name or a failed one starts a new one."""
        person = face.decision.person
        name, challenge = self._open.get(track, ("", None))
        over = (
            challenge is not None
            and challenge.state == FAILED
            and time_s - (challenge.ended_s or 0.0) >= self.config.pause_s
        )
        if person is None or not (challenge is None or over or person != name):
            return challenge
        if challenge is not None:
            self._close(track, time_s)
        started = Challenge(time_s, self.config)
        if self._locked_s(person, time_s) > 0:
            started.refuse(time_s)
        self._open[track] = (person, started)
        return started

    def _close(self, track: int, time_s: float) -> None:
        """Forget a track's challenge; one that is under way is broken off."""
        name, challenge = self._open.pop(track)
        if challenge.state == RUNNING and challenge.has_ordered:
            self.broken += 1
            self._miss(name, time_s)

    def _miss(self, person: str, time_s: float) -> None:
        """Remember an attempt without success."""
        missed_s = self._missed_s.setdefault(person, deque(maxlen=self.config.tries))
        missed_s.append(time_s)

    def _locked_s(self, person: str, time_s: float) -> float:
        """How long the person has to wait for another attempt, 0 for not at all."""
        missed_s = list(self._missed_s.get(person, ()))
        if len(missed_s) < self.config.tries or time_s < missed_s[-1]:
            return 0.0
        return max(0.0, missed_s[0] + self.config.lock_s - time_s)


def _waiting(decision: Decision, words: str) -> Decision:
    """A match that does not count yet; any other decision stays."""
    if decision.state != "match":
        return decision
    reason = f"{PROMPT} {decision.person}, {words}"
    return Decision("uncertain", None, decision.score, decision.threshold, reason)
