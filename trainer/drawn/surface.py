"""The painted layers of a person: head, torso and the hair behind; painted once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from trainer.drawn.canvas import Sheet, blur, darken, normals, paint, sheet, smooth
from trainer.drawn.features import paint_features
from trainer.drawn.hair import back_hair, front_hair
from trainer.drawn.person import DrawnPerson
from trainer.drawn.relief import dome, ear_mask, face_relief, radius
from trainer.drawn.shot import Expression
from trainer.drawn.skin import face_colour
from trainer.drawn.torso import torso
from trainer.drawn.wear import earrings, glasses, hat

PATCH_LEFT, PATCH_TOP, PATCH_RIGHT, PATCH_BOTTOM = -1.0, -0.72, 1.0, 1.7


@dataclass(frozen=True)
class Layer:
    """One painted sheet, ready for the camera.

    ``colour``: float32 [h, w, 4], linear BGR times alpha, and alpha. ``shape``: float32 [h, w, 4],
    unit normal (x, y, z) times alpha, and gloss times alpha. ``depth``: float32 [h, w], a smooth
    height in u over the axis of turning, gentle enough to be inverted by iteration.
    """

    colour: np.ndarray
    shape: np.ndarray
    depth: np.ndarray


@dataclass(frozen=True)
class Head:
    """The head without expression, and what lies over the patch that each expression repaints."""

    layer: Layer
    relief: np.ndarray
    skin: np.ndarray
    gloss: np.ndarray
    over_mask: np.ndarray
    over_colour: np.ndarray
    over_relief: np.ndarray
    lens_mask: np.ndarray | None
    lens_colour: np.ndarray | None


def patch_sheet() -> Sheet:
    """The rectangle of the sheet that holds brows, eyes, cheeks and mouth."""
    return sheet(PATCH_LEFT, PATCH_TOP, PATCH_RIGHT, PATCH_BOTTOM)


def _rng(p: DrawnPerson, part: int) -> np.random.Generator:
    return np.random.default_rng([p.seed, 0x5F, part])


@lru_cache(maxsize=6)
def head(p: DrawnPerson, hatted: bool, glassed: bool) -> Head:
    """Paint the head of a person, with or without hat and glasses (kept for the next shots)."""
    s = sheet()
    r = radius(p, s)
    face = smooth(1.02, 0.985, r)
    ears, ear_relief = ear_mask(p, s)
    relief = face_relief(p, s, np.minimum(r, 1.3))
    relief = np.where(ears > face, ear_relief + 0.1, relief).astype(np.float32)
    colour = face_colour(p, s, _rng(p, 1))
    inner = ears * (1 - face) * smooth(0.14, 0.08, ear_relief)
    darken(colour, 0.4 * inner, (1.0, 0.9, 0.7))
    darken(colour, 0.35 * ears * (1 - face) * smooth(1.15, 1.0, r), (1.0, 0.92, 0.75))
    alpha = np.maximum(face, ears)
    gloss = np.full(s.shape, 0.15, np.float32)
    skin, skin_relief = colour.copy(), relief.copy()
    over = np.zeros(s.shape, np.float32)
    over_colour = colour.copy()
    if p.earrings:
        ring = earrings(p, s)
        paint(colour, ring.mask, ring.colour)
        alpha = np.maximum(alpha, ring.mask)
        gloss += (0.7 - gloss) * ring.mask
    hair = front_hair(p, s, _rng(p, 2))
    if hair is not None:
        soft = blur(hair.mask, 0.05)
        shade = 0.5 * np.clip(blur(np.roll(hair.mask, 4, axis=0), 0.07), 0, 1)
        for target in (colour, skin):
            darken(target, shade, (0.9, 0.85, 0.7))
        paint(colour, hair.mask, hair.colour)
        relief += (np.maximum(hair.relief, relief) - relief) * soft
        alpha = np.maximum(alpha, hair.mask)
        gloss += (0.1 - gloss) * hair.mask
        over = hair.mask.copy()
    if hatted:
        cap, shadow = hat(p, s, _rng(p, 3))
        alpha = _tuck_hair(p, s, alpha, cap.mask)
        for target in (colour, skin):
            darken(target, shadow, (0.9, 0.88, 0.8))
        paint(colour, cap.mask, cap.colour)
        relief += (cap.relief - relief) * cap.mask
        alpha = np.maximum(alpha, cap.mask)
        gloss += (0.03 - gloss) * cap.mask
        over = np.maximum(over, cap.mask)
    over_colour = colour.copy()
    over_relief = relief.copy()
    lens_mask = lens_colour = None
    if glassed:
        lens = glasses(p, s)
        seen = lens.mask * (1.0 - over)
        darken(skin, 0.3 * blur(np.roll(lens.mask, 4, axis=0), 0.02), (0.9, 0.9, 0.8))
        paint(colour, seen, lens.colour)
        relief = relief + lens.relief
        skin_relief = skin_relief + lens.relief
        lens_mask, lens_colour = seen, lens.colour
    layer = Layer(_premultiply(colour, alpha), _shape(relief, gloss, alpha), _depth(p, s, relief, alpha))
    part = patch_sheet()
    cutout = (part.rows, part.columns)
    return Head(
        layer,
        skin_relief[cutout].copy(),
        skin[cutout].copy(),
        gloss[cutout].copy(),
        over[cutout].copy(),
        over_colour[cutout].copy(),
        over_relief[cutout].copy(),
        None if lens_mask is None else lens_mask[cutout].copy(),
        None if lens_colour is None else lens_colour[cutout].copy(),
    )


def _tuck_hair(p: DrawnPerson, s: Sheet, alpha: np.ndarray, cap: np.ndarray) -> np.ndarray:
    """Hide hair that would stand out above a hat."""
    covered = np.maximum.accumulate(cap[::-1] > 0.5, axis=0)[::-1]
    above = (~covered).astype(np.float32)
    high = smooth(-0.5, -0.9, s.y)
    wide = smooth(p.face_half_width + 0.1, p.face_half_width + 0.16, np.abs(s.x))
    del above
    return alpha * (1.0 - high * np.maximum(wide, smooth(-0.95, -1.0, s.y)))


def _premultiply(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    cover = alpha.astype(np.float32)
    return cv2.merge([*cv2.split(colour.astype(np.float32) * cover[..., None]), cover])


def _shape(relief: np.ndarray, gloss: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    n = normals(relief.astype(np.float32))
    packed = cv2.merge([*cv2.split(n), gloss.astype(np.float32)])
    return packed * alpha[..., None].astype(np.float32)


def _depth(p: DrawnPerson, s: Sheet, relief: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    r = radius(p, s, grow=0.12, top=0.12)
    body = 0.95 * (1.0 - np.clip(r, 0, 1.25) ** 2) + 0.2
    detail = relief - dome(radius(p, s))
    inside = smooth(1.0, 0.75, radius(p, s))
    return blur((body + np.clip(detail, -0.1, 0.45) * inside * 0.8).astype(np.float32), 0.05)


def express(h: Head, p: DrawnPerson, e: Expression) -> tuple[np.ndarray, np.ndarray]:
    """Return the head's (colour, shape) with the expression painted in; see `Layer`."""
    s = patch_sheet()
    colour, relief, gloss = h.skin.copy(), h.relief.copy(), h.gloss.copy()
    paint_features(p, e, s, colour, relief, gloss)
    paint(colour, h.over_mask, h.over_colour)
    relief += (h.over_relief - relief) * h.over_mask
    gloss += (0.1 - gloss) * h.over_mask
    if h.lens_mask is not None and h.lens_colour is not None:
        paint(colour, h.lens_mask, h.lens_colour)
    out_colour, out_shape = h.layer.colour.copy(), h.layer.shape.copy()
    inner = (slice(3, s.shape[0] - 3), slice(3, s.shape[1] - 3))
    rows = slice(s.rows.start + 3, s.rows.stop - 3)
    columns = slice(s.columns.start + 3, s.columns.stop - 3)
    alpha = h.layer.colour[rows, columns, 3]
    blend = _feather(s)[inner] * np.minimum(alpha, 1.0)
    fresh = _premultiply(colour[inner], alpha)
    out_colour[rows, columns] += (fresh - out_colour[rows, columns]) * blend[..., None]
    shape = _shape(relief, gloss, np.ones(s.shape, np.float32))[inner] * alpha[..., None]
    out_shape[rows, columns] += (shape - out_shape[rows, columns]) * blend[..., None]
    return out_colour, out_shape


