"""Eyes, brows and mouth: the parts of the face that are painted anew for every expression."""

from __future__ import annotations

import numpy as np

from trainer.drawn.canvas import (
    Sheet,
    blend_colours,
    bump,
    cloud,
    darken,
    disc,
    line,
    linear,
    paint,
    smooth,
)
from trainer.drawn.person import DrawnPerson
from trainer.drawn.relief import fold
from trainer.drawn.shot import Expression
from trainer.drawn.skin import hair_colour, skin_colour

EYE_X = 0.5


def paint_features(
    p: DrawnPerson,
    e: Expression,
    s: Sheet,
    colour: np.ndarray,
    relief: np.ndarray,
    gloss: np.ndarray,
) -> None:
    """Paint the expression into the patch ``s``, in place.

    ``colour`` is linear BGR [h, w, 3], ``relief`` the height in u [h, w], ``gloss`` the strength
    of the specular reflection [h, w].
    """
    rng = np.random.default_rng([p.seed, 0xB0])
    _smile_lines(p, e, s, colour, relief)
    for side in (-1.0, 1.0):
        _eye(p, e, s, side, colour, relief, gloss)
        _brow(p, e, s, side, colour, relief, rng)
    _mouth(p, e, s, colour, relief, gloss)


def _smile_lines(
    p: DrawnPerson, e: Expression, s: Sheet, colour: np.ndarray, relief: np.ndarray
) -> None:
    if e.smile <= 0.05:
        return
    crease = fold(p, s)
    relief -= 0.03 * e.smile * crease
    darken(colour, 0.24 * e.smile * crease, (1.0, 0.9, 0.62))
    for side in (-1.0, 1.0):
        relief += 0.09 * e.smile * bump(s, side * 0.68, 0.5, 0.2, 0.16, tilt=-0.4 * side)
        corner_x = side * (p.mouth_half_width + 0.13)
        dimple = bump(s, corner_x, p.mouth_y - 0.05, 0.035, 0.08)
        darken(colour, 0.25 * e.smile * dimple, (1.0, 0.9, 0.68))


def _eye(
    p: DrawnPerson,
    e: Expression,
    s: Sheet,
    side: float,
    colour: np.ndarray,
    relief: np.ndarray,
    gloss: np.ndarray,
) -> None:
    a = p.eye_half_width
    ex = (s.x - side * EYE_X) * side
    ey = s.y - 0.012 * p.asymmetry * side + p.eye_tilt * ex
    t = np.clip(ex / a, -1.0, 1.0)
    arc = np.clip(1.0 - np.abs(t + 0.08) ** 2.2, 0.0, 1.0)
    height = p.eye_height * e.eye_open
    upper = -height * (arc**0.7)
    lower = height * (0.62 - 0.2 * e.smile) * np.clip(1.0 - np.abs(t - 0.12) ** 2.0, 0.0, 1.0) ** 0.8
    within = smooth(1.02, 0.97, np.abs(ex / a))
    ball = smooth(upper - 0.008, upper + 0.008, ey) * smooth(lower + 0.008, lower - 0.008, ey) * within
    lid = smooth(upper - 0.16, upper - 0.06, ey) * smooth(upper + 0.02, upper, ey) * within
    if p.makeup == "heavy":
        tint = blend_colours(linear((96, 60, 92)), linear((120, 80, 50)), 0.5 + 0.5 * p.undertone)
        shade_y = upper - 0.09
        shadow = np.exp(-(((ey - shade_y) / 0.085) ** 2)) * smooth(1.3, 0.9, np.abs(ex / a))
        paint(colour, 0.5 * np.clip(shadow, 0, 1), tint)
    crease = line(ey - (upper * 1.08 - 0.062), 0.017) * smooth(1.02, 0.8, np.abs(t - 0.05))
    darken(colour, (0.42 + 0.1 * p.eye_depth) * crease * within, (1.0, 0.92, 0.72))
    relief += 0.035 * lid
    relief -= 0.02 * crease
    _eyeball(p, e, s, side, (ex, ey, upper, ball), colour)
    gloss += (0.55 - gloss) * ball
    relief += 0.02 * ball
    _lashes(p, (ex, ey, upper, lower), within, colour)


