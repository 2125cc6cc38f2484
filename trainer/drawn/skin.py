"""The colour of a bare face: tone, blush, freckles, shadows of the relief, stubble and beard."""

from __future__ import annotations

import numpy as np

from trainer.drawn.canvas import (
    Sheet,
    blend_colours,
    blur,
    bump,
    cloud,
    cut_planes,
    darken,
    disc,
    flat,
    full,
    line,
    linear,
    paint,
    planes,
    smooth,
)
from trainer.drawn.person import DrawnPerson
from trainer.drawn.relief import wrinkles

_TONES = [
    (255, 226, 210),
    (247, 208, 180),
    (234, 184, 148),
    (212, 156, 116),
    (172, 118, 80),
    (126, 82, 56),
    (92, 58, 42),
]

HAIR_RGB: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "black": ((22, 19, 20), (40, 34, 34)),
    "brown": ((78, 50, 32), (124, 82, 50)),
    "blond": ((196, 152, 88), (236, 206, 140)),
    "gray": ((140, 140, 142), (222, 220, 216)),
    "red": ((134, 58, 28), (176, 84, 40)),
}


def skin_colour(p: DrawnPerson) -> np.ndarray:
    """Linear BGR colour of the person's skin, float32 [3, 1, 1]."""
    place = p.skin_tone * (len(_TONES) - 1)
    k = min(int(place), len(_TONES) - 2)
    tone = blend_colours(linear(_TONES[k]), linear(_TONES[k + 1]), place - k)
    return tone * planes(1.0 - 0.08 * p.undertone, 1.0, 1.0 + 0.05 * p.undertone)


def hair_colour(p: DrawnPerson) -> np.ndarray:
    """Linear BGR colour of the person's hair, float32 [3, 1, 1]."""
    dark, light = HAIR_RGB[p.hair_colour]
    return blend_colours(linear(dark), linear(light), 0.5 + 0.5 * p.hair_shade)


def face_colour(p: DrawnPerson, s: Sheet, rng: np.random.Generator) -> np.ndarray:
    """Paint the face without eyes, brows and lips: linear BGR, float32 [3, h, w]."""
    colour = flat(s, skin_colour(p))
    inside, cut = s.part(-1.6, -1.9, 1.6, p.chin_y + 0.4)
    face = cut_planes(colour, cut)
    face *= 1.0 + 0.018 * cloud(rng, inside, 4) + 0.012 * cloud(rng, inside, 14)
    _blush(p, inside, face)
    _shadows(p, inside, face)
    if p.freckles:
        _freckles(p, inside, face, rng)
    if not p.young:
        darken(face, 0.3 * wrinkles(p, inside), (1.0, 0.95, 0.75))
    _mole(inside, face, rng)
    if p.beard != "none":
        _beard(p, inside, face, rng)
    return colour


def _blush(p: DrawnPerson, s: Sheet, colour: np.ndarray) -> None:
    warm = 0.16 * bump(s, 0.0, p.nose_y, 0.2, 0.16)
    for side in (-1.0, 1.0):
        warm += (0.12 + 0.5 * p.rosy) * bump(s, side * 0.68, 0.58, 0.24, 0.2)
        warm += 0.3 * bump(s, side * (p.face_half_width + 0.05), 0.3, 0.16, 0.3)
        if p.makeup == "heavy":
            warm += 0.3 * bump(s, side * 0.78, 0.5, 0.26, 0.11, tilt=-0.5 * side)
    warm += 0.08 * bump(s, 0.0, p.chin_y - 0.15, 0.2, 0.15)
    darken(colour, np.clip(warm, 0, 0.8) * (1.0 - 0.35 * p.skin_tone), (0.62, 0.66, 0.04))


