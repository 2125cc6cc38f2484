"""Scores: what the heads say about one face, one by one or, of many heads, as a table.

A table keeps arrays and makes a `HeadScore` only where somebody asks for one, so that a thousand
heads cost hardly more than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from edge.heads.head import Head


@dataclass(frozen=True)
class HeadScore:
    """The score of one head for one face.

    person: the head's name. score: larger is more alike. threshold: accepted from here. margin:
    half width of the band around the threshold in which the head does not commit itself. head:
    `Head.key` of the head, "" where that is of no interest.
    """

    person: str
    score: float
    threshold: float
    margin: float = 0.0
    head: str = ""

    @property
    def excess(self) -> float:
        """How far the score lies above the threshold (below: negative)."""
        return self.score - self.threshold


class Asked:
    """The heads that a table is of, shared by all tables of a recognizer.

    thresholds: float64[H]. places: name to place among the heads.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        self.heads = tuple(heads)
        self.thresholds = np.array([head.threshold for head in self.heads], np.float64)
        self.places = {head.name: place for place, head in enumerate(self.heads)}

    @cached_property
    def are_distinct(self) -> bool:
        """Whether no two have the same name."""
        return len(self.places) == len(self.heads)


class ScoreTable(Sequence[HeadScore]):
    """The scores of many heads for one face, in the heads' order.

    asked: the heads. values: float64[H], their scores. fall: by how much all thresholds are lower
    for this face, see `edge.heads.lead`.
    """

    def __init__(self, asked: Asked, values: np.ndarray, fall: float = 0.0) -> None:
        self.asked = asked
        self.values = values
        self.fall = fall
        self.excesses = values - (asked.thresholds - fall)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> HeadScore: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[HeadScore, ...]: ...
    def __getitem__(self, place: int | slice) -> HeadScore | tuple[HeadScore, ...]:
        if isinstance(place, slice):
            return tuple(self[k] for k in range(len(self))[place])
        head = self.asked.heads[place]
        return HeadScore(
            head.name, float(self.values[place]), head.threshold - self.fall, head.margin, head.key
        )

    def __iter__(self) -> Iterator[HeadScore]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


def best_scores(scores: Sequence[HeadScore], count: int = 2) -> list[HeadScore]:
    """Those with the largest excess, largest first; of equal ones the first."""
    if not isinstance(scores, ScoreTable):
        return sorted(scores, key=lambda score: -score.excess)[:count]
    left, found = scores.excesses.copy(), []
    for _ in range(min(count, len(scores))):
        place = int(left.argmax())
        found.append(scores[place])
        left[place] = -np.inf
    return found


def scores_of(scores: Sequence[HeadScore], person: str) -> list[HeadScore]:
    """Those of one person."""
    if isinstance(scores, ScoreTable) and scores.asked.are_distinct:
        place = scores.asked.places.get(person)
        return [] if place is None else [scores[place]]
    return [score for score in scores if score.person == person]


def most_alike(looks: Sequence[Sequence[HeadScore]]) -> str | None:
    """The person whose excess has the largest mean over looks; None without scores."""
    tables = [look for look in looks if isinstance(look, ScoreTable) and len(look)]
    if tables and len(tables) == len(looks) and len({id(table.asked) for table in tables}) == 1:
        asked = tables[0].asked
        if asked.are_distinct:
            means = np.array([table.excesses for table in tables]).mean(axis=0)
            return asked.heads[int(means.argmax())].name
    excesses: dict[str, list[float]] = {}
    for look in looks:
        for score in look:
            excesses.setdefault(score.person, []).append(score.excess)
    if not excesses:
        return None
    return max(excesses, key=lambda name: float(np.mean(excesses[name])))
