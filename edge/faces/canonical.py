"""Canonical frames and the windows of them that networks see.

A *frame* is a coordinate system in which a face's five landmarks have fixed places. A *window* is
the square of a frame that a network is fed. Points are (x, y) in pixels of the frame, in the order
of YuNet: eye on the picture's left, eye on its right, nose tip, mouth corner left, mouth corner
right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.errors import ModelError

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class CanonicalFace:
    """A canonical frame: size in pixels and the five points of an aligned face in it."""

    name: str
    width_px: int
    height_px: int
    points_px: Points

    def points(self) -> np.ndarray:
        """The five points, float64[5, 2], (x, y) in pixels of the frame."""
        return np.asarray(self.points_px, dtype=np.float64)


CELEBA = CanonicalFace(
    name="celeba-178x218",
    width_px=178,
    height_px=218,
    points_px=((69.1, 111.7), (108.8, 111.9), (88.4, 134.4), (72.0, 151.3), (105.5, 152.1)),
)
"""CelebA's aligned geometry (Liu et al., ICCV 2015, img_align_celeba), points as YuNet finds them
in its pictures: medians over 400 images."""

ARCFACE = CanonicalFace(
    name="arcface-112",
    width_px=112,
    height_px=112,
    points_px=(
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ),
)
"""The 112x112 template of ArcFace (Deng et al., CVPR 2019), which most public face embeddings
expect."""

CANONICAL_FACES = {frame.name: frame for frame in (CELEBA, ARCFACE)}


@dataclass(frozen=True)
class CropRegion:
    """A square of a frame: upper left corner (x_px, y_px) and side, in pixels of the frame."""

    name: str
    x_px: float
    y_px: float
    side_px: float

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "x_px": self.x_px, "y_px": self.y_px, "side_px": self.side_px}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> CropRegion:
        return cls(
            str(data["name"]), float(data["x_px"]), float(data["y_px"]), float(data["side_px"])
        )


WIDE = CropRegion("wide", 0.0, 20.0, 178.0)
"""The whole width: hair, hat and neck are in it, and so is some wall."""

MIDDLE = CropRegion("middle", 19.0, 46.0, 140.0)
"""Head without surroundings."""

TIGHT = CropRegion("tight", 33.0, 64.0, 112.0)
"""Brows to chin, little else."""

ARCFACE_WHOLE = CropRegion("arcface", 0.0, 0.0, 112.0)
"""All of the ArcFace template."""

FACE = CropRegion("face", 4.0, 4.0, 104.0)
"""The ArcFace template without its border: forehead to chin."""

CROP_REGIONS = {window.name: window for window in (WIDE, MIDDLE, TIGHT, FACE)}
"""Windows that a base may see, by name."""


def canonical_of(window: CropRegion) -> CanonicalFace:
    """The canonical face in which the window of that name lies: ArcFace's or CelebA's."""
    return ARCFACE if window.name in (ARCFACE_WHOLE.name, FACE.name) else CELEBA


def canonical_by_name(name: str) -> CanonicalFace:
    """The canonical face called `name`. Raises `ModelError` for an unknown one."""
    try:
        return CANONICAL_FACES[name]
    except KeyError:
        known = ", ".join(sorted(CANONICAL_FACES))
        raise ModelError(f"unknown canonical face '{name}'", hint=f"known are {known}") from None
