"""What people wear on the head: glasses, hats and earrings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.drawn.canvas import Sheet, cloud, disc, full, line, linear, smooth
from trainer.drawn.hair import measures
from trainer.drawn.person import DrawnPerson
from trainer.drawn.relief import WIDEST_Y, dome


@dataclass(frozen=True)
class Garment:
    """A thing worn: ``mask`` [h, w] 0 to 1, ``colour`` [3, h, w] linear BGR, ``relief`` [h, w]."""

    mask: np.ndarray
    colour: np.ndarray
    relief: np.ndarray


def glasses(p: DrawnPerson, s: Sheet) -> Garment:
    """Paint the glasses; the relief is a height to add to the face below."""
    power = 2.2 if p.glasses == "round" else 4.5
    rx = 0.38 if p.glasses == "round" else 0.41
    ry = 0.33 if p.glasses == "round" else 0.27
    width = 0.034 if sum(p.glasses_rgb) < 240 else 0.026
    x = np.abs(s.x)
    dx, dy = (x - 0.52) / rx, (s.y - 0.05) / ry
    d = ((np.abs(dx) ** power + np.abs(dy) ** power) ** (1.0 / power) - 1.0) * min(rx, ry)
    frame = smooth(width + 0.012, width - 0.006, np.abs(d))
    bridge = smooth(width, width - 0.015, np.abs(s.y + 0.03 + 0.5 * (0.14**2 - s.x**2)))
    arm = smooth(width + 0.01, width - 0.01, np.abs(s.y + 0.06 + 0.02 * x))
    arm = arm * smooth(0.5 + rx, 0.52 + rx, x)
    arm = arm * smooth(p.face_half_width + 0.05, p.face_half_width - 0.02, x)
    frame = np.maximum(frame, np.maximum(bridge * smooth(0.16, 0.14, x), arm))
    lens = smooth(0.0, -0.02, d)
    streak = np.abs((s.x - 0.52 * np.sign(s.x)) + 0.9 * (s.y - 0.05) + 0.16)
    glare = 0.16 * smooth(0.07, 0.03, streak) * lens
    mask = np.maximum(frame, np.maximum(glare, 0.05 * lens))
    colour = np.where(frame > 0.04, linear(p.glasses_rgb), np.float32(0.9))
    return Garment(mask, colour, 0.05 * frame)


def hat(p: DrawnPerson, s: Sheet, rng: np.random.Generator) -> tuple[Garment, np.ndarray]:
    """Paint the hat; returns it and the shadow, 0 to 1, that it casts on what lies below."""
    c = measures(p)
    half = p.face_half_width + min(c.side, 0.12) + 0.06
    crown = p.crown_y - min(c.top, 0.16) - 0.1
    maker = {"beanie": _beanie, "cap": _cap, "brim": _brim}[p.hat or "beanie"]
    mask, tone, relief, low = maker(s, half, crown)
    colour = linear(p.hat_rgb) * (tone + 0.03 * cloud(rng, s, 11))
    below = np.clip(s.y - low, 0, None)
    shadow = 0.55 * np.exp(-below / 0.13) * smooth(half, half - 0.15, np.abs(s.x))
    return Garment(full(s, mask), np.clip(colour, 0.002, 0.95), full(s, relief)), shadow


_Painted = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _skull_cap(s: Sheet, half: float, crown: float, power: float = 2.3) -> np.ndarray:
    up = np.clip((WIDEST_Y - 0.3 - s.y) / (WIDEST_Y - 0.3 - crown), 0, None)
    return (np.abs(s.x / half) ** power + up**power) ** (1 / power)


def _beanie(s: Sheet, half: float, crown: float) -> _Painted:
    r = _skull_cap(s, half, crown - 0.05)
    low = -0.74 + 0.09 * np.cos(s.x * 1.3) - 0.02
    angle = np.arcsin(np.clip(s.x / half, -1, 1))
    cuff = smooth(low - 0.42, low - 0.4, s.y)
    ribs = np.cos(angle * np.where(cuff > 0.5, 44.0, 34.0))
    relief = dome(np.clip(r, 0, 1.2), 1.34) + 0.1 + 0.07 * cuff + 0.012 * ribs
    mask = smooth(1.02, 0.98, r - 0.035 * cuff) * smooth(low + 0.015, low - 0.015, s.y)
    tone = 1.0 + 0.16 * ribs - 0.4 * line(s.y - low + 0.43, 0.03)
    pompom = np.hypot(s.x, s.y - crown - 0.1) / 0.24
    fluff = smooth(1.05, 0.85, pompom)
    relief = np.maximum(relief, fluff * (dome(np.clip(pompom, 0, 1), 0.5) + 0.5))
    return np.maximum(mask, fluff), tone, relief, low


def _cap(s: Sheet, half: float, crown: float) -> _Painted:
    r = _skull_cap(s, half, crown)
    low = -0.78 + 0.1 * np.cos(s.x * 1.2)
    mask = smooth(1.01, 0.98, r) * smooth(low + 0.01, low - 0.01, s.y)
    tone = full(s, 1.0)
    for seam in (0.0, 0.62):
        place = np.abs(s.x) - seam * np.sqrt(np.clip(1 - ((s.y + 0.5) / (crown + 0.5)) ** 2, 0, 1))
        tone = tone - 0.28 * line(place, 0.018)
    relief = dome(np.clip(r, 0, 1.2), 1.34) + 0.08
    bill_top = -0.98 + 0.2 * s.x**2
    bill_low = -0.66 + 0.13 * s.x**2
    bill = smooth(bill_top - 0.01, bill_top + 0.02, s.y) * smooth(bill_low + 0.02, bill_low, s.y)
    bill = bill * smooth(1.06, 1.0, np.abs(s.x) / 0.95)
    t = np.clip((s.y - bill_top) / np.maximum(bill_low - bill_top, 0.05), 0, 1)
    relief = relief + bill * (0.1 + 0.3 * t)
    tone = tone + bill * (0.8 - 0.25 * line(t - 0.86, 0.08) - tone)
    badge = disc(s, 0.0, -1.28, 0.17, 0.15, 0.02)
    tone = tone + 0.9 * badge
    return np.maximum(mask, bill), tone, relief, np.where(np.abs(s.x) < 0.95, bill_low, low)


def _brim(s: Sheet, half: float, crown: float) -> _Painted:
    r = _skull_cap(s, half * 0.97, crown - 0.1, 3.0)
    low = -0.9 + 0.1 * np.cos(s.x * 1.1)
    mask = smooth(1.01, 0.98, r) * smooth(low + 0.01, low - 0.01, s.y)
    dent = np.exp(-((s.x / 0.3) ** 2)) * np.exp(-(((s.y - crown) / 0.2) ** 2))
    relief = dome(np.clip(r, 0, 1.2), 1.34) + 0.05 - 0.12 * dent
    band = smooth(low - 0.26, low - 0.24, s.y)
    tone = 1.0 - 0.62 * band - 0.25 * dent
    wide = half + 0.62
    oval = np.hypot(s.x / wide, (s.y + 0.93 + 0.05 * s.x**2) / 0.23)
    brim = smooth(1.03, 0.97, oval)
    upper = brim * smooth(-0.93, -0.98, s.y) * mask
    brim = brim * (1.0 - upper)
    relief = relief + brim * (0.16 - 0.1 * oval)
    tone = tone + brim * (0.86 + 0.2 * line(oval - 0.96, 0.05) - tone)
    edge = -0.93 - 0.05 * s.x**2 + 0.23 * np.sqrt(np.clip(1 - (s.x / wide) ** 2, 0, 1))
    return np.maximum(mask, brim), tone, relief, edge


def earrings(p: DrawnPerson, s: Sheet) -> Garment:
    """Paint a pair of earrings below the ear lobes."""
    rng = np.random.default_rng([p.seed, 0xEA])
    gold = linear([(232, 192, 96), (222, 224, 230), (214, 90, 110)][int(rng.integers(3))])
    dx = np.abs(s.x) - p.face_half_width - 0.02
    dy = s.y - 0.26 - 0.33 * p.ear_size
    if rng.random() < 0.5:
        ring = smooth(0.034, 0.02, np.abs(np.hypot(dx, dy - 0.12) - 0.12))
    else:
        stud = smooth(0.05, 0.035, np.hypot(dx, dy))
        ring = np.maximum(stud, smooth(0.088, 0.07, np.hypot(dx, dy - 0.15)))
    tone = 0.9 + 0.5 * smooth(0.05, -0.05, dx + dy - 0.1)
    return Garment(ring, np.clip(gold * tone, 0, 1), 0.05 * ring)
