"""The camera: turns the painted layers by the shot's pose, lights them and develops a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from trainer.drawn import surface
from trainer.drawn.attributes import wears_glasses, wears_hat
from trainer.drawn.background import backdrop
from trainer.drawn.canvas import LEFT_U, PX_PER_U, TOP_U
from trainer.drawn.person import DrawnPerson
from trainer.drawn.shot import Light, Shot
from trainer.drawn.surface import Layer

PIVOT_Y = 0.5
"""Height (u below the eyes) of the point about which a head nods and tilts."""

U_PER_SIDE = 5.2
"""Side of a square picture in eye distances at zoom 1."""

LEVELS = 1023
_LINEAR = ((np.arange(256) / 255.0) ** 2).astype(np.float32)


@dataclass(frozen=True)
class View:
    """Similarity from the head's plane (u) to the picture (px): scale, turn and place."""

    scale_px: float
    roll_deg: float
    x_px: float
    y_px: float

    def matrix(self) -> np.ndarray:
        """Return the 2x3 float64 matrix that maps (u, v) in u to (x, y) in px."""
        a = np.deg2rad(self.roll_deg)
        c, s = self.scale_px * np.cos(a), self.scale_px * np.sin(a)
        return np.array([[c, -s, self.x_px], [s, c, self.y_px]])


def rotation(yaw_deg: float, pitch_deg: float) -> np.ndarray:
    """Return the 3x3 rotation of head points and normals; positive yaw looks to the viewer's right."""
    a, b = np.deg2rad(yaw_deg), np.deg2rad(pitch_deg)
    yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return (pitch @ yaw).astype(np.float32)


def view_of(shot: Shot, size_px: int) -> View:
    """Return the view of an ordinary square picture of ``size_px``."""
    scale = size_px / U_PER_SIDE * shot.zoom
    centre = np.array([size_px * (0.5 + shot.shift_x), size_px * (0.53 + shot.shift_y)])
    view = View(scale, shot.roll_deg, 0.0, 0.0)
    middle = view.matrix()[:, :2] @ np.array([0.0, 0.35])
    x, y = centre - middle
    return replace(view, x_px=float(x), y_px=float(y))


def landmarks_u(person: DrawnPerson, shot: Shot) -> np.ndarray:
    """Return the five points (eyes, nose, mouth corners; viewer's left first) in the head's plane.

    Float64 [5, 2] in u, after yaw and pitch and before the view.
    """
    smile, opened = shot.expression.smile, shot.expression.mouth_open
    half = person.mouth_half_width * (1.0 + 0.17 * smile - 0.07 * opened)
    corner_y = person.mouth_y - 0.085 * smile + 0.02 * opened
    flat = np.array(
        [(-0.5, 0.0), (0.5, 0.0), (0.0, person.nose_y), (-half, corner_y), (half, corner_y)],
        np.float32,
    )
    depth = surface.head(person, wears_hat(person, shot), wears_glasses(person, shot)).layer.depth
    px = (flat - (LEFT_U, TOP_U)) * PX_PER_U - 0.5
    z = cv2.remap(
        depth, px[:, 0:1].astype(np.float32), px[:, 1:2].astype(np.float32), cv2.INTER_LINEAR
    )[:, 0]
    points = np.column_stack([flat[:, 0], flat[:, 1] - PIVOT_Y, z])
    turned = points @ rotation(shot.yaw_deg, shot.pitch_deg).T.astype(np.float64)
    return turned[:, :2] + (0.0, PIVOT_Y)


def landmarks_px(person: DrawnPerson, shot: Shot, view: View) -> np.ndarray:
    """Return the five points in the picture, float64 [5, 2] in px."""
    m = view.matrix()
    return landmarks_u(person, shot) @ m[:, :2].T + m[:, 2]


def render(person: DrawnPerson, shot: Shot, *, size_px: int = 256) -> np.ndarray:
    """Draw a square picture of a head, uint8 BGR [size_px, size_px, 3]."""
    picture = backdrop(shot.background_seed, (size_px, size_px))
    picture = compose(person, shot, picture, view_of(shot, size_px))
    return develop(picture, shot, size_px)


def compose(person: DrawnPerson, shot: Shot, picture: np.ndarray, view: View) -> np.ndarray:
    """Draw the person over ``picture`` (uint8 BGR [h, w, 3]); returns a new picture like it."""
    hatted, glassed = wears_hat(person, shot), wears_glasses(person, shot)
    head = surface.head(person, hatted, glassed)
    colour, shape = surface.express(head, person, shot.expression)
    h, w = picture.shape[:2]
    turn = rotation(shot.yaw_deg, shot.pitch_deg)
    trunk = rotation(0.35 * shot.yaw_deg, 0.2 * shot.pitch_deg)
    layers = [
        (Layer(colour, shape, head.layer.depth), turn, view),
        (surface.body(person, shot.outfit % 4), trunk, replace(view, roll_deg=0.45 * view.roll_deg)),
    ]
    back = surface.behind(person, hatted)
    if back is not None:
        bun = person.hair_style == "bun"
        layers.append((back, turn if bun else trunk, view))
    total_colour = np.zeros((h, w, 4), np.float32)
    total_shape = np.zeros((h, w, 4), np.float32)
    for layer, pose, place in layers:
        if place is not view:
            place = _hang(view, place)
        seen_colour, seen_shape = _project(layer, pose, place, (h, w))
        free = 1.0 - total_colour[..., 3:4]
        total_colour += seen_colour * free
        total_shape += seen_shape * free
    return _light_up(total_colour, total_shape, shot.light, picture)


