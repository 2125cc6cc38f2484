"""Hair: where it grows, how its strands run and shine; a front part and a part behind the neck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.drawn.canvas import Sheet, blur, cloud, smooth
from trainer.drawn.person import DrawnPerson
from trainer.drawn.relief import WIDEST_Y, dome, radius
from trainer.drawn.skin import hair_colour


@dataclass(frozen=True)
class Cut:
    """Measures of a hair style in u: volume beside and above the skull, opening of the face."""

    side: float
    top: float
    opening: float
    arch: float
    falls: bool


@dataclass(frozen=True)
class Hair:
    """Painted hair: ``mask`` [h, w] 0 to 1, ``colour`` [h, w, 3] linear BGR, ``relief`` [h, w] u."""

    mask: np.ndarray
    colour: np.ndarray
    relief: np.ndarray


def cut(p: DrawnPerson) -> Cut:
    """Return the measures of the person's hair style."""
    v = p.hair_volume
    return {
        "bald": Cut(0.0, 0.0, 1.0, 3.0, False),
        "buzz": Cut(0.02, 0.03, 0.96, 3.0, False),
        "short": Cut(0.07 + 0.05 * v, 0.14 + 0.12 * v, 0.95, 2.8, False),
        "quiff": Cut(0.04 + 0.04 * v, 0.32 + 0.16 * v, 0.94, 3.2, False),
        "afro": Cut(0.3 + 0.28 * v, 0.36 + 0.3 * v, 0.95, 2.4, False),
        "medium": Cut(0.16 + 0.08 * v, 0.16 + 0.1 * v, 0.9, 2.0, True),
        "bob": Cut(0.2 + 0.14 * v, 0.16 + 0.12 * v, 0.88, 2.0, True),
        "long": Cut(0.18 + 0.16 * v, 0.16 + 0.14 * v, 0.9, 2.0, True),
        "bun": Cut(0.05, 0.1 + 0.05 * v, 0.95, 2.2, False),
    }[p.hair_style]


def _outline(p: DrawnPerson, s: Sheet, c: Cut) -> np.ndarray:
    """Half width of the hair's outline at every row, [h, w] (a column would do)."""
    up = np.clip((WIDEST_Y - s.y) / (WIDEST_Y - p.crown_y + c.top), 0.0, 1.0)
    width = (p.face_half_width + c.side) * np.sqrt(np.clip(1.0 - up**2.3, 1e-4, None))
    if c.falls:
        down = np.clip(s.y - 0.1, 0.0, None)
        if p.hair_style == "long":
            width = width + 0.1 * down - 0.028 * down**2
        else:
            width = width + 0.05 * down - 0.08 * np.clip(s.y - 0.9, 0, None) ** 2
    elif p.hair_style == "afro":
        width = width * np.sqrt(np.clip(1.0 - np.clip((s.y - 0.05) / 1.0, 0, 1) ** 2, 1e-4, None))
    else:
        tuck = (c.side + 0.03) * smooth(-0.35, 0.3, s.y)
        width = width - tuck
    return width


