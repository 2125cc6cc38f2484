"""Maps between bases: found where both saw the same strangers, refused elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import RefusedError
from edge.heads.base_map import fit_map
from edge.heads.cohort import Cohort

SIZE = 16


def cohort(vectors: np.ndarray, *, sha256: str = "1" * 64) -> Cohort:
    """Strangers in two looks."""
    count = len(vectors) // 2
    return Cohort(
        embeddings=vectors.astype(np.float16),
        identity=np.tile(np.arange(count, dtype=np.int32), 2),
        variant=np.repeat(np.array([0, 1], np.uint8), count),
        variants=("plain", "grey"),
        embedder_sha256=sha256,
    )


@pytest.fixture
def old() -> Cohort:
    values = np.random.default_rng(3).normal(size=(800, SIZE))
    return cohort(values / np.linalg.norm(values, axis=1, keepdims=True))


def turned(old: Cohort, noise: float) -> Cohort:
    """What another base makes of the same faces, which it sees from another side."""
    rng = np.random.default_rng(4)
    turn = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    return cohort(old.vectors() @ turn + noise * rng.normal(size=old.embeddings.shape))


def test_a_base_that_sees_the_same_otherwise_is_mapped(old: Cohort) -> None:
    new = turned(old, 0.0)
    found = fit_map(old, new)
    assert found.is_good
    assert found.likeness > 0.999
    assert found.strangers == 400
    vectors = old.vectors()[:50]
    assert np.allclose(np.linalg.norm(found.mapped(vectors), axis=1), 1.0, atol=1e-5)
    assert (found.mapped(vectors) * new.vectors()[:50]).sum(axis=1).min() > 0.999


def test_a_base_that_sees_much_else_is_told_by_strangers_left_out(old: Cohort) -> None:
    assert not fit_map(old, turned(old, 0.3)).is_good


def test_other_strangers_tell_nothing(old: Cohort) -> None:
    new = turned(old, 0.0)
    for wrong in (
        new.select(np.arange(len(new) - 1)),
        new.select(np.arange(len(new))[::-1]),
        replace(new, variants=("plain", "dark")),
    ):
        with pytest.raises(RefusedError, match="different strangers"):
            fit_map(old, wrong)
    assert fit_map(old, cohort(np.random.default_rng(5).normal(size=(800, SIZE)))).likeness < 0.3
