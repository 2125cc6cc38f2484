"""Headers: format, size and orientation of a picture from its first bytes, before it is decoded.

Layouts: JPEG ITU-T T.81 annex B, PNG and TIFF 6.0 by their specifications, WebP's container, BMP's
`BITMAPINFOHEADER`, GIF89a, Netpbm, and the boxes of ISO/IEC 23008-12 (HEIF, AVIF).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edge.files.formats import PictureFormat

_MOST_PARTS = 100_000
"""Segments, chunks or boxes looked at, so that a hostile file ends."""

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_NO_SOF = {0xC4, 0xC8, 0xCC}
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class PictureHeader:
    """format: as its first bytes say, whatever the file is called. width_px, height_px: as stored,
    before the orientation. orientation: EXIF's, 1 to 8; 1 where there is none. body_at: of JPEG,
    the byte where the picture itself begins, after previews.
    """

    format: PictureFormat
    width_px: int
    height_px: int
    orientation: int = 1
    body_at: int = 0

    @property
    def pixels(self) -> int:
        return self.width_px * self.height_px


def read_header(stream: BinaryIO) -> PictureHeader | None:
    """The header at the start of a seekable stream; None for what is no picture of
    `PictureFormat`, or ends before its size is said. Raises OSError as the stream does.
    """
    stream.seek(0)
    start = stream.read(32)
    for fits, parse in _PARSERS:
        if fits(start):
            try:
                return parse(stream)
            except (struct.error, ValueError, IndexError):
                return None
    return None


def _take(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise ValueError("the file ends in its header")
    return data


def _unpack(stream: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, _take(stream, struct.calcsize(layout)))


def _jpeg(stream: BinaryIO) -> PictureHeader:
    stream.seek(2)
    orientation = 1
    for _ in range(_MOST_PARTS):
        byte = _take(stream, 1)
        while byte != b"\xff":  # libjpeg passes over garbage as well
            byte = _take(stream, 1)
        while byte == b"\xff":
            byte = _take(stream, 1)
        marker = byte[0]
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            continue
        (length,) = _unpack(stream, ">H")
        begin = stream.tell()
        if 0xC0 <= marker <= 0xCF and marker not in _NO_SOF:
            _, height, width = _unpack(stream, ">BHH")
            return PictureHeader(PictureFormat.JPEG, width, height, orientation, begin)
        if marker in (0xD9, 0xDA):
            break
        if marker == 0xE1 and length > 8 and _take(stream, 6) == b"Exif\0\0":
            orientation = _exif_orientation(_take(stream, length - 8))
        stream.seek(begin + length - 2)
    raise ValueError("no frame header")


def _png(stream: BinaryIO) -> PictureHeader:
    stream.seek(16)
    width, height = _unpack(stream, ">II")
    stream.seek(8)
    orientation = 1
    for _ in range(_MOST_PARTS):
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            break
        length = struct.unpack(">I", head[:4])[0]
        if head[4:] == b"eXIf" and length < 1 << 20:
            orientation = _exif_orientation(stream.read(length))
            break
        stream.seek(length + 4, 1)
    return PictureHeader(PictureFormat.PNG, width, height, orientation)


def _webp(stream: BinaryIO) -> PictureHeader:
    stream.seek(12)
    width = height = 0
    orientation = 1
    for _ in range(_MOST_PARTS):
        head = stream.read(8)
        if len(head) < 8:
            break
        kind, length = head[:4], struct.unpack("<I", head[4:])[0]
        begin = stream.tell()
        size = (0, 0)
        if kind == b"VP8X":
            data = _take(stream, 10)
            size = 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:], "little")
        elif kind == b"VP8 ":
            wide, high = struct.unpack("<HH", _take(stream, 10)[6:])
            size = wide & 0x3FFF, high & 0x3FFF
        elif kind == b"VP8L":
            bits = int.from_bytes(_take(stream, 5)[1:], "little")
            size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"EXIF" and length < 1 << 20:
            orientation = _exif_orientation(stream.read(length).removeprefix(b"Exif\0\0"))
        width, height = max(width, size[0]), max(height, size[1])
        stream.seek(begin + length + length % 2)
    if not width:
        raise ValueError("no picture in it")
    return PictureHeader(PictureFormat.WEBP, width, height, orientation)


def _bmp(stream: BinaryIO) -> PictureHeader:
    stream.seek(14)
    (size,) = _unpack(stream, "<I")
    width, height = _unpack(stream, "<HH" if size == 12 else "<ii")
    return PictureHeader(PictureFormat.BMP, abs(width), abs(height))


def _gif(stream: BinaryIO) -> PictureHeader:
    stream.seek(6)
    width, height = _unpack(stream, "<HH")
    return PictureHeader(PictureFormat.GIF, width, height)


def _tiff(stream: BinaryIO) -> PictureHeader:
    stream.seek(0)
    found = dict(_tiff_tags(stream))
    return PictureHeader(PictureFormat.TIFF, found[256], found[257])  # OpenCV turns it itself


def _tiff_tags(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Tag and first value of the entries of the first directory that are whole numbers. Raises
    ValueError where the sizes are missing."""
    order = "<" if _take(stream, 2) == b"II" else ">"
    big = _unpack(stream, order + "H")[0] == 43
    if big:
        stream.seek(8)
    (place,) = _unpack(stream, order + ("Q" if big else "I"))
    stream.seek(place)
    (count,) = _unpack(stream, order + ("Q" if big else "H"))
    letters = {1: "B", 3: "H", 4: "I", 16: "Q"}
    for _ in range(min(count, 4096)):
        entry = _take(stream, 20 if big else 12)
        tag, kind = struct.unpack(order + "HH", entry[:4])
        if kind in letters:
            layout = order + letters[kind]
            value = entry[12 if big else 8 :][: struct.calcsize(layout)]
            if len(value) == struct.calcsize(layout):
                yield tag, struct.unpack(layout, value)[0]


