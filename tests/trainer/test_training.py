"""Training: what it minimizes, that it goes on exactly where it was, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_factory import (
    ATTRIBUTES,
    EMBEDDING,
    MARGIN_PX,
    NETWORK,
    SIDE_PX,
    some_arrays,
    some_training,
)

from edge.errors import DataError, InputError, RefusedError, UsageError
from trainer.training.augmentation import Augmentation
from trainer.training.batches import mixed_counts, mixed_order, plain_batches
from trainer.training.checkpoint import Checkpoint, Progress
from trainer.training.loop import TrainingConfig
from trainer.training.losses import attribute_loss, cosine_loss, relational_loss
from trainer.training.margin import MarginSoftmax, identity_classes
from trainer.training.objective import Objective, ObjectiveConfig
from trainer.training.optimizers import Schedule, make_optimizer
from trainer.training.session import Session

SOME = Augmentation(margin=MARGIN_PX / SIDE_PX)
ROOT = Path(__file__).resolve().parents[2]


# losses


@pytest.mark.parametrize("name", ["bce", "focal", "mse"])
def test_unlabelled_attributes_do_not_count(name: str) -> None:
    loss = attribute_loss(name)
    logits = tf.constant([[2.0, -1.0, 5.0], [0.5, 9.0, -9.0]])
    labels = tf.constant([[1, 0, -1], [1, -1, -1]], tf.int8)
    only = tf.constant([[2.0], [-1.0], [0.5]]), tf.constant([[1], [0], [1]], tf.int8)
    assert float(loss(labels, logits)) == pytest.approx(float(loss(only[1], only[0])), rel=1e-5)
    assert float(loss(-tf.ones_like(labels), logits)) == 0.0


def test_bce_is_the_cross_entropy() -> None:
    value = float(attribute_loss("bce")(tf.constant([[1, 0]], tf.int8), tf.constant([[0.0, 2.0]])))
    assert value == pytest.approx((np.log(2) + np.log1p(np.exp(2.0))) / 2, rel=1e-5)


def test_focal_loss_forgets_what_is_right_already() -> None:
    labels, logits = tf.constant([[1]], tf.int8), tf.constant([[4.0]])
    right = float(attribute_loss("focal")(labels, logits) / attribute_loss("bce")(labels, logits))
    assert right < 1e-3


def test_softmax_is_refused_with_the_reason() -> None:
    for name in ("softmax", "categorical_crossentropy"):
        with pytest.raises(UsageError, match=r"several at once.*NaN") as caught:
            attribute_loss(name)
        assert "--loss bce" in str(caught.value)
    with pytest.raises(UsageError, match="unknown loss 'hinge'"):
        attribute_loss("hinge")


def test_distances_to_the_teacher() -> None:
    target = tf.constant([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    embedding = tf.constant([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert float(cosine_loss(embedding, target)) == pytest.approx(0.5)
    assert float(relational_loss(embedding, target)) == pytest.approx(1.0)
    turned = tf.constant([[0.0, 1.0], [-1.0, 0.0], [0.6, 0.8]])
    assert float(relational_loss(turned, target)) == pytest.approx(0.0, abs=1e-6)


# identities


def test_people_with_enough_pictures_become_classes() -> None:
    identity = np.array([7] * 4 + [3] * 5 + [9] * 3 + [-1] * 6)
    classes, count = identity_classes(identity)
    assert count == 2
    assert classes.tolist() == [1] * 4 + [0] * 5 + [-1] * 9


@pytest.mark.parametrize("kind", ["arcface", "cosface"])
def test_a_margin_makes_it_harder(kind: str) -> None:
    margin = MarginSoftmax(kind, 3, 4, seed=0)
    centres = tf.math.l2_normalize(tf.convert_to_tensor(margin.weights), axis=1)
    between = tf.math.l2_normalize(1.2 * centres + tf.roll(centres, 1, axis=0), axis=1)
    classes = tf.constant([0, 1, 2])
    easy = float(margin.loss(between, classes, 0.0))
    assert (
        easy < float(margin.loss(between, classes, 0.5)) < float(margin.loss(between, classes, 1))
    )
    assert easy < float(margin.loss(between, tf.constant([1, 2, 0]), 0.0))
    assert float(margin.loss(between, tf.constant([-1, -1, -1]), 1.0)) == 0.0
    gradient_at = tf.Variable(centres)
    with tf.GradientTape() as tape:
        value = margin.loss(gradient_at, classes, 1.0)
    assert np.isfinite(tape.gradient(value, gradient_at).numpy()).all()


def test_a_margin_needs_people() -> None:
    with pytest.raises(UsageError, match="at least 2 people"):
        MarginSoftmax("arcface", 1, 4, seed=0)


def test_terms_and_their_weights() -> None:
    config = ObjectiveConfig(attribute_weight=2.0, teacher_weight=3.0, relational_weight=5.0)
    arrays = some_arrays(8)
    batch = next(iter(plain_batches(arrays, SIDE_PX, 8)))
    outputs = {"attributes": tf.zeros((8, ATTRIBUTES)), "embedding": batch["targets"][::-1]}
    terms = {k: float(v) for k, v in Objective(config, None)(outputs, batch, 1.0).items()}
    assert set(terms) == {"loss", "attributes", "teacher", "relational"}
    total = 2 * terms["attributes"] + 3 * terms["teacher"] + 5 * terms["relational"]
    assert terms["loss"] == pytest.approx(total, rel=1e-5)


# optimizers


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "adadelta"])
def test_optimizers_by_keras_name(name: str) -> None:
    assert make_optimizer(name, 0.01).__class__.__name__.lower() == name


def test_weight_decay_leaves_biases_alone() -> None:
    optimizer = make_optimizer("adamw", 0.1, weight_decay=0.5)
    kernel = keras.Variable(np.ones(2, np.float32), name="kernel")
    bias = keras.Variable(np.ones(2, np.float32), name="bias")
    optimizer.build([kernel, bias])
    optimizer.apply([tf.zeros(2), tf.zeros(2)], [kernel, bias])
    assert np.asarray(kernel)[0] == pytest.approx(0.95)
    assert np.asarray(bias)[0] == 1.0


def test_unknown_optimizers_and_schedules() -> None:
    with pytest.raises(UsageError, match="unknown optimizer 'magic'"):
        make_optimizer("magic", 0.1)
    with pytest.raises(UsageError, match="learning rate of nan"):
        make_optimizer("adam", float("nan"))
    with pytest.raises(UsageError, match="unknown schedule"):
        Schedule("square", 0.1, 10)


def test_cosine_schedule() -> None:
    schedule = Schedule("cosine", 1.0, 110, warmup_steps=10, floor=0.01)
    assert [schedule.at(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert schedule.at(60) == pytest.approx(0.505)
    assert schedule.at(110) == pytest.approx(0.01)
    rates = [schedule.at(step) for step in range(10, 110)]
    assert rates == sorted(rates, reverse=True)
    assert Schedule("constant", 1.0, 10).at(9) == 1.0


# runs


def answers(model: keras.Model) -> dict[str, np.ndarray]:
    pixels = some_arrays(6, seed=5).windows(np.arange(6), SIDE_PX)[..., ::-1].astype(np.float32)
    return {role: np.asarray(value) for role, value in model(pixels).items()}


def assert_same_answers(left: keras.Model, right: keras.Model) -> None:
    expected = answers(right)
    for role, value in answers(left).items():
        np.testing.assert_allclose(value, expected[role], atol=2e-4)


def test_training_learns_and_inference_is_like_training(tmp_path: Path) -> None:
    arrays = some_arrays(64)
    run = some_training(tmp_path, arrays, epochs=8, learning_rate=1e-2)
    outcome = run.run()
    history = outcome.progress.history
    assert outcome.finished
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert history[-1]["val_accuracy"] > 0.85
    assert history[-1]["val_teacher"] < 0.5 * history[0]["teacher"]
    pixels = arrays.windows(np.arange(32), SIDE_PX)[..., ::-1].astype(np.float32)
    loss = attribute_loss("bce")
    labels = tf.constant(arrays.labels[:32])
    in_training = float(loss(labels, outcome.model(pixels, training=True)["attributes"]))
    in_inference = float(loss(labels, outcome.model(pixels, training=False)["attributes"]))
    assert in_inference == pytest.approx(in_training, abs=0.1)


def test_a_short_run_leaves_no_stale_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a plain momentum of 0.97, six steps leave most of where the statistics started."""
    young = _gap_to_training(tmp_path / "young")
    monkeypatch.setattr(Session, "_young_momentum", lambda session: contextlib.nullcontext())
    plain = _gap_to_training(tmp_path / "plain")
    assert young < 0.2
    assert plain > 3 * young


