"""Contact sheets: what was kept and what was dropped, and why, on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.picture import write_picture
from trainer.looks import THUMB_PX, Looks

CONTACT_SHEET = "contact-sheet.png"
"""Its name in a run folder."""

COLUMNS = 8
_TEXT_PX = 30
_EDGE_PX = 3
_KEPT, _DROPPED, _INK = (70, 150, 60), (60, 60, 210), (40, 40, 40)
MOST_CELLS = 400


def write_contact_sheet(path: Path, looks: Looks, left_out: Sequence[int] = ()) -> None:
    """Write a PNG: kept faces framed green with their group, the others red with their reason.

    left_out: numbers of looks that enrolment took for somebody else's.
    """
    cells = []
    for number, look in enumerate(looks.kept):
        out = number in left_out
        said = "somebody else?" if out else f"look {look.group + 1}"
        colour = _DROPPED if out else _KEPT
        cells.append(_cell(look.thumb, Path(look.name).name, said, colour))
    blank = np.full((THUMB_PX, THUMB_PX, 3), 235, np.uint8)
    for one in looks.dropped:
        thumb = blank if one.thumb is None else one.thumb
        cells.append(_cell(thumb, Path(one.name).name, one.reason, _DROPPED))
    write_picture(path, _grid(cells[:MOST_CELLS], COLUMNS))


def write_variations(folder: Path, looks: Looks) -> int:
    """Write sheets of the variations that heads are fitted on, the look itself first in each row.

    Returns how many sheets there are: variations-01.png and so on, 12 looks on each.
    """
    rows = [np.concatenate([look.crop[None], look.varied]) for look in looks.kept]
    sheets = [rows[first : first + 12] for first in range(0, len(rows), 12)]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, sheet in enumerate(sheets, 1):
        tiles = [_framed(crop) for row in sheet for crop in row]
        write_picture(Path(folder) / f"variations-{number:02d}.png", _grid(tiles, len(sheet[0])))
    return len(sheets)


def _cell(thumb: np.ndarray, name: str, said: str, colour: tuple[int, int, int]) -> np.ndarray:
    side = THUMB_PX + 2 * _EDGE_PX
    cell = np.full((side + _TEXT_PX, side, 3), 255, np.uint8)
    cell[:side] = colour
    cell[_EDGE_PX : _EDGE_PX + THUMB_PX, _EDGE_PX : _EDGE_PX + THUMB_PX] = thumb
    _write(cell, _shortened(name, 22), side + 12, _INK)
    _write(cell, _shortened(said, 22), side + 25, colour)
    return cell


def _framed(crop: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(crop, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _write(cell: np.ndarray, text: str, baseline_px: int, colour: tuple[int, int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(cell, plain, (2, baseline_px), font, 0.36, colour, 1, cv2.LINE_AA)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 9]}..{text[-7:]}"


def _grid(cells: Sequence[np.ndarray], columns: int) -> np.ndarray:
    height, width = cells[0].shape[:2]
    columns = max(1, min(columns, len(cells)))
    lines = -(-len(cells) // columns)
    sheet = np.full((lines * height, columns * width, 3), 255, np.uint8)
    for number, cell in enumerate(cells):
        y, x = height * (number // columns), width * (number % columns)
        sheet[y : y + height, x : x + width] = cell
    return sheet
