"""Contact sheets: which frame is green, which is red, and that what is written can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.faces.quality import Quality
from edge.files.image import read_picture
from trainer.photos.grouping import Print
from trainer.photos.samples import THUMB_PX, Dropped, FaceSample, FaceSamples
from trainer.report import contact_sheet
from trainer.report.contact_sheet import (
    COLUMNS,
    MOST_CELLS,
    ROWS_OF_VARIATIONS,
    write_contact_sheet,
    write_variations,
)

SIDE_PX = 20
GREEN, RED = (70, 150, 60), (60, 60, 210)


def a_look(number: int, *, group: int = 0, name: str = "") -> FaceSample:
    name = name or f"photos/{number}.jpg"
    crop = np.full((SIDE_PX, SIDE_PX, 3), 10 + number % 200, np.uint8)
    return FaceSample(
        name=name,
        crop=crop,
        varied=np.stack([crop // 2, crop // 3]),
        group=group,
        print=Print(name, "", np.zeros(512, bool)),
        scene=None,
        quality=Quality(True, None, {}),
        thumb=np.full((THUMB_PX, THUMB_PX, 3), 90, np.uint8),
    )


def frames(sheet: np.ndarray, cells: int) -> list[tuple[int, ...]]:
    """The colour of each cell's frame, by its upper left corner."""
    lines = -(-cells // COLUMNS)
    columns = min(cells, COLUMNS)
    height, width = sheet.shape[0] // lines, sheet.shape[1] // columns
    return [
        tuple(int(v) for v in sheet[height * (n // columns) + 1, width * (n % columns) + 1])
        for n in range(cells)
    ]


def test_kept_is_green_dropped_and_left_out_are_red(tmp_path: Path) -> None:
    looks = FaceSamples(
        tuple(a_look(n) for n in range(7)),
        (Dropped("a.jpg", "no face"), Dropped("b.jpg", "blurred", a_look(0).thumb)),
    )
    write_contact_sheet(tmp_path / "sheet.png", looks, left_out=[2])
    found = frames(read_picture(tmp_path / "sheet.png"), 9)
    assert found == [GREEN] * 6 + [RED] * 3


def test_one_picture_makes_a_sheet(tmp_path: Path) -> None:
    write_contact_sheet(tmp_path / "sheet.png", FaceSamples((a_look(0),), ()))
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape[1] < 2 * THUMB_PX
    assert frames(sheet, 1) == [GREEN]


def test_the_dropped_are_shown_beside_hundreds_of_kept(tmp_path: Path) -> None:
    dropped = tuple(Dropped(f"{n}.jpg", "no face") for n in range(3))
    looks = FaceSamples(tuple(a_look(n) for n in range(MOST_CELLS)), dropped)
    write_contact_sheet(tmp_path / "sheet.png", looks)
    sheet = read_picture(tmp_path / "sheet.png")
    found = frames(sheet, MOST_CELLS)
    assert found == [GREEN] * (MOST_CELLS - 3) + [RED] * 3
    assert sheet[-20:].min() < 128  # the last line says how many are missing
    more = FaceSamples(looks.kept, tuple(Dropped(f"{n}.jpg", "no face") for n in range(MOST_CELLS)))
    write_contact_sheet(tmp_path / "sheet.png", more)
    half = MOST_CELLS // 2
    assert frames(read_picture(tmp_path / "sheet.png"), MOST_CELLS) == [GREEN] * half + [RED] * half


@pytest.mark.parametrize(
    "text",
    ["turned too far to the side", "the file is not a picture that can be decoded", "x" * 90],
)
def test_reasons_fit_into_their_lines(text: str) -> None:
    lines = contact_sheet._wrapped(text, THUMB_PX, 2)
    assert len(lines) <= 2
    assert all(line and contact_sheet._fits(line, THUMB_PX) for line in lines)
    said = " ".join(lines)
    assert said == text or (said.endswith("…") and text.startswith(said[:-1].rstrip()))


def test_short_reasons_are_whole() -> None:
    text = "turned too far up or down"
    assert " ".join(contact_sheet._wrapped(text, THUMB_PX, 2)) == text


def test_a_long_name_keeps_its_time() -> None:
    name = "a-very-long-name-of-a-holiday-clip.mkv at 12.40 s"
    short = contact_sheet._shortened(name, THUMB_PX)
    assert contact_sheet._fits(short, THUMB_PX)
    assert short.startswith("a-v")
    assert short.endswith("12.40 s")
    assert contact_sheet._shortened("a.jpg", THUMB_PX) == "a.jpg"


def test_letters_beyond_ascii_are_drawn(tmp_path: Path) -> None:
    sheets = []
    for n, name in enumerate(("ü.jpg", "?.jpg", "я.jpg")):
        path = tmp_path / f"{n}.png"
        write_contact_sheet(path, FaceSamples((a_look(0, name=name),), ()))
        sheets.append(read_picture(path))
    assert not np.array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[1], sheets[2])


def test_variations_stand_beside_their_look(tmp_path: Path) -> None:
    looks = FaceSamples(tuple(a_look(3 * n) for n in range(ROWS_OF_VARIATIONS + 1)), ())
    (tmp_path / "variations-07.png").touch()
    (tmp_path / "mine.png").touch()
    assert write_variations(tmp_path, looks) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mine.png",
        "variations-01.png",
        "variations-02.png",
    ]
    first, last = (read_picture(tmp_path / f"variations-0{n}.png") for n in (1, 2))
    tile = SIDE_PX + 4
    assert first.shape == (ROWS_OF_VARIATIONS * tile, 3 * tile, 3)
    assert last.shape == (tile, 3 * tile, 3)
    shown = looks.kept[4]
    row = [int(first[4 * tile + tile // 2, column * tile + tile // 2, 0]) for column in range(3)]
    assert row == [int(c[0, 0, 0]) for c in (shown.crop, *shown.varied)]