def _gap_to_training(folder: Path) -> float:
    """How far inference is from training mode after six steps, in deviations of the logits."""
    arrays = some_arrays(48)
    model = some_training(folder, arrays, epochs=1, learning_rate=1e-4).run().model
    pixels = arrays.windows(np.arange(48), SIDE_PX)[..., ::-1].astype(np.float32)
    trained = np.asarray(model(pixels, training=True)["attributes"])
    inferred = np.asarray(model(pixels, training=False)["attributes"])
    return float(np.abs(trained - inferred).mean() / trained.std())


def test_stopped_and_resumed_is_as_if_never_stopped(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "epochs": 4,
        "objective": ObjectiveConfig(teacher_weight=1.0, margin="cosface"),
        "network": replace(NETWORK, dropout=0.2),
        "augmentation": SOME,
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "warmup_epochs": 0.5,
        "progressive": (24, 1),
    }
    whole = some_training(tmp_path / "whole", **settings).run()
    first = some_training(tmp_path / "parts", stop_after=2, **settings).run()
    assert not first.finished
    second = some_training(tmp_path / "parts", **settings)
    second.resume()
    resumed = second.run()
    assert resumed.finished
    assert_same_answers(resumed.model, whole.model)
    assert [h["loss"] for h in resumed.progress.history] == pytest.approx(
        [h["loss"] for h in whole.progress.history], rel=1e-3
    )


