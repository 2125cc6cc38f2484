"""Figures checked against counting by hand and against known distributions."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DataError, UsageError
from trainer.data.attribute_metrics import (
    NOTHING_LEARNED,
    AttributeReport,
    calibration_error,
    majority_accuracy,
    measure_attributes,
    sigmoid,
)
from trainer.data.attribute_thresholds import GUARD, tune_thresholds
from trainer.data.pairs import Pairs, read_pairs, sample_pairs
from trainer.data.table import FaceTable
from trainer.evaluation.verification import best_threshold, pair_scores, verification_words, verify
from trainer.report.attribute_plot import plot_attributes


def test_figures_by_hand() -> None:
    logits = np.array([2.0, 1.0, -1.0, -2.0, -3.0, 4.0, 0.5, 9.0])[:, None]
    labels = np.array([1, 1, 1, 0, 0, 0, 0, -1], np.int8)[:, None]
    report = measure_attributes(logits, labels, ["Hat"])
    figures = report.per_attribute[0]
    # called: 2 of the 3 with a hat, 2 of the 4 without; the last picture has no label
    assert figures.images == 7
    assert figures.positive_share == pytest.approx(3 / 7)
    assert figures.accuracy == pytest.approx(4 / 7)
    assert figures.majority_accuracy == pytest.approx(4 / 7)
    assert figures.balanced_accuracy == pytest.approx((2 / 3 + 2 / 4) / 2)
    assert figures.f1 == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    stricter = measure_attributes(logits, labels, ["Hat"], [float(sigmoid(np.array(1.5)))])
    assert stricter.per_attribute[0].accuracy == pytest.approx(4 / 7)
    assert stricter.per_attribute[0].balanced_accuracy == pytest.approx((1 / 3 + 3 / 4) / 2)


def test_means_leave_out_what_means_nothing() -> None:
    labels = np.array([[1, 0, -1], [0, 0, -1], [1, 0, -1], [0, 0, -1]], np.int8)
    logits = np.array([[1, -1, 0], [-1, -1, 0], [1, -1, 0], [1, -1, 0]], np.float32)
    report = measure_attributes(logits, labels, ["A", "B", "C"])
    assert report.mean.accuracy == pytest.approx((3 / 4 + 1) / 2)
    assert report.mean.balanced_accuracy == pytest.approx(3 / 4)
    said = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert said["per_attribute"]["B"]["balanced_accuracy"] is None
    assert said["per_attribute"]["C"]["accuracy"] is None
    assert said["images"] == 4
    assert majority_accuracy(labels) == pytest.approx((1 / 2 + 1) / 2)


def test_always_answering_the_majority_has_learned_nothing() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((2000, 5)) < [0.1, 0.2, 0.5, 0.8, 0.05]).astype(np.int8)
    lazy = np.where(labels.mean(axis=0) > 0.5, 3.0, -3.0) * np.ones_like(labels)
    report = measure_attributes(lazy, labels, list("abcde"))
    assert report.mean.accuracy > 0.75
    assert report.mean.balanced_accuracy == pytest.approx(0.5)
    assert not report.learned_something
    assert report.verdict().startswith(NOTHING_LEARNED)
    able = np.where(labels == 1, 2.0, -2.0)
    able[:200] *= -1
    assert measure_attributes(able, labels, list("abcde")).learned_something


def test_calibration_error_sees_too_much_confidence() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(40_000)
    truth = rng.random(40_000) < probability
    assert calibration_error(probability, truth) < 0.01
    # odds squared: of those called sure, far fewer are true than said
    sure = probability**3 / (probability**3 + (1 - probability) ** 3)
    assert calibration_error(sure, truth) == pytest.approx(
        float(np.abs(sure - probability).mean()), abs=0.01
    )


def gaussian_attribute(share: float, seed: int, count: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose classes are two normal distributions, logits calibrated for the share."""
    rng = np.random.default_rng(seed)
    truth = rng.random(count) < share
    score = rng.normal(np.where(truth, 1.0, -1.0), 1.0)
    return (2 * score + np.log(share / (1 - share)))[:, None], truth.astype(np.int8)[:, None]


def test_thresholds_for_balanced_accuracy_lie_at_the_prior() -> None:
    for share in (0.05, 0.3, 0.9):
        logits, labels = gaussian_attribute(share, 2)
        (threshold,) = tune_thresholds(logits, labels, aim="balanced")
        assert np.log(threshold / (1 - threshold)) == pytest.approx(
            np.log(share / (1 - share)), abs=0.5
        )
        (threshold,) = tune_thresholds(logits, labels, aim="accuracy")
        assert np.log(threshold / (1 - threshold)) == pytest.approx(0, abs=0.7)