@lru_cache(maxsize=1)
def _feather_cached(shape: tuple[int, int]) -> np.ndarray:
    y = np.minimum(np.arange(shape[0]), np.arange(shape[0])[::-1])[:, None]
    x = np.minimum(np.arange(shape[1]), np.arange(shape[1])[::-1])[None, :]
    return np.clip((np.minimum(y, x) - 3) / 8.0, 0, 1).astype(np.float32)


def _feather(s: Sheet) -> np.ndarray:
    return _feather_cached(s.shape)


@lru_cache(maxsize=12)
def body(p: DrawnPerson, outfit: int) -> Layer:
    """Paint neck, shoulders and one outfit."""
    s = sheet()
    mask, colour, relief = torso(p, outfit, s)
    depth = np.full(s.shape, 0.25, np.float32)
    return Layer(
        _premultiply(colour, mask), _shape(blur(relief, 0.03), np.full(s.shape, 0.03), mask), depth
    )


@lru_cache(maxsize=6)
def behind(p: DrawnPerson, hatted: bool) -> Layer | None:
    """Paint the hair behind the neck, or None."""
    s = sheet()
    hair = back_hair(p, s, _rng(p, 4))
    if hair is None or (hatted and p.hair_style == "bun"):
        return None
    depth = np.full(s.shape, -0.35 if p.hair_style != "bun" else 0.1, np.float32)
    return Layer(
        _premultiply(hair.colour, hair.mask),
        _shape(hair.relief, np.full(s.shape, 0.05), hair.mask),
        depth,
    )
