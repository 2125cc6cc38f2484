"""The camera: turns the painted layers by the shot's pose, lights them and develops a picture."""

from __future__ import annotations

import math
from statistics import NormalDist

import cv2
import numpy as np

from trainer.drawn.attributes import wears_glasses, wears_hat
from trainer.drawn.background import backdrop
from trainer.drawn.person import DrawnPerson
from trainer.drawn.shot import Light, Shot
from trainer.drawn.surface import Layer, behind, body, express, head
from trainer.drawn.view import (
    PIVOT_Y,
    TORSO_NODS,
    TORSO_TURNS,
    View,
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

_LINEAR = ((np.arange(256) / 255.0) ** 2).astype(np.float32)

_TONES = 65535


def _tone_table() -> np.ndarray:
    """8-bit values of linear light, uint8 [65536] for 0 to 2; highlights are rolled off."""
    value = np.sqrt(np.arange(_TONES + 1) / (_TONES / 2.0))
    bright = np.where(value > 0.65, 0.65 + 0.35 * np.tanh((value - 0.65) / 0.35), value)
    return (bright * 255.0 + 0.5).astype(np.uint8)


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
    picture = backdrop(shot.background_seed, size)
    compose(person, shot, picture, view)
    return develop(picture, shot, min(size))


def compose(person: DrawnPerson, shot: Shot, picture: np.ndarray, view: View) -> None:
    """Draw the person over ``picture`` (uint8 BGR [h, w, 3]), in place."""
    h, w = picture.shape[:2]
    placed = [
        (layer, pose, place, _reach(layer, pose, place, (w, h)))
        for layer, pose, place in _layers(person, shot, view)
    ]
    placed = [item for item in placed if item[3][0] < item[3][2] and item[3][1] < item[3][3]]
    if not placed:
        return
    boxes = np.array([item[3] for item in placed])
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    colour = np.zeros((y1 - y0, x1 - x0, 4), np.float32)
    shape = np.zeros_like(colour)
    for layer, pose, place, box in placed:
        seen_colour, seen_shape = _project(layer, pose, place, box)
        cut = (slice(box[1] - y0, box[3] - y0), slice(box[0] - x0, box[2] - x0))
        free = 1.0 - colour[cut][..., 3]
        if free.min() < 1.0:
            left = cv2.merge([free] * 4)
            seen_colour *= left
            seen_shape *= left
        colour[cut] += seen_colour
        shape[cut] += seen_shape
    _light_up(colour, shape, shot.light, picture[y0:y1, x0:x1])


def _layers(person: DrawnPerson, shot: Shot, view: View) -> list[tuple[Layer, np.ndarray, View]]:
    """Return the person's layers, nearest first, each with its rotation and view."""
    hatted = wears_hat(person, shot)
    painted = head(person, hatted, wears_glasses(person, shot))
    turn = rotation(shot.yaw_deg, shot.pitch_deg)
    trunk = rotation(TORSO_TURNS * shot.yaw_deg, TORSO_NODS * shot.pitch_deg)
    layers = [
        (express(painted, person, shot.expression), turn, view),
        (body(person, shot.outfit % 4), trunk, torso_view(shot, view)),
    ]
    back = behind(person, hatted)
    if back is not None:
        layers.append((back, turn if person.hair_style == "bun" else trunk, view))
    return layers


def _reach(layer: Layer, turn: np.ndarray, view: View, size: tuple[int, int]) -> _Box:
    """Return the part of the picture that a layer can cover."""
    s = layer.sheet
    right, bottom = s.left_u + s.shape[1] / s.px_per_u, s.top_u + s.shape[0] / s.px_per_u
    if isinstance(layer.depth, float) and layer.depth > 0.2:
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


def _project(
    layer: Layer, turn: np.ndarray, view: View, box: _Box
) -> tuple[np.ndarray, np.ndarray]:
    """Return colour and shape of a layer as seen in a box of the picture; see `Layer`."""
    if isinstance(layer.depth, float):
        colour, shape = _project_flat(layer, layer.depth, turn, view, box)
    else:
        colour, shape = _project_curved(layer, layer.depth, turn, view, box)
    a = np.deg2rad(view.roll_deg)
    roll = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    normals_and_gloss = np.eye(4)
    normals_and_gloss[:3, :3] = roll @ turn
    return colour, cv2.transform(shape, normals_and_gloss.astype(np.float32))


def _project_flat(
    layer: Layer, depth: float, turn: np.ndarray, view: View, box: _Box
) -> tuple[np.ndarray, np.ndarray]:
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
    seen = [
        cv2.warpAffine(a, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for a in (layer.colour, layer.shape)
    ]
    return seen[0], seen[1]


def _project_curved(
    layer: Layer, depth: np.ndarray, turn: np.ndarray, view: View, box: _Box
) -> tuple[np.ndarray, np.ndarray]:
    inverse = np.linalg.inv(np.vstack([view.matrix(), [0, 0, 1]]))
    step = 2 if view.scale_px < 72 else 4
    w, h = box[2] - box[0], box[3] - box[1]
    xs = np.arange(box[0], box[2] + step, step, dtype=np.float32)[None, :]
    ys = np.arange(box[1], box[3] + step, step, dtype=np.float32)[:, None]
    u, v = (np.float32(r[0]) * xs + np.float32(r[1]) * ys + np.float32(r[2]) for r in inverse[:2])
    maps = _unturn(layer, depth, turn, u, v - np.float32(PIVOT_Y))
    grow = np.array([[step, 0, 0], [0, step, 0]], np.float32)
    map_x, map_y = (cv2.warpAffine(m, grow, (w, h), flags=cv2.INTER_LINEAR) for m in maps)
    fast = cv2.convertMaps(map_x, map_y, cv2.CV_16SC2)
    seen = [cv2.remap(a, *fast, cv2.INTER_LINEAR) for a in (layer.colour, layer.shape)]
    return seen[0], seen[1]


def _unturn(
    layer: Layer, depth: np.ndarray, turn: np.ndarray, u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the texels that the pose carries to (u, v), by fixed-point iteration."""
    s = layer.sheet
    k = np.float32(s.px_per_u)
    left, top = np.float32(s.left_u * s.px_per_u + 0.5), np.float32((s.top_u - PIVOT_Y) * k + 0.5)
    inverse = np.linalg.inv(turn[:2, :2]) * k
    x, y = u * k - left, v * k - top
    for _ in range(6):
        z = cv2.remap(depth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        du, dv = u - turn[0, 2] * z, v - turn[1, 2] * z
        x = inverse[0, 0] * du + inverse[0, 1] * dv - left
        y = inverse[1, 0] * du + inverse[1, 1] * dv - top
    return x, y


def _light_up(colour: np.ndarray, shape: np.ndarray, light: Light, picture: np.ndarray) -> None:
    """Light colour and shape (see `Layer`) and lay them over ``picture``, in place.

    Lambert with a soft, reddened terminator, a Blinn-Phong highlight and sky light.
    """
    a, e = np.deg2rad(light.azimuth_deg), np.deg2rad(light.elevation_deg)
    towards = np.array([np.sin(a) * np.cos(e), -np.sin(e), np.cos(a) * np.cos(e)])
    half = towards + np.array([0.0, 0.0, 1.0])
    half /= np.linalg.norm(half)
    blue, green, red, alpha = cv2.split(colour)
    mixer = np.array([[*towards, 0], [*half, 0], [0, -0.18 * light.ambient, 0, 0]], np.float32)
    lambert, shine, sky = cv2.split(cv2.transform(shape, mixer))
    inverse = 1.0 / np.maximum(alpha, 1e-3)
    lambert *= inverse
    sky *= inverse
    sky += 0.82 * light.ambient
    shine *= inverse
    np.maximum(shine, 0.0, out=shine)
    for _ in range(4):
        shine *= shine
    shine *= shape[..., 3]
    shine *= light.key
    warm = (1 - 0.16 * light.warmth, 1.0, 1 + 0.12 * light.warmth)
    free = (1.0 - alpha) * min(1.1, 0.6 + 0.45 * light.exposure)
    for k, plane in enumerate((blue, green, red)):
        lit = np.maximum(lambert + _WRAP[k], 0.0)
        lit *= light.key * warm[k] / (1.0 + _WRAP[k])
        lit += sky
        lit *= plane
        lit += shine
        lit *= light.exposure
        lit += _LINEAR[picture[..., k]] * free
        lit *= _TONES / 2.0
        picture[..., k] = _TONE[np.clip(lit, 0, _TONES, out=lit).astype(np.uint16)]


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