def _shadows(p: DrawnPerson, s: Sheet, colour: np.ndarray) -> None:
    shade = 0.12 * bump(s, 0.0, p.nose_y + 0.2, p.nose_half_width * 0.8, 0.05)
    shade += 0.22 * bump(s, 0.0, p.mouth_y + 0.07 + p.lower_lip * 1.25, 0.17, 0.04)
    for side in (-1.0, 1.0):
        x = side * (p.nose_half_width - 0.115)
        shade += 0.4 * disc(s, x, p.nose_y + 0.125, 0.062, 0.032, 0.03)
        wing_x = side * (p.nose_half_width - 0.06)
        wing = np.hypot(s.x - wing_x, s.y - p.nose_y - 0.06)
        shade += 0.2 * line(wing - 0.085, 0.028) * smooth(-0.01, 0.05, (s.x - wing_x) * side)
        shade += (0.12 + 0.12 * p.eye_depth) * bump(s, side * 0.3, -0.13, 0.12, 0.13)
        shade += 0.1 * bump(s, side * 0.13, 0.2, 0.06, 0.22)
    darken(colour, np.clip(shade, 0, 0.9), (0.95, 0.88, 0.68))
    for side in (-1.0, 1.0):
        bag = bump(s, side * 0.47, 0.24, 0.2, 0.05, tilt=0.12 * side)
        bag += 0.5 * bump(s, side * 0.34, 0.17, 0.1, 0.06)
        darken(colour, (0.07 + 0.4 * p.bags) * np.clip(bag, 0, 1), (0.6, 0.9, 0.72))
        if p.bags > 0.4:
            crease = line(s.y - (0.31 - 0.35 * (s.x - side * 0.48) ** 2), 0.02)
            crease = crease * smooth(0.28, 0.1, np.abs(s.x - side * 0.47))
            darken(colour, 0.34 * p.bags * crease, (1.0, 0.95, 0.75))


def _freckles(p: DrawnPerson, s: Sheet, colour: np.ndarray, rng: np.random.Generator) -> None:
    where = bump(s, 0.0, 0.38, 0.6, 0.2) * smooth(1.0, 1.7, cloud(rng, s, 18))
    darken(colour, 0.5 * p.freckles * where, (1.0, 0.75, 0.42))


def _mole(s: Sheet, colour: np.ndarray, rng: np.random.Generator) -> None:
    if rng.random() < 0.3:
        x = rng.uniform(0.3, 0.8) * rng.choice([-1, 1])
        darken(colour, 0.75 * disc(s, x, rng.uniform(0.4, 1.1), 0.024, 0.024, 0.02), (1, 0.9, 0.75))


def _beard(p: DrawnPerson, s: Sheet, colour: np.ndarray, rng: np.random.Generator) -> None:
    pigment = hair_colour(p) * (0.8 if p.hair_colour != "black" else 1.0)
    mask = beard_mask(p, s, rng)
    streak = cloud(rng, s, (17, 25)) * 0.5 + cloud(rng, s, (9, 28)) * 0.5
    if p.beard == "stubble":
        grain = np.clip(0.62 + 0.2 * streak, 0, 1)
        paint(colour, 0.5 * mask * grain, pigment * 0.7 + linear((70, 78, 90)) * 0.3)
        return
    hair = pigment * (1.0 + 0.28 * streak)
    paint(colour, mask * np.clip(0.94 + 0.05 * streak, 0, 1), np.clip(hair, 0.002, 1))


def beard_mask(p: DrawnPerson, s: Sheet, rng: np.random.Generator) -> np.ndarray:
    """Where facial hair grows, 0 to 1, float32 [h, w]."""
    top = p.nose_y + 0.19
    lip_top = p.mouth_y - p.upper_lip
    ragged = 0.025 * cloud(rng, s, 9)
    x = np.abs(s.x)
    drop = np.clip((x - 0.08) / (p.mouth_half_width + 0.05), 0, 1.4) ** 2
    stash_middle = (top + lip_top) / 2 + 0.13 * drop
    thick = max(0.06, (lip_top - top) * 0.55) * (1.15 - 0.45 * drop)
    stash = smooth(0.03, -0.03, np.abs(s.y - stash_middle) - thick + ragged)
    stash *= smooth(p.mouth_half_width + 0.12, p.mouth_half_width + 0.02, x)
    if p.beard == "mustache":
        return stash
    chin = disc(s, 0.0, p.chin_y - 0.13, 0.34, p.chin_y - p.mouth_y - 0.24, 0.1)
    chin = np.maximum(chin, 0.9 * bump(s, 0.0, p.mouth_y + 0.2, 0.07, 0.1))
    if p.beard == "goatee":
        return full(s, chin)
    edge = 0.32 + 0.62 * smooth(p.face_half_width + 0.02, 0.42, x) + ragged
    cheeks = smooth(edge - 0.05, edge + 0.12, s.y)
    hollow = smooth(1.0, 1.25, np.hypot(x / (p.mouth_half_width + 0.1), (s.y - p.mouth_y) / 0.2))
    return blur(s, np.maximum(cheeks * hollow, np.maximum(stash, chin)), 0.02)