def test_guarded_thresholds_cost_little_accuracy_on_other_pictures() -> None:
    logits, labels = gaussian_attribute(0.06, 3)
    fresh, truth = gaussian_attribute(0.06, 4)
    figures = {
        aim: measure_attributes(fresh, truth, ["A"], tune_thresholds(logits, labels, aim=aim)).mean
        for aim in ("guarded", "balanced")
    }
    plain = measure_attributes(fresh, truth, ["A"]).mean
    assert figures["guarded"].accuracy > plain.accuracy - 2 * GUARD
    assert figures["guarded"].balanced_accuracy > plain.balanced_accuracy + 0.04
    assert figures["balanced"].balanced_accuracy >= figures["guarded"].balanced_accuracy
    assert figures["balanced"].accuracy < plain.accuracy - 0.05


def test_few_labels_keep_a_half_and_unlabelled_count_nowhere() -> None:
    logits, labels = gaussian_attribute(0.3, 5, count=4000)
    few = np.full_like(labels, -1)
    few[:15] = labels[:15]
    assert tune_thresholds(logits, few) == (0.5,)
    padded = np.concatenate([logits, np.full_like(logits, 5.0)])
    masked = np.concatenate([labels, np.full_like(labels, -1)])
    assert tune_thresholds(padded, masked) == tune_thresholds(logits, labels)
    assert tune_thresholds(logits, few, known=labels)[0] < 0.5
    assert tune_thresholds(logits, np.full_like(labels, -1)) == (0.5,)
    with pytest.raises(UsageError, match="unknown aim"):
        tune_thresholds(logits, labels, aim="best")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_is_written(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((500, 40)) < rng.random(40)).astype(np.int8)
    labels[:, 3] = -1
    logits = np.where(labels == 1, 1.0, -1.0) + rng.normal(0, 1, labels.shape)
    report = measure_attributes(logits, labels, [f"Attribute_{n}" for n in range(40)])
    report = AttributeReport.from_json(json.loads(json.dumps(report.to_json())))
    target = tmp_path / f"plot{suffix}"
    plot_attributes(report, target, title="base")
    if suffix == ".svg":
        assert "<svg" in target.read_text()[:600]
    else:
        image = cv2.imread(str(target))
        assert min(image.shape[:2]) > 1000
        assert image.std() > 20
    with pytest.raises(UsageError, match=r"name it \.png or \.svg"):
        plot_attributes(report, tmp_path / "plot.doc")


def people_table(people: int, each: int, seed: int = 0) -> tuple[FaceTable, np.ndarray]:
    """A table, and embeddings in which a person's pictures lie together, float64[N, 16]."""
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(1, people + 1), each)
    count = len(identity)
    embeddings = rng.normal(size=(people, 16))[identity - 1] + 0.9 * rng.normal(size=(count, 16))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    table = FaceTable(
        tuple(Path(f"{row}.jpg") for row in range(count)),
        (),
        np.empty((count, 0), np.int8),
        identity.astype(np.int64),
        np.full(count, -1, np.int8),
    )
    return table, embeddings


def test_pairs_are_drawn_as_lfws_are() -> None:
    table, _ = people_table(120, 5)
    pairs = sample_pairs(table, count=1000, seed=3)
    assert len(pairs) == 1000
    assert pairs.same.sum() == 500
    left, right = table.identity[pairs.first], table.identity[pairs.second]
    assert np.array_equal(left == right, pairs.same)
    assert (pairs.first != pairs.second).all()
    assert len({tuple(sorted(p)) for p in zip(pairs.first, pairs.second, strict=True)}) == 1000
    people = [set(pairs.people[pairs.fold == fold].ravel()) for fold in range(10)]
    assert sum(map(len, people)) == len(set.union(*people))
    again = sample_pairs(table, count=1000, seed=3)
    assert np.array_equal(pairs.first, again.first)
    assert not np.array_equal(pairs.first, sample_pairs(table, count=1000, seed=4).first)


def test_fewer_pairs_where_there_are_no_more() -> None:
    table, _ = people_table(12, 2)
    pairs = sample_pairs(table, count=1000)
    assert pairs.same.sum() == (~pairs.same).sum() <= 12
    with pytest.raises(DataError, match="no pairs can be drawn"):
        sample_pairs(people_table(12, 1)[0])