def _hang(view: View, place: View) -> View:
    """Place the torso so that the neck's top stays under the head."""
    joint = np.array([0.0, 1.2])
    m, n = view.matrix(), place.matrix()
    x, y = m[:, :2] @ joint + m[:, 2] - n[:, :2] @ joint
    return replace(place, x_px=float(x), y_px=float(y))


def _project(
    layer: Layer, turn: np.ndarray, view: View, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    h, w = size
    inverse = np.linalg.inv(np.vstack([view.matrix(), [0, 0, 1]]))
    step = 2
    ys, xs = np.mgrid[0 : h + step : step, 0 : w + step : step].astype(np.float32)
    u = (inverse[0, 0] * xs + inverse[0, 1] * ys + inverse[0, 2]).astype(np.float32)
    v = (inverse[1, 0] * xs + inverse[1, 1] * ys + inverse[1, 2] - PIVOT_Y).astype(np.float32)
    x, y = _unturn(layer.depth, turn, u, v)
    map_x = (x - LEFT_U) * PX_PER_U - 0.5
    map_y = (y + PIVOT_Y - TOP_U) * PX_PER_U - 0.5
    grow = np.array([[step, 0, 0], [0, step, 0]], np.float32)
    full_x = cv2.warpAffine(map_x, grow, (w, h), flags=cv2.INTER_LINEAR)
    full_y = cv2.warpAffine(map_y, grow, (w, h), flags=cv2.INTER_LINEAR)
    colour = cv2.remap(layer.colour, full_x, full_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    shape = cv2.remap(layer.shape, full_x, full_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    shape[..., :3] = cv2.transform(shape[..., :3], turn)
    a = np.deg2rad(view.roll_deg)
    roll = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]], np.float32)
    shape[..., :3] = cv2.transform(shape[..., :3], roll)
    return colour, shape


def _unturn(
    depth: np.ndarray, turn: np.ndarray, u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the sheet's points that the pose carries to (u, v), by fixed-point iteration."""
    inverse = np.linalg.inv(turn[:2, :2])
    x, y = u.copy(), v.copy()
    rounds = 1 if float(np.ptp(depth[::16, ::16])) < 1e-6 else 6
    for _ in range(rounds):
        z = cv2.remap(
            depth,
            (x - LEFT_U) * PX_PER_U - 0.5,
            (y + PIVOT_Y - TOP_U) * PX_PER_U - 0.5,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        du, dv = u - turn[0, 2] * z, v - turn[1, 2] * z
        x = (inverse[0, 0] * du + inverse[0, 1] * dv).astype(np.float32)
        y = (inverse[1, 0] * du + inverse[1, 1] * dv).astype(np.float32)
    return x, y


def _light_up(
    colour: np.ndarray, shape: np.ndarray, light: Light, picture: np.ndarray
) -> np.ndarray:
    """Lambert with a soft, reddened terminator, a Blinn-Phong highlight and sky light."""
    a, e = np.deg2rad(light.azimuth_deg), np.deg2rad(light.elevation_deg)
    towards = np.array([np.sin(a) * np.cos(e), -np.sin(e), np.cos(a) * np.cos(e)], np.float32)
    half = towards + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    alpha = colour[..., 3]
    n = shape[..., :3] / np.maximum(alpha, 1e-3)[..., None]
    facing = n @ towards
    sky = light.ambient * (0.82 - 0.18 * n[..., 1])
    warm = np.array([1 - 0.16 * light.warmth, 1.0, 1 + 0.12 * light.warmth], np.float32)
    lit = np.empty_like(colour[..., :3])
    for k, wrap in enumerate((0.16, 0.2, 0.32)):
        lit[..., k] = sky + light.key * warm[k] * np.maximum(facing + wrap, 0) / (1 + wrap)
    shine = np.maximum(n @ half, 0.0)
    for _ in range(4):
        shine = shine * shine
    shine *= shape[..., 3] * light.key
    result = colour[..., :3] * lit + shine[..., None]
    ground = _LINEAR[picture]
    ground *= min(1.1, 0.6 + 0.45 * light.exposure)
    result = result * light.exposure + ground * (1.0 - alpha)[..., None]
    result = np.sqrt(np.clip(result, 0, 4))
    bright = np.where(result > 0.8, 0.8 + 0.2 * np.tanh((result - 0.8) / 0.2), result)
    return (bright * 255.0 + 0.5).astype(np.uint8)


def develop(picture: np.ndarray, shot: Shot, side_px: int) -> np.ndarray:
    """Add the camera's blur and noise; ``side_px`` scales the blur. Returns uint8 BGR."""
    sigma = shot.blur * side_px / 100.0
    if sigma > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    if shot.noise <= 0:
        return picture
    rng = np.random.default_rng([shot.background_seed, 0x401])
    grain = rng.standard_normal(picture.shape, np.float32) * shot.noise
    return np.clip(picture + grain, 0, 255).astype(np.uint8)