def test_killed_within_an_epoch_and_resumed(tmp_path: Path) -> None:
    """kill -9 at any step: the checkpoint of the last step is whole, and the run ends the same."""
    script = [
        sys.executable,
        str(ROOT / "tests" / "factories" / "training_factory.py"),
        str(tmp_path),
        "3",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        script, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    path = tmp_path / "checkpoint.npz"
    try:
        deadline = time.monotonic() + 120
        while not (path.exists() and _position(path) > (0, 2)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            os.sched_yield()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (0, 2) < _position(path) < (3, 0)
    resumed = some_training(tmp_path, augmentation=SOME, epochs=3)
    resumed.resume()
    whole = some_training(tmp_path / "whole", augmentation=SOME, epochs=3)
    assert_same_answers(resumed.run().model, whole.run().model)


def _position(path: Path) -> tuple[int, int]:
    with np.load(path) as arrays:
        meta = json.loads(arrays["meta"].tobytes())
    return meta["epoch"], meta["step"]


def test_resumed_with_another_learning_rate_and_more_epochs(tmp_path: Path) -> None:
    some_training(tmp_path, epochs=1, schedule="constant").run()
    run = some_training(tmp_path, epochs=2, learning_rate=1e-5, schedule="constant")
    run.resume()
    history = run.run().progress.history
    assert [h["learning_rate"] for h in history] == pytest.approx([1e-3, 1e-5])


def test_resumed_with_other_lessons_between_epochs_alone(tmp_path: Path) -> None:
    few, many = some_arrays(16), some_arrays(64)
    stopped = some_training(tmp_path, many, epochs=2)
    stopped.progress.step = 5
    stopped._save()
    with pytest.raises(UsageError, match=r"after 5 steps, and there are . in one now"):
        some_training(tmp_path, few, epochs=2).resume()
    stopped.progress.epoch, stopped.progress.step = 1, 0
    stopped._save()
    again = some_training(tmp_path, few, epochs=2)
    again.resume()
    assert again.run().finished


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to resume"):
        some_training(tmp_path).resume()
    (tmp_path / "checkpoint.npz").write_bytes(b"half a file")
    with pytest.raises(InputError, match="cannot be read"):
        some_training(tmp_path).resume()


def test_nan_stops_the_run_and_keeps_the_last_good_weights(tmp_path: Path) -> None:
    arrays = some_arrays(48)
    run = some_training(tmp_path, arrays, epochs=3, schedule="constant")
    before = run.run().progress
    broken = replace(arrays, targets=np.full_like(arrays.targets, np.nan))
    again = some_training(tmp_path, broken, epochs=4, schedule="constant")
    again.resume()
    with pytest.raises(RefusedError, match=r"loss and .*NaN.*epoch 4, step 1") as caught:
        again.run()
    assert "--learning-rate 0.0001" in str(caught.value)
    kept = Checkpoint.load(tmp_path / "checkpoint.npz")
    assert kept.progress.epoch == before.epoch == 3
    assert all(np.isfinite(array).all() for array in kept.state)


def test_early_stopping_and_the_best_epoch(tmp_path: Path) -> None:
    arrays = some_arrays(24)
    run = some_training(
        tmp_path,
        arrays,
        epochs=50,
        early_stopping=2,
        learning_rate=0.05,
        schedule="constant",
        optimizer="sgd",
        clip_norm=0.0,
    )
    outcome = run.run()
    progress = outcome.progress
    assert outcome.finished
    assert progress.epoch < 50
    assert progress.epoch == progress.best_epoch + 3
    losses = [h["val_loss"] for h in progress.history]
    assert progress.best == min(losses)
    terms = [
        run._session.evaluate(batch)[0]["loss"] * len(batch["pixels"])
        for batch in plain_batches(run.validation_set, SIDE_PX, 8)
    ]
    assert sum(terms) / len(run.validation_set) == pytest.approx(progress.best, rel=1e-4)


def test_plateau_lowers_the_rate(tmp_path: Path) -> None:
    run = some_training(tmp_path, schedule="plateau", plateau_patience=2)
    run.progress = Progress(best=-1.0)
    for epoch in range(4):
        run._finish_epoch({"loss": 1.0, "val_loss": 1.0, "seconds": 0.0}, [])
        assert run.progress.epoch == epoch + 1
    assert run.progress.rate_share == pytest.approx(0.09)


def test_the_report_names_what_counts(tmp_path: Path) -> None:
    lines: list[str] = []
    some_training(tmp_path, epochs=1, report=lines.append).run()
    assert len(lines) == 1
    for word in ("epoch 1/1", "attributes", "teacher", "val_accuracy", "learning_rate"):
        assert word in lines[0]


def test_mixed_precision_gives_a_plain_network(tmp_path: Path) -> None:
    run = some_training(tmp_path, epochs=1, mixed_precision=True)
    assert any("bfloat16" in layer.compute_dtype for layer in run._session.model.layers)
    model = run.run().model
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert np.isfinite(answers(model)["attributes"]).all()


MIRRORED = """
import sys, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pathlib import Path
from training_factory import some_training
run = some_training(Path(sys.argv[1]), epochs=6, strategy="mirrored", learning_rate=1e-2)
history = run.run().progress.history
assert run._session._replicas == 2
assert history[-1]["loss"] < 0.8 * history[0]["loss"], history
"""


def test_two_mirrored_devices_learn(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'factories'}"}
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_strategies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UsageError, match="TF_CONFIG"):
        some_training(tmp_path, strategy="multiworker")
    with pytest.raises(UsageError, match="unknown strategy"):
        some_training(tmp_path, strategy="telepathy")
    with pytest.raises(UsageError, match="each of several machines"):
        TrainingConfig(strategy="multiworker", early_stopping=2)
    with pytest.raises(UsageError, match="start at 1"):
        TrainingConfig(epochs=0)


def test_pictures_without_labels_train_the_embedding_alone(tmp_path: Path) -> None:
    arrays = some_arrays(32)
    bare = replace(arrays, labels=np.full_like(arrays.labels, -1))
    run = some_training(tmp_path, bare, epochs=1)
    before = [np.asarray(w) for w in run._session.model.get_layer("attributes").weights]
    features = np.asarray(run._session.model.get_layer("embedding_features").kernel)
    model = run.run().model
    after = [np.asarray(w) for w in model.get_layer("attributes").weights]
    for left, right in zip(before, after, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.allclose(features, model.get_layer("embedding_features").kernel)
    assert features.shape[1] == EMBEDDING


# averages and mixed batches


def test_the_average_of_the_weights_is_watched_and_survives_a_stop(tmp_path: Path) -> None:
    whole = some_training(tmp_path / "whole", epochs=2, average=0.9)
    whole.run()
    first = some_training(tmp_path / "parts", epochs=2, average=0.9, stop_after=1)
    first.run()
    second = some_training(tmp_path / "parts", epochs=2, average=0.9)
    second.resume()
    kept, expected = second.run().model, whole.run().model
    for one, other in zip(kept.variables, expected.variables, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-5)
    plain = some_training(tmp_path / "plain", epochs=2).run().model
    different = [
        np.abs(np.asarray(a) - np.asarray(b)).max()
        for a, b in zip(kept.trainable_variables, plain.trainable_variables, strict=True)
    ]
    assert max(different) > 1e-4


def test_every_batch_has_its_share_of_each_kind() -> None:
    kinds = np.repeat([0, 1, 2], [10, 25, 7]).astype(np.int8)
    counts = mixed_counts(kinds, 8, (0.5, 0.25, 0.25))
    assert counts == (4, 2, 2)
    orders = [mixed_order(kinds, counts, 2, seed=1, epoch=epoch) for epoch in range(5)]
    for order in orders:
        for batch in order.reshape(2, 8):
            assert np.bincount(kinds[batch], minlength=3).tolist() == [4, 2, 2]
    np.testing.assert_array_equal(orders[3], mixed_order(kinds, counts, 2, seed=1, epoch=3))
    seen = np.concatenate(orders)
    assert set(seen[kinds[seen] == 0]) == set(range(10))
    times = np.bincount(seen[kinds[seen] == 0], minlength=10)
    assert times.tolist() == [4] * 10
    with pytest.raises(DataError, match="has none of"):
        mixed_counts(np.zeros(9, np.int8), 8, (0.5, 0.0, 0.5))