def test_verification_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.75, 0.4, 0.6, 0.25, 0.2, 0.1])
    same = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    people = np.stack([np.arange(8), np.where(same, np.arange(8), np.arange(8) + 10)], axis=1)
    pairs = Pairs(np.arange(8), np.arange(8), same, np.array([0, 0, 1, 1] * 2), people)
    found = verify(scores, pairs, bootstraps=20)
    assert found.auc == pytest.approx(15 / 16)
    # the first fold is judged at 0.3, best for the second, and that at 0.7, best for the first
    assert found.accuracy == pytest.approx((3 / 4 + 3 / 4) / 2)
    assert np.isnan(found.tar_at_far_1pct), "four pairs of two people cannot show a FAR of 1 %"
    assert found.to_json()["tar_at_far_01pct"] is None


def test_few_pairs_are_never_sure() -> None:
    """Two pairs, both right: the figure is 1, and its interval says how little that is."""
    people = np.array([[0, 0], [0, 1]])
    same, zeros = np.array([True, False]), np.zeros(2, np.int64)
    found = verify(np.array([0.9, 0.1]), Pairs(zeros, zeros, same, zeros, people))
    low, high = found.intervals["auc"]
    assert (found.auc, high) == (1.0, 1.0)
    assert low == pytest.approx(0.025**0.5)
    words = verification_words(found.to_json())
    assert words == "AUC 1.0000 of 2 pairs of 2 people (chance 0.5, 95 %: 0.158 to 1.000)"


def test_best_threshold_is_between_the_classes() -> None:
    scores = np.array([0.1, 0.2, 0.35, 0.5, 0.8, 0.9])
    assert best_threshold(scores, scores > 0.4) == pytest.approx(0.425)
    assert best_threshold(scores, scores > 0) < 0.1
    assert best_threshold(scores, scores > 1) > 0.9


def test_tar_keeps_its_far_also_with_equal_scores() -> None:
    rng = np.random.default_rng(0)
    other, own = np.round(rng.normal(0, 1, 3000), 1), np.round(rng.normal(2, 1, 3000), 1)
    scores, same = np.concatenate([own, other]), np.repeat([True, False], 3000)
    people = np.stack([np.arange(6000), np.arange(6000) + np.where(same, 0, 7000)], axis=1)
    pairs = Pairs(np.arange(6000), np.arange(6000), same, np.arange(6000) % 10, people)
    found = verify(scores, pairs, bootstraps=0)
    for figure, limit in ((found.tar_at_far_1pct, 0.01), (found.tar_at_far_01pct, 0.001)):
        allowed = [t for t in np.unique(scores) if (other >= t).mean() <= limit]
        assert figure == pytest.approx(float((own >= min(allowed)).mean()))
    assert found.auc == pytest.approx(
        float((own[:, None] > other).mean() + (own[:, None] == other).mean() / 2)
    )


def test_interval_covers_the_truth_and_shrinks_with_more_people() -> None:
    widths = []
    for people in (40, 400):
        table, embeddings = people_table(people, 6, seed=1)
        pairs = sample_pairs(table, count=people * 20, seed=0)
        found = verify(pair_scores(embeddings, pairs), pairs)
        low, high = found.intervals["accuracy"]
        assert low < found.accuracy < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
    table, embeddings = people_table(3000, 2, seed=2)
    truth = sample_pairs(table, count=6000, seed=0)
    assert low < verify(pair_scores(embeddings, truth), truth, bootstraps=0).accuracy < high


def test_a_list_of_pairs_is_read(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.jpg").write_bytes(b"x")
    listed = tmp_path / "pairs.csv"
    listed.write_text("file_a,file_b,same\na.jpg,b.jpg,1\nb.jpg,c.jpg,1\na.jpg,d.jpg,0\n")
    paths, pairs = read_pairs(listed)
    assert [path.name for path in paths] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert pairs.same.tolist() == [True, True, False]
    assert len(set(pairs.people[:2].ravel())) == 1, "a and c are the same person by way of b"
    assert pairs.people[2, 0] != pairs.people[2, 1]
    listed.write_text("a.jpg,b.jpg,1\na.jpg,b.jpg,yes\n")
    with pytest.raises(DataError, match=r"line 2: expected file_a,file_b,0\|1"):
        read_pairs(listed)
    listed.write_text("a.jpg,z.jpg,1\n")
    with pytest.raises(DataError, match=r"line 1: .*z.jpg does not exist"):
        read_pairs(listed)
