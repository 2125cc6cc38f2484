"""All heads at once: one matrix product in the place of a call for each head.

Sums in another order differ in the last digits, so that whatever a decision could hang on is
computed again by the head itself: decisions are those of the heads asked one by one, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.heads.head import Head
from edge.heads.lead import RIVALS
from edge.heads.scores import Asked, HeadScore, ScoreTable

FEWEST = 8
"""Heads from which it pays: see "Many heads" in RESULTS.md."""

CLOSE = 0.05
"""Heads whose excess lies so close to the best one, to the band or to the threshold are asked
themselves; the products differ by less than 1e-4, see the test."""

ASKED = RIVALS + 1
"""Heads with the largest excess that are asked themselves in any case: a lead hangs on these."""


class HeadsTogether:
    """Scores of many heads. heads: all of embeddings of one size."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.heads = tuple(heads)
        self._asked = Asked(self.heads)
        joined = [n for n, head in enumerate(self.heads) if _is_plain(head)]
        if len(joined) < FEWEST:
            joined = []
        self._joined = np.array(joined, int)
        self._alone = [n for n in range(len(self.heads)) if n not in set(joined)]
        if not joined:
            return
        plain = [self.heads[n] for n in joined]
        kinds = [head.normalization for head in plain]
        self._weights = np.stack([h.layers[0].weights[:, 0] for h in plain], axis=1).astype(float)
        self._bias = np.array([h.layers[0].bias[0] for h in plain], float)
        self._rows = np.concatenate([kind.rows for kind in kinds]).astype(np.float32)
        self._first = np.cumsum([0, *(len(kind.rows) for kind in kinds[:-1])])
        self._mean, self._std, self._weight, self._centre, self._spread = (
            np.array([getattr(kind, field) for kind in kinds], float)
            for field in ("mean", "std", "weight", "centre", "spread")
        )
        self._thresholds = np.array([head.threshold for head in plain])
        self._margins = np.array([head.margin for head in plain])

    def scores(self, embedding: np.ndarray) -> Sequence[HeadScore]:
        """The score of each head for an embedding, float32[D] of length 1, in the heads' order."""
        found = np.zeros(len(self.heads))
        again = list(self._alone)
        if len(self._joined):
            rough = self._rough(embedding)
            found[self._joined] = rough
            again += self._joined[self._matters(rough)].tolist()
        one = embedding[None]
        for number in again:
            found[number] = self.heads[number].score(one)[0]
        table = ScoreTable(self._asked, found)
        return table if len(self._joined) else tuple(table)

    def _rough(self, embedding: np.ndarray) -> np.ndarray:
        """float64[H]."""
        raw = embedding.astype(np.float64) @ self._weights + self._bias
        alike = np.maximum.reduceat(self._rows @ embedding.astype(np.float32), self._first)
        scores = (raw - self._mean) / self._std
        return np.asarray(scores - self._weight * (alike - self._centre) / self._spread)

    def _matters(self, scores: np.ndarray) -> np.ndarray:
        """bool[H]: the heads on which a decision, of one look or of a track, could hang."""
        excess = scores - self._thresholds
        count = min(ASKED, len(excess))
        least = np.partition(excess, len(excess) - count)[len(excess) - count]
        return np.asarray(excess >= min(least, -float(self._margins.max())) - CLOSE)


def _is_plain(head: Head) -> bool:
    """Whether a head is as enrolment makes it: linear, with the nearest own picture beside it."""
    kind = head.normalization
    linear = len(head.layers) == 1 and head.layers[0].activation == "linear"
    return linear and kind.kind == "own" and kind.top == 1
