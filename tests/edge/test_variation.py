"""Variations: the same again by seed, different among each other, of the same face."""

from __future__ import annotations

import numpy as np
import pytest
from test_quality import a_face, a_picture

from edge.enrolment.augment import variations
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE, CELEBA, WIDE
from edge.models.spec import NetworkInput

PICTURE = a_picture()
EXPECTS = NetworkInput(ARCFACE, ARCFACE_WHOLE, 48)


def test_same_seed_same_crops() -> None:
    one, again, other = (
        variations(PICTURE, a_face(), EXPECTS, count=6, seed=seed) for seed in (3, 3, 4)
    )
    assert one.shape == (6, 48, 48, 3)
    assert one.dtype == np.uint8
    assert (one == again).all()
    assert (one != other).any()


def test_more_of_them_begin_alike() -> None:
    few = variations(PICTURE, a_face(), EXPECTS, count=2, seed=1)
    assert (variations(PICTURE, a_face(), EXPECTS, count=5, seed=1)[:2] == few).all()


def test_none_is_like_another() -> None:
    crops = variations(PICTURE, a_face(), EXPECTS, count=8, seed=0).astype(float)
    apart = [np.abs(crops[i] - crops[j]).mean() for i in range(8) for j in range(i)]
    assert min(apart) > 1


def test_they_stay_near_the_aligned_face() -> None:
    # a picture that is dark but for a bright spot on the nose: it must stay near the middle
    picture = np.full((320, 320, 3), 30, np.uint8)
    nose = a_face().landmarks()[2].astype(int)
    picture[nose[1] - 6 : nose[1] + 6, nose[0] - 6 : nose[0] + 6] = 255
    expects = NetworkInput(CELEBA, WIDE, 64)
    crops = variations(picture, a_face(), expects, count=40, seed=0).mean(axis=3)
    places = [np.unravel_index(crop.argmax(), crop.shape) for crop in crops if crop.max() > 150]
    assert len(places) > 20
    away = np.abs(np.array(places) - np.array([41, 32]))
    assert np.median(away) < 6


@pytest.mark.parametrize("size", [32, 112])
def test_any_size(size: int) -> None:
    expects = NetworkInput(CELEBA, WIDE, size)
    assert variations(PICTURE, a_face(), expects, count=1, seed=0).shape == (1, size, size, 3)
