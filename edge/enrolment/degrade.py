"""What poor cameras do to faces: gray, low resolution, blur, JPEG, noise, darkness, color casts,
side light, and what stands in front of a face. Training varies pictures by it, and quantization is
calibrated on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np


@dataclass(frozen=True)
class CameraDegradation:
    """Probabilities of each degradation within a picture that is degraded at all, and their reach.

    resolution_px: smallest side of the face's window in camera pixels. blur_share: largest sigma
    as a share of the side. noise: largest deviation in grey levels. jpeg_quality: lowest quality.
    cast: relative deviation of the channels' gains. darkest: least share of the light.
    webcam: of a face that is dark before a bright room.
    occlusion_share: largest side of what stands in front, as a share of the picture's side.
    """

    grey: float = 0.25
    resolution: float = 0.5
    resolution_px: int = 28
    blur: float = 0.35
    blur_share: float = 0.018
    jpeg: float = 0.5
    jpeg_quality: int = 25
    noise: float = 0.35
    noise_levels: float = 12.0
    colour_cast: float = 0.4
    cast: float = 0.15
    side_light: float = 0.3
    dark: float = 0.2
    darkest: float = 0.1
    webcam: float = 0.0
    occlusion: float = 0.2
    occlusion_share: float = 0.45


@lru_cache(maxsize=1)
def _noise_bank() -> np.ndarray:
    """A million normal numbers, float32, the same everywhere: drawing them again for each picture
    would take longer than everything else that is done to it.
    """
    return np.random.default_rng(0).standard_normal(1 << 20, dtype=np.float32)


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Normal numbers of `shape`, float32, from a random place of the bank."""
    bank, count = _noise_bank(), int(np.prod(shape))
    if count >= len(bank):
        return rng.standard_normal(shape, dtype=np.float32)
    start = int(rng.integers(len(bank) - count))
    return bank[start : start + count].reshape(shape)


def degrade(
    picture: np.ndarray, settings: CameraDegradation, rng: np.random.Generator
) -> np.ndarray:
    """A worse picture of the same face, uint8[S, S, 3] BGR, in the order in which cameras do it:
    light, colour, optics, sensor, compression.
    """
    if settings.webcam and rng.random() < settings.webcam:
        picture = webcam(picture, rng)
    chance = rng.random(8)
    if chance[7] < settings.dark:
        picture = dark(picture, settings.darkest, rng)
    if chance[0] < settings.side_light:
        picture = side_light(picture, rng)
    if chance[1] < settings.colour_cast:
        picture = colour_cast(picture, settings.cast, rng)
    if chance[2] < settings.grey:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if chance[3] < settings.blur:
        picture = blur(picture, settings.blur_share, rng)
    if chance[4] < settings.resolution:
        picture = low_resolution(picture, settings.resolution_px, rng)
    if chance[5] < settings.noise:
        picture = noise(picture, settings.noise_levels, rng)
    if chance[6] < settings.jpeg:
        picture = jpeg(picture, int(rng.integers(settings.jpeg_quality, 90)))
    return picture


def degrade_every(
    crops: np.ndarray, step: int, rng: np.random.Generator, *, first: int = 0
) -> None:
    """Degrade every `step`-th of the crops, uint8[N, S, S, 3] BGR, from `first` on, in place."""
    settings = CameraDegradation()
    for place in range(first, len(crops), step):
        crops[place] = degrade(crops[place], settings, rng)


def with_ends(crops: np.ndarray) -> np.ndarray:
    """The crops, uint8[N, S, S, 3], and behind them an all black and an all white one."""
    ends = np.stack([np.zeros_like(crops[0]), np.full_like(crops[0], 255)])
    return np.concatenate([crops, ends])


