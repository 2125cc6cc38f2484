"""Where a photo is from, as its EXIF data say; what pictures show of it is in
`edge.enrolment.conditions`."""

from __future__ import annotations

from pathlib import Path


def camera_model(path: Path) -> tuple[str, float | None]:
    """Camera and time of a photo as its EXIF data say: ("", None) where they do not.

    The time is in seconds, of an arbitrary zero.
    """
    from datetime import datetime

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            exif = image.getexif()
            model = str(exif.get(272, "")).strip("\0 ")
            taken = exif.get_ifd(0x8769).get(36867) or exif.get(306)
    except (OSError, ValueError, UnidentifiedImageError, SyntaxError):
        return "", None
    try:
        return model, datetime.strptime(str(taken), "%Y:%m:%d %H:%M:%S").timestamp()
    except ValueError:  # none, or one that a camera without a set clock wrote
        return model, None
