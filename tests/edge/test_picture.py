"""Pictures are decoded as the camera saw them; what is none is named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.errors import PictureError
from edge.files.formats import is_picture
from edge.files.image import read_picture, write_picture


@pytest.fixture
def image_bgr() -> np.ndarray:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20] = (255, 0, 0)
    return image


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".jpg", ".ppm"])
def test_formats(tmp_path: Path, image_bgr: np.ndarray, suffix: str) -> None:
    write_picture(tmp_path / f"a{suffix}", image_bgr)
    read = read_picture(tmp_path / f"a{suffix}")
    assert read.shape == image_bgr.shape
    assert np.abs(read.astype(int) - image_bgr).mean() < 6
    assert is_picture(tmp_path / f"a{suffix}")


def test_grey_sixteen_bit_and_alpha(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((8, 8), 0x8000, np.uint16))
    assert read_picture(tmp_path / "deep.png")[0, 0].tolist() == [128, 128, 128]
    cv2.imwrite(str(tmp_path / "grey.pgm"), np.full((8, 9), 77, np.uint8))
    assert read_picture(tmp_path / "grey.pgm").shape == (8, 9, 3)
    Image.new("RGBA", (7, 5), (255, 0, 0, 10)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png").shape == (5, 7, 3)


def test_exif_orientation(tmp_path: Path, image_bgr: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(image_bgr[..., ::-1]).save(tmp_path / "turned.jpg", exif=exif)
    turned = read_picture(tmp_path / "turned.jpg")
    assert turned.shape == (60, 40, 3)
    assert turned[30, 35, 0] > 200
    assert turned[30, 5, 0] < 60


def test_refusals(tmp_path: Path, image_bgr: np.ndarray) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    for name, said in (("text.jpg", "not a picture"), ("empty.png", "empty"), ("no.jpg", "cannot")):
        with pytest.raises(PictureError, match=said):
            read_picture(tmp_path / name)
    with pytest.raises(PictureError, match="no picture format"):
        write_picture(tmp_path / "a.xyz", image_bgr)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.png", "text.jpg"]
