"""Neck, shoulders and clothes; a person owns four outfits."""

from __future__ import annotations

import numpy as np

from trainer.drawn.canvas import Sheet, blend_colours, bump, cloud, darken, line, linear, paint, smooth
from trainer.drawn.person import DrawnPerson
from trainer.drawn.skin import skin_colour

_CLOTH = [
    (58, 84, 122), (150, 56, 58), (86, 124, 98), (214, 186, 120), (70, 68, 74), (226, 222, 214),
    (120, 92, 140), (196, 120, 84), (44, 56, 74), (160, 178, 190), (206, 140, 150), (96, 110, 60),
]  # fmt: skip


def _outfit(p: DrawnPerson, outfit: int) -> tuple[np.random.Generator, str]:
    rng = np.random.default_rng([p.seed, 0xC107, outfit])
    kinds = ["crew", "collar", "suit"] if p.male else ["crew", "scoop", "collar", "scoop"]
    return rng, kinds[int(rng.integers(len(kinds)))]


def necktie(p: DrawnPerson, outfit: int) -> bool:
    """Whether a necktie belongs to the outfit (men's suits)."""
    return _outfit(p, outfit)[1] == "suit"


def torso(p: DrawnPerson, outfit: int, s: Sheet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paint the torso: (mask [h, w], colour [h, w, 3] linear BGR, relief [h, w] in u)."""
    rng, kind = _outfit(p, outfit)
    x = np.abs(s.x)
    neck = 0.6 + 0.14 * p.male + 0.09 * p.chubby
    base_y = 2.05 + 0.05 * p.male
    reach = np.clip(x - neck, 0, None)
    shoulder_y = base_y + 0.22 * reach**0.9 + 0.035 * reach**3.2
    flare = neck + 0.28 * smooth(1.5, base_y + 0.1, s.y) ** 2
    body = smooth(shoulder_y - 0.03, shoulder_y + 0.03, s.y)
    column = smooth(flare + 0.02, flare - 0.02, x) * smooth(0.2, 0.4, s.y)
    mask = np.maximum(body, column * smooth(base_y + 0.5, base_y + 0.2, s.y))
    relief = np.where(s.y < base_y + 0.1, 0.0, 0.35) + 0.7 * np.sqrt(
        np.clip(1 - (x / (flare + 0.05)) ** 2, 0.02, None)
    ) * smooth(base_y + 0.7, base_y, s.y)
    relief = relief + 1.1 * np.sqrt(np.clip(1 - (x / 3.3) ** 2, 0.0, None)) * body
    colour = np.broadcast_to(skin_colour(p) * 0.94, (*s.shape, 3)).astype(np.float32).copy()
    _neck_shade(p, s, colour, base_y)
    cloth = _clothes(p, s, colour, relief, rng, kind, (neck, base_y), body)
    if p.necklace:
        _necklace(s, colour, base_y, cloth)
    return mask.astype(np.float32), colour, relief.astype(np.float32)


def _neck_shade(p: DrawnPerson, s: Sheet, colour: np.ndarray, base_y: float) -> None:
    under = smooth(p.chin_y + 0.62, p.chin_y - 0.15, s.y) * 0.52
    for side in (-1.0, 1.0):
        cord = side * (0.4 - 0.28 * smooth(1.5, base_y + 0.25, s.y))
        under = under + 0.1 * line(s.x - cord, 0.05) * smooth(1.6, 2.0, s.y)
    under = under + 0.22 * bump(s, 0.0, base_y + 0.16, 0.08, 0.06)
    if p.chubby > 0.72:
        roll = p.chin_y + 0.17 - 0.2 * s.x**2
        under = under + 0.42 * line(s.y - roll, 0.035) * smooth(0.72, 0.5, np.abs(s.x))
        under = under - 0.32 * np.exp(-(((s.y - roll + 0.1) / 0.07) ** 2)) * smooth(
            0.7, 0.45, np.abs(s.x)
        )
    darken(colour, np.clip(under, 0, 0.85), (0.95, 0.88, 0.72))


def _clothes(
    p: DrawnPerson,
    s: Sheet,
    colour: np.ndarray,
    relief: np.ndarray,
    rng: np.random.Generator,
    kind: str,
    neck: tuple[float, float],
    body: np.ndarray,
) -> np.ndarray:
    half, base_y = neck
    x = np.abs(s.x)
    rgb = np.array(_CLOTH[int(rng.integers(len(_CLOTH)))]) + rng.integers(-14, 15, 3)
    main = linear(tuple(float(v) for v in rgb.clip(12, 245)))
    deep = {"crew": 0.3, "scoop": 0.72, "collar": 0.75, "suit": 0.75}[kind]
    if kind in ("collar", "suit"):
        neckline = base_y - 0.12 + deep * np.clip(1 - x / (half + 0.28), 0, 1) * 1.25
    else:
        neckline = base_y + deep * np.sqrt(np.clip(1 - (x / (half + 0.3)) ** 2, 0, 1)) + 0.02
    cloth = smooth(neckline - 0.02, neckline + 0.02, s.y)
    cloth = np.where(x > half + 0.29, body, cloth)
    fabric = main * (1.0 + 0.05 * cloud(rng, s.shape, (8, 8))[..., None])
    pattern = rng.random()
    if kind in ("crew", "scoop") and pattern < 0.3:
        other = linear(_CLOTH[int(rng.integers(len(_CLOTH)))])
        stripes = smooth(-0.1, 0.1, np.sin((s.y - 0.06 * s.x**2) * 17.0))
        fabric = fabric + (other - fabric) * stripes[..., None]
    paint(colour, cloth, fabric.astype(np.float32))
    if kind in ("crew", "scoop"):
        darken(colour, 0.3 * line(s.y - neckline - 0.09, 0.02) * cloth * (x < half + 0.3), (1, 1, 1))
    else:
        _shirt(s, colour, relief, rng, kind, main, (half, base_y), neckline)
    darken(colour, 0.25 * cloth * smooth(neckline + 0.09, neckline, s.y), (1, 1, 1))
    return cloth


def _shirt(
    s: Sheet,
    colour: np.ndarray,
    relief: np.ndarray,
    rng: np.random.Generator,
    kind: str,
    main: np.ndarray,
    neck: tuple[float, float],
    neckline: np.ndarray,
) -> None:
    half, base_y = neck
    x = np.abs(s.x)
    white = linear((236, 238, 242))
    shirt = white if kind == "suit" else main
    if kind == "suit":
        dark = linear([(44, 50, 66), (60, 58, 60), (34, 36, 44), (88, 84, 80)][int(rng.integers(4))])
        inner = 0.62 - 0.36 * (s.y - base_y - 0.05)
        front = smooth(inner + 0.015, inner - 0.015, x) * smooth(neckline - 0.01, neckline + 0.02, s.y)
        body = smooth(neckline, neckline + 0.03, s.y)
        paint(colour, body, dark)
        paint(colour, front, white * 0.95)
        lapel = line(x - inner, 0.03) * body
        darken(colour, 0.5 * lapel, (1, 1, 1))
        tie = linear([(140, 34, 44), (36, 62, 120), (46, 92, 76), (120, 84, 30)][int(rng.integers(4))])
        knot_y = base_y + 0.72
        wide = np.where(s.y < knot_y + 0.22, 0.17 - 0.3 * (s.y - knot_y), 0.1 + 0.1 * (s.y - knot_y))
        knot = smooth(wide + 0.015, wide - 0.015, x) * smooth(knot_y - 0.03, knot_y, s.y)
        paint(colour, knot, tie)
        darken(colour, 0.45 * knot * line(s.y - knot_y - 0.22, 0.025), (1, 1, 1))
        relief += 0.08 * knot
    edge = (s.y - neckline) * 0.8
    collar = smooth(-0.01, 0.02, edge) * smooth(0.3, 0.27, edge) * smooth(half + 0.34, half + 0.3, x)
    collar = collar * smooth(0.1, 0.14, x)
    paint(colour, collar, np.clip(shirt * 1.08, 0, 1))
    darken(colour, 0.45 * line(edge - 0.29, 0.02) * (x < half + 0.3) * (x > 0.12), (1, 1, 1))
    if kind == "collar":
        darken(colour, 0.4 * line(s.x - 0.02, 0.012) * smooth(0.0, 0.1, edge), (1, 1, 1))


def _necklace(s: Sheet, colour: np.ndarray, base_y: float, cloth: np.ndarray) -> None:
    curve = base_y + 0.42 - 0.72 * (np.abs(s.x) / 0.8) ** 2
    on = smooth(0.82, 0.76, np.abs(s.x))
    bead = 0.65 + 0.35 * np.cos(s.x * 62.0)
    gold = blend_colours(linear((226, 184, 92)), linear((250, 240, 220)), 0.35)
    darken(colour, 0.4 * line(s.y - curve - 0.035, 0.03) * on, (1, 1, 1))
    paint(colour, np.clip(1.2 * line(s.y - curve, 0.028), 0, 1) * on, gold * bead[..., None])
    paint(colour, smooth(0.085, 0.06, np.hypot(s.x, s.y - base_y - 0.5)), gold)
