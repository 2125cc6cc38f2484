"""Two people in one album: whether its pictures fall into two groups that are strangers to each
other.

The search for outliers cannot see this: where half of the pictures show somebody else, each looks
like nearly half of the others.

What is compared has no unit of the embedding: how alike pictures of two groups are, against how
alike pictures within the groups are (the correlation of two means, corrected for attenuation;
Spearman, Am. J. Psychol. 1904). One person's groups, of other days or looks, keep most of it.
"""

from __future__ import annotations

import numpy as np

from edge.heads.camera_shift import CameraShift
from edge.heads.threshold import SEVERAL, CameraKind

ALIKE = 0.55
"""Likeness between the groups, as a share of that within them, below which they are two people, in
pictures by several cameras. Measured on 19 of the folders `people` (0.9 % of their albums lie
below), checked on 18 others (1.9 %): "Two people in one album" in RESULTS.md."""

ALIKE_ONE_CAMERA = 0.15
"""The same in pictures by one camera, where poses and light make groups too. Measured on the poses
of `cmu-faces`; a larger one would refuse albums of one person."""

LEAST_SHARE = 0.2
"""Of the independent looks; fewer of somebody else are outliers."""

FEWEST_OF_SECOND = 3
"""Independent looks."""

MOST_LOOKS = 400
"""Independent looks that are grouped, evenly chosen where there are more."""

_LEAST_WITHIN = 0.02


def second_person(
    embeddings: np.ndarray,
    groups: np.ndarray,
    strangers: np.ndarray,
    shift: CameraShift,
    camera: CameraKind = SEVERAL,
) -> np.ndarray:
    """Which pictures show a second person, bool[N], none where all show one.

    embeddings: float32[N, D] of length 1. groups: int[N], pictures of one group are one look.
    strangers: float32[S, D], as my camera would show them. camera: who took the pictures, see
    `edge.heads.threshold.CAMERAS`.
    """
    nobody = np.zeros(len(embeddings), bool)
    own = _directions(embeddings - strangers.mean(axis=0, dtype=np.float64), shift)
    numbers = np.unique(groups)
    looks = np.stack([own[groups == number].mean(axis=0) for number in numbers])
    looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    few = looks[np.linspace(0, len(looks) - 1, min(MOST_LOOKS, len(looks))).astype(int)]
    if len(few) < 2 * FEWEST_OF_SECOND:
        return nobody
    second = _parted(few)
    if second.sum() < FEWEST_OF_SECOND or second.mean() < LEAST_SHARE:
        return nobody
    one, other = few[~second], few[second]
    between = float((one @ other.T).mean())
    limit = ALIKE if camera == SEVERAL else ALIKE_ONE_CAMERA
    if between >= limit * np.sqrt(_within(one) * _within(other)):
        return nobody
    middles = np.stack([one.mean(axis=0), other.mean(axis=0)])
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)
    nearer = (own @ middles.T).argmax(axis=1) == 1
    return ~nearer if nearer.mean() > 0.5 else nearer


def _within(looks: np.ndarray) -> float:
    """Mean likeness of two different looks of a group, at least `_LEAST_WITHIN`."""
    count = len(looks)
    total = float((looks @ looks.T).sum()) - count
    return max(total / (count * (count - 1)), _LEAST_WITHIN)


def _parted(looks: np.ndarray) -> np.ndarray:
    """bool[N], true for the smaller of two groups of directions float64[N, D]: always the two
    groups are joined that lose the least by it (Ward, J. Am. Stat. Assoc. 1963)."""
    middles, sizes = looks.copy(), np.ones(len(looks))
    members = [[n] for n in range(len(looks))]
    cost = np.full((len(looks), len(looks)), np.inf)

    def costs(row: int) -> np.ndarray:
        apart = ((middles - middles[row]) ** 2).sum(axis=1)
        found = np.where(sizes > 0, sizes * sizes[row] / np.maximum(sizes + sizes[row], 1), np.inf)
        found = np.where(sizes > 0, found * apart, np.inf)
        found[row] = np.inf
        return np.asarray(found)

    for row in range(len(looks)):
        cost[row] = costs(row)
    for _ in range(len(looks) - 2):
        kept, gone = np.unravel_index(int(cost.argmin()), cost.shape)
        both = sizes[kept] + sizes[gone]
        middles[kept] = (sizes[kept] * middles[kept] + sizes[gone] * middles[gone]) / both
        sizes[kept], sizes[gone] = both, 0.0
        members[kept] += members[gone]
        cost[gone], cost[:, gone] = np.inf, np.inf
        cost[kept] = cost[:, kept] = costs(int(kept))
    smaller = min((m for m, size in zip(members, sizes, strict=True) if size > 0), key=len)
    second = np.zeros(len(looks), bool)
    second[smaller] = True
    return second


def _directions(vectors: np.ndarray, shift: CameraShift) -> np.ndarray:
    kept = shift.removed(vectors)
    return np.asarray(kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12))
