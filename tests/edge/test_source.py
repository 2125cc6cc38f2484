"""Pictures, folders and videos as sources."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from faked import ADA, picture, write_video

from edge.errors import PictureError, SourceError, UsageError
from edge.sources.files import (
    FolderSource,
    PictureSource,
    VideoSource,
    file_source,
)


def test_a_video_is_read_frame_by_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", [ADA] * 12, fps=10)
    with file_source(path) as source:
        assert isinstance(source, VideoSource)
        assert (source.live, source.fps, source.total) == (False, 10, 12)
        grabs = list(source)
    assert [grab.number for grab in grabs] == list(range(12))
    assert [int(grab.image_bgr[0, 0, 2]) for grab in grabs] == list(range(12))
    assert [grab.time_s for grab in grabs] == pytest.approx([n / 10 for n in range(12)], abs=0.002)
    assert {(grab.source, grab.captured_at_s, grab.error) for grab in grabs} == {
        (str(path), None, None)
    }


def test_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    cv2.imwrite(str(path), picture(ADA))
    with file_source(path) as source:
        assert isinstance(source, PictureSource)
        (grab,) = source
    assert np.array_equal(grab.image_bgr, picture(ADA))
    assert (grab.number, grab.time_s, grab.source) == (0, 0.0, str(path))


def test_a_folder_goes_by_name_and_survives_a_broken_file(tmp_path: Path) -> None:
    for name in ("b.png", "a/deep.png", "c.PNG", ".hidden.png", ".git/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), picture(ADA))
    (tmp_path / "bad.jpg").write_text("no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    with file_source(tmp_path) as source:
        assert isinstance(source, FolderSource)
        assert source.total == 4
        grabs = list(source)
    names = [str(Path(grab.source).relative_to(tmp_path)) for grab in grabs]
    assert names == ["a/deep.png", "b.png", "bad.jpg", "c.PNG"]
    assert [grab.error is not None for grab in grabs] == [False, False, True, False]
    assert grabs[2].image_bgr is None
    assert "bad.jpg" in str(grabs[2].error)
    assert {grab.time_s for grab in grabs} == {0.0}


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("missing.mp4", None, SourceError, "there is no file"),
        ("text.jpg", b"hello", PictureError, "not a picture"),
        ("empty.jpg", b"", PictureError, "is empty"),
        ("text.mp4", b"hello", SourceError, "neither a video nor a picture"),
        ("empty.mkv", b"", SourceError, "is empty"),
    ],
)
def test_what_is_no_source(
    tmp_path: Path, name: str, content: bytes | None, error: type[Exception], words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=words) as caught, file_source(tmp_path / name):
        pass
    assert name in str(caught.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="holds no pictures"), file_source(tmp_path):
        pass


def test_a_device_is_no_file() -> None:
    with pytest.raises(UsageError, match="--camera"):
        file_source(Path("/dev/null"))


def test_closing_twice_is_fine_and_ends(tmp_path: Path) -> None:
    source = file_source(write_video(tmp_path / "v.mkv", [ADA] * 3))
    with source:
        pass
    source.close()
    assert source.take(0) is None
    assert source.ended
