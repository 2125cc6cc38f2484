"""The painted layers of a person: head, torso and the hair behind; painted once and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

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


BODY_DEPTH_U, BUN_DEPTH_U, BACK_DEPTH_U = 0.25, 0.1, -0.35
"""Depth of torso, bun and the hair behind the neck over the axis of turning, in u."""


@dataclass(frozen=True)
class Layer:
    """One painted sheet, ready for the camera; all arrays are float32.

    ``colour``: [3, h, w], linear BGR. ``normal``: [3, h, w], unit normals (x, y, z). ``gloss`` and
    ``alpha``: [h, w], 0 to 1. ``depth``: height in u over the axis of turning: one number for a
    flat layer, or [h, w], smooth and gentle enough to be inverted by iteration. ``endless``:
    whether the last row goes on downwards.
    """

    sheet: Sheet
    colour: np.ndarray
    normal: np.ndarray
    gloss: np.ndarray
    alpha: np.ndarray
    depth: np.ndarray | float
    endless: bool = False


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
    over, over_colour, over_relief = work.over, work.colour.copy(), work.relief.copy()
    worn = glasses(p, s) if glassed else None
    if worn is not None:
        darken(work.skin, 0.3 * blur(s, below(s, worn.mask, 0.055), 0.02), (0.9, 0.9, 0.8))
        paint(work.colour, worn.mask * (1.0 - over), worn.colour)
        work.relief += worn.relief
        face = face + worn.relief
    part, cut = s.part(*_PATCH_U)
    depth = _depth(p, s, work.relief)
    layer = _layer(s, work.colour, work.relief, work.gloss, work.alpha, depth, also=cut)
    lens = None
    if worn is not None:
        lens = ((worn.mask * (1.0 - over))[cut], cut_planes(worn.colour, cut))
    return Head(
        layer,
        layer.sheet.part(*_PATCH_U)[1],
        Surface(part, cut_planes(work.skin, cut), face[cut], work.gloss[cut]),
        (over[cut], cut_planes(over_colour, cut), over_relief[cut]),
        lens,
    )


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


def _layer(
    s: Sheet,
    colour: np.ndarray,
    relief: np.ndarray,
    gloss: float | np.ndarray,
    alpha: np.ndarray,
    depth: float | np.ndarray,
    *,
    also: Cut | None = None,
    endless: bool = False,
) -> Layer:
    """Make a layer of what is painted on a sheet, without the empty space around it.

    ``also`` is a part that is kept even where it is empty.
    """
    tight, cut = s.around(alpha, also)
    return Layer(
        tight,
        cut_planes(colour, cut).copy(),
        cut_planes(normals(s, relief), cut).copy(),
        full(s, gloss)[cut].copy(),
        alpha[cut].copy(),
        depth[cut].copy() if isinstance(depth, np.ndarray) else depth,
        endless,
    )


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
    mask, above, relief = h.over
    paint(face.colour, mask, above)
    face.relief[...] += (relief - face.relief) * mask
    face.gloss[...] += (0.1 - face.gloss) * mask
    if h.lens is not None:
        paint(face.colour, *h.lens)
    painted = h.layer
    colour, normal, gloss = painted.colour.copy(), painted.normal.copy(), painted.gloss.copy()
    fade = _feather(s.shape)
    _mix(cut_planes(colour, h.patch), face.colour, fade)
    _mix(cut_planes(normal, h.patch), normals(s, face.relief), fade)
    _mix(gloss[h.patch], face.gloss, fade)
    return replace(painted, colour=colour, normal=normal, gloss=gloss)


def _mix(target: np.ndarray, fresh: np.ndarray, fade: np.ndarray) -> None:
    fresh -= target
    fresh *= fade
    target += fresh


@lru_cache(maxsize=2)
def _feather(shape: tuple[int, int]) -> np.ndarray:
    """Weight of the patch over the head, float32 [h, w]: 0 at the edge, 1 inside."""
    down, across = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in shape)
    inset = np.minimum(down[:, None], across[None, :]) - _MARGIN
    return np.clip(inset / _FEATHER, 0, 1).astype(np.float32)


@lru_cache(maxsize=8)
def body(p: DrawnPerson, outfit: int) -> Layer:
    """Paint neck, shoulders and one outfit (0 to 3)."""
    s = body_sheet()
    worn = torso(p, outfit, s)
    worn.mask[0] = 0.0
    relief = blur(s, worn.relief, 0.03)
    return _layer(s, worn.colour, relief, 0.03, worn.mask, BODY_DEPTH_U, endless=True)


@lru_cache(maxsize=6)
def behind(p: DrawnPerson, hatted: bool) -> Layer | None:
    """Paint the hair behind the neck, or None."""
    s = back_sheet()
    hair = back_hair(p, s, _rng(p, 4))
    if hair is None or (hatted and p.hair_style == "bun"):
        return None
    depth = BUN_DEPTH_U if p.hair_style == "bun" else BACK_DEPTH_U
    return _layer(s, hair.colour, hair.relief, 0.05, hair.mask, depth)