def _strands(
    p: DrawnPerson, s: Sheet, width: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (streaks about N(0, 1), across): shading along strands and the strand coordinate."""
    across = s.x / np.maximum(width, 0.05)
    angle = np.arcsin(np.clip(across, -1.2, 1.2) / 1.2)
    if p.hair_curl == "curly":
        size = (s.shape[0] // 7, s.shape[1] // 7)
        return cloud(rng, s.shape, size) * 0.8 + cloud(rng, s.shape, (60, 60)) * 0.4, across
    if p.hair_curl == "wavy":
        phase = cloud(rng, s.shape, (3, 5)) * 0.9
        depth = smooth(-1.6, -0.2, s.y)
        angle = angle + 0.085 * depth * np.sin(s.y * (5.6 + 1.2 * p.hair_volume) + phase)
    bias = p.part_side * 0.35 if p.fringe == "swept" else 0.0
    angle = angle + bias * smooth(0.2, -1.6, s.y)
    table = np.zeros(2048, np.float32)
    for cells, weight in ((48, 0.75), (110, 0.75), (260, 0.5)):
        knots = rng.standard_normal(cells + 1)
        table += weight * np.interp(np.linspace(0, cells, 2048), np.arange(cells + 1), knots)
    place = np.clip((angle / np.pi + 0.5) * 2047, 0, 2047).astype(np.int32)
    streaks = table[place] + 0.35 * cloud(rng, s.shape, (9, 60))
    return streaks.astype(np.float32), across


def _opening(p: DrawnPerson, s: Sheet, c: Cut, streaks: np.ndarray) -> np.ndarray:
    """1 where the face shows, 0 where hair falls before it."""
    x = s.x
    top = np.full(s.shape, p.hairline_y, np.float32) + 0.05 * np.cos(x * 2.0)
    ragged = 0.02 * streaks
    if p.fringe == "bangs":
        top = np.full(s.shape, -0.5, np.float32) - 0.05 * np.abs(x)
        ragged = 0.045 * streaks
    elif p.fringe == "swept":
        across = (x - p.part_side) * -np.sign(p.part_side)
        top = top - 0.08 + 0.62 * np.clip(across / 1.2, 0, 1) ** 0.8
    elif c.falls:
        top = top + 0.2 * np.clip(np.abs(x), 0, 1) ** 1.5
    if p.receding:
        top = top - p.receding * (
            0.16 + 0.42 * np.exp(-(((np.abs(x) - 0.58) / 0.24) ** 2))
        )
    low = -0.12 if not c.falls else 0.15
    half = p.face_half_width * c.opening
    if c.falls:
        half = half - 0.06 * smooth(0.3, 1.4, s.y)
        if p.hair_curl == "wavy":
            half = half + 0.045 * np.sin(s.y * 5.6) * smooth(-0.2, 0.5, s.y)
    rise = np.clip((low - s.y) / np.maximum(low - top, 0.05), 0.0, None)
    arch = c.arch + (1.6 if p.fringe == "bangs" else 0.0)
    q = (np.abs(x) / half) ** arch + rise**arch + ragged * (rise > 0)
    return smooth(1.07, 0.95, q)


def front_hair(p: DrawnPerson, s: Sheet, rng: np.random.Generator) -> Hair | None:
    """Paint the hair before and around the face, or return None for a bald head."""
    if p.hair_style == "bald":
        return None
    c = cut(p)
    width = _outline(p, s, c)
    streaks, across = _strands(p, s, width, rng)
    edge = 0.03 if p.hair_style != "buzz" else 0.015
    lumps = 0.0
    if p.hair_curl == "curly":
        lumps = 0.035 * cloud(rng, s.shape, (34, 34))
    elif p.hair_curl == "wavy" and c.falls:
        lumps = 0.045 * np.sin(s.y * 5.6) * np.sign(s.x) * smooth(-0.2, 0.6, s.y)
    fringe_noise = 0.012 * np.clip(streaks, -2, 2)
    r = np.abs(across) + lumps * np.sign(s.x) * np.sign(s.x) + fringe_noise * 0.5
    outer = smooth(1.0 + edge, 1.0 - edge, r)
    crown = p.crown_y - c.top
    outer = outer * smooth(crown - 0.01, crown + 0.05, s.y)
    if c.falls:
        end = p.hair_length_y + 0.05 * streaks - 0.25 * np.abs(across) ** 2
    elif p.hair_style == "afro":
        end = np.full(s.shape, 0.55, np.float32)
    else:
        end = np.full(s.shape, 0.42 if p.sideburns else -0.02, np.float32) + 0.02 * streaks
    outer = outer * smooth(end + 0.06, end - 0.06, s.y)
    mask = (outer * (1.0 - _opening(p, s, c, streaks))).astype(np.float32)
    density = {"buzz": 0.8, "bun": 1.0}.get(p.hair_style, 1.0)
    if p.sideburns and not c.falls:
        burn = smooth(0.0, 0.03, np.abs(s.x) - p.face_half_width * 0.86 + 0.05 * s.y)
        burn = burn * smooth(0.62, 0.5, s.y) * smooth(-0.2, -0.1, s.y)
        burn = burn * smooth(1.0, 0.97, radius(p, s))
        mask = np.maximum(mask, burn.astype(np.float32))
    mask *= density
    return Hair(mask, _colour(p, s, streaks, across), _relief(p, s, c, width, streaks))


def _colour(p: DrawnPerson, s: Sheet, streaks: np.ndarray, across: np.ndarray) -> np.ndarray:
    base = hair_colour(p)
    tone = 1.0 + 0.2 * np.clip(streaks, -2.2, 2.4)
    shine_y = p.crown_y + 0.42 + 0.22 * across**2 + 0.04 * streaks
    strength = {"curly": 0.15, "wavy": 0.5}.get(p.hair_curl, 0.6)
    if p.hair_style == "buzz":
        strength = 0.1
    shine = strength * np.exp(-(((s.y - shine_y) / 0.16) ** 2)) * (1.0 - 0.75 * np.abs(across))
    shine = np.clip(shine, 0, 1) * np.clip(0.8 + 0.35 * streaks, 0, 2)
    tone = tone * (1.0 - 0.3 * smooth(0.3, 2.6, s.y)) * (1.0 - 0.25 * smooth(0.7, 1.0, np.abs(across)))
    sheen = 0.05 + 0.55 * base
    return np.clip(base * tone[..., None] + sheen * shine[..., None], 0.002, 0.95).astype(np.float32)


def _relief(
    p: DrawnPerson, s: Sheet, c: Cut, width: np.ndarray, streaks: np.ndarray
) -> np.ndarray:
    skull = dome(radius(p, s, grow=c.side, top=c.top), 1.32)
    if c.falls:
        tube = 1.15 * np.sqrt(np.clip(1.0 - (s.x / np.maximum(width, 0.1)) ** 2, 0.02, None))
        skull = skull + (np.maximum(skull, tube) - skull) * smooth(-0.3, 0.6, s.y)
    rough = 0.03 if p.hair_curl == "curly" else 0.012
    return (skull + 0.1 + rough * streaks).astype(np.float32)


def back_hair(p: DrawnPerson, s: Sheet, rng: np.random.Generator) -> Hair | None:
    """Paint the hair that hangs behind the neck (or a bun above the head); None if there is none."""
    c = cut(p)
    if p.hair_style == "bun":
        y = p.crown_y - c.top - 0.12
        dx, dy = s.x / 0.5, (s.y - y) / 0.4
        r = np.hypot(dx, dy)
        swirl = np.sin(np.arctan2(dy, dx) * 2 + r * 9) + 0.6 * cloud(rng, s.shape, (40, 40))
        colour = hair_colour(p) * (0.85 + 0.16 * swirl[..., None])
        return Hair(
            smooth(1.05, 0.95, r).astype(np.float32),
            np.clip(colour, 0.002, 0.95).astype(np.float32),
            dome(np.clip(r, 0, 2), 0.5).astype(np.float32),
        )
    if not c.falls:
        return None
    width = _outline(p, s, c) * 0.985
    streaks, across = _strands(p, s, width, rng)
    end = p.hair_length_y + 0.05 * streaks - 0.25 * np.abs(across) ** 2
    mask = smooth(1.03, 0.97, np.abs(across)) * smooth(end + 0.06, end - 0.06, s.y)
    mask = mask * smooth(-1.2, -0.8, s.y)
    colour = hair_colour(p) * (0.5 + 0.12 * streaks[..., None])
    return Hair(
        blur(mask.astype(np.float32), 0.01),
        np.clip(colour, 0.001, 0.9).astype(np.float32),
        (0.8 * np.sqrt(np.clip(1 - across**2, 0.02, None))).astype(np.float32),
    )