def _exif_orientation(data: bytes) -> int:
    """EXIF's orientation, 1 to 8, from its TIFF structure; 1 where it is damaged or has none."""
    from io import BytesIO

    try:
        found = dict(_tiff_tags(BytesIO(data))).get(_ORIENTATION, 1)
    except (struct.error, ValueError):
        return 1
    return found if 1 <= found <= 8 else 1


def _pnm(stream: BinaryIO) -> PictureHeader:
    stream.seek(2)
    text = re.sub(rb"#[^\n\r]*", b" ", stream.read(4096))
    found = re.match(rb"\s+(\d{1,9})\s+(\d{1,9})\s", text)
    if found is None:
        raise ValueError("no size")
    return PictureHeader(PictureFormat.PNM, int(found[1]), int(found[2]))


def boxes(stream: BinaryIO, begin: int, end: int | None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte and end of the boxes from `begin` to `end`."""
    for _ in range(_MOST_PARTS):
        if end is not None and begin + 8 > end:
            return
        stream.seek(begin)
        head = stream.read(8)
        if len(head) < 8:
            return
        size, inside = struct.unpack(">I", head[:4])[0], begin + 8
        if size == 1:
            size, inside = _unpack(stream, ">Q")[0], begin + 16
        last = begin + size if size else (end if end is not None else 1 << 62)
        if last < inside:
            return
        yield head[4:], inside, last
        begin = last


def _inside(stream: BinaryIO, path: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    """Every place of a kind of box by the boxes around it."""
    places: list[tuple[int, int | None]] = [(0, None)]
    for kind in path:
        skipped = 4 if kind == b"meta" else 0  # a full box: version and flags come first
        places = [
            (begin + skipped, end)
            for place in places
            for found, begin, end in boxes(stream, *place)
            if found == kind
        ]
    yield from ((begin, end) for begin, end in places if end is not None)


def _heif(stream: BinaryIO) -> PictureHeader:
    """The largest of the sizes: tiles, previews and the whole picture each say theirs."""
    stream.seek(0)
    brands = _brands(_take(stream, 12) + stream.read(256))
    kind = PictureFormat.AVIF if brands & _AVIF_BRANDS else PictureFormat.HEIC
    sizes = []
    for begin, _ in _inside(stream, (b"meta", b"iprp", b"ipco", b"ispe")):
        stream.seek(begin + 4)
        sizes.append(_unpack(stream, ">II"))
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return PictureHeader(kind, width, height)


def _brands(start: bytes) -> set[bytes]:
    end = min(len(start), struct.unpack(">I", start[:4])[0])
    return {start[8:12], *(start[k : k + 4] for k in range(16, end - 3, 4))}


def _is_heif(start: bytes) -> bool:
    if start[4:8] != b"ftyp":
        return False
    return bool(_brands(start) & (_AVIF_BRANDS | _HEIC_BRANDS))


_PARSERS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO], PictureHeader]], ...] = (
    (lambda start: start[:3] == b"\xff\xd8\xff", _jpeg),
    (lambda start: start[:8] == b"\x89PNG\r\n\x1a\n", _png),
    (lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP", _webp),
    (lambda start: start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    (lambda start: start[:6] in (b"GIF87a", b"GIF89a"), _gif),
    (lambda start: re.match(rb"P[1-6][\s#]", start) is not None, _pnm),
    (_is_heif, _heif),
    (lambda start: start[:2] == b"BM", _bmp),
)
