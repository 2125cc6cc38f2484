"""Many heads at once: decisions are those of the heads asked one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from embedding_factory import World, unit
from register_factory import a_cohort, head_of

from edge.faces.face import Face
from edge.heads.decision import decide
from edge.heads.head import DENSE_128, Head, Layer
from edge.heads.scores import HeadScore, best_scores
from edge.heads.together import CLOSE, FEWEST, HeadsTogether
from edge.recognition.observation import Observation
from edge.tracking.vote import Vote

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
        assert found[-1] == tuple(found)[-1] and found[1:3] == tuple(found)[1:3]
        assert [s.excess for s in best_scores(found, 3)] == sorted(
            (s.excess for s in found), reverse=True
        )[:3]
    assert {"match", "unknown"} <= states


@pytest.mark.parametrize("kind", ["many", "twins"])
def test_tracks_settle_as_by_heads_one_by_one(kind: str) -> None:
    heads = HEADS if kind == "many" else [*HEADS, replace(HEADS[0], threshold=1.0)]
    together = HeadsTogether(heads)
    face = Face((0.0, 0.0, 50.0, 50.0), ((0.0, 0.0),) * 5, 0.95)
    states = set()
    one, other = Vote(), Vote()
    for number, look in enumerate(some_looks()):
        if number % 7 == 0:
            one, other = Vote(), Vote()
        table = together.scores(look)
        plain = tuple(table)
        one.add(Observation(face, scores=table), number / 10)
        other.add(Observation(face, scores=plain), number / 10)
        assert one.decision() == other.decision()
        states.add(one.decision().state)
    assert {"match", "unknown", "uncertain"} <= states


def test_nobody_is_asked_where_there_is_nobody() -> None:
    assert HeadsTogether([]).scores(np.zeros(4, np.float32)) == ()
