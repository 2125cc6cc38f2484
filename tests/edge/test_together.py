"""Many heads at once: decisions are those of the heads asked one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from embedding_factory import World, unit
from register_factory import a_cohort, head_of

from edge.heads.decision import HeadScore, decide
from edge.heads.head import DENSE_128, Head, Layer
from edge.heads.together import CLOSE, FEWEST, HeadsTogether

WORLD = World(21)
COHORT = a_cohort(WORLD, people=120)
PEOPLE = [WORLD.person() for _ in range(FEWEST + 2)]
HEADS = [
    head_of(f"p{number}", WORLD.pictures(person, 8), COHORT) for number, person in enumerate(PEOPLE)
]


def alone(heads: list[Head], look: np.ndarray) -> tuple[HeadScore, ...]:
    scores = (float(head.score(look[None])[0]) for head in heads)
    return tuple(
        HeadScore(head.name, score, head.threshold, head.margin, head.key)
        for head, score in zip(heads, scores, strict=True)
    )


def some_looks() -> np.ndarray:
    """Of the people, of strangers, and on the way from one to the other, where decisions turn."""
    own = np.concatenate([WORLD.pictures(person, 6) for person in PEOPLE])
    strangers = np.concatenate([WORLD.pictures(WORLD.person(), 1) for _ in range(60)])
    shares = np.linspace(0, 1, 40)[:, None]
    between = np.concatenate([unit((1 - shares) * own[n] + shares * own[n + 6]) for n in (0, 9)])
    return np.concatenate([own, strangers, between])


def a_dense_head() -> Head:
    rng = np.random.default_rng(0)
    size = HEADS[0].size
    hidden = Layer(rng.normal(size=(size, 4)).astype(np.float32), np.zeros(4, np.float32), "relu")
    out = Layer(rng.normal(size=(4, 1)).astype(np.float32), np.zeros(1, np.float32))
    return replace(HEADS[0], name="dense", kind=DENSE_128, layers=(hidden, out))


@pytest.mark.parametrize("kind", ["few", "many", "mixed", "twins"])
def test_decisions_are_those_of_the_heads_one_by_one(kind: str) -> None:
    heads = {
        "few": HEADS[: FEWEST - 1],
        "many": HEADS,
        "mixed": [*HEADS[:4], a_dense_head(), *HEADS[4:]],
        "twins": [*HEADS, replace(HEADS[0], name="again")],
    }[kind]
    together = HeadsTogether(heads)
    states = set()
    for look in some_looks():
        wanted, found = alone(heads, look), together.scores(look)
        assert decide(found) == decide(wanted)
        states.add(decide(found).state)
        apart = [abs(a.score - b.score) for a, b in zip(found, wanted, strict=True)]
        assert max(apart) < CLOSE / 100
    assert {"match", "unknown"} <= states


def test_nobody_is_asked_where_there_is_nobody() -> None:
    assert HeadsTogether([]).scores(np.zeros(4, np.float32)) == ()
