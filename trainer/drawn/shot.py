"""One shot of a drawn person: pose, light, expression, place and the camera's faults."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

BLURRY_SIGMA = 1.15
"""Blur (sigma in hundredths of the picture's side) from which a shot is labelled Blurry."""


@dataclass(frozen=True)
class Light:
    """A key light over a soft surrounding light.

    Azimuth 0 is from the camera, positive from the viewer's right; elevation is above the
    horizon. ``warmth`` -1 (blue shade) to 1 (lamp light); ``exposure`` multiplies everything.
    """

    azimuth_deg: float = -25.0
    elevation_deg: float = 30.0
    key: float = 0.85
    ambient: float = 0.42
    warmth: float = 0.0
    exposure: float = 1.0


@dataclass(frozen=True)
class Expression:
    """What the face does: all 0 to 1 except gaze and brow (-1 to 1)."""

    smile: float = 0.2
    mouth_open: float = 0.0
    eye_open: float = 1.0
    brow: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0


@dataclass(frozen=True)
class Shot:
    """Everything about one picture that is not the person.

    ``shift_x``, ``shift_y`` are fractions of the picture's side, ``zoom`` multiplies the head's
    size, ``blur`` is a Gaussian sigma in hundredths of the side, ``noise`` a standard deviation in
    8-bit steps. ``hat_roll`` and ``glasses_roll`` (0 to 1) are compared with the person's habits;
    ``outfit`` (0 to 3) chooses among the person's clothes.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    light: Light = field(default_factory=Light)
    expression: Expression = field(default_factory=Expression)
    background_seed: int = 0
    blur: float = 0.0
    noise: float = 1.5
    shift_x: float = 0.0
    shift_y: float = 0.0
    zoom: float = 1.0
    hat_roll: float = 0.5
    glasses_roll: float = 0.5
    outfit: int = 0

    @classmethod
    def sample(cls, rng: np.random.Generator, *, ordinary: bool = True) -> Shot:
        """Draw a shot; ``ordinary=False`` adds strong poses, hard light, blur and noise."""
        reach = 1.0 if ordinary else 1.7
        blurry = rng.random() < (0.14 if ordinary else 0.3)
        return cls(
            yaw_deg=float(np.clip(rng.normal(0, 12 * reach), -24 * reach, 24 * reach)),
            pitch_deg=float(np.clip(rng.normal(0, 6 * reach), -12 * reach, 12 * reach)),
            roll_deg=float(np.clip(rng.normal(0, 5 * reach), -14 * reach, 14 * reach)),
            light=_light(rng, ordinary),
            expression=_expression(rng),
            background_seed=int(rng.integers(1 << 31)),
            blur=float(rng.uniform(1.3, 1.9) if blurry else rng.uniform(0.0, 0.45)),
            noise=float(rng.uniform(0.5, 5.0) * (1.0 if ordinary else 2.0)),
            shift_x=float(rng.uniform(-0.05, 0.05)),
            shift_y=float(rng.uniform(-0.04, 0.04)),
            zoom=float(rng.uniform(0.9, 1.1)),
            hat_roll=float(rng.random()),
            glasses_roll=float(rng.random()),
            outfit=int(rng.integers(4)),
        )


def _light(rng: np.random.Generator, ordinary: bool) -> Light:
    wide = 1.0 if ordinary else 1.5
    return Light(
        azimuth_deg=float(rng.uniform(-60, 60) * wide),
        elevation_deg=float(rng.uniform(8, 50)),
        key=float(rng.uniform(0.5, 0.98)),
        ambient=float(rng.uniform(0.3, 0.6) if ordinary else rng.uniform(0.12, 0.5)),
        warmth=float(np.clip(rng.normal(0, 0.45), -1, 1)),
        exposure=float(rng.uniform(0.82, 1.14) if ordinary else rng.uniform(0.45, 1.5)),
    )


def _expression(rng: np.random.Generator) -> Expression:
    mood = rng.random()
    smile = rng.uniform(0.6, 1.0) if mood < 0.5 else rng.uniform(0.0, 0.25)
    opened = rng.uniform(0.35, 1.0) if rng.random() < (0.55 if mood < 0.5 else 0.25) else 0.0
    return Expression(
        smile=float(smile),
        mouth_open=float(opened),
        eye_open=float(rng.uniform(0.82, 1.05)),
        brow=float(np.clip(rng.normal(0, 0.35), -1, 1)),
        gaze_x=float(np.clip(rng.normal(0, 0.3), -1, 1)),
        gaze_y=float(np.clip(rng.normal(0, 0.2), -1, 1)),
    )
