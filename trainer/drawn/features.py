"""Eyes, brows and mouth: the parts of the face that are painted again for every expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.drawn.canvas import (
    Sheet,
    blend_colours,
    bump,
    cloud,
    cut_planes,
    darken,
    disc,
    flat,
    line,
    linear,
    paint,
    planes,
    smooth,
)
from trainer.drawn.person import DrawnPerson
from trainer.drawn.relief import fold
from trainer.drawn.shot import Expression
from trainer.drawn.skin import hair_colour, skin_colour

EYE_X = 0.5
IRIS_U = 0.128


@dataclass(frozen=True)
class Surface:
    """A piece of the face that is being painted, changed in place.

    ``colour`` is linear BGR [3, h, w], ``relief`` the height in u [h, w], ``gloss`` the strength
    of the specular reflection [h, w], all float32 on the sheet ``s``.
    """

    s: Sheet
    colour: np.ndarray
    relief: np.ndarray
    gloss: np.ndarray

    def part(self, left_u: float, top_u: float, right_u: float, bottom_u: float) -> Surface:
        """Return the piece within an extent; painting it paints this one."""
        s, cut = self.s.part(left_u, top_u, right_u, bottom_u)
        return Surface(s, cut_planes(self.colour, cut), self.relief[cut], self.gloss[cut])


def paint_features(p: DrawnPerson, e: Expression, face: Surface) -> None:
    """Paint the expression into a piece of the face, in place."""
    if e.smile > 0.05:
        _smile_lines(p, e, face)
    for side in (-1.0, 1.0):
        left, right = sorted((side * 0.04, side * 0.99))
        _eye(p, e, face.part(left, -0.42, right, 0.3), side)
        _brow(p, e, face.part(left, -0.72, right, -0.06), side)
    _mouth(p, e, face.part(-0.7, p.mouth_y - 0.36, 0.7, p.mouth_y + 0.5))


def _smile_lines(p: DrawnPerson, e: Expression, face: Surface) -> None:
    face = face.part(-1.0, 0.0, 1.0, p.mouth_y + 0.35)
    s = face.s
    crease = fold(p, s)
    face.relief[...] -= 0.03 * e.smile * crease
    darken(face.colour, 0.24 * e.smile * crease, (1.0, 0.9, 0.62))
    for side in (-1.0, 1.0):
        cheek = bump(s, side * 0.68, 0.5, 0.2, 0.16, tilt=-0.4 * side)
        face.relief[...] += 0.09 * e.smile * cheek
        dimple = bump(s, side * (p.mouth_half_width + 0.13), p.mouth_y - 0.05, 0.035, 0.08)
        darken(face.colour, 0.25 * e.smile * dimple, (1.0, 0.9, 0.68))


@dataclass(frozen=True)
class _Eye:
    """Where one eye is on its sheet: outward and tilted coordinates, lids, opening (0 to 1)."""

    side: float
    ex: np.ndarray
    ey: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    within: np.ndarray
    ball: np.ndarray


def _shape_eye(p: DrawnPerson, e: Expression, s: Sheet, side: float) -> _Eye:
    a = p.eye_half_width
    ex = (s.x - side * EYE_X) * side
    ey = s.y - 0.012 * p.asymmetry * side + p.eye_tilt * ex
    t = np.clip(ex / a, -1.0, 1.0)
    height = p.eye_height * e.eye_open
    upper = -height * np.clip(1.0 - np.abs(t + 0.08) ** 2.2, 0.0, 1.0) ** 0.7
    sag = 0.62 - 0.2 * e.smile
    lower = height * sag * np.clip(1.0 - np.abs(t - 0.12) ** 2.0, 0.0, 1.0) ** 0.8
    within = smooth(1.02, 0.97, np.abs(ex / a))
    ball = smooth(upper - 0.008, upper + 0.008, ey) * smooth(lower + 0.008, lower - 0.008, ey)
    return _Eye(side, ex, ey, upper, lower, within, ball * within)


def _eye(p: DrawnPerson, e: Expression, face: Surface, side: float) -> None:
    eye = _shape_eye(p, e, face.s, side)
    t = eye.ex / p.eye_half_width
    above = eye.ey - eye.upper
    lid = smooth(-0.16, -0.06, above) * smooth(0.02, 0.0, above) * eye.within
    if p.makeup == "heavy":
        tint = blend_colours(linear((96, 60, 92)), linear((120, 80, 50)), 0.5 + 0.5 * p.undertone)
        shadow = line(above + 0.09, 0.12) * smooth(1.3, 0.9, np.abs(t))
        paint(face.colour, 0.5 * shadow, tint)
    bend = smooth(1.02, 0.8, np.abs(np.clip(t, -1.0, 1.0) - 0.05)) * eye.within
    crease = line(eye.ey - (eye.upper * 1.08 - 0.062), 0.017) * bend
    darken(face.colour, (0.42 + 0.1 * p.eye_depth) * crease, (1.0, 0.92, 0.72))
    _eyeball(p, e, face, eye)
    face.gloss[...] += (0.55 - face.gloss) * eye.ball
    face.relief[...] += 0.035 * lid - 0.02 * crease + 0.02 * eye.ball
    _lashes(p, face.colour, eye)


def _eyeball(p: DrawnPerson, e: Expression, face: Surface, eye: _Eye) -> None:
    s, t = face.s, eye.ex / p.eye_half_width
    white = flat(s, linear((236, 232, 228)))
    darken(white, 0.4 * smooth(0.55, 1.0, np.abs(t)), (0.75, 0.8, 0.6))
    dx = s.x - eye.side * EYE_X - 0.06 * e.gaze_x
    dy = s.y + 0.018 - 0.035 * e.gaze_y - 0.012 * p.asymmetry * eye.side
    r = np.hypot(dx, dy)
    spokes = 0.12 * np.cos(np.arctan2(dy, dx) * 17.0)
    rim = 0.55 * smooth(0.75 * IRIS_U, IRIS_U, r)
    glow = 1.35 + 1.35 * (spokes + 0.7 * smooth(-0.05, 0.1, dy) - rim)
    paint(white, smooth(IRIS_U + 0.012, IRIS_U - 0.006, r), linear(p.iris_rgb) * glow)
    paint(white, smooth(0.064, 0.05, r), linear((10, 9, 10)))
    darken(white, 0.62 * np.exp(-(np.clip(eye.ey - eye.upper, 0, None) / 0.05)), (0.95, 0.95, 0.9))
    paint(white, 0.5 * smooth(-0.82, -1.0, t), linear((206, 130, 124)))
    glint = smooth(0.034, 0.018, np.hypot(dx + 0.045, dy + 0.045))
    glint = np.maximum(glint, 0.4 * smooth(0.03, 0.01, np.hypot(dx - 0.05, dy - 0.045)))
    paint(white, glint, planes(1.0, 1.0, 1.0))
    paint(face.colour, eye.ball, white)


def _lashes(p: DrawnPerson, colour: np.ndarray, eye: _Eye) -> None:
    ex, a = eye.ex, p.eye_half_width
    dark = blend_colours(linear((24, 16, 14)), hair_colour(p), 0.1)
    weight = {"none": 0.02 if p.male else 0.027, "lipstick": 0.03, "heavy": 0.04}[p.makeup]
    thick = weight * (0.6 + 0.6 * smooth(-0.8, 0.7, ex / a))
    lash = line(eye.ey - eye.upper + 0.006, thick) * eye.within
    if not p.male:
        wing = line(eye.ey + 0.26 * (ex - a * 0.8) + 0.014, weight * 0.8)
        wing = wing * smooth(0.78 * a, 0.9 * a, ex)
        reach = 1.28 if p.makeup == "heavy" else 1.14
        lash = np.maximum(lash, wing * smooth(reach * a, (reach - 0.12) * a, ex))
    paint(colour, np.clip(1.15 * lash, 0, 1) * (0.85 if p.male else 0.96), dark)
    under = line(eye.ey - eye.lower - 0.004, 0.012) * eye.within
    paint(colour, (0.62 if p.makeup == "heavy" else 0.36) * under, dark + 0.06)


def _brow(p: DrawnPerson, e: Expression, face: Surface, side: float) -> None:
    s = face.s
    t = ((s.x - side * EYE_X) * side + 0.34) / 0.74
    u = np.clip(t, 0.0, 1.0)
    middle = p.brow_y - 0.055 * e.brow + 0.02 * p.asymmetry * side - 0.01 * p.brow_ridge
    climb = np.minimum(u / 0.64, 1.0) ** 1.3
    fall = np.maximum((u - 0.64) / 0.36, 0.0) ** 1.6
    curve = middle - (0.035 + 1.05 * p.brow_arch) * (0.45 + 0.55 * climb - 0.95 * fall)
    curve = curve - 0.16 * p.brow_tilt * (u - 0.5)
    taper = np.minimum(0.85 + 0.2 * u, np.clip(1.0 - (u - 0.6) * 1.9, 0.16, 1.0))
    rng = np.random.default_rng([p.seed, 0xB0])
    hairs = _slanted(cloud(rng, s, (5, 24)), side)
    d = np.abs(s.y - curve) - p.brow_thickness * taper + 0.008 * hairs
    mask = smooth(0.026, -0.03, d) * smooth(-0.04, 0.08, t) * smooth(1.03, 0.94, t)
    ink = hair_colour(p) * 0.42
    if p.hair_colour != "gray":
        ink = blend_colours(ink, linear((40, 30, 26)), 0.5)
    paint(face.colour, np.clip(mask * (0.84 + 0.07 * hairs), 0, 0.97), ink)
    face.relief[...] += 0.02 * mask


def _slanted(noise: np.ndarray, side: float) -> np.ndarray:
    """Lean the vertical strands of a noise outwards, one texel a row; the width wraps round."""
    rows = np.arange(noise.shape[0])[:, None]
    columns = np.arange(noise.shape[1])[None, :]
    return noise[rows, (columns + round(side) * rows) % noise.shape[1]]


@dataclass(frozen=True)
class _Lips:
    """The mouth's edges: heights in every column ([1, w], in u) and ``t``, -1 to 1 across."""

    half: float
    t: np.ndarray
    arc: np.ndarray
    middle: np.ndarray
    gap: np.ndarray
    upper_top: np.ndarray
    upper_low: np.ndarray
    lower_top: np.ndarray
    lower_low: np.ndarray


