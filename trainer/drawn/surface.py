"""The painted layers of a person: head, torso and the hair behind; painted once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from trainer.drawn.canvas import (
    Cut,
    Sheet,
    back_sheet,
    below,
    blur,
    body_sheet,
    cut_planes,
    darken,
    full,
    head_sheet,
    normals,
    paint,
    smooth,
)
from trainer.drawn.features import Surface, paint_features
from trainer.drawn.hair import back_hair, front_hair
from trainer.drawn.person import DrawnPerson
from trainer.drawn.relief import dome, ear_mask, face_relief, radius
from trainer.drawn.shot import Expression
from trainer.drawn.skin import face_colour
from trainer.drawn.torso import torso
from trainer.drawn.wear import earrings, glasses, hat

_PATCH_U = (-1.0, -0.72, 1.0, 1.7)
"""Extent (left, top, right, bottom) that holds brows, eyes, cheeks and mouth."""

_MARGIN, _FEATHER = 3, 8
"""Texels of the patch that are left out at its edge, and over which it fades in."""


@dataclass(frozen=True)
class Layer:
    """One painted sheet, ready for the camera.

    ``colour``: float32 [h, w, 4], linear BGR times alpha, and alpha. ``shape``: float32 [h, w, 4],
    unit normal (x, y, z) times alpha, and gloss times alpha. ``depth``: height in u over the axis
    of turning: one number for a flat layer, or float32 [h, w], smooth and gentle enough to be
    inverted by iteration.
    """

    sheet: Sheet
    colour: np.ndarray
    shape: np.ndarray
    depth: np.ndarray | float


@dataclass(frozen=True)
class Head:
    """The head without expression, and what the patch needs that each expression repaints.

    ``bare`` is the patch without anything before the face, ``over`` what is painted after it:
    hair or hat (mask, colour, relief) and then the glasses (mask, colour).
    """

    layer: Layer
    patch: Cut
    bare: Surface
    over: tuple[np.ndarray, np.ndarray, np.ndarray]
    lens: tuple[np.ndarray, np.ndarray] | None


@dataclass
class _Work:
    """A head while it is painted. ``skin`` is the colour below hair, hat and glasses, with their
    shadows; ``over`` is where the face is covered by hair or hat."""

    colour: np.ndarray
    skin: np.ndarray
    relief: np.ndarray
    gloss: np.ndarray
    alpha: np.ndarray
    over: np.ndarray

    def copy(self) -> _Work:
        return _Work(*(np.array(a) for a in vars(self).values()))

    def lay(self, mask: np.ndarray, colour: np.ndarray, gloss: float) -> None:
        """Lay something opaque over the head."""
        alpha = mask + self.alpha * (1.0 - mask)
        paint(self.colour, mask / np.maximum(alpha, 1e-3), colour)
        self.alpha = alpha
        self.gloss += (gloss - self.gloss) * mask

    def shade(self, amount: np.ndarray) -> None:
        """Let a shadow fall on the head as painted so far."""
        for target in (self.colour, self.skin):
            darken(target, amount, (0.9, 0.86, 0.74))


def _rng(p: DrawnPerson, part: int) -> np.random.Generator:
    return np.random.default_rng([p.seed, 0x5F, part])


@lru_cache(maxsize=4)
def _bare_head(p: DrawnPerson) -> tuple[_Work, np.ndarray]:
    """Return the head with its hair but nothing worn on it, and the face's own relief."""
    s = head_sheet()
    r = radius(p, s)
    face = smooth(1.02, 0.985, r)
    ears, ear_relief = ear_mask(p, s)
    relief = face_relief(p, s, np.minimum(r, 1.3))
    relief = np.where(ears > face, ear_relief + 0.1, relief)
    colour = face_colour(p, s, _rng(p, 1))
    lone = ears * (1 - face)
    darken(colour, 0.4 * lone * smooth(0.14, 0.08, ear_relief), (1.0, 0.9, 0.7))
    darken(colour, 0.35 * lone * smooth(1.15, 1.0, r), (1.0, 0.92, 0.75))
    alpha = np.maximum(face, ears)
    work = _Work(colour, colour.copy(), relief.copy(), full(s, 0.15), alpha, full(s, 0.0))
    hair = front_hair(p, s, _rng(p, 2))
    if hair is not None:
        work.shade(0.5 * np.clip(blur(s, below(s, hair.mask, 0.055), 0.07), 0, 1))
        work.lay(hair.mask, hair.colour, 0.1)
        raised = np.maximum(hair.relief, relief) - relief
        work.relief += raised * blur(s, hair.mask, 0.05)
        work.over = hair.mask
    if p.earrings:
        ring = earrings(p, s)
        work.lay(ring.mask, ring.colour, 0.7)
    return work, relief


