"""Groups: which pictures are not independent of each other.

Whatever is split, is split by group and before anything is varied: else copies of one moment stand
on both sides and every figure is too good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.errors import RefusedError
from trainer.photos.unions import roots

BLOCK_S = 0.4
"""Length of a video's blocks; frames closer than this resemble each other too much to be split."""

BURST_S = 5.0
"""Photos taken within so many seconds are one look."""

SAME_BITS = 12
"""Of 512: pictures whose hashes differ by at most this are one picture. Measured: half of the
copies of 197 photos at half size and JPEG quality 40 lie below, copies in full size all do; of
frames of two clips of one person in one place, the nearest differ by 14."""

NEAR_BITS = 48
"""Photos of one moment, slightly moved."""

HASH_SIDE = 16


@dataclass(frozen=True, eq=False)
class Print:
    """What a picture is recognized by. file: where it is from. sha256: of the file, for photos.
    bits: bool[512], of the whole picture. taken_s: when, None where the photo does not say. block:
    number of the video's block, None for photos.
    """

    file: str
    sha256: str
    bits: np.ndarray
    taken_s: float | None = None
    block: int | None = None

    def hex(self) -> str:
        return np.packbits(self.bits).tobytes().hex()


def bits_of(image_bgr: np.ndarray) -> np.ndarray:
    """Perceptual hash, bool[512], of a picture uint8[H, W, 3] BGR: pHash and dHash of 16 x 16 bits
    each (Zauner 2010; the ImageHash library)."""
    import imagehash
    from PIL import Image

    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    small = Image.fromarray(cv2.resize(grey, (256, 256), interpolation=cv2.INTER_AREA))
    hashes = (imagehash.phash(small, HASH_SIDE), imagehash.dhash(small, HASH_SIDE))
    return np.concatenate([np.asarray(h.hash, bool).ravel() for h in hashes])


def group_numbers(prints: Sequence[Print]) -> np.ndarray:
    """int64[N], from 0 by first appearance: what shares a number counts as one look.

    Frames of one video are told apart by its blocks alone; photos belong together when they are
    copies, nearly alike, or a burst; anything belongs to its own copy.
    """
    pairs = (
        (row, before)
        for row in range(len(prints))
        for before in range(row)
        if _together(prints[row], prints[before])
    )
    numbers: dict[int, int] = {}
    joined = roots(len(prints), pairs).tolist()
    return np.array([numbers.setdefault(root, len(numbers)) for root in joined])


def prints_to_json(prints: Sequence[Print], *, private: bool) -> list[dict[str, str]]:
    """What a run remembers pictures by; `private` leaves out the names of their files."""
    return [
        {
            "file": f"picture {n}" if private else Path(one.file).name,
            "sha256": one.sha256,
            "bits": one.hex(),
        }
        for n, one in enumerate(prints, 1)
    ]


def copies_between(one: Sequence[Print], other: Sequence[Print]) -> list[tuple[str, str]]:
    """Pairs of files, one of each set, that show the same picture."""
    return sorted({(a.file, b.file) for a in one for b in other if _same(a, b)})


def refuse_copies(one: Sequence[Print], other: Sequence[Print], *, names: tuple[str, str]) -> None:
    """Raises `RefusedError` naming the files where a picture is in both sets."""
    pairs = copies_between(one, other)
    if pairs:
        more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
        raise RefusedError(
            f"{pairs[0][0]} of the {names[0]} is also {pairs[0][1]} of the {names[1]}{more}",
            hint="a picture may be in one of them alone, else the figures are too good",
        )


def _together(a: Print, b: Print) -> bool:
    if _same(a, b):
        return True
    if a.block is not None or b.block is not None:
        return a.file == b.file and a.block == b.block
    near_in_time = a.taken_s is not None and b.taken_s is not None
    if near_in_time and abs(a.taken_s - b.taken_s) <= BURST_S:  # type: ignore[operator]
        return True
    return bool(_bits(a, b) <= NEAR_BITS)


def _same(a: Print, b: Print) -> bool:
    if a.block is not None and b.block is not None and a.file == b.file:
        return a.block == b.block
    if a.sha256 and a.sha256 == b.sha256 and a.block is None:
        return True
    return bool(_bits(a, b) <= SAME_BITS)


def bits_from_hex(text: str) -> np.ndarray:
    """bool[512], of what `Print.hex` wrote. Raises ValueError for anything else."""
    data = np.frombuffer(bytes.fromhex(text), np.uint8)
    if len(data) != 64:
        raise ValueError("a picture's hash has 128 hexadecimal digits")
    return np.unpackbits(data).astype(bool)


def _bits(a: Print, b: Print) -> int:
    return int(np.count_nonzero(a.bits != b.bits))