def _eyeball(
    p: DrawnPerson,
    e: Expression,
    s: Sheet,
    side: float,
    eye: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    colour: np.ndarray,
) -> None:
    ex, ey, upper, ball = eye
    white = np.broadcast_to(linear((236, 232, 228)), (*s.shape, 3)).copy()
    darken(white, 0.4 * smooth(0.55, 1.0, np.abs(ex / p.eye_half_width)), (0.75, 0.8, 0.6))
    cx = side * EYE_X + 0.06 * e.gaze_x
    cy = -0.018 + 0.035 * e.gaze_y
    dy = s.y - cy - 0.012 * p.asymmetry * side
    r = np.hypot(s.x - cx, dy)
    size = 0.128
    iris = linear(tuple(float(v) for v in p.iris_rgb))
    spokes = 0.12 * np.cos(np.arctan2(dy, s.x - cx) * 17.0)
    glow = 1.0 + spokes + 0.7 * smooth(-0.05, 0.1, dy) - 0.55 * smooth(0.75 * size, size, r)
    paint(white, smooth(size + 0.012, size - 0.006, r), iris * 1.35 * glow[..., None])
    paint(white, smooth(0.064, 0.05, r), linear((10, 9, 10)))
    darken(white, 0.62 * np.exp(-(np.clip(ey - upper, 0, None) / 0.05)), (0.95, 0.95, 0.9))
    pink = smooth(-0.82, -1.0, ex / p.eye_half_width)
    paint(white, 0.7 * pink, linear((206, 130, 120)))
    glint = smooth(0.036, 0.02, np.hypot(s.x - cx + 0.042, dy + 0.048))
    glint = np.maximum(glint, 0.35 * smooth(0.026, 0.012, np.hypot(s.x - cx - 0.05, dy - 0.045)))
    paint(white, glint, np.ones(3, np.float32))
    paint(colour, ball, white)


def _lashes(
    p: DrawnPerson,
    eye: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    within: np.ndarray,
    colour: np.ndarray,
) -> None:
    ex, ey, upper, lower = eye
    a = p.eye_half_width
    dark = blend_colours(linear((24, 16, 14)), hair_colour(p), 0.1)
    weight = {"none": 0.02 if p.male else 0.027, "lipstick": 0.03, "heavy": 0.04}[p.makeup]
    outer = smooth(-0.8, 0.7, ex / a)
    lash = line(ey - upper + 0.006, weight * (0.6 + 0.6 * outer)) * within
    if not p.male:
        wing_y = -0.26 * (ex - a * 0.8)
        reach = 1.28 if p.makeup == "heavy" else 1.14
        wing = line(ey - wing_y + 0.014, weight * 0.8) * smooth(0.78 * a, 0.9 * a, ex)
        lash = np.maximum(lash, wing * smooth(reach * a, (reach - 0.12) * a, ex))
    paint(colour, np.clip(1.15 * lash, 0, 1) * (0.85 if p.male else 0.96), dark)
    under = line(ey - lower - 0.004, 0.012) * within
    paint(colour, (0.62 if p.makeup == "heavy" else 0.36) * under, dark + 0.06)


def _brow(
    p: DrawnPerson,
    e: Expression,
    s: Sheet,
    side: float,
    colour: np.ndarray,
    relief: np.ndarray,
    rng: np.random.Generator,
) -> None:
    ex = (s.x - side * EYE_X) * side
    t = (ex + 0.34) / 0.74
    u = np.clip(t, 0.0, 1.0)
    middle = p.brow_y - 0.055 * e.brow + 0.02 * p.asymmetry * side - 0.01 * p.brow_ridge
    peak = np.where(u < 0.64, (u / 0.64) ** 1.3, 1.0 - ((u - 0.64) / 0.36) ** 1.6 * 0.95)
    curve = middle - (0.035 + 1.05 * p.brow_arch) * peak - 0.16 * p.brow_tilt * (u - 0.5)
    thick = p.brow_thickness * np.where(u < 0.6, 0.85 + 0.2 * u, np.clip(1.0 - (u - 0.6) * 1.9, 0.16, 1))
    streak = 0.3 * cloud(rng, s.shape, (18, 70))
    d = np.abs(s.y - curve + 0.01 * streak) - thick
    mask = smooth(0.022, -0.022, d) * smooth(-0.03, 0.05, t) * smooth(1.03, 0.96, t)
    ink = blend_colours(hair_colour(p) * 0.42, linear((40, 30, 26)), 0.5)
    if p.hair_colour == "gray":
        ink = hair_colour(p) * 0.42
    paint(colour, np.clip(mask * (0.86 + streak * 0.5), 0, 0.97), ink)
    relief += 0.02 * mask


