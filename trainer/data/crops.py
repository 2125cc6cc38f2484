"""The aligned crops of a table, computed once and kept on disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from edge.console.progress import progress
from edge.errors import DataError
from edge.faces.alignment import similarity, warp
from edge.faces.canonical import CanonicalFace, CropRegion
from edge.files.atomic import atomic_file
from edge.files.image import read_picture
from edge.files.model_file import sha256_of
from trainer.data.cache import cache_folder, pictures_key
from trainer.data.landmarks import Landmarks, opencv_in_one_thread
from trainer.data.table import FaceTable

_VERSION = 1


class CropSource(Protocol):
    """N crops uint8[S, S, 3] BGR, one for each row: an array or what behaves like one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> np.ndarray: ...


def crop_array(
    table: FaceTable,
    landmarks: Landmarks,
    frame: CanonicalFace,
    window: CropRegion,
    size_px: int,
    *,
    cache_dir: Path | None = None,
    quiet: bool = False,
) -> np.ndarray:
    """Crops of all faces, uint8[N, size_px, size_px, 3] BGR, as a read-only memory map.

    Each picture goes through `edge.faces.alignment.warp`, as on the device. Kept in `cache_dir`
    (see
    `trainer.data.cache`) under the pictures' names, sizes and dates, the landmarks and the window.

    Raises `DataError` where table and landmarks differ in length, `PictureError` for an
    undecodable picture.
    """
    if len(table) != len(landmarks.points):
        raise DataError(f"{len(table)} pictures with {len(landmarks.points)} sets of landmarks")
    words = ("crops", _VERSION, frame, window, size_px, sha256_of(landmarks.points.tobytes()))
    key = pictures_key(table.paths, *words)
    cached = cache_folder(cache_dir) / "crops" / f"{key}.npy"
    if not cached.is_file():
        _write(cached, table, landmarks, frame, window, size_px, quiet)
    crops: np.ndarray = np.load(cached, mmap_mode="r")
    return crops


def _write(
    target: Path,
    table: FaceTable,
    landmarks: Landmarks,
    frame: CanonicalFace,
    window: CropRegion,
    size_px: int,
    quiet: bool,
) -> None:
    shape = (len(table), size_px, size_px, 3)
    with atomic_file(target) as temporary, opencv_in_one_thread(), ThreadPoolExecutor() as pool:
        crops = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)

        def crop(row: int) -> None:
            picture = read_picture(table.paths[row])
            transform = similarity(landmarks.points[row].astype(np.float64), frame.points())
            crops[row] = warp(picture, transform, window, size_px)

        work = pool.map(crop, range(len(table)))
        for _ in progress(work, label="cutting out faces", total=len(table), quiet=quiet):
            pass
        crops.flush()
