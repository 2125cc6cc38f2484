"""The marks file of a run: what copies of its pictures are told by, see `edge.enrolment.copies`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.bundle.archive import check_npz
from edge.enrolment.copies import SIDE_PX, FaceMarks
from edge.errors import InputError
from trainer.photos.grouping import Print

MARKS = "marks.npz"
"""Its name in a run folder. It shows faces, so that runs made with --privacy have none."""


def write_marks(folder: Path, prints: Sequence[Print]) -> None:
    """Write the marks of pictures, in their order."""
    marks = [one.marks for one in prints if one.marks is not None]
    np.savez(
        Path(folder) / MARKS,
        grey=np.stack([one.grey for one in marks]),
        shown=np.packbits([one.shown for one in marks], axis=-1),
        size_px=np.array([one.size_px for one in marks], np.int64),
        place=np.array([(one.scale, one.turned_deg) for one in marks]),
    )


def read_marks(folder: Path) -> tuple[FaceMarks, ...]:
    """The marks of a run's pictures, none where it has no such file. Raises `InputError` where it
    is damaged."""
    path = Path(folder) / MARKS
    if not path.is_file():
        return ()
    try:
        data = path.read_bytes()
        check_npz(data, MARKS)
        with np.load(path, allow_pickle=False) as file:
            grey, shown, size_px, place = (
                file[name] for name in ("grey", "shown", "size_px", "place")
            )
            shown = np.unpackbits(shown, axis=-1)
    except Exception as problem:  # NumPy and zipfile raise anything on damaged bytes
        raise InputError(f"{path} is damaged: {problem}", hint="make the run again") from None
    if grey.shape[1:] != (SIDE_PX, SIDE_PX) or grey.dtype != np.uint8 or shown.shape != grey.shape:
        raise InputError(f"{path} holds no marks of faces", hint="make the run again")
    return tuple(
        FaceMarks(grey[n], shown[n].astype(bool), (int(w), int(h)), float(scale), float(turned))
        for n, ((w, h), (scale, turned)) in enumerate(zip(size_px, place, strict=True))
    )
