"""How a drawn person moves before a fixed camera: comes in, looks about, talks, blinks, leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.drawn.person import DrawnPerson
from trainer.drawn.shot import Expression, Light, Shot
from trainer.drawn.view import View

WALK_S = 1.2
"""Seconds that coming in and leaving take each, or a fifth of a short visit."""

OUTSIDE_U = 3.8
"""Distance of the head from the picture's edge at which nothing of a person is seen, in u."""

EYES_Y = 0.42
"""Height of the eyes as a share of the picture's height."""

U_PER_HEIGHT = (8.0, 9.4)
"""Height of the picture in u for one person in it and for two."""


@dataclass(frozen=True)
class Role:
    """One person's part in a visit.

    ``scale_px``: size of a u. ``place_px``: where the point between the eyes rests. ``door_px``:
    x of that point before coming in and after leaving. ``phases``: 8 numbers in 0 to 2 pi, drawn
    once, that make the movements this person's own. ``shot``: what does not change in the visit.
    """

    person: DrawnPerson
    seconds: float
    scale_px: float
    place_px: tuple[float, float]
    door_px: float
    phases: tuple[float, ...]
    shot: Shot

    def at(self, time_s: float) -> tuple[Shot, View]:
        """Return the shot and the view at a time since the visit began, in s."""
        away, heading = self._walk(time_s)
        shot = self._act(time_s, away, heading)
        a = self.phases
        stride = 0.05 * away * abs(np.sin(np.pi * 1.9 * time_s))
        sway = 0.05 * np.sin(0.9 * time_s + a[0]) * (1.0 - away)
        x = self.place_px[0] + (self.door_px - self.place_px[0]) * away + sway * self.scale_px
        y = self.place_px[1] + (0.03 * np.sin(0.7 * time_s + a[1]) - stride) * self.scale_px
        view = View(self.scale_px, shot.roll_deg, 0.0, 0.0)
        return shot, view.put((0.0, 0.0), (float(x), float(y)))

    def _walk(self, time_s: float) -> tuple[float, float]:
        """Return how far away the person is (0 in place, 1 outside) and where they walk to.

        The second is -1 to the left, 1 to the right, less when slow, 0 when standing.
        """
        walk_s = min(WALK_S, 0.2 * self.seconds)
        left_s = min(time_s, self.seconds - time_s)
        t = float(np.clip(left_s / walk_s, 0.0, 1.0))
        away = 1.0 - t * t * (3.0 - 2.0 * t)
        inwards = np.sign(self.place_px[0] - self.door_px)
        coming = 1.0 if time_s < self.seconds / 2 else -1.0
        return away, float(inwards * coming * min(1.0, 2.0 * away))

    def _act(self, time_s: float, away: float, heading: float) -> Shot:
        t, a, calm = time_s, self.phases, 1.0 - away
        look = 0.6 * np.sin(0.8 * t + a[2]) + 0.4 * np.sin(1.9 * t + a[3])
        talk = np.clip(2.5 * np.sin(1.1 * t + a[4]), 0.0, 1.0) * calm
        blink = (t + a[5]) % 3.1 < 0.16
        expression = Expression(
            smile=float(0.4 + 0.4 * np.sin(0.5 * t + a[6])),
            mouth_open=float(0.75 * talk * abs(np.sin(7.3 * t + 0.8 * np.sin(2.9 * t)))),
            eye_open=0.12 if blink else 1.0,
            brow=float(0.4 * np.sin(1.3 * t + a[7])),
            gaze_x=float(-0.35 * look),
            gaze_y=float(0.2 * np.sin(0.6 * t + a[0])),
        )
        fixed = self.shot
        return Shot(
            yaw_deg=float(22.0 * look * calm + 28.0 * heading),
            pitch_deg=float(4.0 * np.sin(0.7 * t + a[1])),
            roll_deg=float(3.5 * np.sin(0.9 * t + a[3]) * calm),
            light=fixed.light,
            expression=expression,
            hat_roll=fixed.hat_roll,
            glasses_roll=fixed.glasses_roll,
            outfit=fixed.outfit,
        )


def cast(
    people: tuple[DrawnPerson, ...],
    seconds: float,
    *,
    size: tuple[int, int],
    light: Light,
    rng: np.random.Generator,
) -> list[Role]:
    """Give one person the middle of the picture, or two people (at most) a side each.

    ``size`` is (width, height) in px. Two people come in and leave each on their own side.
    """
    width, height = size
    scale = height / U_PER_HEIGHT[len(people) > 1]
    spots: tuple[float, ...] = ((), (0.5,), (0.29, 0.71))[len(people)]
    roles = []
    for spot, person in zip(spots, people, strict=True):
        from_left = spot < 0.5 if len(people) > 1 else bool(rng.random() < 0.5)
        door = -OUTSIDE_U * scale if from_left else width + OUTSIDE_U * scale
        x = width * (spot + rng.uniform(-0.03, 0.03))
        y = height * (EYES_Y + rng.uniform(-0.03, 0.03))
        shot = Shot(
            light=light,
            hat_roll=float(rng.random()),
            glasses_roll=float(rng.random()),
            outfit=int(rng.integers(4)),
        )
        phases = tuple(float(v) for v in rng.uniform(0, 2 * np.pi, 8))
        roles.append(Role(person, seconds, float(scale), (float(x), float(y)), door, phases, shot))
    return roles
