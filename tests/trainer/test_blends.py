"""Blends: which pictures they are made of, how they look, and what the teacher says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from teacher_factory import FakeModel, faces, fake_teacher
from training_factory import some_arrays

from edge.errors import DataError
from trainer.inference.external import read_teacher
from trainer.training.batches import Crops
from trainer.training.blends import (
    LEAST_SHARE,
    MOST_SHARE,
    BlendPlan,
    Blends,
    BlendsTeacher,
    blended,
    plan_blends,
)


def test_two_people_are_in_each_blend() -> None:
    identity = np.array([0, 0, 0, 0, 1, -1, -1])
    plan = plan_blends(identity, 400, seed=3)
    assert len(plan) == 400
    assert (plan.first != plan.second).all()
    known = (identity[plan.first] >= 0) & (identity[plan.second] >= 0)
    assert (identity[plan.first] != identity[plan.second])[known].all()
    assert ((identity[plan.first] < 0) & (identity[plan.second] < 0)).any()  # two unknown ones
    assert plan.share.min() >= LEAST_SHARE
    assert plan.share.max() <= MOST_SHARE
    again = plan_blends(identity, 400, seed=3)
    np.testing.assert_array_equal(plan.second, again.second)
    assert (plan_blends(identity, 400, seed=4).first != plan.first).any()


def test_one_person_cannot_be_blended() -> None:
    with pytest.raises(DataError, match="two people at least"):
        plan_blends(np.array([4, 4, 4]), 2, seed=0)
    assert len(plan_blends(np.array([4]), 0, seed=0)) == 0


def test_a_blend_is_the_weighted_mean_of_two_crops() -> None:
    crops = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (0, 100, 200)])
    shares = np.array([0.5, 0.75, 0.5], np.float32)
    third = np.array([-1, -1, 1])
    plan = BlendPlan(np.array([1, 2, 2]), np.array([2, 0, 0]), shares, third)
    blends = Blends(crops, plan)
    assert blends.shape == (3, 4, 4, 3)
    taken = Crops(crops, blends).take(np.arange(6))
    assert taken[:, 0, 0, 0].tolist() == [0, 100, 200, 150, 150, 125]


def test_every_other_blend_keeps_within_its_source_and_some_are_of_three() -> None:
    source = np.repeat([0, 1, 2], 40)
    plan = plan_blends(np.arange(120), 900, seed=5, source=source, of_three=0.25)
    within = source[plan.first] == source[plan.second]
    assert within[::2].mean() > 0.95
    assert 0.2 < within[1::2].mean() < 0.5
    assert (plan.first != plan.second).all()
    three = plan.third >= 0
    assert 0.2 < three.mean() < 0.3
    assert (plan.third != plan.first)[three].all()


def test_the_teacher_is_asked_once_about_each_blend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_teacher(tmp_path, monkeypatch)
    table, _ = faces(tmp_path / "faces", 6)
    dark_and_light = np.stack([np.full((112, 112, 3), 40 * row, np.uint8) for row in range(6)])
    asked = BlendsTeacher(read_teacher(path), dark_and_light, np.eye(3, 8, dtype=np.float32))
    plan = plan_blends(np.arange(6), 10, seed=1)
    made = blended(some_arrays(6), table, asked, plan, cache_dir=tmp_path / "cache", quiet=True)
    assert FakeModel.calls == 10
    assert (made.labels == -1).all()
    assert (made.classes == -1).all()
    light = plan.share * 40 * plan.first + (1 - plan.share) * 40 * plan.second
    assert np.corrcoef(light, made.targets[:, 0])[0, 1] > 0.9
    again = blended(some_arrays(6), table, asked, plan, cache_dir=tmp_path / "cache", quiet=True)
    assert FakeModel.calls == 10
    np.testing.assert_array_equal(made.targets, again.targets)


def test_lessons_are_pictures_and_then_blends() -> None:
    arrays = some_arrays(8)
    both = arrays.joined(arrays.select(np.array([3, 1])))
    assert len(both) == 10
    np.testing.assert_array_equal(both.crops[8], arrays.crops[3])
    np.testing.assert_array_equal(both.labels[9], arrays.labels[1])
    assert both.crops.shape == (10, *arrays.crops.shape[1:])
