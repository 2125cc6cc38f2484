"""The inputs of the shared data that were taken wrongly once; what is right stands beside them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge.errors import PictureError
from edge.files.image import read_picture
from edge.sources.files import file_source


@pytest.fixture
def faults(shared: Path) -> Path:
    folder = shared / "faults"
    if not folder.is_dir():
        pytest.skip("the shared data has no folder of faults")
    return folder


@pytest.mark.parametrize(
    ("name", "frames", "shape", "said"),
    [
        ("01-broken-frame.avi", 30, (300, 400), "2 frames of"),
        ("02-half-copied.mp4", 21, (240, 320), "promises 66 frames"),
        ("05-phone-portrait.mp4", 66, (240, 320), ""),
    ],
)
def test_videos(
    faults: Path,
    name: str,
    frames: int,
    shape: tuple[int, int],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING), file_source(faults / name) as source:
        found = [frame.image_bgr for frame in source]
    assert len(found) == frames
    assert {image.shape[:2] for image in found if image is not None} == {shape}
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


def test_pictures(faults: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pillow_heif")
    assert read_picture(faults / "03-tiles.heic").shape == (940, 640, 3)
    assert read_picture(faults / "06-exif6.webp").shape == (384, 257, 3)
    assert read_picture(faults / "13-extra-bytes.jpg").shape == (384, 257, 3)
    with pytest.raises(PictureError, match="30000x30000"):
        read_picture(faults / "09-900-megapixels.png")
    assert capfd.readouterr().err == ""
