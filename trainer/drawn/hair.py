"""Hair: where it grows, how its strands run and shine; a front part and a part behind the neck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.drawn.canvas import Sheet, blur, cloud, full, line, smooth
from trainer.drawn.person import DrawnPerson
from trainer.drawn.relief import WIDEST_Y, dome, radius
from trainer.drawn.skin import hair_colour

_TOP_POWER = 2.2
"""Exponent of the superellipse of hair above the widest place, rounder than the skull's."""

_RAGGED = {(False, False): 0.05, (False, True): 0.03, (True, False): 0.15, (True, True): 0.09}
"""How unevenly hair ends over the forehead, by (bangs, falling hair)."""


@dataclass(frozen=True)
class Measures:
    """A hair style in u: volume beside and above the skull, opening of the face."""

    side: float
    top: float
    opening: float
    arch: float
    falls: bool


@dataclass(frozen=True)
class Hair:
    """Painted hair: ``mask`` [h, w] 0 to 1, ``colour`` [3, h, w] linear BGR, ``relief`` [h, w]."""

    mask: np.ndarray
    colour: np.ndarray
    relief: np.ndarray


@dataclass(frozen=True)
class _Locks:
    """How the strands lie: outline's half ``width`` in every row [h, 1], place ``across`` (-1 to 1
    between the outlines) and ``streaks``, shading along the strands, about N(0, 1)."""

    width: np.ndarray
    across: np.ndarray
    streaks: np.ndarray


def measures(p: DrawnPerson) -> Measures:
    """Return the measures of the person's hair style."""
    v = p.hair_volume
    return {
        "bald": Measures(0.0, 0.0, 1.0, 3.0, False),
        "buzz": Measures(0.02, 0.03, 0.97, 3.0, False),
        "short": Measures(0.06 + 0.05 * v, 0.12 + 0.12 * v, 0.97, 2.8, False),
        "quiff": Measures(0.04 + 0.04 * v, 0.26 + 0.14 * v, 0.96, 3.2, False),
        "afro": Measures(0.3 + 0.28 * v, 0.36 + 0.3 * v, 0.95, 2.4, False),
        "medium": Measures(0.14 + 0.08 * v, 0.14 + 0.1 * v, 0.92, 2.0, True),
        "bob": Measures(0.2 + 0.14 * v, 0.16 + 0.12 * v, 0.9, 2.0, True),
        "long": Measures(0.16 + 0.16 * v, 0.16 + 0.14 * v, 0.92, 2.0, True),
        "bun": Measures(0.05, 0.1 + 0.05 * v, 0.96, 2.2, False),
    }[p.hair_style]


def parted(p: DrawnPerson) -> bool:
    """Whether the hair falls to both sides of a parting."""
    return p.hair_style in ("short", "medium", "bob", "long", "bun") and p.fringe != "bangs"


def _outline(p: DrawnPerson, s: Sheet, c: Measures) -> np.ndarray:
    """Half width of the hair's outline in every row, [h, 1]."""
    up = np.clip((WIDEST_Y - s.y) / (WIDEST_Y - p.crown_y + c.top), 0.0, 1.0)
    round_top = np.clip(1.0 - up**_TOP_POWER, 1e-4, None) ** (1.0 / _TOP_POWER)
    width = (p.face_half_width + c.side) * round_top
    if p.hair_style == "afro":
        low = np.clip((s.y - 0.05) / 1.0, 0, 1)
        return width * np.sqrt(np.clip(1.0 - low**2, 1e-4, None))
    if not c.falls:
        return width - (c.side + 0.03) * smooth(-0.35, 0.3, s.y)
    down = np.clip(s.y - 0.1, 0.0, None)
    if p.hair_style == "long":
        return width + 0.1 * down - 0.028 * down**2
    return width + 0.05 * down - 0.08 * np.clip(s.y - 0.9, 0, None) ** 2


