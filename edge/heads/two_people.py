"""Somebody else in an album: pictures, alone or in groups, that are little like all the rest.

Pictures of somebody else support each other, so that each on its own looks like others. So the
album's independent looks are joined into groups, always the two that are most alike in the mean
(average linkage; Sokal and Michener, Univ. Kansas Sci. Bull. 1958), and each group that arises is
held against the rest of the album.

What is compared has no unit of the embedding: how alike pictures of the group and of the rest are,
against how alike pictures within both are (the correlation of two means, corrected for attenuation;
Spearman, Am. J. Psychol. 1904). One person's groups, of other days or looks, keep most of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.heads.camera_shift import CameraShift
from edge.heads.threshold import SEVERAL, CameraKind

ALIKE = 0.55
"""Likeness of a group to the rest, as a share of that within them, below which it shows somebody
else, in pictures by several cameras. Measured on every second one of 37 people of the folders
`people`, checked on the others: "Two people in one album" in RESULTS.md."""

ALIKE_ALONE = 0.45
"""The same of a single look, which may be odd by itself. Measured on the same albums."""

ALIKE_ONE_CAMERA = 0.4
"""The same, for looks and groups, in pictures by one camera, where poses and light make groups
too. Measured on poses of `cmu-faces`, webcam sittings of `nuaa` and `faces94`."""

NEAREST_ONE_CAMERA = 0.55
"""There the nearest look of the rest must be less alike, too: in shares of the weakest of the links
by which the looks of each side hang together. Poses of one head, one step from the next, are not.
Measured on the same pictures."""

LEAST_SHARE = 0.2
"""Of the independent looks, from which a group is a second person and not a stray."""

FEWEST_OF_SECOND = 3
"""Independent looks of a second person."""

FEWEST_OF_REST = 4
"""Independent looks that it takes to say what an album is like."""

MOST_LOOKS = 200
"""Independent looks that are grouped, evenly chosen where there are more."""

_LEAST_WITHIN = 0.02


@dataclass(frozen=True, eq=False)
class Apart:
    """Pictures that are little like the rest of their album.

    found: bool[N]. second: whether a group of them is so large that nobody can say who is meant.
    """

    found: np.ndarray
    second: bool


def set_apart(
    embeddings: np.ndarray,
    groups: np.ndarray,
    strangers: np.ndarray,
    shift: CameraShift,
    camera: CameraKind = SEVERAL,
) -> Apart:
    """Which pictures show somebody else than the rest: the group that is least like it first, then
    again without it.

    embeddings: float32[N, D] of length 1. groups: int[N], pictures of one group are one look.
    strangers: float32[S, D], as my camera would show them. camera: who took the pictures, see
    `edge.heads.threshold.CAMERAS`.
    """
    own = _directions(embeddings - strangers.mean(axis=0, dtype=np.float64), shift)
    numbers, of = np.unique(groups, return_inverse=True)
    looks = np.stack([own[groups == number].mean(axis=0) for number in numbers])
    looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    rows = np.linspace(0, len(looks) - 1, min(MOST_LOOKS, len(looks))).astype(int)
    like = looks[rows] @ looks[rows].T
    gone, second = np.zeros(len(rows), bool), False
    for _ in range(len(rows)):
        left = np.flatnonzero(~gone)
        group = _least_like(like[np.ix_(left, left)], one_camera=camera != SEVERAL)
        if not group.any():
            break
        gone[left[group]] = True
        large = group.sum() >= FEWEST_OF_SECOND and group.sum() >= LEAST_SHARE * len(rows)
        second |= bool(large)
    found = np.zeros(len(looks), bool)
    found[rows[gone]] = True
    if len(rows) < len(looks) and camera == SEVERAL:
        rest = looks[rows[~gone]]
        unit = _within(like[np.ix_(~gone, ~gone)])
        others = np.setdiff1d(np.arange(len(looks)), rows)
        found[others] = (looks[others] @ rest.T).mean(axis=1) < ALIKE_ALONE * unit
    return Apart(found[of.reshape(-1)], second)


def _least_like(like: np.ndarray, *, one_camera: bool) -> np.ndarray:
    """The looks that are somebody else's, bool[N], of which `like`, float[N, N], says how alike
    they are; none where all are one person's."""
    count = len(like)
    nobody = np.zeros(count, bool)
    if count < FEWEST_OF_REST + 1:
        return nobody
    nested = _nested(like)
    sizes = nested.sum(axis=1)
    nested = nested[(sizes <= count - sizes) & (count - sizes >= FEWEST_OF_REST - 1)]
    least, chosen = 1.0, nobody
    for group in nested:
        inside, rest = like[np.ix_(group, group)], like[np.ix_(~group, ~group)]
        unit = _within(rest)
        if len(inside) > 1:
            unit = float(np.sqrt(unit * _within(inside)))
        across = like[np.ix_(group, ~group)]
        alone = ALIKE_ALONE if len(inside) == 1 else ALIKE
        share = float(across.mean()) / unit / (ALIKE_ONE_CAMERA if one_camera else alone)
        if share >= least:
            continue
        if one_camera:
            link = max(min(_weakest_link(rest), _weakest_link(inside)), _LEAST_WITHIN)
            if across.max() >= NEAREST_ONE_CAMERA * link:
                continue
        least, chosen = share, group
    return _with_nearer(like, chosen) if chosen.sum() > 1 else chosen


