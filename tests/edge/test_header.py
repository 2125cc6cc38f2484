"""Headers: size and orientation before anything is decoded, and what is too large is refused."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from edge.errors import PictureError
from edge.files.formats import PictureFormat
from edge.files.header import read_header
from edge.files.image import MAX_PIXELS, decode_picture, read_picture

SIDE = 30_000
SIZE = (61, 40)


def encoded(name: str, orientation: int = 1, **how: object) -> bytes:
    """A picture of `SIZE` whose upper half is red, as Pillow writes it."""
    image = Image.new("RGB", SIZE)
    image.paste((255, 0, 0), (0, 0, SIZE[0], SIZE[1] // 2))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = BytesIO()
    if name == "PPM":
        image.save(stream, name)
    else:
        image.save(stream, name, exif=exif, **how)
    return stream.getvalue()


def heif(name: str) -> bytes:
    if name == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    stream = BytesIO()
    Image.new("RGB", SIZE, (255, 0, 0)).save(stream, name, quality=95)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 95}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"big_tiff": True}),
        ("GIF", {}),
        ("PPM", {}),
    ],
)
def test_the_size_is_read(name: str, how: dict[str, object]) -> None:
    header = read_header(BytesIO(encoded(name, **how)))
    assert header is not None
    assert (header.width_px, header.height_px) == SIZE


@pytest.mark.parametrize("name", ["HEIF", "AVIF"])
def test_heif_is_read_whole(name: str) -> None:
    data = heif(name)
    header = read_header(BytesIO(data))
    assert header is not None
    assert SIZE[0] <= header.width_px <= 64  # encoders pad, and crop when it is shown
    assert SIZE[1] <= header.height_px <= 64
    image = decode_picture(data, "a")
    assert image.shape == (SIZE[1], SIZE[0], 3)
    assert image.mean((0, 1)) == pytest.approx([0, 0, 255], abs=12)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_turned_upright(name: str, orientation: int) -> None:
    from PIL import ImageOps

    data = encoded(name, orientation)
    with Image.open(BytesIO(data)) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))[..., ::-1]
    image = decode_picture(data, "a")
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 6


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_pictures() -> dict[str, bytes]:
    """Headers that promise 900 million pixels."""
    rows = zlib.compress(bytes((SIDE // 8 + 1) * 64))
    box = lambda kind, inside: struct.pack(">I", 8 + len(inside)) + kind + inside  # noqa: E731
    ispe = box(b"ispe", struct.pack(">III", 0, SIDE, SIDE))
    meta = box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", ispe)))
    ifd = struct.pack("<H", 2) + b"".join(struct.pack("<HHII", t, 4, 1, SIDE) for t in (256, 257))
    return {
        "a.png": b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b""),
        "a.jpg": b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x0b\x08"
        + struct.pack(">HH", SIDE, SIDE)
        + b"\x01\x01\x11\0\xff\xd9",
        "a.webp": b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0"
        + bytes(4)
        + (SIDE - 1).to_bytes(3, "little") * 2,
        "a.bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, SIDE, -SIDE),
        "a.tif": b"II*\0" + struct.pack("<I", 8) + ifd,
        "a.gif": b"GIF89a" + struct.pack("<HH", SIDE, SIDE),
        "a.pgm": b"P5\n# made by hand\n30000 30000\n255\n",
        "a.heic": box(b"ftyp", b"heic\0\0\0\0mif1heic") + meta,
        "a.avif": box(b"ftyp", b"avif\0\0\0\0mif1avif") + meta,
    }


@pytest.mark.parametrize("name", sorted(huge_pictures()))
def test_what_is_too_large_is_refused_by_its_header(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(huge_pictures()[name])
    with pytest.raises(PictureError, match="30000x30000 px, more than the 50 million"):
        read_picture(tmp_path / name)
    with pytest.raises(PictureError, match="30000x30000"):
        decode_picture(huge_pictures()[name], name)


def test_nothing_is_decoded_of_what_is_refused(tmp_path: Path) -> None:
    """A PNG of 900 million pixels costs a command no more memory than a small one."""
    raw = zlib.compressobj()
    rows = raw.compress(bytes((SIDE // 8 + 1) * SIDE)) + raw.flush()
    png = huge_pictures()["a.png"][:33] + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (tmp_path / "huge.png").write_bytes(png)
    Image.new("1", (8, 8)).save(tmp_path / "small.png")
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom edge.errors import PictureError\n"
        "from edge.files.image import read_picture\n"
        "try:\n    read_picture(Path(sys.argv[1]))\nexcept PictureError:\n    pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    used = []
    for name in ("small.png", "huge.png"):
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        used.append(int(done.stdout))
    assert SIDE**2 > MAX_PIXELS
    assert used[1] - used[0] < 100_000  # kB


@pytest.mark.parametrize("cut", [3, 12, 20, 30, 60])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_a_header_that_ends_early_is_no_crash(name: str, cut: int) -> None:
    header = read_header(BytesIO(encoded(name)[:cut]))
    assert header is None or header.pixels <= MAX_PIXELS


def test_a_picture_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded("JPEG"))
    header = read_header(BytesIO((tmp_path / "a.png").read_bytes()))
    assert header is not None
    assert header.format is PictureFormat.JPEG
    assert read_picture(tmp_path / "a.png").shape == (SIZE[1], SIZE[0], 3)


def test_libjpeg_says_nothing_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded("JPEG")
    (tmp_path / "odd.jpg").write_bytes(data[:-2] + bytes(12) + data[-2:])
    assert read_picture(tmp_path / "odd.jpg").shape == (SIZE[1], SIZE[0], 3)
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_a_jpeg_that_was_cut_off_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    read_picture(tmp_path / "whole.jpg")
    assert not caplog.records
    said = ""
    try:
        read_picture(tmp_path / "cut.jpg")
    except PictureError as problem:
        said = str(problem)
    assert "cut.jpg was cut off" in said + caplog.text  # some versions of OpenCV decode a part


@pytest.mark.parametrize(("module", "data"), [("pillow_heif", "HEIF"), ("PIL", "AVIF")])
def test_without_its_reader_the_format_and_the_way_out_are_named(
    monkeypatch: pytest.MonkeyPatch, module: str, data: str
) -> None:
    made = heif(data)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PictureError, match=r"HEIC|AVIF") as caught:
        decode_picture(made, "a.heic")
    assert "JPEG" in str(caught.value.hint)
