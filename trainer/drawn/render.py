"""The camera: turns the painted layers by the shot's pose, lights them and develops a picture."""

from __future__ import annotations

import math
from statistics import NormalDist

import cv2
import numpy as np

from trainer.drawn.attributes import wears_glasses, wears_hat
from trainer.drawn.background import backdrop
from trainer.drawn.canvas import Sheet
from trainer.drawn.person import DrawnPerson
from trainer.drawn.shot import Light, Shot
from trainer.drawn.surface import Layer, behind, body, express, head
from trainer.drawn.view import (
    PIVOT_Y,
    TORSO_NODS,
    TORSO_TURNS,
    View,
    depth_share,
    roll_matrix,
    rotation,
    torso_view,
    view_of,
)

_Box = tuple[int, int, int, int]
"""Left, top, right, bottom in px; right and bottom excluded."""

_REACH_U = 12.0
"""Height below the eyes to which a torso is drawn: its last row goes on."""

_NEAR_U = 1.3
"""Greatest depth of a layer, in u."""

_WRAP = (0.16, 0.2, 0.32)
"""How far light reaches round the terminator, per channel BGR; more red makes skin look soft."""

_TONES = 65535


def _tone_table() -> np.ndarray:
    """8-bit values of linear light, float32 [65536] for 0 to 2; highlights are rolled off."""
    value = np.sqrt(np.arange(_TONES + 1) / (_TONES / 2.0))
    bright = np.where(value > 0.65, 0.65 + 0.35 * np.tanh((value - 0.65) / 0.35), value)
    return (bright * 255.0).astype(np.float32)


_TONE = _tone_table()


def _normal_quantiles() -> np.ndarray:
    """256 equally likely values of N(0, 1), float32, with the variance scaled to 1."""
    steps = np.array([NormalDist().inv_cdf((k + 0.5) / 256) for k in range(256)])
    return (steps / steps.std()).astype(np.float32)


_GRAIN = _normal_quantiles()


def render(person: DrawnPerson, shot: Shot, *, size_px: int = 256) -> np.ndarray:
    """Draw a square picture of a head, uint8 BGR [size_px, size_px, 3]."""
    return photograph(person, shot, view_of(shot, size_px), (size_px, size_px))


def photograph(person: DrawnPerson, shot: Shot, view: View, size: tuple[int, int]) -> np.ndarray:
    """Draw a picture with the head in a given place, uint8 BGR [h, w, 3].

    ``size`` is (width, height) in px; the background, blur and noise are the shot's.
    """
    picture = _expose(backdrop(shot.background_seed, size), shot.light.exposure)
    compose(person, shot, picture, view)
    return develop(picture, shot, min(size))


def _expose(picture: np.ndarray, exposure: float) -> np.ndarray:
    """Let the background follow the exposure of the light, half as much; uint8 BGR."""
    values = np.sqrt(min(1.1, 0.6 + 0.45 * exposure)) * np.arange(256)
    return cv2.LUT(picture, np.clip(values + 0.5, 0, 255).astype(np.uint8))


def compose(person: DrawnPerson, shot: Shot, picture: np.ndarray, view: View) -> None:
    """Draw the person over ``picture`` (uint8 BGR [h, w, 3]), in place."""
    size = (picture.shape[1], picture.shape[0])
    for layer, turn, place in _layers(person, shot, view):
        box = _reach(layer, turn, place, size)
        if box[0] < box[2] and box[1] < box[3]:
            lit = _light_up(layer, shot.light, roll_matrix(place.roll_deg) @ turn)
            if isinstance(layer.depth, float):
                seen = _project_flat(lit, layer, layer.depth, turn, place, box)
            else:
                seen = _project_curved(lit, layer, layer.depth, turn, place, box)
            _lay_over(picture[box[1] : box[3], box[0] : box[2]], seen)


