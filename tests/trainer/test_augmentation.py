"""Augmentation and batches: the same for a seed, an epoch and a row, whatever else happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from training_factory import MARGIN_PX, SIDE_PX, some_arrays

from edge.enrolment import degrade as camera
from edge.enrolment.degrade import CameraDegradation
from edge.errors import UsageError
from trainer.training.augmentation import (
    NO_AUGMENTATION,
    Augmentation,
    augment,
    centre,
    row_generator,
)
from trainer.training.batches import (
    Crops,
    epoch_order,
    plain_batches,
    steps_per_epoch,
    training_batches,
)

SOME = Augmentation(margin=MARGIN_PX / SIDE_PX)


def crop(side: int = SIDE_PX + 2 * MARGIN_PX) -> np.ndarray:
    """A picture that is different everywhere: uint8[side, side, 3]."""
    y, x = np.mgrid[0:side, 0:side]
    smooth = np.stack([x * 5, y * 5, (x + y) * 2], axis=-1)
    return np.clip(smooth + 20, 0, 255).astype(np.uint8)


def changed(settings: Augmentation, *, seed: int = 0, epoch: int = 0, row: int = 0) -> np.ndarray:
    return augment(crop(), SIDE_PX, MARGIN_PX, settings, row_generator(seed, epoch, row))


def inner() -> np.ndarray:
    return crop()[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]


def test_nothing_is_nothing() -> None:
    np.testing.assert_array_equal(changed(NO_AUGMENTATION), inner())
    np.testing.assert_array_equal(centre(crop()[None], SIDE_PX, MARGIN_PX)[0], inner())


def test_random_numbers_follow_from_seed_epoch_and_row() -> None:
    first = changed(SOME, seed=3, epoch=1, row=5)
    np.testing.assert_array_equal(first, changed(SOME, seed=3, epoch=1, row=5))
    others = [(4, 1, 5), (3, 2, 5), (3, 1, 6)]
    for seed, epoch, row in others:
        assert not np.array_equal(first, changed(SOME, seed=seed, epoch=epoch, row=row))


def test_flip_is_a_mirror() -> None:
    flipped = changed(replace(NO_AUGMENTATION, flip=1.0))
    np.testing.assert_array_equal(flipped, inner()[:, ::-1])


@pytest.mark.parametrize(
    "one", [{"shift": 0.1}, {"rotation_deg": 20.0}, {"zoom": 0.3}, {"stretch": 0.3}]
)
def test_each_move_moves_and_keeps_the_levels(one: dict[str, float]) -> None:
    moved = changed(replace(NO_AUGMENTATION, **one), row=1)
    assert not np.array_equal(moved, inner())
    assert moved.min() >= crop().min()
    assert moved.max() <= crop().max()


@pytest.mark.parametrize("one", [{"brightness": 0.3}, {"contrast": 0.5}])
def test_light_changes_levels_and_moves_nothing(one: dict[str, float]) -> None:
    lit = changed(replace(NO_AUGMENTATION, **one), row=1).astype(float)
    assert not np.array_equal(lit, inner())
    inside = (lit > 0) & (lit < 255)
    assert np.corrcoef(lit[inside], inner()[inside])[0, 1] > 0.999


def test_edges_are_filled_from_the_nearest_pixels() -> None:
    white = np.full((SIDE_PX, SIDE_PX, 3), 200, np.uint8)
    far = replace(NO_AUGMENTATION, shift=1.0, rotation_deg=45.0, zoom=1.0)
    for row in range(5):
        moved = augment(white, SIDE_PX, 0, far, row_generator(0, 0, row))
        assert (moved == 200).all()


def test_any_size_can_be_cut() -> None:
    small = augment(crop(), 16, MARGIN_PX, NO_AUGMENTATION, row_generator(0, 0, 0)).astype(float)
    halved = inner().reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - halved).max() <= 1.0
    assert centre(crop()[None], 16, MARGIN_PX).shape == (1, 16, 16, 3)
    assert centre(crop()[None], 48, MARGIN_PX).shape == (1, 48, 48, 3)


DEGRADATIONS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "side_light": camera.side_light,
    "dark": lambda p, rng: camera.dark(p, 0.1, rng),
    "colour_cast": lambda p, rng: camera.colour_cast(p, 0.2, rng),
    "blur": lambda p, rng: camera.blur(p, 0.04, rng),
    "low_resolution": lambda p, rng: camera.low_resolution(p, 8, rng),
    "noise": lambda p, rng: camera.noise(p, 12.0, rng),
    "jpeg": lambda p, rng: camera.jpeg(p, 20),
    "occlude": lambda p, rng: camera.occlude(p, CameraDegradation(occlusion=1.0), rng),
}


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_degradation_changes_the_picture_and_not_its_kind(name: str) -> None:
    before = inner().copy()
    for row in range(4):
        worse = DEGRADATIONS[name](before, row_generator(0, 0, row))
        assert worse.dtype == np.uint8
        assert worse.shape == before.shape
        assert not np.array_equal(worse, before)
        np.testing.assert_array_equal(before, inner())


def test_grey_is_grey() -> None:
    off = dict.fromkeys(("resolution", "blur", "jpeg", "noise", "colour_cast", "dark"), 0.0)
    settings = CameraDegradation(grey=1.0, side_light=0.0, occlusion=0.0, **off)
    worse = camera.degrade(inner(), settings, row_generator(0, 0, 0))
    assert (worse == worse[..., :1]).all()


def test_low_resolution_and_blur_lose_detail() -> None:
    board = np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((2, 2)))[..., None]
    board = np.repeat(board * 255, 3, axis=2).astype(np.uint8)
    for worsen in ("low_resolution", "blur"):
        worse = [DEGRADATIONS[worsen](board, row_generator(0, 0, row)).std() for row in range(8)]
        assert min(worse) < 0.8 * board.std()


def test_the_share_that_is_degraded() -> None:
    noisy = replace(
        NO_AUGMENTATION,
        degradation=0.25,
        camera=CameraDegradation(noise=1.0, noise_levels=60.0),
    )
    worse = [not np.array_equal(changed(noisy, row=row), inner()) for row in range(400)]
    assert 0.18 < np.mean(worse) < 0.32


def test_impossible_settings() -> None:
    with pytest.raises(UsageError, match="'shift' is 2"):
        Augmentation(shift=2.0)
    with pytest.raises(UsageError, match="'rotation_deg'"):
        Augmentation(rotation_deg=120.0)


def test_orders() -> None:
    first, second = epoch_order(50, 0, 0), epoch_order(50, 0, 1)
    assert sorted(first) == list(range(50))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, epoch_order(50, 0, 0))
    assert steps_per_epoch(50, 8) == 6
    assert steps_per_epoch(3, 8) == 1


def test_an_epoch_goes_on_where_it_was_left() -> None:
    arrays = some_arrays(40)
    whole = list(training_batches(arrays, SIDE_PX, 8, SOME, seed=1, epoch=2))
    rest = list(training_batches(arrays, SIDE_PX, 8, SOME, seed=1, epoch=2, first_step=3))
    assert (len(whole), len(rest)) == (5, 2)
    for left, right in zip(whole[3:], rest, strict=True):
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def test_batches_hold_what_belongs_together_in_rgb() -> None:
    arrays = some_arrays(20)
    order = epoch_order(20, 0, 0)
    batch = next(iter(training_batches(arrays, SIDE_PX, 4, NO_AUGMENTATION, seed=0, epoch=0)))
    for place, row in enumerate(order[:4]):
        window = arrays.crops[row][MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
        np.testing.assert_array_equal(batch["pixels"][place], window[..., ::-1])
        np.testing.assert_array_equal(batch["labels"][place], arrays.labels[row])
        np.testing.assert_array_equal(batch["targets"][place], arrays.targets[row])
        assert batch["classes"][place] == arrays.classes[row]


def test_the_batch_size_changes_no_picture() -> None:
    arrays = some_arrays(24)
    by_size = []
    for size in (4, 8):
        batches = training_batches(arrays, SIDE_PX, size, SOME, seed=0, epoch=0)
        by_size.append(np.concatenate([batch["pixels"] for batch in batches]))
    np.testing.assert_array_equal(*by_size)


def test_validation_sees_every_picture_once_and_plain() -> None:
    arrays = some_arrays(21)
    batches = list(plain_batches(arrays, SIDE_PX, 8))
    assert [len(batch["pixels"]) for batch in batches] == [8, 8, 5]
    seen = np.concatenate([batch["pixels"] for batch in batches])
    windows = arrays.windows(np.arange(21), SIDE_PX)
    np.testing.assert_array_equal(seen, windows[..., ::-1])


def test_crops_of_several_folders_are_one() -> None:
    parts = [np.full((count, 4, 4, 3), count, np.uint8) for count in (2, 3)]
    crops = Crops(*parts).select(np.array([4, 0, 2]))
    assert [int(crops[place][0, 0, 0]) for place in range(len(crops))] == [3, 2, 3]
    assert crops.take(np.array([1, 2]))[:, 0, 0, 0].tolist() == [2, 3]