def _shape_lips(p: DrawnPerson, e: Expression, s: Sheet) -> _Lips:
    half = mouth_half_width(p, e)
    t = s.x / half
    u = np.clip(np.abs(t), 0.0, 1.0)
    arc = np.clip(1.0 - u**2.2, 0.0, 1.0)
    middle = p.mouth_y + 0.045 * e.smile + (0.012 - 0.13 * e.smile) * u**2
    middle = middle + 0.012 * p.asymmetry * t
    gap = e.mouth_open * (0.15 + 0.05 * e.smile) * arc**0.75
    bow = 1.0 - 0.2 * line(s.x, 0.05) + 0.16 * line(np.abs(s.x) - 0.1, 0.07)
    upper_low = middle - 0.3 * gap
    upper_top = upper_low - p.upper_lip * (1.0 - 0.22 * e.smile) * arc**0.72 * bow
    lower_top = middle + 0.7 * gap
    lower_low = lower_top + p.lower_lip * (1.0 - 0.12 * e.smile) * arc**0.6
    return _Lips(half, t, arc, middle, gap, upper_top, upper_low, lower_top, lower_low)


def mouth_half_width(p: DrawnPerson, e: Expression) -> float:
    """Half the distance between the mouth's corners, in u."""
    return p.mouth_half_width * (1.0 + 0.17 * e.smile - 0.07 * e.mouth_open)


