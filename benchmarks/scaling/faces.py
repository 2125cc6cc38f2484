"""Faces in a frame: what 1 to 20 of them cost. Drawn people, so that it runs anywhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

import cv2
import numpy as np

from edge.bundle.locate import shipped_bundle
from edge.recognition.recognizer import Recognizer

COUNTS = (0, 1, 2, 5, 10, 20)
WIDTH_PX, HEIGHT_PX = 1280, 720
ROWS, COLUMNS = 4, 5
_FIRST = 800
_GREY = 110
COLUMNS_SHOWN = ("faces in the frame", "found", "processor ms a frame", "ms for each face")


def frames(counts: Sequence[int] = COUNTS) -> dict[int, np.ndarray]:
    """uint8[720, 1280, 3] BGR: number of drawn people to the frame, each in a cell."""
    from trainer.drawn import DrawnPerson, Shot, render

    side = min(WIDTH_PX // COLUMNS, HEIGHT_PX // ROWS)
    faces = [
        cv2.resize(render(DrawnPerson.draw(_FIRST + k), Shot(), size_px=256), (side, side))
        for k in range(max(counts))
    ]
    made = {}
    for count in counts:
        frame = np.full((HEIGHT_PX, WIDTH_PX, 3), _GREY, np.uint8)
        for place, face in enumerate(faces[:count]):
            row, column = divmod(place, COLUMNS)
            x = column * (WIDTH_PX // COLUMNS)
            frame[row * side : (row + 1) * side, x : x + side] = face
        made[count] = frame
    return made


def rows(repeats: int = 20) -> list[tuple[str, ...]]:
    """One for each number of faces; one thread, in turns."""
    with shipped_bundle() as bundle:
        recognizer = Recognizer.open(bundle, threads=1)
    shown = frames()
    spent_s: dict[int, list[float]] = {count: [] for count in shown}
    found = dict.fromkeys(shown, 0)
    for number in range(repeats + 1):
        for count, image in shown.items():
            began = time.process_time()
            result = recognizer.recognize(image)
            if number:
                spent_s[count].append(time.process_time() - began)
            found[count] = len(result.faces)
    nobody_ms = 1000 * float(np.median(spent_s[0]))
    made: list[tuple[str, ...]] = []
    for count in shown:
        total_ms = 1000 * float(np.median(spent_s[count]))
        more = f"{(total_ms - nobody_ms) / count:.1f}" if count else "–"
        made.append((str(count), str(found[count]), f"{total_ms:.1f}", more))
    return made