def _lay(p: DrawnPerson, s: Sheet, width: np.ndarray, rng: np.random.Generator) -> _Locks:
    across = s.x / np.maximum(width, 0.05)
    if p.hair_curl == "curly":
        curls = cloud(rng, s, 10.3) * 0.8 + cloud(rng, s, 9) * 0.4
        return _Locks(width, across, curls)
    angle = np.arcsin(np.clip(across, -1.2, 1.2) / 1.2)
    if parted(p):
        off = angle - 0.9 * p.part_side
        angle = np.sign(off) * np.sqrt(np.abs(off) + 0.02)
    elif p.fringe == "bangs":
        angle = angle * (1.0 + 0.12 * smooth(-0.7, -1.5, s.y))
    if p.hair_curl == "wavy":
        phase = cloud(rng, s, 0.6) * 0.9
        depth = 0.085 * smooth(-1.6, -0.2, s.y)
        angle = angle + depth * np.sin(s.y * (5.6 + 1.2 * p.hair_volume) + phase)
    angle = angle + 0.02 * cloud(rng, s, (1.2, 5))
    table = np.zeros(2048, np.float32)
    for cells, weight in ((48, 0.7), (110, 0.7), (240, 0.45)):
        knots = rng.standard_normal(cells + 1)
        table += weight * np.interp(np.linspace(0, cells, 2048), np.arange(cells + 1), knots)
    place = np.clip((angle / np.pi + 0.5) * 2047, 0, 2047).astype(np.int32)
    return _Locks(width, across, table[place] + 0.35 * cloud(rng, s, (1.6, 11)))


def _hairline(p: DrawnPerson, s: Sheet, c: Measures) -> np.ndarray:
    """Height of the upper edge of the visible face in every column, [1, w]."""
    x = s.x
    if p.fringe == "bangs":
        top = -0.58 + 0.07 * np.cos(x * 2.6) + (0.0 if c.falls else 0.16 * p.part_side * x - 0.06)
    elif p.fringe == "swept":
        away = (x - p.part_side) * -np.sign(p.part_side)
        top = p.hairline_y - 0.08 + 0.62 * np.clip(away / 1.2, 0, 1) ** 0.8
    elif c.falls:
        aside = np.abs(x - 0.7 * p.part_side)
        top = p.hairline_y - 0.06 + 0.34 * np.clip(aside, 0, 1.3) ** 1.3
    else:
        top = p.hairline_y + 0.05 * np.cos(x * 2.0) + 0.03 * line(x, 0.14)
    if p.receding:
        temples = 0.16 + 0.42 * line(np.abs(x) - 0.58, 0.24)
        top = top - p.receding * temples
    return np.asarray(top)


def _opening(p: DrawnPerson, s: Sheet, c: Measures, streaks: np.ndarray) -> np.ndarray:
    """1 where the face shows, 0 where hair falls before it, [h, w]."""
    top = _hairline(p, s, c)
    low = 0.15 if c.falls else -0.12
    half: np.ndarray | float = p.face_half_width * c.opening
    if c.falls:
        half = half - 0.06 * smooth(0.3, 1.4, s.y)
        if p.hair_curl == "wavy":
            half = half + 0.045 * np.sin(s.y * 5.6) * smooth(-0.2, 0.5, s.y)
    rise = np.clip((low - s.y) / np.maximum(low - top, 0.05), 0.0, None)
    arch = c.arch + (1.6 if p.fringe == "bangs" and c.falls else 0.0)
    ragged = _RAGGED[p.fringe == "bangs", c.falls] * streaks * (rise > 0)
    return smooth(1.08, 0.94, (np.abs(s.x) / half) ** arch + rise**arch + ragged)


def front_hair(p: DrawnPerson, s: Sheet, rng: np.random.Generator) -> Hair | None:
    """Paint the hair before and around the face, or return None for a bald head."""
    if p.hair_style == "bald":
        return None
    c = measures(p)
    locks = _lay(p, s, _outline(p, s, c), rng)
    mask = _silhouette(p, s, c, locks, rng) * (1.0 - _opening(p, s, c, locks.streaks))
    if not c.falls and p.hair_style != "afro":
        mask *= 1.0 - 0.4 * smooth(-0.75, -0.15, s.y) * smooth(0.5, 0.8, np.abs(s.x))
    if p.sideburns and not c.falls:
        burn = smooth(0.0, 0.03, np.abs(s.x) - p.face_half_width * 0.86 + 0.05 * s.y)
        burn = burn * smooth(0.62, 0.5, s.y) * smooth(-0.4, -0.3, s.y)
        mask = np.maximum(mask, burn * smooth(1.0, 0.97, radius(p, s)))
    if p.hair_style == "buzz":
        mask *= 0.8
    return Hair(mask, _colour(p, s, locks), _relief(p, s, c, locks))