def mouth_corner_y(p: DrawnPerson, e: Expression) -> float:
    """Height of the mouth's corners below the eyes, in u."""
    return p.mouth_y - 0.085 * e.smile + 0.012


def _mouth(p: DrawnPerson, e: Expression, face: Surface) -> None:
    s, lips = face.s, _shape_lips(p, e, face.s)
    within = smooth(1.03, 0.98, np.abs(lips.t))
    soft = 0.012 if p.makeup != "none" else 0.02
    upper = smooth(lips.upper_top - soft, lips.upper_top + soft, s.y)
    upper *= smooth(lips.upper_low + 0.006, lips.upper_low, s.y) * within
    lower = smooth(lips.lower_low + soft, lips.lower_low - soft, s.y)
    lower *= smooth(lips.lower_top - 0.006, lips.lower_top, s.y) * within
    hole = smooth(lips.upper_low - 0.008, lips.upper_low + 0.008, s.y)
    hole *= smooth(lips.lower_top + 0.008, lips.lower_top - 0.008, s.y)
    hole *= within * smooth(0.0, 0.02, lips.gap)
    lip = _lip_colour(p)
    paint(face.colour, upper, lip * 0.82)
    plump = line(s.y - (lips.lower_top * 0.55 + lips.lower_low * 0.45), 0.04)
    paint(face.colour, lower, lip * (0.92 + 0.2 * plump))
    if e.mouth_open > 0.0:
        _inside(e, face, lips, hole)
    seam = line(s.y - lips.middle, 0.02) * smooth(1.1, 1.0, np.abs(lips.t))
    darken(face.colour, 0.82 * seam * smooth(0.05, 0.0, lips.gap), (1.0, 0.96, 0.85))
    for side in (-1.0, 1.0):
        corner = bump(s, side * lips.half * 1.01, mouth_corner_y(p, e), 0.035, 0.025)
        darken(face.colour, 0.6 * corner, (1.0, 0.93, 0.8))
    body = line(s.y - (lips.lower_top + lips.lower_low) / 2, 0.07) * (lips.arc * within)
    rise = line(s.y - (lips.upper_top + lips.upper_low) / 2, 0.05) * (lips.arc * within)
    face.relief[...] += 0.06 * (p.lower_lip / 0.1) ** 0.5 * body + 0.045 * rise - 0.05 * hole
    shine = 0.34 if p.makeup != "none" else 0.2
    face.gloss[...] += (shine - face.gloss) * np.clip(upper + lower, 0, 1)
    face.gloss[...] += (0.12 - face.gloss) * hole


