"""The pictures an evaluation looks at: which of a data set count, where faces lie, who is who."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import DataError
from edge.models.run_record import Run
from edge.models.spec import NetworkInput
from trainer.data.celeba import read_faces
from trainer.data.crops import crop_array
from trainer.data.landmarks import Landmarks, find_landmarks
from trainer.data.pairs import Pairs, read_pairs, sample_pairs
from trainer.data.splits import split
from trainer.data.table import PART_NAMES, TEST, UNKNOWN, FaceTable
from trainer.inference.source import ModelSource

PARTS = ("auto", "all", *PART_NAMES)


@dataclass(frozen=True)
class Settings:
    """How to evaluate.

    part: rows of the data that count, one of `PARTS`; "auto" is the test part where the official
    partition covers the data or the run was trained on them, else all. pairs: how many to draw.
    """

    part: str = "auto"
    pairs: int = 6000
    seed: int = 0
    variants: tuple[str, ...] = ()
    allow_missing: bool = False
    detector: Path | None = None
    cache_dir: Path | None = None
    threads: int | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Photos:
    """Pictures with their landmarks, and the pairs to verify among them, where there are any.

    part: which rows of the data they are.
    """

    table: FaceTable
    landmarks: Landmarks
    pairs: Pairs | None
    part: str = "all"

    def crops(self, expects: NetworkInput, settings: Settings) -> np.ndarray:
        """uint8[N, S, S, 3] BGR, as a network wants them."""
        return crop_array(
            self.table,
            self.landmarks,
            expects.frame,
            expects.window,
            expects.size_px,
            cache_dir=settings.cache_dir,
            quiet=settings.quiet,
        )

    def facts(self) -> dict[str, Any]:
        """What was looked at, as JSON."""
        return {
            "part": self.part,
            "pictures": len(self.table),
            "people": len(set(self.table.identity.tolist()) - {UNKNOWN}),
            "fingerprint": self.table.fingerprint(),
            **self.landmarks.counts(),
        }


def labelled_photos(folder: Path, subject: ModelSource, settings: Settings) -> Photos:
    """The pictures of a folder of faces that an evaluation of `subject` may use.

    Pairs are drawn where the folder tells people apart. Raises as `read_faces` and `find_landmarks`
    do, `DataError` where the wanted part is empty.
    """
    table = read_faces(
        folder,
        allow_missing=settings.allow_missing,
        cache_dir=settings.cache_dir,
        quiet=settings.quiet,
    )
    rows, part = _part_rows(table, folder, subject, settings)
    landmarks = _landmarks(table, settings).select(rows)
    table = table.select(rows)
    return Photos(table, landmarks, _drawn_pairs(table, settings), part)


def paired_photos(pairs: Path, images: Path | None, settings: Settings) -> Photos:
    """The pictures of a list of pairs. Raises `DataError` for a malformed list."""
    paths, listed = read_pairs(pairs, images)
    count = len(paths)
    table = FaceTable(
        paths=paths,
        attributes=(),
        labels=np.empty((count, 0), np.int8),
        identity=np.full(count, UNKNOWN, np.int64),
        partition=np.full(count, -1, np.int8),
    )
    return Photos(table, _landmarks(table, settings), listed)


def _landmarks(table: FaceTable, settings: Settings) -> Landmarks:
    return find_landmarks(
        table, cache_dir=settings.cache_dir, detector=settings.detector, quiet=settings.quiet
    )


def _part_rows(
    table: FaceTable, folder: Path, subject: ModelSource, settings: Settings
) -> tuple[np.ndarray, str]:
    """bool[N] and the part's name; see `Settings.part`.

    A run's split follows from its seed alone, so its test part is found again in any folder that
    it was trained on, also beside others.
    """
    everything = np.ones(len(table), dtype=bool)
    run = subject.run
    trained_here = run is not None and _was_trained_on(run, folder, len(table))
    official = set(np.unique(table.partition)) == {0, 1, 2}
    if settings.part == "all" or (settings.part == "auto" and not (official or trained_here)):
        return everything, "all"
    seed = run.seed if run is not None and trained_here else settings.seed
    partition = split(table, seed=seed, allow_random=True).partition
    part = TEST if settings.part == "auto" else PART_NAMES.index(settings.part)
    rows = partition == part
    if not rows.any():
        raise DataError(f"the data have no {PART_NAMES[part]} part", hint="give --part all")
    return rows, PART_NAMES[part]


def _was_trained_on(run: Run, folder: Path, pictures: int) -> bool:
    """Whether the run's data include a folder of this name and number of images."""
    used = run.data.get("folders", {}).get(folder.resolve().name)
    if used is None:
        return False
    left_out = run.data.get("held_out", 0) + run.data.get("no_face", 0)
    return bool(used <= pictures <= used + left_out)


def _drawn_pairs(table: FaceTable, settings: Settings) -> Pairs | None:
    try:
        return sample_pairs(table, count=settings.pairs, seed=settings.seed)
    except DataError:
        return None