def _layers(person: DrawnPerson, shot: Shot, view: View) -> list[tuple[Layer, np.ndarray, View]]:
    """Return the person's layers, farthest first, each with its rotation and view."""
    hatted = wears_hat(person, shot)
    painted = head(person, hatted, wears_glasses(person, shot))
    turn = rotation(shot.yaw_deg, shot.pitch_deg)
    trunk = rotation(TORSO_TURNS * shot.yaw_deg, TORSO_NODS * shot.pitch_deg)
    layers = [
        (body(person, shot.outfit % 4), trunk, torso_view(shot, view)),
        (express(painted, person, shot.expression), turn, view),
    ]
    back = behind(person, hatted)
    if back is not None:
        layers.insert(0, (back, turn if person.hair_style == "bun" else trunk, view))
    return layers


def _reach(layer: Layer, turn: np.ndarray, view: View, size: tuple[int, int]) -> _Box:
    """Return the part of the picture that a layer can cover."""
    s = layer.sheet
    right, bottom = s.left_u + s.shape[1] / s.px_per_u, s.top_u + s.shape[0] / s.px_per_u
    if layer.endless:
        bottom = _REACH_U
    depths = (layer.depth,) if isinstance(layer.depth, float) else (-0.4, _NEAR_U)
    corners = np.array(
        [(x, y - PIVOT_Y, z) for x in (s.left_u, right) for y in (s.top_u, bottom) for z in depths]
    )
    turned = (corners @ turn.T)[:, :2] + (0.0, PIVOT_Y)
    m = view.matrix()
    points = turned @ m[:, :2].T + m[:, 2]
    low = np.clip(np.floor(points.min(axis=0)), 0, size).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)) + 1, 0, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _light_up(layer: Layer, light: Light, turn: np.ndarray) -> np.ndarray:
    """Light a layer that is turned by ``turn``, float [3, 3].

    Lambert with a soft, reddened terminator, a Blinn-Phong highlight and sky light. Returns the
    picture's values, uint8 BGR times alpha, and alpha: [h, w, 4].
    """
    a, e = np.deg2rad(light.azimuth_deg), np.deg2rad(light.elevation_deg)
    towards = np.array([np.sin(a) * np.cos(e), -np.sin(e), np.cos(a) * np.cos(e)])
    half = towards + np.array([0.0, 0.0, 1.0])
    half /= np.linalg.norm(half)
    lambert = _along(layer.normal, towards @ turn)
    sky = _along(layer.normal, -0.18 * light.ambient * turn[1])
    sky += np.float32(0.82 * light.ambient)
    shine = np.maximum(_along(layer.normal, half @ turn), 0.0)
    for _ in range(4):
        shine *= shine
    shine *= layer.gloss
    shine *= np.float32(light.key)
    warm = (1 - 0.16 * light.warmth, 1.0, 1 + 0.12 * light.warmth)
    planes = []
    for k in range(3):
        lit = np.maximum(lambert + np.float32(_WRAP[k]), 0.0)
        lit *= np.float32(light.key * warm[k] / (1.0 + _WRAP[k]))
        lit += sky
        lit *= layer.colour[k]
        lit += shine
        lit *= np.float32(light.exposure * _TONES / 2.0)
        tone = _TONE[np.clip(lit, 0, _TONES, out=lit).astype(np.uint16)]
        tone *= layer.alpha
        planes.append(tone)
    planes.append(layer.alpha * np.float32(255.0))
    return cv2.merge([cv2.convertScaleAbs(plane) for plane in planes])


