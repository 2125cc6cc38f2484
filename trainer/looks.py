"""Looks: the usable faces in a person's photos and videos, and which of them belong together.

Looks that are not independent (near-duplicates, bursts, a video's neighbouring frames) share a
group; whatever is split, is split by group and before augmentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image

from edge.detector import Detector
from edge.embedder import Embedder
from edge.errors import InputError, PictureError, SourceError
from edge.face import Face
from edge.picture import is_picture, read_picture
from edge.progress import progress
from edge.quality import QualityGate
from edge.source import file_source
from edge.variation import PER_PICTURE, variations

VIDEO_SUFFIXES = frozenset({".mkv", ".mp4", ".avi", ".mov", ".webm", ".m4v", ".gif"})

BLOCK_S = 0.4
"""Length of a video's time blocks, each a group of looks."""

PER_BLOCK = 4
"""Frames that are taken from a block."""

CLEARLY_LARGER = 2.0
"""Of several faces the largest counts when its box has so many times the second's area."""

NEAR_BITS = 6
"""Largest Hamming distance of 64-bit perceptual hashes (ImageHash's pHash) of near-duplicates."""


@dataclass(frozen=True, eq=False)
class Look:
    """One usable face. name: file, with the time in videos. crop: uint8[S, S, 3] BGR, as the
    embedder sees it. varied: uint8[V, S, S, 3], see `edge.variation`. group: looks of one group
    are not independent.
    """

    name: str
    crop: np.ndarray = field(repr=False)
    varied: np.ndarray = field(repr=False)
    group: int


@dataclass(frozen=True, eq=False)
class Looks:
    """kept: usable faces. dropped: name and reason of what was not. videos: how many files were
    videos. files: how many files were read.
    """

    kept: tuple[Look, ...]
    dropped: tuple[tuple[str, str], ...]
    videos: int = 0
    files: int = 0

    @property
    def groups(self) -> np.ndarray:
        """int[N]."""
        return np.array([look.group for look in self.kept], np.int64)

    @property
    def independent(self) -> int:
        """Number of groups."""
        return len(np.unique(self.groups))

    @property
    def one_sitting(self) -> bool:
        """Whether everything comes from one video."""
        return self.videos == 1 and self.files == 1

    def crops(self) -> np.ndarray:
        """uint8[N, S, S, 3] BGR. Raises `InputError` when no face is left."""
        if not self.kept:
            raise InputError("no usable face is left")
        return np.stack([look.crop for look in self.kept])

    def varied(self) -> tuple[np.ndarray, np.ndarray]:
        """Variations of all looks, uint8[M, S, S, 3] BGR, and of which look each is, int64[M]."""
        owner = np.repeat(np.arange(len(self.kept)), [len(look.varied) for look in self.kept])
        return np.concatenate([look.varied for look in self.kept]), owner


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Pictures and videos in files and folders, in order. Raises `InputError` without any."""
    found: list[Path] = []
    for path in paths:
        path = Path(path).expanduser()
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if is_picture(p) or _is_video(p))
            if not inside:
                raise InputError(
                    f"the folder {path} holds no pictures or videos",
                    hint="give photos (JPEG, PNG, WebP, …) or a short clip",
                )
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"{path} does not exist")
    return found


def read_looks(
    paths: Sequence[Path],
    embedder: Embedder,
    detector: Detector,
    *,
    gate: QualityGate | None = None,
    seed: int = 0,
    quiet: bool = False,
    label: str = "looking at photos",
) -> Looks:
    """Find, gate and cut the faces of files and folders.

    A file that cannot be decoded is dropped with its reason. Raises `InputError` when a path does
    not exist, a folder is empty, or nothing usable is left.
    """
    gate = gate or QualityGate()
    files = find_files(paths)
    kept: list[tuple[str, np.ndarray, np.ndarray, tuple[int, int]]] = []
    dropped: list[tuple[str, str]] = []
    videos = 0
    for number, path in enumerate(progress(files, label=label, quiet=quiet)):
        videos += _is_video(path)
        for name, image, block in _pictures(path, dropped):
            face, reason = _the_face(image, detector, gate)
            if face is None:
                dropped.append((name, reason))
                continue
            crop = embedder.crop(image, face)
            varied = variations(
                image, face, embedder.network.input, count=PER_PICTURE, seed=seed + len(kept)
            )
            kept.append((name, crop, varied, (number, block)))
    if not kept:
        reasons = ", ".join(sorted({reason for _, reason in dropped})) or "no pictures"
        raise InputError(
            f"none of the {len(files)} files in {paths[0]} shows a usable face ({reasons})",
            hint="give sharp, well lit photos with one face each",
        )
    groups = _grouped([row[1] for row in kept], [row[3] for row in kept])
    looks = tuple(
        Look(name, crop, varied, group)
        for (name, crop, varied, _), group in zip(kept, groups, strict=True)
    )
    return Looks(looks, tuple(dropped), videos, len(files))


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def _pictures(path: Path, dropped: list[tuple[str, str]]) -> Iterator[tuple[str, np.ndarray, int]]:
    """Name, picture and time block; of photos the block is 0."""
    try:
        if not _is_video(path):
            yield str(path), read_picture(path), 0
            return
        step_s, due_s = BLOCK_S / PER_BLOCK, 0.0
        with file_source(path) as source:
            while (grab := source.take(1.0)) is not None or not source.ended:
                if grab is None or grab.image_bgr is None or grab.time_s + 1e-6 < due_s:
                    continue
                due_s = grab.time_s + step_s
                yield f"{path} at {grab.time_s:.2f} s", grab.image_bgr, int(grab.time_s / BLOCK_S)
    except (PictureError, SourceError) as problem:
        dropped.append((str(path), problem.message))


def _the_face(image: np.ndarray, detector: Detector, gate: QualityGate) -> tuple[Face | None, str]:
    """The one face that counts, or None and the reason."""
    faces = detector.detect(image)
    if not faces:
        return None, "no face"
    if len(faces) > 1 and faces[0].area_px2 < CLEARLY_LARGER * faces[1].area_px2:
        return None, "several faces"
    quality = gate.judge(image, faces[0])
    return (faces[0], "") if quality.passed else (None, quality.reason or "cannot be judged")


def _grouped(crops: list[np.ndarray], blocks: list[tuple[int, int]]) -> list[int]:
    """Group numbers: those of one block, and near-duplicates wherever they are, belong together."""
    hashes = [_bits(crop) for crop in crops]
    parent = list(range(len(crops)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i in range(len(crops)):
        for j in range(i):
            # neighbouring frames of one video always look alike: there the blocks decide
            same_file = blocks[i][0] == blocks[j][0]
            near = not same_file and np.count_nonzero(hashes[i] != hashes[j]) <= NEAR_BITS
            if blocks[i] == blocks[j] or near:
                parent[root(i)] = root(j)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(i), len(numbers)) for i in range(len(crops))]


def _bits(crop: np.ndarray) -> np.ndarray:
    """bool[64]."""
    grey = Image.fromarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))
    return np.asarray(imagehash.phash(grey).hash).ravel()
