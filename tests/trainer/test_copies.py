"""Smaller copies: told by name and size together, and never used twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.photos.copies import smaller_copies


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in (
        ("ana_left_open.pgm", (128, 120)),
        ("ana_left_open_2.pgm", (64, 60)),
        ("ana_left_open_4.pgm", (32, 30)),
        ("ana_right_open_2.pgm", (64, 60)),  # whose original is missing
        ("beach.png", (401, 301)),
        ("beach_2.png", (200, 150)),
        ("party.png", (400, 300)),
        ("party_2.png", (400, 300)),  # another photo
        ("party_17.png", (24, 18)),
    ):
        Image.fromarray(np.full(size[::-1], 90, np.uint8)).save(tmp_path / name)
    (tmp_path / "note.png").write_text("no picture")
    (tmp_path / "note_2.png").write_text("no picture")
    return tmp_path


def test_copies_are_called_after_a_larger_picture(folder: Path) -> None:
    found = smaller_copies(sorted(folder.iterdir()))
    assert {path.name for path in found} == {
        "ana_left_open_2.pgm",
        "ana_left_open_4.pgm",
        "beach_2.png",
    }


def test_a_copy_alone_is_a_picture(folder: Path) -> None:
    assert not smaller_copies([folder / "ana_left_open_2.pgm"])