def _along(normal: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Cosine between normals [3, h, w] and a direction [3], float32 [h, w]."""
    x, y, z = direction.astype(np.float32)
    total = normal[0] * x
    total += normal[1] * y
    total += normal[2] * z
    return np.asarray(total)


def _project_flat(
    lit: np.ndarray, layer: Layer, depth: float, turn: np.ndarray, view: View, box: _Box
) -> np.ndarray:
    """Return a flat layer as seen in a box of the picture, uint8 [h, w, 4]."""
    s = layer.sheet
    plane = np.eye(3)
    plane[:2, :2] = turn[:2, :2]
    lift = np.array([0.0, PIVOT_Y])
    plane[:2, 2] = turn[:2, 2] * depth + lift - turn[:2, :2] @ lift
    texel = np.array(
        [
            [1 / s.px_per_u, 0, s.left_u + 0.5 / s.px_per_u],
            [0, 1 / s.px_per_u, s.top_u + 0.5 / s.px_per_u],
            [0, 0, 1],
        ]
    )
    matrix = view.matrix() @ plane @ texel
    matrix[:, 2] -= box[:2]
    size = (box[2] - box[0], box[3] - box[1])
    border = cv2.BORDER_REPLICATE if layer.endless else cv2.BORDER_CONSTANT
    return cv2.warpAffine(lit, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)


def _project_curved(
    lit: np.ndarray, layer: Layer, depth: np.ndarray, turn: np.ndarray, view: View, box: _Box
) -> np.ndarray:
    """Return a layer with depth as seen in a box of the picture, uint8 [h, w, 4]."""
    inverse = np.linalg.inv(np.vstack([view.matrix(), [0, 0, 1]]))
    step = 2 if view.scale_px < 72 else 4
    w, h = box[2] - box[0], box[3] - box[1]
    xs = np.arange(box[0], box[2] + step, step, dtype=np.float32)[None, :]
    ys = np.arange(box[1], box[3] + step, step, dtype=np.float32)[:, None]
    u, v = (np.float32(r[0]) * xs + np.float32(r[1]) * ys + np.float32(r[2]) for r in inverse[:2])
    maps = _unturn(layer.sheet, depth, turn, u, v - np.float32(PIVOT_Y))
    grow = np.array([[step, 0, 0], [0, step, 0]], np.float32)
    map_x, map_y = (cv2.warpAffine(m, grow, (w, h), flags=cv2.INTER_LINEAR) for m in maps)
    return cv2.remap(lit, map_x, map_y, cv2.INTER_LINEAR)


def _unturn(
    s: Sheet, depth: np.ndarray, turn: np.ndarray, u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the texels that the pose carries to (u, v), by fixed-point iteration."""
    k = np.float32(s.px_per_u)
    left, top = np.float32(s.left_u * k + 0.5), np.float32((s.top_u - PIVOT_Y) * k + 0.5)
    inverse = np.linalg.inv(turn[:2, :2]) * k
    lift = turn[:2, 2] * np.float32(depth_share(turn))
    x, y = u * k - left, v * k - top
    for _ in range(6):
        z = cv2.remap(depth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        du, dv = u - lift[0] * z, v - lift[1] * z
        x = inverse[0, 0] * du + inverse[0, 1] * dv - left
        y = inverse[1, 0] * du + inverse[1, 1] * dv - top
    return x, y


def _lay_over(picture: np.ndarray, seen: np.ndarray) -> None:
    """Lay a layer, uint8 BGR times alpha and alpha [h, w, 4], over the picture, in place."""
    blue, green, red, alpha = cv2.split(seen)
    free = cv2.merge([255 - alpha] * 3)
    picture[:] = cv2.add(
        cv2.multiply(picture, free, scale=1.0 / 255.0), cv2.merge([blue, green, red])
    )


def develop(picture: np.ndarray, shot: Shot, side_px: int) -> np.ndarray:
    """Add the camera's blur and noise; ``side_px`` scales the blur. Returns uint8 BGR."""
    sigma = shot.blur * side_px / 100.0
    if sigma > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    if shot.noise <= 0:
        return picture
    rng = np.random.default_rng([shot.background_seed, 0x401])
    grain = (_GRAIN * np.float32(shot.noise))[draw_bytes(rng, picture.shape)]
    return cv2.add(picture, grain, dtype=cv2.CV_8U)


def draw_bytes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw uniform bytes, uint8 of the given shape."""
    return np.frombuffer(rng.bytes(math.prod(shape)), np.uint8).reshape(shape)
