"""Pictures that are the same picture, to the byte or to the eye.

Candidates have perceptual hashes (pHash of the ImageHash library, 64 bit) within a few bits of each
other. Aligned faces look alike to such a hash, so a candidate counts only when small grey copies of
both also correlate.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.console.progress import progress
from edge.files.atomic import atomic_file
from edge.files.image import read_picture
from edge.files.npz_record import NpzRecord, npz_bytes
from trainer.data.cache import cache_folder, pictures_key
from trainer.data.landmarks import opencv_in_one_thread
from trainer.data.table import FaceTable

NEAR_BITS = 6
"""Largest Hamming distance of the 64-bit hashes of a candidate."""

NEAR_CORRELATION = 0.965
"""Least correlation of the grey copies. Measured on 8,696 pictures of CelebA and 6,766 of LFW:
pictures of different scenes stay below 0.955, copies and neighbouring frames lie above 0.969."""

THUMB_PX = 24

_BANDS = NEAR_BITS + 1


@dataclass(frozen=True)
class Prints:
    """Fingerprints of N pictures. sha256: uint8[N, 32] of the files. phash: uint64[N]. thumbs:
    uint8[N, 24, 24], grey. size: int32[N, 2], (width, height) in pixels.
    """

    sha256: np.ndarray
    phash: np.ndarray
    thumbs: np.ndarray
    size: np.ndarray


def prints_of(table: FaceTable, *, cache_dir: Path | None = None, quiet: bool = False) -> Prints:
    """Fingerprints of all pictures, in threads, cached. Needs the ImageHash library."""
    cached = cache_folder(cache_dir) / "prints" / f"{pictures_key(table.paths, 'prints', 2)}.npz"
    if cached.is_file():
        file, count = NpzRecord.read(cached.read_bytes()), len(table)
        return Prints(
            sha256=file.array("sha256", np.uint8, count, 32),
            phash=file.array("phash", np.uint64, count),
            thumbs=file.array("thumbs", np.uint8, count, THUMB_PX, THUMB_PX),
            size=file.array("size", np.int32, count, 2),
        )
    with opencv_in_one_thread(), ThreadPoolExecutor() as pool:
        work = pool.map(_print_of, table.paths)
        done = list(progress(work, label="comparing pictures", total=len(table), quiet=quiet))
    prints = Prints(
        sha256=np.frombuffer(b"".join(d[0] for d in done), np.uint8).reshape(-1, 32),
        phash=np.array([d[1] for d in done], dtype=np.uint64),
        thumbs=np.array([d[2] for d in done], dtype=np.uint8).reshape(-1, THUMB_PX, THUMB_PX),
        size=np.array([d[3] for d in done], dtype=np.int32).reshape(-1, 2),
    )
    with atomic_file(cached) as temporary:
        temporary.write_bytes(npz_bytes(vars(prints)))
    return prints


def duplicate_groups(prints: Prints) -> tuple[tuple[int, ...], ...]:
    """Groups of rows that show the same picture, the largest first, rows ascending."""
    from scipy.cluster.hierarchy import DisjointSet

    sets = DisjointSet(range(len(prints.phash)))
    for a, b in near_pairs(prints):
        sets.merge(a, b)
    several = (tuple(sorted(group)) for group in sets.subsets() if len(group) > 1)
    return tuple(sorted(several, key=lambda group: (-len(group), group)))


def near_pairs(prints: Prints) -> Iterator[tuple[int, int]]:
    """Pairs of rows, the lesser first, that show the same picture; one may come twice."""
    for rows in _buckets(prints.phash):
        for place, a in enumerate(rows[:-1]):
            rest = rows[place + 1 :]
            close = rest[_bits(prints.phash[rest] ^ prints.phash[a]) <= NEAR_BITS]
            if len(close):
                thumbs = _standardized(prints.thumbs[np.append(a, close)])
                for b in close[thumbs[1:] @ thumbs[0] >= NEAR_CORRELATION]:
                    yield int(a), int(b)


def exact(prints: Prints, group: tuple[int, ...]) -> bool:
    """Whether the files of a group are all equal to the byte."""
    return bool((prints.sha256[list(group)] == prints.sha256[group[0]]).all())


def _print_of(path: Path) -> tuple[bytes, int, np.ndarray, tuple[int, int]]:
    import imagehash
    from PIL import Image

    picture = read_picture(path)
    bits = imagehash.phash(Image.fromarray(np.ascontiguousarray(picture[..., ::-1]))).hash
    value = int("".join("1" if bit else "0" for bit in bits.ravel()), 2)
    luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    thumb = cv2.resize(luma, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA)
    size = (picture.shape[1], picture.shape[0])
    return hashlib.sha256(path.read_bytes()).digest(), value, thumb, size


def _buckets(phash: np.ndarray) -> Iterator[np.ndarray]:
    """Rows that agree in one of the bands that the hash is cut into: of two hashes within
    NEAR_BITS, at least one band is equal (pigeonhole)."""
    edges = np.linspace(0, 64, _BANDS + 1).astype(int)
    for low, high in itertools.pairwise(edges):
        band = (phash >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.diff(band[order])) + 1
        yield from (rows for rows in np.split(order, starts) if len(rows) > 1)


def _bits(values: np.ndarray) -> np.ndarray:
    """Number of bits set of each uint64."""
    octets = np.ascontiguousarray(values).view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1).sum(axis=1)


def _standardized(thumbs: np.ndarray) -> np.ndarray:
    """float32[N, 576] of mean 0 and length 1, so that products are correlations; a blank picture,
    which has no pattern to compare, is 0 and correlates with nothing."""
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.where(length > THUMB_PX, flat / np.maximum(length, 1e-6), 0.0))
