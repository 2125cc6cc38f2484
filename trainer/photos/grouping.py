"""Groups: which pictures are not independent of each other.

Whatever is split, is split by group and before anything is varied: else copies of one moment stand
on both sides and every figure is too good.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edge.enrolment.copies import LEAST_COARSE, FaceMarks, is_copy
from edge.errors import RefusedError

BLOCK_S = 0.4
"""Length of a video's blocks; frames closer than this resemble each other too much to be split."""

BURST_S = 5.0
"""Photos taken within so many seconds are one look."""

SAME_BITS = 12
"""Of 512: pictures whose hashes differ by at most this are one picture, where one of them has no
marks (runs made with --privacy keep none). Measured: half of the copies of 197 photos at half size
and JPEG quality 40 lie below, copies in full size all do; of frames of two clips of one person in
one place, the nearest differ by 14."""

FEWEST_NEAREST, MOST_NEAREST, NEAREST_IN_ALL = 4, 40, 4000
"""With how many of the groups that hold the most alike pictures each is compared: with fewer where
there are many pictures."""

MOST_TRIES = 6
"""Pairs of two groups that are compared before the groups are taken for different photos: each
more pair is a chance for an error."""

HASH_SIDE = 16


@dataclass(frozen=True, eq=False)
class Print:
    """What a picture is recognized by. file: where it is from. sha256: of the file, for photos.
    bits: bool[512], of the whole picture. taken_s: when, None where the photo does not say. block:
    number of the video's block, None for photos. marks: of its face, by which copies are told.
    """

    file: str
    sha256: str
    bits: np.ndarray
    taken_s: float | None = None
    block: int | None = None
    marks: FaceMarks | None = field(default=None, repr=False)

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
    copies of one photo or a burst; anything belongs to its own copy. Pictures are joined by
    likeness, the most alike first, so that copies of one photo are compared with few others.
    """
    groups = _Groups(len(prints))
    for rows in _certain(prints):
        for row in rows[1:]:
            groups.join(rows[0], row)
    marked = [row for row, one in enumerate(prints) if one.marks is not None]
    for row in (row for row, one in enumerate(prints) if one.marks is None):
        for other, against in enumerate(prints):
            if _comparable(prints[row], against) and _bits(prints[row], against) <= SAME_BITS:
                groups.join(row, other)
    _join_copies(prints, marked, groups)
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(one, len(numbers)) for one in groups.of.tolist()], int)


class _Groups:
    """Which group each row is of; groups are joined."""

    def __init__(self, rows: int) -> None:
        self.of = np.arange(rows)

    def join(self, a: int, b: int) -> None:
        self.of[self.of == self.of[b]] = self.of[a]


def _certain(prints: Sequence[Print]) -> list[list[int]]:
    """Rows that belong together without a look at them: equal files, frames of a block, bursts."""
    same: defaultdict[Hashable, list[int]] = defaultdict(list)
    times: list[tuple[float, int]] = []
    for row, one in enumerate(prints):
        if one.block is not None:
            same[one.file, one.block].append(row)
        elif one.sha256:
            same[one.sha256].append(row)
        if one.block is None and one.taken_s is not None:
            times.append((one.taken_s, row))
    times.sort()
    bursts = [
        [first, second]
        for (start_s, first), (end_s, second) in itertools.pairwise(times)
        if end_s - start_s <= BURST_S
    ]
    return [*same.values(), *bursts]


def _join_copies(prints: Sequence[Print], marked: Sequence[int], groups: _Groups) -> None:
    """Join the groups of pictures that are copies, in rounds until no more are found."""
    if len(marked) < 2:
        return
    rows = np.array(marked)
    alike = _likeness([prints[row] for row in marked], [prints[row] for row in marked])
    np.fill_diagonal(alike, -1.0)
    nearest = int(np.clip(NEAREST_IN_ALL // len(marked), FEWEST_NEAREST, MOST_NEAREST))
    tried: set[tuple[int, int]] = set()
    failed: Counter[tuple[int, int]] = Counter()
    found = True
    while found:
        found = False
        for a, b in _nearest(alike, groups.of[rows], nearest):
            one, other = int(rows[a]), int(rows[b])
            pair = (min(one, other), max(one, other))
            both = tuple(sorted((int(groups.of[one]), int(groups.of[other]))))
            if pair in tried or both[0] == both[1] or failed[both] >= MOST_TRIES:  # type: ignore[index]
                continue
            tried.add(pair)
            alike[a, b] = alike[b, a] = -1.0
            if _comparable(prints[one], prints[other]) and _is_copy(prints[one], prints[other]):
                groups.join(one, other)
                found = True
            else:
                failed[both] += 1  # type: ignore[index]


def _likeness(one: Sequence[Print], other: Sequence[Print]) -> np.ndarray:
    """float32[N, M]: correlation of faces without fine detail, as they are or mirrored."""
    here = np.stack([p.marks.coarse for p in one if p.marks is not None])
    there = np.stack([p.marks.coarse for p in other if p.marks is not None])
    mirrored = np.stack([p.marks.mirror.coarse for p in other if p.marks is not None])
    return np.maximum(here @ there.T, here @ mirrored.T)


def _nearest(alike: np.ndarray, group: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Pairs of rows of different groups: each row with the most alike one of each of the `count`
    groups that are nearest to it, so that many copies of one photo do not hide another; best first.
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    ends, names = [*starts[1:], len(order)], group[order][starts]
    few = min(count, len(starts) - 1)
    found: list[tuple[float, int, int]] = []
    for row in range(len(alike) if few else 0):
        values = alike[row][order]
        best = np.maximum.reduceat(values, starts)
        best[names == group[row]] = -1.0
        for near in np.argpartition(-best, few)[:few].tolist():
            if best[near] >= LEAST_COARSE:
                column = order[starts[near] + values[starts[near] : ends[near]].argmax()]
                found.append((float(best[near]), row, int(column)))
    found.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return [(a, b) for _, a, b in found]


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
    found = {
        (a.file, b.file)
        for a in one
        for b in other
        if (a.sha256 and a.sha256 == b.sha256 and a.block is None)
        or ((a.marks is None or b.marks is None) and _bits(a, b) <= SAME_BITS)
    }
    here, there = ([p for p in side if p.marks is not None] for side in (one, other))
    if here and there:
        alike = _likeness(here, there)
        for row, a in enumerate(here):
            for column in np.argsort(-alike[row], kind="stable")[:MOST_NEAREST].tolist():
                pair = (a.file, there[column].file)
                if pair not in found and _is_copy(a, there[column]):
                    found.add(pair)
    return sorted(found)


def refuse_copies(one: Sequence[Print], other: Sequence[Print], *, names: tuple[str, str]) -> None:
    """Raises `RefusedError` naming the files where a picture is in both sets, and how many
    independent photos there are among all."""
    pairs = copies_between(one, other)
    if pairs:
        more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
        both = [*one, *other]
        photos = len(np.unique(group_numbers(both)))
        raise RefusedError(
            f"{pairs[0][0]} of the {names[0]} is also {pairs[0][1]} of the {names[1]}{more}: the "
            f"{len(both)} pictures show {photos} independent photos",
            hint="a picture may be in one of them alone, else the figures are too good",
        )


def _comparable(a: Print, b: Print) -> bool:
    """Frames of one video are told apart by its blocks."""
    return a.block is None or b.block is None or a.file != b.file


def _is_copy(a: Print, b: Print) -> bool:
    return a.marks is not None and b.marks is not None and is_copy(a.marks, b.marks)


def bits_from_hex(text: str) -> np.ndarray:
    """bool[512], of what `Print.hex` wrote. Raises ValueError for anything else."""
    data = np.frombuffer(bytes.fromhex(text), np.uint8)
    if len(data) != 64:
        raise ValueError("a picture's hash has 128 hexadecimal digits")
    return np.unpackbits(data).astype(bool)


def _bits(a: Print, b: Print) -> int:
    return int(np.count_nonzero(a.bits != b.bits))
