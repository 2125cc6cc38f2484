"""Near the threshold: where decisions differ first, and on a person's own samples.

Held-out faces are strangers, nearly all of them far from any threshold: a file may decide alike on
all of them and otherwise on the person. So a head is also asked about points on the way from faces
to the person's own samples, moved by what the file changes on real crops. A task's head has no
samples: there the way leads towards faces that it answers with yes, or where its layers point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.models.embedder import l2_normalized

if TYPE_CHECKING:
    from edge.heads.head import Head

NEAR = 1.0
"""Scores so close to the threshold are near it; the unit is a standard deviation over strangers, of
a task's head over faces."""

POINTS = 400
"""So many are tried: at 0.5 % two may differ."""

_STEPS = 41


def differs(head: Head, should: np.ndarray, found: np.ndarray) -> np.ndarray:
    """bool[N]: where scores float64[N] commit themselves and others decide the other way.

    In the band around the threshold (`Head.margin`) the head itself is uncertain.
    """
    excess = should - head.threshold
    other = found - head.threshold
    return np.asarray((np.abs(excess) >= head.margin) & ((excess >= 0) != (other >= 0)))


def own_samples(head: Head, embeddings: np.ndarray) -> np.ndarray:
    """float32[R, D] of length 1, what the head accepts: the person's own pictures that travel with
    it, else those of embeddings float32[N, D] that it accepts. Where it accepts none of these, or
    all of them, the direction in which its layers lead to the other answer, float32[1, D]."""
    norm = head.normalization
    if norm.kind == "own":
        return l2_normalized(norm.rows.astype(np.float32))
    accepted = head.accepts(embeddings)
    if accepted.any() and not accepted.all():
        return np.asarray(embeddings[accepted])
    through = np.eye(head.size)
    for layer in head.layers:
        through = through @ layer.weights.astype(np.float64)
    away = -1.0 if accepted.all() else 1.0
    return l2_normalized(away * through.reshape(1, -1))


def near_points(head: Head, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points float32[K, D] of length 1 within `NEAR` of the threshold, between faces
    float32[N, D] and own samples, then the own samples; and the face that each came from, int[K].

    None without faces.
    """
    if not len(embeddings):
        return np.zeros((0, head.size), np.float32), np.zeros(0, np.int64)
    own = own_samples(head, embeddings)
    unit = 1.0 if head.normalization.kind != "none" else float(np.std(head.score(embeddings)))
    near = NEAR * unit
    rng = np.random.default_rng(0)
    faces = np.arange(POINTS) % len(embeddings)
    start, goal = embeddings[faces], own[rng.integers(len(own), size=POINTS)]
    wanted = rng.uniform(-near, near, POINTS)
    best, distance = start.copy(), np.full(POINTS, np.inf)
    for share in np.linspace(0.0, 1.0, _STEPS, dtype=np.float32):
        between = l2_normalized((1 - share) * start + share * goal)
        away = np.abs(head.score(between) - head.threshold - wanted)
        better = away < distance
        best[better], distance[better] = between[better], away[better]
    close = np.abs(head.score(best) - head.threshold) <= near
    of_own = np.arange(len(own)) % len(embeddings)
    return np.concatenate([best[close], own]), np.concatenate([faces[close], of_own])


def near_agreement(head: Head, should: np.ndarray, found: np.ndarray) -> float | None:
    """Share of the points where both files decide alike, None without points.

    should, found: float32[N, D], what the file that the head stands on and another say of faces.
    """
    points, faces = near_points(head, should)
    if not len(points):
        return None
    moved = l2_normalized(points + (found - should)[faces])
    return 1.0 - float(np.mean(differs(head, head.score(points), head.score(moved))))
