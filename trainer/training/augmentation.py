"""Augmentation: what an aligned crop looks like when someone else takes the picture.

One warp does flip, shift, rotation, zoom and stretch (edges are filled from the nearest pixels);
then come light and, for a share of the pictures, what cheap cameras do. Everything that is drawn
follows from (seed, epoch, row) alone, whatever the batch size and wherever a run was resumed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from edge.enrolment.degrade import CameraDegradation, degrade, occlude
from edge.errors import UsageError


@dataclass(frozen=True)
class Augmentation:
    """How far pictures are changed; 0 switches a change off.

    flip, degradation: probabilities. shift: share of the side. rotation_deg: degrees. zoom,
    stretch, contrast: relative. brightness: share of the full range. margin: by which share of its
    side the window is widened on each side before the warp cuts into it.
    """

    flip: float = 0.5
    shift: float = 0.04
    rotation_deg: float = 8.0
    zoom: float = 0.10
    stretch: float = 0.05
    brightness: float = 0.12
    contrast: float = 0.25
    degradation: float = 0.5
    margin: float = 0.125
    camera: CameraDegradation = CameraDegradation()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            limit = 90.0 if field.name == "rotation_deg" else 1.0
            if isinstance(value, float) and not 0.0 <= value <= limit:
                raise UsageError(f"augmentation '{field.name}' is {value}, not 0 to {limit:g}")


NO_AUGMENTATION = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0)


RANGES = {
    "flip": "flip",
    "rotation": "rotation_deg",
    "zoom": "zoom",
    "shift": "shift",
    "stretch": "stretch",
    "brightness": "brightness",
    "contrast": "contrast",
}
"""What a user may set, to the field of `Augmentation`."""

MOST_MARGIN = 0.5
"""Share of the side: further around a face there is little to see in aligned pictures."""


def wider(settings: Augmentation, **given: float | None) -> Augmentation:
    """`settings` with the `RANGES` of `given` that are not None, and a margin that holds what these
    move into the picture, at most `MOST_MARGIN`; beyond that edges are filled.

    Raises `UsageError` for a range that is not possible.
    """
    ranges: dict[str, Any] = {RANGES[n]: value for n, value in given.items() if value is not None}
    if not ranges:
        return settings
    changed = replace(settings, **ranges)
    angle = np.deg2rad(changed.rotation_deg)
    turned = (np.cos(angle) + np.sin(angle)) * (1 + changed.zoom) * (1 + changed.stretch)
    needed = 0.5 * (float(turned) - 1.0) + changed.shift
    return replace(changed, margin=min(MOST_MARGIN, max(settings.margin, needed)))


def row_generator(seed: int, epoch: int, row: int) -> np.random.Generator:
    """The random numbers of one picture in one epoch (Philox: Salmon et al., SC 2011)."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch], counter=[0, 0, 0, row]))


def augment(
    crop: np.ndarray, size_px: int, margin_px: int, settings: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """One augmented picture, uint8[size_px, size_px, 3] BGR.

    crop: uint8[M, M, 3] BGR, a window widened by margin_px on each side. The picture may be of
    another size than the window in the crop has.
    """
    import cv2

    geometry, light, chance = rng.random(8), rng.random(4), rng.random(2)
    matrix = _warp_matrix(len(crop), margin_px, size_px, settings, geometry)
    picture = _warped(crop, matrix, (size_px, size_px))
    degraded = chance[0] < settings.degradation
    if degraded:
        picture = occlude(picture, settings.camera, rng)
    picture = cv2.LUT(picture, _light_table(settings, light))
    return degrade(picture, settings.camera, rng) if degraded else picture


def augment_picture(
    image_bgr: np.ndarray, settings: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """One augmented picture of the same size, uint8[H, W, 3] BGR, as Keras' ImageDataGenerator
    makes them: of a whole picture, edges filled from the nearest pixels, never upside down.

    The settings' degradation and margin do not count.
    """
    import cv2

    height, width = image_bgr.shape[:2]
    linear = _linear(settings, rng.random(4))
    size = np.array([width, height])
    shift_px = settings.shift * size * rng.uniform(-1, 1, 2)
    middle = 0.5 * (size - 1)
    matrix = np.column_stack([linear, middle + shift_px - linear @ middle])
    picture = _warped(image_bgr, matrix, (width, height))
    return np.asarray(cv2.LUT(picture, _light_table(settings, rng.random(4))))


def centre(crops: np.ndarray, size_px: int, margin_px: int) -> np.ndarray:
    """The windows without augmentation: crops uint8[N, M, M, 3] to uint8[N, size_px, size_px, 3].

    The same pixels as on the device where the window in the crop has size_px already.
    """
    import cv2

    inner = crops[:, margin_px : crops.shape[1] - margin_px, margin_px : crops.shape[2] - margin_px]
    if inner.shape[1] == size_px:
        return np.ascontiguousarray(inner)
    shrinks = size_px < inner.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(c, (size_px, size_px), interpolation=how) for c in inner])


def _warp_matrix(
    side_px: int, margin_px: int, size_px: int, settings: Augmentation, drawn: np.ndarray
) -> np.ndarray:
    """From pixels of the result to pixels of the crop, float64[2, 3]. drawn: float64[8] in 0..1."""
    around = 2.0 * drawn - 1.0
    window_px = side_px - 2 * margin_px
    linear = _linear(settings, drawn[:4]) * (window_px / size_px)
    shift_px = settings.shift * window_px * around[4:6]
    middle_of_crop, middle_of_result = 0.5 * (side_px - 1), 0.5 * (size_px - 1)
    offset = middle_of_crop + shift_px - linear @ np.full(2, middle_of_result)
    return np.column_stack([linear, offset])


def _warped(image: np.ndarray, matrix: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """The image of (width, height) whose pixels lie at `matrix` times theirs; edges repeat."""
    import cv2

    return cv2.warpAffine(
        image,
        matrix,
        size_px,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _linear(settings: Augmentation, drawn: np.ndarray) -> np.ndarray:
    """Zoom, stretch, rotation and mirror as float64[2, 2]. drawn: float64[4] in 0..1."""
    around = 2.0 * drawn - 1.0
    zoom = (1.0 + settings.zoom) ** around[0]
    stretch = (1.0 + settings.stretch) ** around[1]
    angle = np.deg2rad(settings.rotation_deg) * around[2]
    mirror = -1.0 if drawn[3] < settings.flip else 1.0
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(rotation @ np.diag([mirror * zoom * stretch, zoom / stretch]))


def _light_table(settings: Augmentation, drawn: np.ndarray) -> np.ndarray:
    """Brightness and contrast as a lookup table, uint8[256]. drawn: float64[4] in 0..1."""
    around = 2.0 * drawn - 1.0
    gain = (1.0 + settings.contrast) ** around[0]
    offset = 255.0 * settings.brightness * around[1]
    values = (np.arange(256) - 127.5) * gain + 127.5 + offset
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
