"""Pictures to measure on: a clip, a folder, or the bundle's own golden crops."""

from __future__ import annotations

import abc
import logging
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from edge.bundle.reader import Bundle
from edge.errors import InputError
from edge.faces.canonical import CELEBA, CropRegion
from edge.faces.face import Face
from edge.sources.files import Source, file_source

log = logging.getLogger(__name__)

SCENE_WIDTH_PX, SCENE_HEIGHT_PX = 640, 480
"""Golden crops are put into a picture of a webcam's size: detection costs by the size."""

CROP_IN_SCENE_PX = 240
GREY = 128


class Pictures(abc.ABC):
    """The same pictures, uint8[H, W, 3] BGR, in the same order as often as they are asked for.

    name, kind ("clip" or "golden"): for the report. face: where the face is, None where that is
    for the detector to say.
    """

    name: str
    kind: str
    face: Face | None = None

    @abc.abstractmethod
    def __iter__(self) -> Iterator[np.ndarray]:
        """From the first one on. Raises `SourceError` or `PictureError`."""

    def first(self) -> np.ndarray:
        """Raises `InputError` where there is none."""
        for image in self:
            return image
        raise InputError(f"{self.name} holds no picture that can be decoded", hint="give another")


class ClipPictures(Pictures):
    """Frames of a video or pictures of a folder, decoded each time, never all in memory."""

    kind = "clip"

    def __init__(self, path: Path, limit: int) -> None:
        self.name = path.name
        self._path = path
        self._limit = limit
        self._told: set[str] = set()

    def __iter__(self) -> Iterator[np.ndarray]:
        with file_source(self._path) as source:
            yield from islice(self._decoded(source), self._limit)

    def _decoded(self, source: Source) -> Iterator[np.ndarray]:
        """What can be decoded. The rest is named, once."""
        for grab in source:
            if grab.image_bgr is not None:
                yield grab.image_bgr
            elif grab.error is not None and grab.error not in self._told:
                self._told.add(grab.error)
                log.warning("not measured: %s", grab.error)


class GoldenPictures(Pictures):
    """The golden crops of a bundle, each in the middle of a gray image."""

    kind = "golden"

    def __init__(self, bundle: Bundle, limit: int) -> None:
        """Raises `InputError` where the bundle has no golden crops."""
        golden = bundle.golden
        if golden is None or len(golden.crops) == 0:
            raise InputError(
                f"{bundle.path} brings no golden crops to measure on", hint="give --source CLIP"
            )
        expects = bundle.base.input
        self.name = f"{len(golden.crops)} golden crops in {SCENE_WIDTH_PX}x{SCENE_HEIGHT_PX} px"
        self.face = _face_in_scene(expects.window) if expects.frame == CELEBA else None
        self._scenes = [_scene(crop) for crop in golden.crops[:limit]]
        self._limit = limit

    def __iter__(self) -> Iterator[np.ndarray]:
        return islice(cycle(self._scenes), self._limit)


def open_pictures(source: Path | None, bundle: Bundle, limit: int) -> Pictures:
    """From `source`, by default the golden crops. Raises `InputError`, `SourceError`."""
    if source is None:
        return GoldenPictures(bundle, limit)
    file_source(source)
    return ClipPictures(source, limit)


def _corner_px() -> tuple[int, int]:
    return (SCENE_WIDTH_PX - CROP_IN_SCENE_PX) // 2, (SCENE_HEIGHT_PX - CROP_IN_SCENE_PX) // 2


def _scene(crop_bgr: np.ndarray) -> np.ndarray:
    import cv2

    side = CROP_IN_SCENE_PX
    x, y = _corner_px()
    scene = np.full((SCENE_HEIGHT_PX, SCENE_WIDTH_PX, 3), GREY, np.uint8)
    scene[y : y + side, x : x + side] = cv2.resize(
        crop_bgr, (side, side), interpolation=cv2.INTER_LINEAR
    )
    return scene


def _face_in_scene(window: CropRegion) -> Face:
    """The canonical face where `_scene` puts it; the box reaches over it by half its height."""
    zoom = CROP_IN_SCENE_PX / window.side_px
    shift = np.array(_corner_px()) - zoom * np.array([window.x_px, window.y_px])
    points = CELEBA.points() * zoom + shift + 0.5 * (zoom - 1)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    edge = 0.5 * (y1 - y0)
    box = (float(x0 - edge), float(y0 - edge), float(x1 - x0 + 2 * edge), float(y1 - y0 + 2 * edge))
    return Face(box, tuple((float(x), float(y)) for x, y in points), 1.0)
