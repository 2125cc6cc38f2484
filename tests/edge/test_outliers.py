"""Strangers among my pictures: found alone and in company, without losing my own."""

from __future__ import annotations

import numpy as np
import pytest
from embedding_factory import World

from edge.heads.camera_shift import no_shift
from edge.heads.outliers import DOUBTFUL_SCORE, OTHER_SCORE, likeness_to_most, outliers
from edge.heads.threshold import ONE, SEVERAL
from edge.heads.two_people import second_person

WORLD = World(11)
ME, FRIEND = WORLD.person(), WORLD.person()
MINE = WORLD.pictures(ME, 14)
THEIRS = WORLD.pictures(FRIEND, 4)
STRANGERS = np.concatenate([WORLD.pictures(WORLD.person(), 1) for _ in range(300)])
NO_SHIFT = no_shift(WORLD.size)
MORE_OF_FRIEND = WORLD.pictures(FRIEND, 14)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_pictures_of_a_friend_do_not_vouch_for_each_other(count: int) -> None:
    album = np.concatenate([MINE, THEIRS[:count]])
    found = outliers(album, np.arange(len(album)), STRANGERS, NO_SHIFT)
    assert np.flatnonzero(found).tolist() == list(range(14, 14 + count))


def test_my_own_pictures_stay() -> None:
    assert not outliers(MINE, np.arange(14), STRANGERS, NO_SHIFT).any()


def test_a_burst_does_not_vouch_for_itself() -> None:
    """Five shots of one moment are more than three in ten of the pictures."""
    burst = np.repeat(THEIRS[:1], 5, axis=0)
    album, groups = np.concatenate([MINE[:8], burst]), np.minimum(np.arange(13), 8)
    assert outliers(album, groups, STRANGERS, NO_SHIFT).tolist() == [False] * 8 + [True] * 5


def test_two_looks_of_mine_may_differ() -> None:
    """With and without a beard, half of the pictures each: both are me."""
    beard = 0.5 * WORLD.person()
    both = np.concatenate([WORLD.pictures(ME + sign * beard, 8) for sign in (1, -1)])
    assert not outliers(both, np.arange(16), STRANGERS, NO_SHIFT).any()


def test_the_likeness_is_in_standard_deviations_over_strangers() -> None:
    new = np.concatenate([WORLD.pictures(WORLD.person(), 1) for _ in range(300)])
    scores = [
        likeness_to_most(np.concatenate([MINE, one[None]]), np.arange(15), STRANGERS, NO_SHIFT)[-1]
        for one in new
    ]
    assert abs(np.mean(scores)) < 0.2
    assert 0.8 < np.std(scores) < 1.2
    assert (
        likeness_to_most(MINE[:3], np.zeros(3, int), STRANGERS, NO_SHIFT).tolist() == [np.inf] * 3
    )


def test_a_doubtful_picture_stays_where_few_would_be_left() -> None:
    """A half profile is hardly more like me than many a stranger is."""
    tried = 0
    for _ in range(60):
        album = np.concatenate([MINE[:6], WORLD.pictures(0.34 * ME + WORLD.person(), 1)])
        given = (album, np.arange(7), STRANGERS, NO_SHIFT)
        if OTHER_SCORE < likeness_to_most(*given)[6] < DOUBTFUL_SCORE:
            tried += 1
            assert outliers(*given).tolist() == [False] * 6 + [True]
            assert not outliers(*given, fewest=7).any()
    assert tried >= 5


@pytest.mark.parametrize(("mine", "theirs"), [(14, 14), (8, 8), (10, 5)])
def test_halves_and_thirds_are_two_people(mine: int, theirs: int) -> None:
    album = np.concatenate([MINE[:mine], MORE_OF_FRIEND[:theirs]])
    for camera in (SEVERAL, ONE):
        found = second_person(album, np.arange(len(album)), STRANGERS, NO_SHIFT, camera)
        assert set(np.flatnonzero(found)) in ({*range(mine)}, {*range(mine, mine + theirs)})


def test_one_person_is_one_person_also_with_and_without_a_beard() -> None:
    beard = 0.5 * WORLD.person()
    both = np.concatenate([WORLD.pictures(ME + sign * beard, 8) for sign in (1, -1)])
    for album in (MINE, both):
        assert not second_person(album, np.arange(len(album)), STRANGERS, NO_SHIFT).any()


def test_bursts_of_one_moment_are_one_look_each() -> None:
    """Ten shots of a friend's one moment are a stray, however many there are."""
    album = np.concatenate([MINE, np.repeat(THEIRS[:1], 10, axis=0)])
    groups = np.minimum(np.arange(24), 14)
    assert not second_person(album, groups, STRANGERS, NO_SHIFT).any()
    assert outliers(album, groups, STRANGERS, NO_SHIFT)[14:].all()