def _silhouette(
    p: DrawnPerson, s: Sheet, c: Measures, locks: _Locks, rng: np.random.Generator
) -> np.ndarray:
    """1 within the hair's outer outline, [h, w]."""
    r = np.abs(locks.across) + 0.008 * np.clip(locks.streaks, -2, 2)
    if p.hair_curl == "curly":
        r = r + 0.035 * cloud(rng, s, 5.2) * np.sign(s.x)
    elif p.hair_style != "buzz":
        r = r + 0.012 * cloud(rng, s, 2.5)
    if p.hair_curl == "wavy" and c.falls:
        r = r + 0.045 * np.sin(s.y * 5.6) * smooth(-0.2, 0.6, s.y)
    edge = 0.015 if p.hair_style == "buzz" else 0.035
    outer = smooth(1.0 + edge, 1.0 - edge, r)
    crown = p.crown_y - c.top
    uneven = 0.05 if p.hair_curl == "curly" else 0.02
    outer = outer * smooth(crown - 0.01, crown + 0.06, s.y + uneven * cloud(rng, s, 5))
    return outer * smooth(0.06, -0.06, s.y - _end(p, s, c, locks))


def _end(p: DrawnPerson, s: Sheet, c: Measures, locks: _Locks) -> np.ndarray:
    """Height at which the strands end, [h, w]."""
    if c.falls:
        return p.hair_length_y + 0.05 * locks.streaks - 0.25 * np.abs(locks.across) ** 2
    if p.hair_style == "afro":
        return full(s, 0.55)
    return (0.42 if p.sideburns else -0.02) + 0.03 * locks.streaks


def _colour(p: DrawnPerson, s: Sheet, locks: _Locks) -> np.ndarray:
    base, streaks = hair_colour(p), locks.streaks
    off = np.abs(locks.across)
    tone = 1.0 + 0.2 * np.clip(streaks, -2.2, 2.4)
    tone *= (1.0 - 0.3 * smooth(0.3, 2.6, s.y)) * (1.0 - 0.25 * smooth(0.7, 1.0, off))
    if parted(p):
        groove = line(locks.across - 1.2 * np.sin(0.9 * p.part_side), 0.035)
        tone *= 1.0 - 0.4 * groove * smooth(-0.7, -1.0, s.y)
    strength = {"curly": 0.15, "wavy": 0.5}.get(p.hair_curl, 0.6)
    if p.hair_style == "buzz":
        strength = 0.1
    shine_y = p.crown_y + 0.42 + 0.22 * off**2 + 0.05 * streaks
    shine = strength * line(s.y - shine_y, 0.22) * (1.0 - 0.75 * off)
    shine = np.clip(shine, 0, 1) * np.clip(0.8 + 0.35 * streaks, 0, 2)
    return np.clip(base * tone + (0.05 + 0.55 * base) * shine, 0.002, 0.95)


def _relief(p: DrawnPerson, s: Sheet, c: Measures, locks: _Locks) -> np.ndarray:
    skull = dome(radius(p, s, grow=c.side, top=c.top), 1.32)
    if c.falls:
        bow = np.clip(1.0 - (s.x / np.maximum(locks.width, 0.1)) ** 2, 0.02, None)
        tube = np.maximum(skull, 1.15 * np.sqrt(bow))
        skull += (tube - skull) * smooth(-0.3, 0.6, s.y)
    rough = 0.03 if p.hair_curl == "curly" else 0.012
    return np.asarray(skull + 0.1 + rough * locks.streaks)


def back_hair(p: DrawnPerson, s: Sheet, rng: np.random.Generator) -> Hair | None:
    """Paint the hair that hangs behind the neck, or a bun above the head, or return None."""
    c = measures(p)
    if p.hair_style == "bun":
        return _bun(p, s, c, rng)
    if not c.falls:
        return None
    locks = _lay(p, s, _outline(p, s, c) * 0.985, rng)
    off = np.abs(locks.across)
    mask = smooth(1.03, 0.97, off) * smooth(0.06, -0.06, s.y - _end(p, s, c, locks))
    mask *= smooth(-1.2, -0.8, s.y)
    colour = np.clip(hair_colour(p) * (0.5 + 0.12 * locks.streaks), 0.001, 0.9)
    return Hair(blur(s, mask, 0.01), colour, 0.8 * np.sqrt(np.clip(1 - off**2, 0.02, None)))


def _bun(p: DrawnPerson, s: Sheet, c: Measures, rng: np.random.Generator) -> Hair:
    dx, dy = s.x / 0.5, (s.y - p.crown_y + c.top + 0.12) / 0.4
    r = np.hypot(dx, dy)
    swirl = np.sin(np.arctan2(dy, dx) * 2 + r * 9) + 0.6 * cloud(rng, s, 6)
    colour = np.clip(hair_colour(p) * (0.85 + 0.16 * swirl), 0.002, 0.95)
    return Hair(smooth(1.05, 0.95, r), colour, dome(np.clip(r, 0, 2), 0.5))