@lru_cache(maxsize=6)
def head(p: DrawnPerson, hatted: bool, glassed: bool) -> Head:
    """Paint the head of a person, with or without hat and glasses (kept for the next shots)."""
    s = head_sheet()
    bare, face = _bare_head(p)
    work = bare.copy()
    if hatted:
        _put_on_hat(p, s, work)
    part, cut = s.part(*_PATCH_U)
    over = (work.over[cut], cut_planes(work.colour, cut).copy(), work.relief[cut].copy())
    lens = None
    if glassed:
        worn = glasses(p, s)
        seen = worn.mask * (1.0 - work.over)
        darken(work.skin, 0.3 * blur(s, below(s, worn.mask, 0.055), 0.02), (0.9, 0.9, 0.8))
        paint(work.colour, seen, worn.colour)
        work.relief += worn.relief
        face = face + worn.relief
        lens = (seen[cut], cut_planes(worn.colour, cut))
    colour = _premultiply(work.colour, work.alpha)
    shape = _shape(s, work.relief, work.gloss, work.alpha)
    layer = Layer(s, colour, shape, _depth(p, s, work.relief))
    patch = Surface(part, cut_planes(work.skin, cut), face[cut], work.gloss[cut])
    return Head(layer, cut, patch, over, lens)


def _put_on_hat(p: DrawnPerson, s: Sheet, work: _Work) -> None:
    cap, shadow = hat(p, s, _rng(p, 3))
    work.alpha = _tuck_hair(p, s, work.alpha)
    work.shade(shadow)
    work.lay(cap.mask, cap.colour, 0.03)
    work.relief += (cap.relief - work.relief) * cap.mask
    work.over = np.maximum(work.over, cap.mask)


def _tuck_hair(p: DrawnPerson, s: Sheet, alpha: np.ndarray) -> np.ndarray:
    """Hide hair that would stand out beside and above a hat."""
    wide = smooth(p.face_half_width + 0.1, p.face_half_width + 0.16, np.abs(s.x))
    high = smooth(-0.5, -0.9, s.y)
    return alpha * (1.0 - high * np.maximum(wide, smooth(-0.95, -1.0, s.y)))


def _premultiply(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return cv2.merge([*(plane * alpha for plane in colour), alpha])


def _shape(s: Sheet, relief: np.ndarray, gloss: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return cv2.merge([*(n * alpha for n in cv2.split(normals(s, relief))), gloss * alpha])


def _depth(p: DrawnPerson, s: Sheet, relief: np.ndarray) -> np.ndarray:
    r = radius(p, s)
    body = 0.95 * (1.0 - np.clip(radius(p, s, grow=0.12, top=0.12), 0, 1.25) ** 2) + 0.2
    detail = np.clip(relief - dome(r), -0.1, 0.45) * smooth(1.0, 0.75, r)
    return blur(s, body + 0.8 * detail, 0.05)


def express(h: Head, p: DrawnPerson, e: Expression) -> Layer:
    """Return the head's layer with the expression painted in."""
    s = h.bare.s
    face = Surface(s, h.bare.colour.copy(), h.bare.relief.copy(), h.bare.gloss.copy())
    paint_features(p, e, face)
    mask, colour, relief = h.over
    paint(face.colour, mask, colour)
    face.relief[...] += (relief - face.relief) * mask
    face.gloss[...] += (0.1 - face.gloss) * mask
    if h.lens is not None:
        paint(face.colour, *h.lens)
    alpha = np.ascontiguousarray(h.layer.colour[h.patch[0], h.patch[1], 3])
    out_colour, out_shape = h.layer.colour.copy(), h.layer.shape.copy()
    fade = _feather(s.shape)
    _mix(out_colour[h.patch], _premultiply(face.colour, alpha), fade)
    _mix(out_shape[h.patch], _shape(s, face.relief, face.gloss, alpha), fade)
    return Layer(h.layer.sheet, out_colour, out_shape, h.layer.depth)


def _mix(target: np.ndarray, fresh: np.ndarray, fade: np.ndarray) -> None:
    fresh -= target
    fresh *= fade
    target += fresh


@lru_cache(maxsize=2)
def _feather(shape: tuple[int, int]) -> np.ndarray:
    """Weight of the patch over the head, float32 [h, w, 4]: 0 at the edge, 1 inside."""
    down, across = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in shape)
    inset = np.minimum(down[:, None], across[None, :]) - _MARGIN
    return np.repeat(np.clip(inset / _FEATHER, 0, 1).astype(np.float32)[..., None], 4, axis=2)


@lru_cache(maxsize=8)
def body(p: DrawnPerson, outfit: int) -> Layer:
    """Paint neck, shoulders and one outfit (0 to 3)."""
    s = body_sheet()
    worn = torso(p, outfit, s)
    worn.mask[0] = 0.0
    shape = _shape(s, blur(s, worn.relief, 0.03), full(s, 0.03), worn.mask)
    return Layer(s, _premultiply(worn.colour, worn.mask), shape, 0.25)


@lru_cache(maxsize=6)
def behind(p: DrawnPerson, hatted: bool) -> Layer | None:
    """Paint the hair behind the neck, or None."""
    s = back_sheet()
    hair = back_hair(p, s, _rng(p, 4))
    if hair is None or (hatted and p.hair_style == "bun"):
        return None
    shape = _shape(s, hair.relief, full(s, 0.05), hair.mask)
    depth = 0.1 if p.hair_style == "bun" else -0.35
    return Layer(s, _premultiply(hair.colour, hair.mask), shape, depth)
