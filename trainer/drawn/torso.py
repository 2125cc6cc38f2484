"""Neck, shoulders and clothes; a person owns four outfits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.drawn.canvas import (
    Sheet,
    blend_colours,
    bump,
    cloud,
    darken,
    flat,
    full,
    line,
    linear,
    paint,
    smooth,
)
from trainer.drawn.person import DrawnPerson
from trainer.drawn.skin import skin_colour

_CLOTH = [
    (58, 84, 122), (150, 56, 58), (86, 124, 98), (214, 186, 120), (70, 68, 74), (226, 222, 214),
    (120, 92, 140), (196, 120, 84), (44, 56, 74), (160, 178, 190), (206, 140, 150), (96, 110, 60),
]  # fmt: skip

_SUITS = [(44, 50, 66), (60, 58, 60), (34, 36, 44), (88, 84, 80)]
_TIES = [(140, 34, 44), (36, 62, 120), (46, 92, 76), (120, 84, 30)]


@dataclass(frozen=True)
class Torso:
    """Painted torso: ``mask`` [h, w], ``colour`` [3, h, w] linear BGR, ``relief`` [h, w] in u."""

    mask: np.ndarray
    colour: np.ndarray
    relief: np.ndarray


@dataclass(frozen=True)
class _Neck:
    """Half width of the neck and height of its base, in u."""

    half: float
    base_y: float


def _outfit(p: DrawnPerson, outfit: int) -> tuple[np.random.Generator, str]:
    rng = np.random.default_rng([p.seed, 0xC107, outfit])
    kinds = ["crew", "collar", "suit"] if p.male else ["crew", "scoop", "collar", "scoop"]
    return rng, kinds[int(rng.integers(len(kinds)))]


def necktie(p: DrawnPerson, outfit: int) -> bool:
    """Whether a necktie belongs to the outfit (men's suits)."""
    return _outfit(p, outfit)[1] == "suit"


def torso(p: DrawnPerson, outfit: int, s: Sheet) -> Torso:
    """Paint neck, shoulders and an outfit (0 to 3) on a sheet."""
    rng, kind = _outfit(p, outfit)
    x = np.abs(s.x)
    neck = _Neck(0.6 + 0.14 * p.male + 0.09 * p.chubby, 2.05 + 0.05 * p.male)
    reach = np.clip(x - neck.half, 0, None)
    arm = np.clip((x - 2.2) / 1.3, 0.0, 1.0)
    shoulder_y = neck.base_y + 0.22 * reach**0.9 + 0.02 * reach**3
    shoulder_y = shoulder_y + 1.2 * (1.0 - np.sqrt(1.0 - arm**2))
    body = smooth(shoulder_y - 0.03, shoulder_y + 0.03, s.y) * smooth(3.52, 3.46, x)
    flare = neck.half + 0.28 * smooth(1.5, neck.base_y + 0.1, s.y) ** 2
    column = smooth(flare + 0.02, flare - 0.02, x) * smooth(0.2, 0.4, s.y)
    mask = np.maximum(body, column * smooth(neck.base_y + 0.5, neck.base_y + 0.2, s.y))
    relief = _relief(s, neck, flare, body)
    colour = flat(s, skin_colour(p) * 0.94)
    _neck_shade(p, s, colour, neck.base_y)
    _clothes(s, (colour, relief), rng, kind, neck, body)
    if p.necklace:
        _necklace(s, colour, neck.base_y)
    return Torso(mask, colour, relief)


def _relief(s: Sheet, neck: _Neck, flare: np.ndarray, body: np.ndarray) -> np.ndarray:
    x = np.abs(s.x)
    column = 0.7 * np.sqrt(np.clip(1 - (x / (flare + 0.05)) ** 2, 0.02, None))
    chest = 1.1 * np.sqrt(np.clip(1 - (x / 3.6) ** 2, 0.0, None))
    step = 0.35 * smooth(neck.base_y - 0.2, neck.base_y + 0.5, s.y)
    relief = step + column * smooth(neck.base_y + 0.7, neck.base_y, s.y) + chest * body
    return full(s, relief)


def _neck_shade(p: DrawnPerson, s: Sheet, colour: np.ndarray, base_y: float) -> None:
    under = full(s, smooth(p.chin_y + 0.62, p.chin_y - 0.15, s.y) * 0.52)
    for side in (-1.0, 1.0):
        cord = side * (0.4 - 0.28 * smooth(1.5, base_y + 0.25, s.y))
        under += 0.1 * line(s.x - cord, 0.05) * smooth(1.6, 2.0, s.y)
    under += 0.22 * bump(s, 0.0, base_y + 0.16, 0.08, 0.06)
    if p.chubby > 0.72:
        roll = p.chin_y + 0.17 - 0.2 * s.x**2
        under += 0.42 * line(s.y - roll, 0.035) * smooth(0.72, 0.5, np.abs(s.x))
        under -= 0.32 * line(s.y - roll + 0.1, 0.07) * smooth(0.7, 0.45, np.abs(s.x))
    darken(colour, np.clip(under, 0, 0.85), (0.95, 0.88, 0.72))


def _neckline(s: Sheet, kind: str, neck: _Neck) -> np.ndarray:
    """Height of the cloth's upper edge in every column, in u."""
    x = np.abs(s.x)
    if kind in ("collar", "suit"):
        deep = 0.92 if kind == "collar" else 0.36
        return neck.base_y - 0.12 + deep * np.clip(1 - x / (neck.half + 0.28), 0, 1)
    deep = 0.3 if kind == "crew" else 0.72
    arc = np.sqrt(np.clip(1 - (x / (neck.half + 0.3)) ** 2, 0, 1))
    return neck.base_y + 0.02 + deep * arc


def _clothes(
    s: Sheet,
    target: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
    kind: str,
    neck: _Neck,
    body: np.ndarray,
) -> None:
    """Dress the torso; ``target`` is its colour and relief, changed in place."""
    colour = target[0]
    x = np.abs(s.x)
    rgb = np.array(_CLOTH[int(rng.integers(len(_CLOTH)))]) + rng.integers(-14, 15, 3)
    main = linear(rgb.clip(12, 245).tolist())
    neckline = _neckline(s, kind, neck)
    cloth = smooth(neckline - 0.02, neckline + 0.02, s.y)
    cloth = np.where(x > neck.half + 0.29, body, cloth)
    fabric = main * (1.0 + 0.05 * cloud(rng, s, 1.3) * smooth(4.3, 3.6, s.y))
    pattern = rng.random()
    if kind in ("crew", "scoop") and pattern < 0.3:
        other = linear(_CLOTH[int(rng.integers(len(_CLOTH)))])
        paint(fabric, smooth(-0.1, 0.1, np.sin((s.y - 0.06 * s.x**2) * 17.0)), other)
    paint(colour, cloth, fabric)
    if kind in ("crew", "scoop"):
        hem = line(s.y - neckline - 0.09, 0.02) * cloth * (x < neck.half + 0.3)
        darken(colour, 0.3 * hem, (1, 1, 1))
    else:
        if kind == "suit":
            _suit(s, target, rng, neck, neckline)
            main = linear((236, 238, 242))
        _collar(s, colour, main, kind, neck, neckline)
    darken(colour, 0.25 * cloth * smooth(neckline + 0.09, neckline, s.y), (1, 1, 1))


def _suit(
    s: Sheet,
    target: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
    neck: _Neck,
    neckline: np.ndarray,
) -> None:
    colour, relief = target
    x = np.abs(s.x)
    dark = linear(_SUITS[int(rng.integers(len(_SUITS)))])
    tie = linear(_TIES[int(rng.integers(len(_TIES)))])
    inner = 0.72 - 0.36 * (s.y - neck.base_y - 0.05)
    front = smooth(inner + 0.02, inner - 0.02, x) * smooth(neckline - 0.01, neckline + 0.02, s.y)
    jacket = smooth(neckline, neckline + 0.03, s.y)
    paint(colour, jacket, dark)
    paint(colour, front, linear((232, 234, 240)))
    darken(colour, 0.5 * line(x - inner, 0.035) * jacket, (1, 1, 1))
    knot_y = neck.base_y + 0.22
    down = s.y - knot_y
    wide = np.where(down < 0.24, 0.19 - 0.36 * down, 0.104 + 0.12 * (down - 0.24))
    knot = smooth(wide + 0.02, wide - 0.02, x) * smooth(-0.04, 0.0, down)
    paint(colour, knot, tie)
    darken(colour, 0.45 * knot * line(down - 0.24, 0.03), (1, 1, 1))
    relief += 0.08 * knot


def _collar(
    s: Sheet,
    colour: np.ndarray,
    shirt: np.ndarray,
    kind: str,
    neck: _Neck,
    neckline: np.ndarray,
) -> None:
    x = np.abs(s.x)
    edge = (s.y - neckline) * 0.8
    near = smooth(neck.half + 0.34, neck.half + 0.3, x) * smooth(0.1, 0.14, x)
    paint(colour, smooth(-0.01, 0.02, edge) * smooth(0.3, 0.27, edge) * near, shirt * 1.04)
    darken(colour, 0.45 * line(edge - 0.29, 0.025) * near, (1, 1, 1))
    if kind == "collar":
        darken(colour, 0.4 * line(s.x - 0.02, 0.02) * smooth(0.0, 0.1, edge), (1, 1, 1))


def _necklace(s: Sheet, colour: np.ndarray, base_y: float) -> None:
    curve = base_y + 0.42 - 0.72 * (np.abs(s.x) / 0.8) ** 2
    on = smooth(0.82, 0.76, np.abs(s.x))
    gold = blend_colours(linear((226, 184, 92)), linear((250, 240, 220)), 0.35)
    darken(colour, 0.4 * line(s.y - curve - 0.035, 0.03) * on, (1, 1, 1))
    beads = gold * (0.65 + 0.35 * np.cos(s.x * 62.0))
    paint(colour, np.clip(1.2 * line(s.y - curve, 0.03), 0, 1) * on, beads)
    paint(colour, smooth(0.085, 0.06, np.hypot(s.x, s.y - base_y - 0.5)), gold)
