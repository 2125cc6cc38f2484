"""Pictures: decoding a file as a camera would have seen it, or saying why not."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from edge.console.native_output import stderr_hidden
from edge.errors import PictureError
from edge.files.atomic import atomic_file
from edge.files.formats import READ_NAMES, PictureFormat, encoder_of, is_grey, printable
from edge.files.header import PictureHeader, read_header

log = logging.getLogger(__name__)

MAX_PIXELS = 50_000_000
"""Larger pictures are refused before they are decoded. Phones store up to 50 million; as BGR that
is 150 MB, and 300 MB while it is turned upright, what a Pi with 512 MB can just give."""

MAX_FILE_BYTES = 160_000_000
"""Larger files are refused unread: more than `MAX_PIXELS` take without any compression."""

_TURNED_HERE = {PictureFormat.JPEG, PictureFormat.PNG, PictureFormat.WEBP}
"""Formats whose EXIF orientation is read here, so that it does not hang on the version of OpenCV:
4.10 to 4.12 leave that of WebP out."""


def read_picture(path: Path) -> np.ndarray:
    """Decode a picture: uint8[H, W, 3] BGR, turned as its EXIF orientation says.

    Grey pictures get three equal channels, 16-bit ones are scaled to 8, transparency is dropped.
    Raises `PictureError` when the file is missing, empty, larger than `MAX_PIXELS` or
    `MAX_FILE_BYTES`, or no picture that can be decoded. Where OpenCV decodes what there is of a
    JPEG that was cut off, that is returned, with a warning.
    """
    path = Path(path)
    name = printable(path)
    try:
        with path.open("rb") as stream:
            header = checked_header(read_header(stream), name)
            size_bytes = stream.seek(0, 2)
            if size_bytes > MAX_FILE_BYTES:
                raise PictureError(
                    f"{name} has {size_bytes / 1e6:.0f} MB, more than any camera's picture",
                    hint="make it smaller",
                )
            stream.seek(0)
            data = np.frombuffer(stream.read(), np.uint8)
    except OSError as problem:
        raise PictureError(f"cannot read {name}: {problem.strerror}") from None
    if data.size == 0:
        raise PictureError(f"{name} is empty")
    return _decoded(data, header, name)


def picture_header(path: Path) -> PictureHeader | None:
    """The header of a file, None for what cannot be read or is no picture."""
    try:
        with Path(path).open("rb") as stream:
            return read_header(stream)
    except OSError:
        return None


def decode_picture(data: np.ndarray | bytes, name: str) -> np.ndarray:
    """Decode the bytes of a picture, uint8[n]; see `read_picture`. `name` is for the message."""
    raw = bytes(data)
    header = checked_header(read_header(BytesIO(raw)), name)
    return _decoded(np.frombuffer(raw, np.uint8), header, name)


def is_cut_off(data: np.ndarray | bytes, header: PictureHeader) -> bool:
    """Whether a JPEG lacks its end, so that its lower part is gray."""
    if header.format is not PictureFormat.JPEG:
        return False
    return bytes(data[header.body_at :]).rfind(b"\xff\xd9") < 0


def checked_header(header: PictureHeader | None, name: str) -> PictureHeader | None:
    """The header itself. Raises `PictureError` for a picture that is too large to decode."""
    if header is not None and header.pixels > MAX_PIXELS:
        raise PictureError(
            f"{name} has {header.width_px}x{header.height_px} px, more than the "
            f"{MAX_PIXELS // 1_000_000} million that are decoded",
            hint="make it smaller",
        )
    return header


def _decoded(data: np.ndarray, header: PictureHeader | None, name: str) -> np.ndarray:
    if header is None:
        raise _undecodable(name)
    if header.format is PictureFormat.HEIC:
        return _decoded_heic(data, name)
    if header.format is PictureFormat.AVIF:
        return _decoded_avif(data, name)
    own = header.format in _TURNED_HERE
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if own else 0)
    try:
        with stderr_hidden():  # libjpeg and libpng print what they think of odd bytes
            image = cv2.imdecode(data, flags)
    except cv2.error:
        image = None
    cut_off = is_cut_off(data, header)
    if image is None and cut_off:
        raise PictureError(f"{name} was cut off: its end is missing", hint="copy it again")
    if image is None:
        raise _undecodable(name)
    if cut_off:
        log.warning("%s was cut off: its end is missing", name)
    return turned_upright(image, header.orientation) if own else np.asarray(image)


def turned_upright(image_bgr: np.ndarray, orientation: int) -> np.ndarray:
    """uint8[H, W, 3] BGR as it is to be shown. orientation: EXIF's, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image_bgr = cv2.transpose(image_bgr)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    if orientation in flips:
        image_bgr = cv2.flip(image_bgr, flips[orientation])
    return np.asarray(image_bgr)


def _undecodable(name: str) -> PictureError:
    return PictureError(
        f"{name} is not a picture that can be decoded", hint=f"give {READ_NAMES} files"
    )


def _decoded_heic(data: np.ndarray, name: str) -> np.ndarray:
    """By libheif, which joins tiles and turns the picture."""
    try:
        import pillow_heif
    except ImportError:
        raise PictureError(
            f"{name} is HEIC, and this machine lacks what reads it",
            hint="pip install pillow-heif, or save it as JPEG (iPhone: Settings, Camera, Formats, "
            "Most Compatible)",
        ) from None
    try:
        with stderr_hidden():
            found = pillow_heif.open_heif(
                BytesIO(data.tobytes()), convert_hdr_to_8bit=True, bgr_mode=True
            )
            image = np.asarray(found)
    except (OSError, ValueError, RuntimeError, EOFError, SyntaxError):
        raise _undecodable(name) from None
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    return np.ascontiguousarray(image[..., :3])


def _decoded_avif(data: np.ndarray, name: str) -> np.ndarray:
    """By Pillow, which turns the picture; OpenCV does not."""
    try:
        from PIL import Image, ImageOps, features

        able = features.check("avif")
    except ImportError:
        able = False
    if not able:
        raise PictureError(
            f"{name} is AVIF, and this machine lacks what reads it",
            hint="pip install 'pillow>=11.3', or save it as JPEG",
        )
    try:
        with stderr_hidden(), Image.open(BytesIO(data.tobytes())) as opened:
            rgb = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    except (OSError, ValueError, RuntimeError, EOFError, SyntaxError):
        raise _undecodable(name) from None
    return np.ascontiguousarray(rgb[..., ::-1])


def write_picture(path: Path, image_bgr: np.ndarray, *, private: bool = False) -> None:
    """Write uint8[H, W, 3] BGR in the format of the suffix, whole or not at all; `.pgm` and `.pbm`
    without colours. private: readable by its owner alone, from the first byte on.

    Raises `PictureError` when no such format can be written.
    """
    path = Path(path)
    encoder = encoder_of(path)
    if encoder is None:
        raise PictureError(
            f"cannot write {printable(path)}: '{path.suffix}' is no picture format that is written",
            hint="use .png or .jpg",
        )
    if is_grey(path):
        image_bgr = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    done, encoded = cv2.imencode(encoder, image_bgr)
    if not done:
        raise PictureError(f"cannot write {printable(path)}")
    with atomic_file(path, private=private) as temporary:
        temporary.write_bytes(encoded.tobytes())