def _with_nearer(like: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The group with the looks that are more like it than like the others outside of it."""
    outside = like[:, ~group].sum(axis=1) - np.where(group, 0.0, np.diagonal(like))
    others = np.count_nonzero(~group) - ~group
    nearer = like[:, group].mean(axis=1) > outside / others
    return np.asarray(group | nearer)


def _nested(like: np.ndarray) -> np.ndarray:
    """bool[M, N]: each look, and all groups that arise as the two most alike are joined."""
    return np.stack(list(_joined(like)))


def _joined(like: np.ndarray) -> Iterator[np.ndarray]:
    members, sizes = np.eye(len(like), dtype=bool), np.ones(len(like))
    total = np.array(like, np.float64)
    yield from members.copy()
    for _ in range(len(like) - 2):
        mean = total / np.outer(sizes, sizes)
        np.fill_diagonal(mean, -np.inf)
        kept, gone = sorted(np.unravel_index(int(mean.argmax()), mean.shape))
        members[kept] |= members[gone]
        sizes[kept] += sizes[gone]
        total[kept] += total[gone]
        total[:, kept] += total[:, gone]
        members, sizes = np.delete(members, gone, axis=0), np.delete(sizes, gone)
        total = np.delete(np.delete(total, gone, axis=0), gone, axis=1)
        yield members[kept].copy()
    yield from members


def _within(like: np.ndarray) -> float:
    """Mean likeness of two different looks of a group, at least `_LEAST_WITHIN`."""
    count = len(like)
    total = float(like.sum()) - float(np.trace(like))
    return max(total / max(count * (count - 1), 1), _LEAST_WITHIN)


def _weakest_link(like: np.ndarray) -> float:
    """The least likeness among the links that hold all looks together, 1 for a single one (a
    maximum spanning tree; Prim, Bell Syst. Tech. J. 1957)."""
    reached = np.zeros(len(like), bool)
    reached[0], best, weakest = True, like[0].astype(np.float64), 1.0
    for _ in range(len(like) - 1):
        nearest = int(np.where(reached, -np.inf, best).argmax())
        weakest = min(weakest, float(best[nearest]))
        reached[nearest] = True
        best = np.maximum(best, like[nearest])
    return weakest


def _directions(vectors: np.ndarray, shift: CameraShift) -> np.ndarray:
    kept = shift.removed(vectors)
    return np.asarray(kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12))