def _lip_colour(p: DrawnPerson) -> np.ndarray:
    if p.makeup != "none":
        return linear(p.lipstick_rgb)
    skin = skin_colour(p)
    rose = linear((196, 96, 92)) * 0.55 + skin * planes(0.28, 0.25, 0.4)
    return blend_colours(skin * planes(0.7, 0.62, 0.86), rose, 0.45 if p.male else 0.65)


def _inside(e: Expression, face: Surface, lips: _Lips, hole: np.ndarray) -> None:
    """Paint the open mouth: tongue, teeth and the lip's shadow on them."""
    s, off = face.s, np.abs(lips.t)
    inside = flat(s, linear((74, 22, 24)))
    tongue = disc(s, 0.0, float(lips.lower_top.max()) + 0.01, 0.2, 0.07)
    paint(inside, tongue, linear((186, 84, 84)))
    edge = lips.upper_low + (0.07 + 0.045 * e.smile) * np.clip(1.0 - 0.4 * off**2, 0.2, 1)
    row = smooth(edge + 0.008, edge - 0.008, s.y) * smooth(0.9, 0.76, off)
    gaps = line(np.sin(s.x * np.pi / 0.1), 0.16)
    shade = (1.0 - 0.35 * smooth(0.3, 0.9, off)) * (1.0 - 0.13 * gaps)
    paint(inside, row, linear((240, 236, 226)) * shade)
    darken(inside, 0.4 * np.exp(-np.clip(s.y - lips.upper_low, 0, None) / 0.022), (1, 1, 1))
    paint(face.colour, hole, inside)
