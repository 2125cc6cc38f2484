"""Formats: which files are pictures and videos by their names, and how pictures are written.

This is the one table of suffixes; `docs/troubleshooting.md` shows it to users.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path


class PictureFormat(Enum):
    """A format that pictures are read from, by the name that messages use."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    BMP = "BMP"
    TIFF = "TIFF"
    PNM = "PNM"
    GIF = "GIF"
    HEIC = "HEIC"
    AVIF = "AVIF"


SUFFIXES: dict[PictureFormat, tuple[str, ...]] = {
    PictureFormat.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    PictureFormat.PNG: (".png",),
    PictureFormat.WEBP: (".webp",),
    PictureFormat.BMP: (".bmp", ".dib"),
    PictureFormat.TIFF: (".tif", ".tiff"),
    PictureFormat.PNM: (".pgm", ".ppm", ".pbm", ".pnm"),
    PictureFormat.HEIC: (".heic", ".heif", ".hif"),
    PictureFormat.AVIF: (".avif",),
}
"""Lower-case suffixes of each format. GIF has none: by its name it is a video."""

PICTURE_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
"""Lower-case suffixes that are taken for pictures in folders."""

VIDEO_SUFFIXES = frozenset(
    {".mkv", ".mp4", ".avi", ".mov", ".webm", ".m4v", ".gif", ".3gp", ".mts", ".m2ts"}
)
"""Lower-case suffixes that are taken for videos in folders."""

READ_NAMES = "JPEG, PNG, WebP, BMP, TIFF, PGM/PPM, HEIC or AVIF"
"""The formats in hints."""

_ENCODERS = {".jpe": ".jpg", ".jfif": ".jpg", ".mpo": ".jpg", ".dib": ".bmp", ".pnm": ".ppm"}
_GREY = frozenset({".pgm", ".pbm"})
_READ_ONLY = frozenset({*SUFFIXES[PictureFormat.HEIC], *SUFFIXES[PictureFormat.AVIF]})


def is_picture(path: Path) -> bool:
    """Whether the file's name says that it is a picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def is_video(path: Path) -> bool:
    """Whether the file's name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def encoder_of(path: Path) -> str | None:
    """The suffix by which OpenCV writes the file's format, None where it does not."""
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES or suffix in _READ_ONLY:
        return None
    return _ENCODERS.get(suffix, suffix)


def is_grey(path: Path) -> bool:
    """Whether the file's format holds no colors."""
    return path.suffix.lower() in _GREY


def written_name(path: Path) -> Path:
    """The path itself where its format can be written, else with `.jpg` after its name."""
    return path if encoder_of(path) is not None else path.with_name(path.name + ".jpg")


def printable(path: Path | str) -> str:
    """A path as text that every stream takes: bytes that are no UTF-8 become `\\xe9` and so on."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
