"""Unions: which of many things belong together when pairs of them do."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def roots(count: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """int64[count]: the same number for all that pairs join, directly or through others.

    The number is the row of one of them (union-find with path halving, Tarjan, van Leeuwen, J. ACM
    1984).
    """
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for a, b in pairs:
        parent[root(a)] = root(b)
    return np.array([root(row) for row in range(count)], dtype=np.int64)
