"""Folders: what is read of them, and that what is left out is counted and named."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from faked import ADA, install, picture

from edge.cli.main import main
from edge.files.formats import PICTURE_SUFFIXES, VIDEO_SUFFIXES, is_picture
from edge.files.image import read_picture, write_picture
from edge.files.listing import Reason, list_folder
from edge.sources.files import PictureSource, file_source

ROOT = Path(__file__).resolve().parents[2]


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, picture(ADA))
    return path


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    wanted = ("b.JPG", "deep/c.png", "d.jfif", "e.mpo", "f.tiff", "g.jpe", "h.pgm")
    for name in (*wanted, "@eaDir/b.jpg", ".thumbnails/b.png", "__MACOSX/b.png", ".hidden.jpg"):
        put(folder / name)
    (folder / "notes.txt").write_text("x")
    (folder / "clip.mp4").write_bytes(b"x")
    put(tmp_path / "elsewhere" / "z.png")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    return folder


def test_what_is_left_out_is_counted_and_named(album: Path) -> None:
    listing = list_folder(album, is_picture)
    names = [str(path.relative_to(album)) for path in listing.files]
    assert names == ["b.JPG", "d.jfif", "deep/c.png", "e.mpo", "f.tiff", "g.jpe", "h.pgm"]
    assert {(path.name, why) for path, why in listing.left_out} == {
        ("notes.txt", Reason.KIND),
        ("clip.mp4", Reason.KIND),
        ("linked", Reason.LINK),
        ("@eaDir", Reason.PROGRAM),
        ("__MACOSX", Reason.PROGRAM),
    }
    words = listing.words()
    assert "2 of another kind (clip.mp4, notes.txt)" in words
    assert "linked folder, not followed (linked)" in words
    assert list_folder(album / "deep", is_picture).words() == ""


def test_the_command_says_what_it_leaves_out(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.bundle import locate
    from edge.cli import run as recognize_cli

    for module, name in ((recognize_cli, "open_recognizer"), (recognize_cli, "open_tracker")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(locate, "locate", locate.locate)
    install()
    out = album.parent / "out"
    done = CliRunner().invoke(main, ["--source", str(album), "--save", str(out)])
    assert done.exit_code == 0, done.output
    assert "7 pictures" in done.stdout
    assert "left out of" in done.stderr
    assert "notes.txt" in done.stderr
    saved = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert saved == ["b.JPG", "d.jfif", "deep/c.png", "e.mpo", "f.tiff", "g.jpe", "h.pgm"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets names be any bytes")
def test_names_that_are_no_utf8(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Path(os.fsdecode(os.fsencode(album) + b"/caf\xe9.png"))
    odd.write_bytes((album / "deep" / "c.png").read_bytes())
    assert read_picture(odd).shape == picture(ADA).shape
    with file_source(album) as source:
        frames = list(source)
    assert [frame.error for frame in frames] == [None] * 8
    assert any(frame.source.endswith("caf\\xe9.png") for frame in frames)
    "".join(frame.source for frame in frames).encode("utf-8", "strict")


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES - {".heic", ".heif", ".hif", ".avif"}))
def test_what_is_read_is_written_too(tmp_path: Path, suffix: str) -> None:
    image = np.zeros((32, 48, 3), np.uint8)
    image[:16] = 255
    write_picture(tmp_path / f"a{suffix}", image)
    read = read_picture(tmp_path / f"a{suffix}")
    assert np.abs(read.astype(int) - image).mean() < 6


def test_a_picture_with_an_unknown_name_is_a_picture(tmp_path: Path) -> None:
    done, data = cv2.imencode(".jpg", picture(ADA))
    assert done
    (tmp_path / "IMG_0001").write_bytes(data.tobytes())
    assert isinstance(file_source(tmp_path / "IMG_0001"), PictureSource)


def test_the_table_of_suffixes_is_documented() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    assert {*PICTURE_SUFFIXES, *VIDEO_SUFFIXES} <= set(re.findall(r"`(\.\w+)`", text))
