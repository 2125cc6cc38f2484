"""The marks file of a run: what copies of its pictures are told by, see `edge.enrolment.copies`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.enrolment.copies import SIDE_PX, FaceMarks
from edge.errors import InputError
from edge.files.npz_record import NpzRecord, npz_bytes
from trainer.photos.grouping import Print

MARKS = "marks.npz"
"""Its name in a run folder. It shows faces, so that runs made with --privacy have none."""


def write_marks(folder: Path, prints: Sequence[Print]) -> None:
    """Write the marks of pictures, in their order."""
    marks = [one.marks for one in prints if one.marks is not None]
    arrays = {
        "grey": np.stack([one.grey for one in marks]),
        "shown": np.packbits([one.shown for one in marks], axis=-1),
        "size_px": np.array([one.size_px for one in marks], np.int64),
        "place": np.array([(one.scale, one.turned_deg) for one in marks]),
    }
    (Path(folder) / MARKS).write_bytes(npz_bytes(arrays))


def read_marks(folder: Path) -> tuple[FaceMarks, ...]:
    """The marks of a run's pictures, none where it has no such file. Raises `InputError` where it
    is damaged."""
    path = Path(folder) / MARKS
    if not path.is_file():
        return ()
    try:
        file = NpzRecord.read(path.read_bytes())
        grey = file.array("grey", np.uint8, "N", SIDE_PX, SIDE_PX)
        shown = np.unpackbits(file.array("shown", np.uint8, "N", SIDE_PX, SIDE_PX // 8), axis=-1)
        size_px = file.array("size_px", np.int64, "N", 2)
        place = file.array("place", np.float64, "N", 2)
    except (OSError, ValueError) as problem:
        raise InputError(f"{path} is damaged: {problem}", hint="make the run again") from None
    return tuple(
        FaceMarks(grey[n], shown[n].astype(bool), (int(w), int(h)), float(scale), float(turned))
        for n, ((w, h), (scale, turned)) in enumerate(zip(size_px, place, strict=True))
    )
