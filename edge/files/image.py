"""Pictures: decoding a file as a camera would have seen it, or saying why not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.errors import PictureError
from edge.files.atomic import atomic_file

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".pgm", ".ppm", ".tif", ".tiff"}
)
"""Lower-case suffixes that are taken for pictures in folders."""

MAX_PIXELS = 200_000_000
"""Larger pictures are refused: no camera makes them, and decoding one would exhaust a Pi."""


def is_picture(path: Path) -> bool:
    """Whether the file's name says that it is a picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def read_picture(path: Path) -> np.ndarray:
    """Decode a picture: uint8[H, W, 3] BGR, turned as its EXIF orientation says.

    Grey pictures get three equal channels, 16-bit ones are scaled to 8, transparency is dropped.
    Raises `PictureError` when the file is missing, empty, or no picture that can be decoded.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as problem:
        raise PictureError(f"cannot read {path}: {problem.strerror}") from None
    if data.size == 0:
        raise PictureError(f"{path} is empty")
    return decode_picture(data, str(path))


def decode_picture(data: np.ndarray, name: str) -> np.ndarray:
    """Decode the bytes of a picture, uint8[n]; see `read_picture`. `name` is for the message."""
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise PictureError(
            f"{name} is not a picture that can be decoded",
            hint="give JPEG, PNG, WebP, BMP or PGM files",
        )
    if image.shape[0] * image.shape[1] > MAX_PIXELS:
        raise PictureError(f"{name} has {image.shape[1]}x{image.shape[0]} px, more than any camera")
    return image


def write_picture(path: Path, image_bgr: np.ndarray) -> None:
    """Write uint8[H, W, 3] BGR in the format of the suffix, whole or not at all.

    Raises `PictureError` when OpenCV knows no such format.
    """
    path = Path(path)
    try:
        done, encoded = cv2.imencode(path.suffix.lower() or ".?", image_bgr)
    except cv2.error:
        done = False
    if not done:
        raise PictureError(
            f"cannot write {path}: '{path.suffix}' is no picture format", hint="use .png or .jpg"
        )
    with atomic_file(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
