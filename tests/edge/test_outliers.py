"""Strangers among my pictures: found alone and in company, without losing my own."""

from __future__ import annotations

import numpy as np
import pytest
from embedding_factory import World

from edge.heads.camera_shift import no_shift
from edge.heads.outliers import DOUBTFUL_SCORE, OTHER_SCORE, likeness_to_most, outliers
from edge.heads.threshold import ONE, SEVERAL
from edge.heads.two_people import MOST_LOOKS, set_apart

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
        apart = set_apart(album, np.arange(len(album)), STRANGERS, NO_SHIFT, camera)
        assert apart.second
        assert set(np.flatnonzero(apart.found)) in ({*range(mine)}, {*range(mine, mine + theirs)})


@pytest.mark.parametrize("camera", [SEVERAL, ONE])
@pytest.mark.parametrize("count", [1, 2])
def test_strays_are_found_together_and_are_no_second_person(count: int, camera: str) -> None:
    album = np.concatenate([MINE, MORE_OF_FRIEND[:count]])
    apart = set_apart(album, np.arange(len(album)), STRANGERS, NO_SHIFT, camera)
    assert np.flatnonzero(apart.found).tolist() == list(range(14, 14 + count))
    assert not apart.second


def test_strays_of_two_friends_are_found_each_for_itself() -> None:
    album = np.concatenate([MINE, WORLD.pictures(WORLD.person(), 2), THEIRS[:1]])
    apart = set_apart(album, np.arange(17), STRANGERS, NO_SHIFT)
    assert np.flatnonzero(apart.found).tolist() == [14, 15, 16]
    assert not apart.second


def test_one_person_is_one_person_also_with_and_without_a_beard() -> None:
    beard = 0.5 * WORLD.person()
    both = np.concatenate([WORLD.pictures(ME + sign * beard, 8) for sign in (1, -1)])
    for album in (MINE, both):
        for camera in (SEVERAL, ONE):
            apart = set_apart(album, np.arange(len(album)), STRANGERS, NO_SHIFT, camera)
            assert not apart.found.any()


def test_poses_of_one_head_before_one_camera_are_one_person() -> None:
    """A head that turns step by step looks at the end unlike it did at the beginning."""
    aside = WORLD.person()
    steps = [ME + share * aside for share in np.linspace(-1.6, 1.6, 14)]
    album = np.concatenate([WORLD.pictures(step, 1) for step in steps])
    assert float(album[0] @ album[-1]) < 0.2
    assert not set_apart(album, np.arange(14), STRANGERS, NO_SHIFT, ONE).found.any()


def test_bursts_of_one_moment_are_one_look_each() -> None:
    """Ten shots of a friend's one moment are a stray, however many there are."""
    album = np.concatenate([MINE, np.repeat(THEIRS[:1], 10, axis=0)])
    groups = np.minimum(np.arange(24), 14)
    apart = set_apart(album, groups, STRANGERS, NO_SHIFT)
    assert np.flatnonzero(apart.found).tolist() == list(range(14, 24))
    assert not apart.second
    assert outliers(album, groups, STRANGERS, NO_SHIFT)[14:].all()


def test_few_looks_say_nothing_of_each_other() -> None:
    album = np.concatenate([MINE[:2], THEIRS[:2]])
    assert not set_apart(album, np.arange(4), STRANGERS, NO_SHIFT).found.any()


def test_a_stray_is_found_in_an_album_that_is_too_large_to_be_grouped_whole() -> None:
    many = WORLD.pictures(ME, MOST_LOOKS + 30)
    album = np.concatenate([many, THEIRS[:2]])
    album = album[np.random.default_rng(0).permutation(len(album))]
    theirs = np.flatnonzero((album @ FRIEND) > (album @ ME))
    apart = set_apart(album, np.arange(len(album)), STRANGERS, NO_SHIFT)
    assert np.flatnonzero(apart.found).tolist() == theirs.tolist()
