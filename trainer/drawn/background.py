"""Backgrounds: soft ones for photos and a sharper room for videos."""

from __future__ import annotations

import cv2
import numpy as np


def backdrop(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Draw an out-of-focus background, uint8 BGR [h, w, 3]; ``size`` is (width, height)."""
    rng = np.random.default_rng([seed, 0xBAC])
    w, h = 96, max(32, round(96 * size[1] / size[0]))
    small = _gradient(rng, w, h)
    kind = int(rng.integers(5))
    if kind == 1:
        _bokeh(rng, small)
    elif kind == 2:
        _shelves(rng, small)
    elif kind == 3:
        _greenery(rng, small)
    elif kind == 4:
        _window(rng, small)
    small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(1.2, 3.0)))
    big = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(big, np.uint8)


def room(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Draw a room as a fixed camera sees it, uint8 BGR [h, w, 3]; ``size`` is (width, height)."""
    rng = np.random.default_rng([seed, 0x800])
    w, h = size
    wall = _colour(rng, 150, 215, 18)
    image = np.empty((h, w, 3), np.float32)
    ramp = np.linspace(1.06, 0.86, w, dtype=np.float32)[None, :, None]
    image[:] = np.array(wall, np.float32) * ramp
    floor = int(h * 0.86)
    image[floor:] = np.array(_colour(rng, 80, 130, 20), np.float32)
    canvas = np.clip(image, 0, 255).astype(np.uint8)
    cv2.rectangle(canvas, (0, floor - 8), (w, floor), (225, 225, 225), -1)
    _room_window(rng, canvas, (int(w * 0.05), int(h * 0.08), int(w * 0.24), int(h * 0.5)))
    _room_shelf(rng, canvas, (int(w * 0.72), int(h * 0.3), int(w * 0.25), int(h * 0.5)))
    x0, y0 = int(w * 0.42), int(h * 0.1)
    cv2.rectangle(canvas, (x0, y0), (x0 + w // 7, y0 + h // 5), (60, 70, 80), -1)
    cv2.rectangle(
        canvas, (x0 + 5, y0 + 5), (x0 + w // 7 - 5, y0 + h // 5 - 5), _colour(rng, 120, 230, 60), -1
    )
    cv2.circle(canvas, (x0 + w // 12, y0 + h // 8), h // 22, _colour(rng, 60, 200, 60), -1)
    return cv2.GaussianBlur(canvas, (0, 0), max(0.8, w / 500.0))


def _colour(rng: np.random.Generator, low: int, high: int, spread: int) -> tuple[int, int, int]:
    level = rng.uniform(low, high)
    b, g, r = np.clip(level + rng.uniform(-spread, spread, 3), 0, 255)
    return float(b), float(g), float(r)  # type: ignore[return-value]


def _gradient(rng: np.random.Generator, w: int, h: int) -> np.ndarray:
    a = np.array(_colour(rng, 70, 215, 34), np.float32)
    b = np.clip(a * rng.uniform(0.55, 1.2) + rng.uniform(-14, 14, 3), 0, 245)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    t = ((x / w - 0.5) * np.cos(angle) + (y / h - 0.5) * np.sin(angle)) + 0.5
    t = np.clip(t, 0, 1)[..., None]
    return np.clip(a + (b - a) * t, 0, 255).astype(np.uint8)


def _bokeh(rng: np.random.Generator, image: np.ndarray) -> None:
    h, w = image.shape[:2]
    image //= 2
    for _ in range(int(rng.integers(14, 30))):
        layer = image.copy()
        centre = (int(rng.integers(w)), int(rng.integers(h)))
        warm = (120 + int(rng.integers(80)), 190 + int(rng.integers(50)), 235)
        cool = _colour(rng, 150, 240, 40)
        cv2.circle(layer, centre, int(rng.integers(2, 8)), warm if rng.random() < 0.6 else cool, -1)
        cv2.addWeighted(layer, 0.5, image, 0.5, 0, image)


def _shelves(rng: np.random.Generator, image: np.ndarray) -> None:
    h, w = image.shape[:2]
    step = int(rng.integers(20, 30))
    for y in range(int(rng.integers(4, 12)), h, step):
        x = 0
        while x < w:
            width = int(rng.integers(3, 9))
            tall = int(rng.integers(step // 2, step - 3))
            if rng.random() < 0.85:
                colour = _colour(rng, 50, 190, 50)
                cv2.rectangle(
                    image, (x, y + step - 3 - tall), (x + width - 1, y + step - 4), colour, -1
                )
            x += width
        cv2.rectangle(image, (0, y + step - 3), (w, y + step - 1), (52, 78, 112), -1)


def _greenery(rng: np.random.Generator, image: np.ndarray) -> None:
    h, w = image.shape[:2]
    horizon = int(h * rng.uniform(0.35, 0.7))
    image[:horizon] = (238, 212, 178)
    image[horizon:] = (78, 142, 112)
    for _ in range(70):
        x, y = int(rng.integers(w)), int(np.clip(rng.normal(horizon, h * 0.16), 0, h))
        green = (
            int(rng.integers(40, 100)),
            int(rng.integers(100, 180)),
            int(rng.integers(60, 140)),
        )
        cv2.circle(image, (x, y), int(rng.integers(2, 8)), green, -1)


def _window(rng: np.random.Generator, image: np.ndarray) -> None:
    h, w = image.shape[:2]
    x0, width = int(rng.integers(-10, w // 2)), int(rng.integers(w // 3, w // 2 + 12))
    cv2.rectangle(image, (x0, int(h * 0.05)), (x0 + width, int(h * 0.75)), (246, 240, 226), -1)
    for k in range(3):
        x = x0 + k * width // 2
        cv2.line(image, (x, int(h * 0.05)), (x, int(h * 0.75)), (150, 158, 166), 2)
    cv2.line(image, (x0, int(h * 0.4)), (x0 + width, int(h * 0.4)), (150, 158, 166), 2)


def _room_window(
    rng: np.random.Generator, image: np.ndarray, box: tuple[int, int, int, int]
) -> None:
    x, y, w, h = box
    pane = image[y : y + h, x : x + w]
    sky = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    pane[:] = np.array((240, 214, 176)) * (1 - sky) + np.array((214, 226, 220)) * sky
    for _ in range(24):
        centre = (int(rng.integers(w)), int(h * rng.uniform(0.66, 1.0)))
        green = [int(rng.integers(low, high)) for low, high in ((50, 110), (120, 175), (80, 140))]
        cv2.circle(pane, centre, max(2, w // 12), green, -1)
    cv2.rectangle(image, (x, y), (x + w, y + h), (238, 238, 238), 6)
    cv2.line(image, (x + w // 2, y), (x + w // 2, y + h), (238, 238, 238), 5)
    cv2.line(image, (x, y + h // 2), (x + w, y + h // 2), (238, 238, 238), 5)


def _room_shelf(
    rng: np.random.Generator, image: np.ndarray, box: tuple[int, int, int, int]
) -> None:
    x, y, w, h = box
    cv2.rectangle(image, (x, y), (x + w, y + h), (88, 122, 156), -1)
    step = h // 4
    for k in range(4):
        top = y + k * step
        cv2.rectangle(image, (x + 6, top + 6), (x + w - 6, top + step), (48, 66, 88), -1)
        at = x + 8
        while at < x + w - 22:
            width = int(rng.integers(7, 16))
            tall = int(step * rng.uniform(0.5, 0.82))
            if rng.random() < 0.86:
                cv2.rectangle(
                    image,
                    (at, top + step - tall),
                    (at + width - 2, top + step),
                    _colour(rng, 60, 200, 60),
                    -1,
                )
            at += width
