"""Splits share no person, and stay what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError, RefusedError
from trainer.data.splits import split, split_kind
from trainer.data.table import FaceTable


def table_of(identity: list[int], partition: list[int] | None = None) -> FaceTable:
    count = len(identity)
    return FaceTable(
        paths=tuple(Path(f"{row}.jpg") for row in range(count)),
        attributes=(),
        labels=np.empty((count, 0), np.int8),
        identity=np.array(identity, dtype=np.int64),
        partition=np.array(partition or [-1] * count, dtype=np.int8),
    )


def test_nobody_is_in_two_parts_and_shares_are_kept() -> None:
    identity = np.repeat(np.arange(1, 2001), 3)
    made = split(table_of(identity.tolist()), seed=1)
    part_of = {person: set(made.partition[made.identity == person]) for person in range(1, 2001)}
    assert {len(parts) for parts in part_of.values()} == {1}
    assert np.allclose(np.bincount(made.partition) / 6000, (0.8, 0.1, 0.1), atol=0.025)


def test_same_seed_gives_the_same_bytes_and_another_seed_another_split() -> None:
    table = table_of(list(range(1, 300)))
    first = split(table, seed=4).partition
    assert first.tobytes() == split(table, seed=4).partition.tobytes()
    assert not np.array_equal(first, split(table, seed=5).partition)
    assert first[:12].tolist() == [1, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]


def test_added_people_move_nobody() -> None:
    few = split(table_of(list(range(1, 200))), seed=0).partition
    more = split(table_of(list(range(1, 400))), seed=0).partition
    assert np.array_equal(few, more[:199])


def test_official_partition_is_kept_only_where_it_covers() -> None:
    official = table_of([1, 2, 3, 4], [0, 0, 1, 2])
    assert split(official, seed=0) is official
    assert split_kind(official) == "official"
    train_only = table_of(list(range(1, 101)), [0] * 100)
    assert set(split(train_only, seed=0).partition) == {0, 1, 2}
    assert split_kind(train_only) == "identity"


def test_others_beside_the_official_rows_follow_their_person() -> None:
    table = table_of([1, 2, 3, 3, 50, 51], [0, 1, 2, -1, -1, -1])
    made = split(table, seed=0)
    assert made.partition[:4].tolist() == [0, 1, 2, 2]
    assert (made.partition >= 0).all()
    assert split_kind(table) == "mixed"


def test_no_random_split_unless_allowed() -> None:
    table = table_of([-1] * 50)
    with pytest.raises(RefusedError, match="50 of 50 pictures have neither an identity"):
        split(table, seed=0)
    assert set(split(table, seed=0, allow_random=True).partition) == {0, 1, 2}


@pytest.mark.parametrize("people", [3, 5, 9])
def test_no_part_is_empty_with_few_people(people: int) -> None:
    for seed in range(20):
        made = split(table_of(list(range(people))), seed=seed)
        assert set(made.partition) == {0, 1, 2}


def test_too_few_people_and_wrong_fractions_are_refused() -> None:
    with pytest.raises(DataError, match="2 people cannot be split"):
        split(table_of([1, 1, 2]), seed=0)
    with pytest.raises(DataError, match="add up to 1"):
        split(table_of([1, 2, 3]), seed=0, fractions=(0.8, 0.1, 0.2))
