"""Contact sheets: what was kept and what was dropped, and why, on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.files.image import write_picture
from trainer.photos.samples import THUMB_PX, FaceSamples

CONTACT_SHEET = "contact-sheet.png"
"""Its name in a run folder."""

COLUMNS = 8
MOST_CELLS = 400
ROWS_OF_VARIATIONS = 12

_EDGE_PX = 4
_GAP_PX = 4
_LINE_PX = 15
_FONT_PX = 12
_LINES = 3
_KEPT, _DROPPED, _INK = (70, 150, 60), (60, 60, 210), (40, 40, 40)


def write_contact_sheet(path: Path, looks: FaceSamples, left_out: Sequence[int] = ()) -> None:
    """Write a PNG: kept faces framed green with their group, the others red with their reason.

    left_out: numbers of looks that enrolment took for somebody else's. Of more than `MOST_CELLS`
    pictures, up to half of the cells are for those that were not kept; the last line says how many
    are missing.
    """
    good, bad = [], []
    for number, look in enumerate(looks.kept):
        if number in left_out:
            bad.append((look.thumb, Path(look.name).name, "looks like somebody else"))
        else:
            good.append((look.thumb, Path(look.name).name, f"look {look.group + 1}"))
    blank = np.full((THUMB_PX, THUMB_PX, 3), 235, np.uint8)
    for one in looks.dropped:
        bad.append((blank if one.thumb is None else one.thumb, Path(one.name).name, one.reason))
    few = MOST_CELLS - min(len(bad), MOST_CELLS // 2)
    shown = good[:few]
    hidden = bad[: MOST_CELLS - len(shown)]
    missing = len(good) + len(bad) - len(shown) - len(hidden)
    cells = [_cell(*one, _KEPT) for one in shown] + [_cell(*one, _DROPPED) for one in hidden]
    sheet = _grid(cells, COLUMNS)
    if missing:
        strip = np.full((_LINE_PX + 8, sheet.shape[1], 3), 255, np.uint8)
        sheet = np.vstack([sheet, _written(strip, [(f"and {missing} more", _INK)], 4)])
    write_picture(path, sheet)


def write_variations(folder: Path, looks: FaceSamples) -> int:
    """Write sheets of the variations that heads are fitted on, the look itself first in each row.

    Returns how many sheets there are: variations-01.png and so on, `ROWS_OF_VARIATIONS` looks on
    each. Sheets of an earlier run are removed.
    """
    folder = Path(folder)
    rows = [np.concatenate([look.crop[None], look.varied]) for look in looks.kept]
    step = ROWS_OF_VARIATIONS
    sheets = [rows[first : first + step] for first in range(0, len(rows), step)]
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("variations-[0-9][0-9].png"):
        old.unlink()
    for number, sheet in enumerate(sheets, 1):
        tiles = [_framed(crop) for row in sheet for crop in row]
        write_picture(folder / f"variations-{number:02d}.png", _grid(tiles, len(sheet[0])))
    return len(sheets)


def _cell(thumb: np.ndarray, name: str, said: str, colour: tuple[int, int, int]) -> np.ndarray:
    side = THUMB_PX + 2 * _EDGE_PX
    cell = np.full((side + _LINES * _LINE_PX + _GAP_PX, side + _GAP_PX, 3), 255, np.uint8)
    cell[:side, :side] = colour
    cell[_EDGE_PX : _EDGE_PX + THUMB_PX, _EDGE_PX : _EDGE_PX + THUMB_PX] = thumb
    lines = [(_shortened(name, side), _INK)]
    lines += [(line, colour) for line in _wrapped(said, side, _LINES - 1)]
    return _written(cell, lines, side)


def _framed(crop: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(crop, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _written(
    cell: np.ndarray, lines: Sequence[tuple[str, tuple[int, int, int]]], top_px: int
) -> np.ndarray:
    """The cell, uint8[H, W, 3] BGR, with lines of text and their colors below `top_px`."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(cell)  # channels stay as they are, so colours are BGR here too
    draw = ImageDraw.Draw(image)
    for number, (text, colour) in enumerate(lines):
        draw.text((2, top_px + number * _LINE_PX), text, fill=colour, font=_font())
    return np.array(image)


@lru_cache(maxsize=1)
def _font() -> Any:
    """The font of the report's figures, which has more than ASCII."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), _FONT_PX)


def _fits(text: str, width_px: int) -> bool:
    return bool(_font().getlength(text) <= width_px - 2)


def _shortened(text: str, width_px: int) -> str:
    """The text, or its beginning and its last ten characters, where a video's time stands."""
    if _fits(text, width_px):
        return text
    end = text[-10:]
    start = len(text) - len(end) - 1
    while start > 0 and not _fits(f"{text[:start]}…{end}", width_px):
        start -= 1
    return f"{text[:start]}…{end}"


def _wrapped(text: str, width_px: int, most: int) -> list[str]:
    """The text in at most `lines` lines; what does not fit ends in dots."""
    lines = [""]
    words = text.split()
    for n, word in enumerate(words):
        longer = f"{lines[-1]} {word}".strip()
        if _fits(longer, width_px):
            lines[-1] = longer
        elif len(lines) < most and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = _cut(" ".join([lines[-1], *words[n:]]).strip(), width_px)
            break
    return lines


def _cut(text: str, width_px: int) -> str:
    while text and not _fits(f"{text}…", width_px):
        text = text[:-1]
    return f"{text.rstrip()}…"


def _grid(cells: Sequence[np.ndarray], columns: int) -> np.ndarray:
    height, width = cells[0].shape[:2]
    columns = max(1, min(columns, len(cells)))
    lines = -(-len(cells) // columns)
    sheet = np.full((lines * height, columns * width, 3), 255, np.uint8)
    for number, cell in enumerate(cells):
        y, x = height * (number // columns), width * (number % columns)
        sheet[y : y + height, x : x + width] = cell
    return sheet
