"""The height map of a face: skull, brow, eye sockets, cheeks, nose, chin and wrinkles."""

from __future__ import annotations

import numpy as np

from trainer.drawn.canvas import Sheet, bump, full, line, smooth
from trainer.drawn.person import DrawnPerson

HEAD_DEPTH_U = 1.25
WIDEST_Y = -0.05
"""Height (in u below the eyes) at which the head is widest."""

CROWN_POWER = 2.5
"""Exponent of the superellipse of the skull above its widest place; 2 would be an egg."""


def radius(p: DrawnPerson, s: Sheet, *, grow: float = 0.0, top: float = 0.0) -> np.ndarray:
    """Distance from the face's middle as a share of its outline (1 on the outline), [h, w].

    ``grow`` widens the outline and ``top`` lifts the crown, both in u (for hair and hats).
    """
    side = np.abs(s.x) / (p.face_half_width + grow)
    split = int(np.count_nonzero(s.y < WIDEST_Y))
    up = (WIDEST_Y - s.y[:split]) / (WIDEST_Y - p.crown_y + top)
    down = (s.y[split:] - WIDEST_Y) / (p.chin_y - WIDEST_Y)
    above = (side**CROWN_POWER + up**CROWN_POWER) ** (1.0 / CROWN_POWER)
    below = (side**p.jaw_round + down**p.jaw_power) ** (1.0 / p.jaw_round)
    return np.concatenate([above, below])


def dome(r: np.ndarray, depth: float = HEAD_DEPTH_U) -> np.ndarray:
    """Height of a rounded body whose outline is r = 1; flat in the middle, steep at the edge."""
    return depth * np.sqrt(np.clip(1.0 - r**2.4, 0.015, None))


def face_relief(p: DrawnPerson, s: Sheet, r: np.ndarray) -> np.ndarray:
    """Return the height of the bare face in u, float32 [h, w]; lips and eyelids come per shot."""
    z = dome(r)
    inside, cut = s.part(-1.5, -1.1, 1.5, p.chin_y + 0.3)
    _bones(p, inside, z[cut])
    _nose(p, inside, z[cut])
    _mouth_and_chin(p, inside, z[cut])
    z[cut] -= 0.022 * wrinkles(p, inside)
    return z


def _bones(p: DrawnPerson, s: Sheet, z: np.ndarray) -> None:
    for side in (-1.0, 1.0):
        z += 0.05 * p.brow_ridge * bump(s, side * 0.45, -0.3, 0.3, 0.085)
        z -= (0.07 + 0.07 * p.eye_depth) * bump(s, side * 0.47, -0.02, 0.25, 0.16)
        z += 0.06 * bump(s, side * 0.5, 0.01, 0.17, 0.12)
        z += (0.05 + 0.09 * p.cheekbone) * bump(s, side * 0.68, 0.45, 0.22, 0.15, tilt=-0.5 * side)
        z -= 0.05 * p.cheekbone * bump(s, side * 0.74, 0.86, 0.18, 0.2)
        z += 0.1 * p.chubby * bump(s, side * 0.62, 0.85, 0.28, 0.28)
        z -= 0.03 * bump(s, side * 1.0, -0.35, 0.14, 0.25)


def _nose(p: DrawnPerson, s: Sheet, z: np.ndarray) -> None:
    along = np.clip((s.y + 0.25) / (p.nose_y + 0.25), 0.0, 1.0)
    width = 0.075 + 0.06 * along**2 * (p.nose_tip / 0.135)
    profile = (0.1 + 0.08 * p.nose_bridge) + (p.nose_height * 0.55 - 0.1) * along**1.5
    end = smooth(p.nose_y + 0.26, p.nose_y - 0.1, s.y) * smooth(-0.42, -0.05, s.y)
    z += profile * end * np.exp(-0.5 * (s.x / width) ** 2)
    z += 0.24 * p.nose_height * bump(s, 0.0, p.nose_y, p.nose_tip, p.nose_tip * 0.8)
    if p.nose_bridge > 0.75:
        z += 0.05 * bump(s, 0.0, p.nose_y * 0.35, 0.08, 0.1)
    for side in (-1.0, 1.0):
        x = side * (p.nose_half_width - 0.075)
        z += 0.1 * bump(s, x, p.nose_y + 0.06, 0.07, 0.075)
        wing = np.hypot(s.x - x, s.y - p.nose_y - 0.05) - 0.13
        z -= 0.03 * line(wing, 0.025) * smooth(0.0, 0.06, (s.x - x) * side)