def side_light(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light that falls off across the picture, by at most a factor of about 3."""
    side = len(picture)
    angle, strength = rng.random() * 2 * np.pi, rng.random() * 0.55
    across = np.linspace(-strength, strength, side, dtype=np.float32)
    ramp = np.float32(np.cos(angle)) * across[None] + np.float32(np.sin(angle)) * across[:, None]
    lit = picture * np.exp(ramp)[:, :, None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def dark(picture: np.ndarray, darkest: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the light, log-uniform from `darkest` to 0.7, with the grain of a raised gain."""
    light = darkest * (0.7 / darkest) ** rng.random()
    levels = 255.0 * (np.arange(256) / 255.0 * light ** (1 / 2.2))
    table = np.rint(levels).astype(np.uint8)
    noisy = _grain(picture.shape, rng) * np.float32(1.0 / light**0.6) + cv2.LUT(picture, table)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def webcam(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face one to two stops dark before a bright room: veiled by stray light, with the noise of a
    raised gain, and chroma at half the resolution, as video has it.
    """
    light = 2.0 ** -rng.uniform(0.7, 2.2)
    veil = rng.uniform(0.0, 0.04)
    levels = (np.arange(256) / 255.0) ** 2.2 * light + veil * light
    table = np.clip(np.rint(255.0 * levels ** (1 / 2.2)), 0, 255).astype(np.uint8)
    side = len(picture)
    luma, *chroma = cv2.split(cv2.cvtColor(cv2.LUT(picture, table), cv2.COLOR_BGR2YCrCb))
    grain = _grain((side, side), rng) * np.float32(rng.uniform(1.0, 7.0))
    noisy = np.clip(luma + grain, 0, 255).astype(np.uint8)
    half = (max(1, side // 2), max(1, side // 2))
    small = [cv2.resize(c, half, interpolation=cv2.INTER_AREA) for c in chroma]
    wide = [cv2.resize(c, (side, side), interpolation=cv2.INTER_LINEAR) for c in small]
    return cv2.cvtColor(cv2.merge([noisy, *wide]), cv2.COLOR_YCrCb2BGR)


def colour_cast(picture: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """Wrong white balance and gamma: a table per channel."""
    gains = np.exp(reach * rng.standard_normal(3))
    gamma = 2.0 ** rng.uniform(-0.5, 0.5)
    levels = (np.arange(256) / 255.0) ** gamma
    table = np.clip(np.rint(255.0 * levels[:, None] * gains), 0, 255).astype(np.uint8)
    return cv2.LUT(picture, table.reshape(1, 256, 3))


def blur(picture: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Out of focus (Gaussian) or, one time in three, moved (a short line)."""
    sigma_px = len(picture) * share * rng.uniform(0.2, 1.0)
    if rng.random() > 1 / 3:
        return cv2.GaussianBlur(picture, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)
    length = 2 * int(np.ceil(2 * sigma_px)) + 1
    angle = rng.random() * np.pi
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length // 2)
    middle = np.full(2, length // 2)
    kernel = np.zeros((length, length), np.float32)
    ends = [tuple(round(v) for v in middle + s * reach) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def low_resolution(picture: np.ndarray, smallest_px: int, rng: np.random.Generator) -> np.ndarray:
    """As if the face filled fewer pixels of the camera."""
    side = len(picture)
    least = min(smallest_px, side - 1)
    return of_fewer_pixels(picture, round(least * (side / least) ** float(rng.random())))


def of_fewer_pixels(picture: np.ndarray, side_px: int) -> np.ndarray:
    """As if the face filled `side_px` pixels of the camera, at the same size."""
    side = len(picture)
    small = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)


def noise(picture: np.ndarray, levels: float, rng: np.random.Generator) -> np.ndarray:
    """Sensor noise: Gaussian, half of the time the same in all channels."""
    channels = 1 if rng.random() < 0.5 else 3
    deviation = np.float32(levels * rng.random())
    noisy = _grain((*picture.shape[:2], channels), rng) * deviation + picture
    return np.clip(noisy, 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Compressed and decoded again; quality 0..100."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def occlude(
    picture: np.ndarray, settings: CameraDegradation, rng: np.random.Generator
) -> np.ndarray:
    """With `settings.occlusion`, put an evenly colored ellipse or rectangle before the face."""
    if rng.random() >= settings.occlusion:
        return picture
    side = len(picture)
    half_px = np.maximum(1, settings.occlusion_share * side * rng.uniform(0.3, 1.0, 2) / 2)
    middle_px = side * rng.random(2)
    colour = tuple(int(c) for c in rng.integers(0, 256, 3))
    result = picture.copy()
    if rng.random() < 0.5:
        box = (tuple(map(float, middle_px)), tuple(map(float, 2 * half_px)), rng.random() * 180)
        cv2.ellipse(result, box, colour, -1)
    else:
        low = tuple(int(v) for v in middle_px - half_px)
        high = tuple(int(v) for v in middle_px + half_px)
        cv2.rectangle(result, low, high, colour, -1)
    return result
