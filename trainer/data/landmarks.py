"""The five landmarks of the face that each picture of a table is about."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.console.progress import progress
from edge.faces.alignment import aligned_picture_transform
from edge.faces.canonical import CELEBA
from edge.faces.detector import Detector, detector_bytes
from edge.faces.face import Face
from edge.files.atomic import atomic_file
from edge.files.image import read_picture
from edge.files.model_file import sha256_of
from edge.files.npz_record import NpzRecord, npz_bytes
from trainer.data.cache import cache_folder, pictures_key
from trainer.data.table import FaceTable

ALIGNED_SPREAD = 0.05
"""Pictures of one size count as aligned alike when the landmarks found in them scatter by less
than this share of the width (median absolute deviation)."""

ALIGNED_COUNT = 20
"""Faces that must have been found in pictures of one size before that is judged."""

STRAY_SHARE = 0.2
"""In aligned pictures, a face further than this share of the width from where faces lie is not
the one that the picture is about."""

_VERSION = 2


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of a table's faces.

    points: float32[N, 5, 2], (x, y) in pixels of the picture, in the order of
    `edge.faces.canonical`. found: bool[N], whether the detector found them; elsewhere they are
    where an aligned picture has them. aligned: bool[N], whether the picture is known to be
    aligned, so that points not found can be trusted. size: int32[N, 2], the picture's (width,
    height) in pixels.
    """

    points: np.ndarray
    found: np.ndarray
    aligned: np.ndarray
    size: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """bool[N]: found, or in a picture that is aligned."""
        return np.asarray(self.found | self.aligned)

    def select(self, index: np.ndarray) -> Landmarks:
        """The rows of `index` (bool[N] or integers)."""
        return Landmarks(
            self.points[index], self.found[index], self.aligned[index], self.size[index]
        )

    def counts(self) -> dict[str, int]:
        """How many were "detected", "aligned" by their picture's geometry alone, "unusable"."""
        return {
            "detected": int(self.found.sum()),
            "aligned": int((~self.found & self.aligned).sum()),
            "unusable": int((~self.usable).sum()),
        }


def find_landmarks(
    table: FaceTable,
    *,
    cache_dir: Path | None = None,
    detector: Path | bytes | None = None,
    quiet: bool = False,
) -> Landmarks:
    """Detect the face of every picture of `table`, in threads, with the outcome cached.

    Of several faces the large and central one counts. Where there is none, the points of a picture
    aligned as CelebA's are assumed (or, among pictures aligned in another way, their median).
    detector: YuNet's file or its bytes; the installed one by default.

    Raises `DetectorError` without a detector, `PictureError` for an undecodable picture.
    """
    model = detector if isinstance(detector, bytes) else detector_bytes(detector)
    key = pictures_key(table.paths, "landmarks", _VERSION, sha256_of(model))
    cached = cache_folder(cache_dir) / "landmarks" / f"{key}.npz"
    if cached.is_file():
        file = NpzRecord.read(cached.read_bytes())
        return Landmarks(**file.arrays)
    landmarks = _settle(*_detect_all(table, model, quiet))
    with atomic_file(cached) as temporary:
        temporary.write_bytes(npz_bytes(vars(landmarks)))
    return landmarks


def main_face(faces: tuple[Face, ...], width_px: int, height_px: int) -> Face | None:
    """The face that a picture is about: the largest, smaller ones counting less off the center."""

    def weight(face: Face) -> float:
        x, y, w, h = face.box_px
        away = np.hypot((x + w / 2) / width_px - 0.5, (y + h / 2) / height_px - 0.5)
        return face.area_px2 * max(0.05, 1.0 - 1.4 * float(away))

    return max(faces, key=weight, default=None)


def assumed_points(width_px: int, height_px: int) -> np.ndarray:
    """Where the landmarks of a picture aligned as CelebA's lie, float64[5, 2], in its pixels."""
    inverse = cv2.invertAffineTransform(aligned_picture_transform(width_px, height_px))
    return np.asarray(CELEBA.points() @ inverse[:, :2].T + inverse[:, 2])


@contextmanager
def opencv_in_one_thread() -> Iterator[None]:
    """OpenCV's own threads off while ours are at work."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _detect_all(
    table: FaceTable, model: bytes, quiet: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points float32[N, 5, 2], found bool[N], size int32[N, 2]."""
    own = threading.local()

    def detect(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
        if not hasattr(own, "detector"):
            own.detector = Detector(model)
        picture = read_picture(path)
        height, width = picture.shape[:2]
        face = main_face(own.detector.detect(picture), width, height)
        points = face.landmarks() if face is not None else np.full((5, 2), np.nan)
        return points, (width, height)

    with opencv_in_one_thread(), ThreadPoolExecutor() as pool:
        work = pool.map(detect, table.paths)
        done = list(progress(work, label="finding faces", total=len(table), quiet=quiet))
    points = np.array([points for points, _ in done], dtype=np.float32).reshape(-1, 5, 2)
    size = np.array([size for _, size in done], dtype=np.int32).reshape(-1, 2)
    return points, np.asarray(np.isfinite(points).all(axis=(1, 2))), size


def _settle(points: np.ndarray, found: np.ndarray, size: np.ndarray) -> Landmarks:
    """Fill in what was not found, and drop strays, by the geometry of pictures of one size."""
    points, found = points.copy(), found.copy()
    aligned = np.zeros(len(points), dtype=bool)
    for width, height in np.unique(size, axis=0):
        rows = np.flatnonzero((size == (width, height)).all(axis=1))
        usual = assumed_points(int(width), int(height))
        seen = rows[found[rows]]
        if len(seen) >= ALIGNED_COUNT:
            middle = np.median(points[seen], axis=0)
            scatter = float(np.median(np.abs(points[seen] - middle), axis=0).max())
            if scatter < ALIGNED_SPREAD * width:
                aligned[rows] = True
                usual = middle
        elif abs(width / height - CELEBA.width_px / CELEBA.height_px) < 0.01:
            aligned[rows] = _lie_as(points[seen], usual, float(width))
        if aligned[rows].all():
            away = np.linalg.norm(points[seen] - usual, axis=2).mean(axis=1)
            found[seen[away > STRAY_SHARE * width]] = False
        points[rows[~found[rows]]] = usual
    return Landmarks(points, found, aligned, size)


def _lie_as(points: np.ndarray, usual: np.ndarray, width: float) -> bool:
    """Whether the few faces found, float32[N, 5, 2], lie where an aligned picture has them."""
    away = np.linalg.norm(points - usual, axis=2).mean(axis=1)
    return bool(len(away) == 0 or np.median(away) < ALIGNED_SPREAD * width)