def _mouth_and_chin(p: DrawnPerson, s: Sheet, z: np.ndarray) -> None:
    z += 0.06 * bump(s, 0.0, p.mouth_y, 0.42, 0.28)
    z -= 0.035 * bump(s, 0.0, (p.nose_y + 0.17 + p.mouth_y) / 2, 0.035, 0.09)
    z -= 0.045 * bump(s, 0.0, p.mouth_y + 0.06 + p.lower_lip * 1.3, 0.2, 0.06)
    z += (0.03 + 0.07 * p.chin_relief) * bump(s, 0.0, p.chin_y - 0.2, 0.22, 0.13)
    if p.chin_relief > 0.75:
        z -= 0.04 * bump(s, 0.0, p.chin_y - 0.19, 0.025, 0.08)


def fold(p: DrawnPerson, s: Sheet) -> np.ndarray:
    """Line from the nose's wing round the mouth's corner (the nasolabial fold), 0 to 1, [h, w]."""
    t = (s.y - p.nose_y) / (p.mouth_y + 0.12 - p.nose_y)
    reach = p.mouth_half_width + 0.13 - p.nose_half_width
    x = p.nose_half_width + 0.02 + reach * np.clip(t, 0.0, 1.2) ** 0.8
    return line(np.abs(s.x) - x, 0.03) * smooth(-0.05, 0.25, t) * smooth(1.2, 0.75, t)


def wrinkles(p: DrawnPerson, s: Sheet) -> np.ndarray:
    """Where age has drawn lines, 0 to 1, float32 [h, w]: forehead, crow's feet, folds."""
    total = full(s, 0.0)
    strength = max(0.0, (p.age - 0.55) / 0.45)
    if strength <= 0.0:
        return total
    across = np.abs(s.x)
    for k, y in enumerate((-0.6, -0.74, -0.87)):
        curve = y + 0.025 * np.cos(s.x * 3.1 + k) + 0.02 * across
        total += 0.55 * line(s.y - curve, 0.016) * smooth(0.75 - 0.08 * k, 0.4, across)
    foot = across - 0.84
    for k, slope in enumerate((-0.35, 0.02, 0.38)):
        ray = line(s.y + 0.02 - slope * foot - 0.04 * (k - 1), 0.013)
        total += 0.6 * ray * smooth(0.0, 0.05, foot) * smooth(0.2, 0.1, foot)
    for x0 in (-0.055, 0.06):
        total += 0.5 * line(s.x - x0, 0.014) * smooth(-0.48, -0.4, s.y) * smooth(-0.22, -0.3, s.y)
    total += 0.9 * fold(p, s)
    return total * np.float32(0.45 + 0.55 * strength)


def ear_mask(p: DrawnPerson, s: Sheet) -> tuple[np.ndarray, np.ndarray]:
    """Return (mask, relief) of both ears, each float32 [h, w]."""
    rx, ry = 0.17 * p.ear_size, 0.33 * p.ear_size
    dy = s.y - 0.26
    dx = np.abs(s.x) - (p.face_half_width + 0.035) + 0.22 * dy
    wide = 1.0 - 0.35 * smooth(-0.05, ry, dy)
    r = np.sqrt((dx / (rx * wide)) ** 2 + (dy / ry) ** 2)
    rim = line(r - 0.82, 0.16) - 0.8 * np.exp(-((r / 0.5) ** 2))
    return smooth(1.06, 0.94, r), 0.12 + 0.05 * rim