def _mouth(
    p: DrawnPerson,
    e: Expression,
    s: Sheet,
    colour: np.ndarray,
    relief: np.ndarray,
    gloss: np.ndarray,
) -> None:
    half = p.mouth_half_width * (1.0 + 0.17 * e.smile - 0.07 * e.mouth_open)
    t = s.x / half
    u = np.clip(np.abs(t), 0.0, 1.0)
    arc = np.clip(1.0 - u**2.2, 0.0, 1.0)
    middle = p.mouth_y + 0.045 * e.smile + (0.012 - 0.13 * e.smile) * u**2
    middle = middle + 0.012 * p.asymmetry * t
    gap = e.mouth_open * (0.15 + 0.05 * e.smile) * arc**0.75
    bow = 1.0 - 0.2 * np.exp(-((s.x / 0.05) ** 2)) + 0.16 * np.exp(-(((np.abs(s.x) - 0.1) / 0.07) ** 2))
    upper_top = middle - 0.3 * gap - p.upper_lip * (1.0 - 0.22 * e.smile) * arc**0.72 * bow
    upper_low = middle - 0.3 * gap
    lower_top = middle + 0.7 * gap
    lower_low = lower_top + p.lower_lip * (1.0 - 0.12 * e.smile) * arc**0.6
    within = smooth(1.03, 0.98, np.abs(t))
    soft = 0.012 if p.makeup != "none" else 0.02
    upper = smooth(upper_top - soft, upper_top + soft, s.y) * smooth(upper_low + 0.006, upper_low, s.y)
    lower = smooth(lower_low + soft, lower_low - soft, s.y) * smooth(lower_top - 0.006, lower_top, s.y)
    upper, lower = upper * within, lower * within
    skin = skin_colour(p)
    rose = linear((196, 96, 92)) * 0.55 + skin * 0.45 * np.array([0.62, 0.55, 0.9], np.float32)
    lip = blend_colours(skin * np.array([0.7, 0.62, 0.86], np.float32), rose, 0.25 if p.male else 0.6)
    if p.makeup != "none":
        lip = linear(tuple(float(v) for v in p.lipstick_rgb))
    hole = smooth(upper_low - 0.008, upper_low + 0.008, s.y) * smooth(
        lower_top + 0.008, lower_top - 0.008, s.y
    )
    hole = hole * within * smooth(0.0, 0.02, gap)
    paint(colour, upper, lip * 0.82)
    plump = 0.92 + 0.2 * np.exp(-(((s.y - (lower_top * 0.55 + lower_low * 0.45)) / 0.04) ** 2))
    paint(colour, lower, lip * plump[..., None])
    _inside(s, e, colour, hole, (t, upper_low, lower_top))
    seam = line(s.y - middle, 0.016) * smooth(1.1, 1.0, np.abs(t)) * smooth(0.05, 0.0, gap)
    darken(colour, 0.72 * seam, (1.0, 0.96, 0.85))
    for side in (-1.0, 1.0):
        corner = bump(s, side * half * 1.01, float(middle[0, 0]) * 0 + p.mouth_y - 0.085 * e.smile + 0.012, 0.03, 0.022)
        darken(colour, 0.5 * corner, (1.0, 0.93, 0.8))
    body = np.exp(-(((s.y - (lower_top + lower_low) / 2) / 0.07) ** 2)) * arc * within
    relief += 0.06 * body * (p.lower_lip / 0.1) ** 0.5
    relief += 0.045 * np.exp(-(((s.y - (upper_top + upper_low) / 2) / 0.05) ** 2)) * arc * within
    relief -= 0.05 * hole
    shine = 0.34 if p.makeup != "none" else 0.2
    gloss += (shine - gloss) * np.clip(upper + lower, 0, 1)
    gloss += (0.12 - gloss) * hole


def _inside(
    s: Sheet,
    e: Expression,
    colour: np.ndarray,
    hole: np.ndarray,
    mouth: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    t, upper_low, lower_top = mouth
    inside = np.broadcast_to(linear((74, 22, 24)), (*s.shape, 3)).copy()
    tongue = disc(s, 0.0, float(lower_top.max()) + 0.01, 0.2, 0.07, 0.03)
    paint(inside, tongue, linear((186, 84, 84)))
    length = (0.07 + 0.045 * e.smile) * np.clip(1.0 - 0.4 * np.abs(t) ** 2, 0.2, 1)
    row = smooth(upper_low + length + 0.008, upper_low + length - 0.008, s.y)
    row = row * smooth(0.9, 0.76, np.abs(t))
    teeth = linear((240, 236, 226)) * (1.0 - 0.35 * smooth(0.3, 0.9, np.abs(t)))[..., None]
    gaps = np.exp(-((np.sin(s.x * np.pi / 0.1) / 0.16) ** 2))
    teeth = teeth * (1.0 - 0.13 * gaps)[..., None]
    paint(inside, row, teeth)
    darken(inside, 0.4 * np.exp(-np.clip(s.y - upper_low, 0, None) / 0.022), (1, 1, 1))
    paint(colour, hole, inside)
