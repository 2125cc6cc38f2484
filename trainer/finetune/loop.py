"""Fine-tuning a base on one yes-or-no question: is it me, does somebody wear sunglasses.

First the embedding and a new answer are trained on the frozen backbone, then its last layers too, a
tenth as fast, with batch normalization as it is. Meanwhile attributes, and where wanted the
embedding, are held near what the base said before (learning without forgetting: Li, Hoiem, ECCV
2016). Whichever phase does better on held-out groups is kept. Loads TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edge.errors import InputError
from trainer.networks.face_network import all_layers, freeze

SHARPNESS = 8.0
"""The answer is a product with the unit embedding times this, so that it can be sure."""

ATTRIBUTE_WEIGHT = 0.02
"""Of the squared difference of attribute logits, against the answer's loss."""

BATCH = 32


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune. from_layer: the backbone's first layer that is trained in the second phase.
    keep_embedding: weight of 1 - cosine with the base's own embedding. rate: of the first phase.
    """

    from_layer: int = 100
    keep_embedding: float = 1.0
    feature_epochs: int = 12
    epochs: int = 12
    patience: int = 3
    rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Question:
    """Labeled crops. crops: uint8[N, S, S, 3] BGR. answer: bool[N]. group: int[N], what must not
    be split. held_out: bool[N], rows that decide which phase is kept, by whole groups.
    """

    crops: np.ndarray
    answer: np.ndarray
    group: np.ndarray
    held_out: np.ndarray

    def __post_init__(self) -> None:
        """Raises `InputError` where a side lacks an answer or a group stands on both sides."""
        for side in (self.held_out, ~self.held_out):
            if not self.answer[side].any() or self.answer[side].all():
                raise InputError(
                    "fine-tuning needs both answers in training and validation",
                    hint="give more pictures of different people",
                )
        if set(self.group[self.held_out]) & set(self.group[~self.held_out]):
            raise InputError("a group stands in training and in validation")


@dataclass(frozen=True, eq=False)
class FineTuned:
    """model: the new base, outputs as before. losses: of the answer on held-out groups, by phase.
    best: the phase that was kept.
    """

    model: keras.Model
    losses: dict[str, float]
    best: str

    def to_json(self) -> dict[str, Any]:
        return {
            "validation_loss": {phase: round(loss, 5) for phase, loss in self.losses.items()},
            "kept": self.best,
        }


def held_out_groups(
    answer: np.ndarray, group: np.ndarray, *, share: float = 0.2, seed: int = 0
) -> np.ndarray:
    """bool[N]: rows of about `share` of the groups of each answer, at least one of each."""
    rng = np.random.default_rng(seed)
    chosen: set[int] = set()
    for wanted in (True, False):
        groups = np.unique(group[answer == wanted])
        groups = groups[~np.isin(groups, list(chosen))]
        count = max(1, round(share * len(groups)))
        chosen |= set(rng.permutation(groups)[:count].tolist())
    return np.isin(group, list(chosen))


def finetune(base: keras.Model, question: Question, settings: FineTuning) -> FineTuned:
    """Fine-tune a copy of `base`; the same seed gives the same network on the same machine.

    Raises `InputError` for a base without embedding.
    """
    if "embedding" not in base.output:
        raise InputError("the base has no embedding", hint="train it with --embedding-size")
    keras.utils.set_random_seed(settings.seed)
    model = keras.models.clone_model(base)
    model.set_weights(base.get_weights())
    joint = _with_answer(model)
    pixels = _pixels(question.crops)
    targets = _targets(base, pixels, question.answer)
    weights = _weights(question)
    backbone = _backbone(model)
    kept: dict[str, tuple[float, list[np.ndarray]]] = {}
    phases = (
        ("frozen backbone", len(backbone.layers), settings.rate, settings.feature_epochs),
        ("unfrozen", settings.from_layer, settings.rate / 10, settings.epochs),
    )
    for phase, frozen, rate, epochs in phases:
        freeze(backbone, min(frozen, len(backbone.layers)))
        _freeze_normalization(backbone)
        loss = _fit(joint, pixels, targets, weights, question.held_out, rate, epochs, settings)
        kept[phase] = (loss, joint.get_weights())
    best = min(kept, key=lambda phase: kept[phase][0])
    joint.set_weights(kept[best][1])
    return FineTuned(model, {phase: loss for phase, (loss, _) in kept.items()}, best)


def _with_answer(model: keras.Model) -> keras.Model:
    sharp = keras.layers.Rescaling(SHARPNESS)(model.output["embedding"])
    answer = keras.layers.Dense(1, name="answer")(sharp)
    return keras.Model(model.input, {**model.output, "answer": answer})


def _backbone(model: keras.Model) -> keras.Model:
    """The nested network that makes the features, or the model itself where none is nested."""
    nested = [layer for layer in model.layers if hasattr(layer, "layers")]
    return max(nested, key=lambda layer: len(layer.layers)) if nested else model


def _freeze_normalization(backbone: keras.Model) -> None:
    for layer in all_layers(backbone):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _pixels(crops_bgr: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(crops_bgr[..., ::-1]).astype(np.float32)


def _targets(base: keras.Model, pixels: np.ndarray, answer: np.ndarray) -> dict[str, np.ndarray]:
    said = base.predict(pixels, batch_size=64, verbose=0)
    return {**said, "answer": answer.astype(np.float32)[:, None]}


def _weights(question: Question) -> np.ndarray:
    """float32[N] of mean 1, both answers with half of the whole."""
    share = np.where(question.answer, question.answer.mean(), 1 - question.answer.mean())
    return (0.5 / share).astype(np.float32)


def _fit(
    joint: keras.Model,
    pixels: np.ndarray,
    targets: dict[str, np.ndarray],
    weights: np.ndarray,
    held_out: np.ndarray,
    rate: float,
    epochs: int,
    settings: FineTuning,
) -> float:
    """One phase; the weights of its best epoch stay. Returns the answer's loss on `held_out`."""
    losses: dict[str, Any] = {"answer": keras.losses.BinaryCrossentropy(from_logits=True)}
    shares = {"answer": 1.0}
    if settings.keep_embedding > 0:
        losses["embedding"] = keras.losses.CosineSimilarity()
        shares["embedding"] = settings.keep_embedding
    if "attributes" in targets:
        losses["attributes"], shares["attributes"] = "mse", ATTRIBUTE_WEIGHT
    joint.compile(keras.optimizers.Adam(rate), losses, loss_weights=shares, jit_compile=False)
    train = ~held_out
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_answer_loss",
        mode="min",
        patience=settings.patience,
        restore_best_weights=True,
    )
    wanted = list(losses)
    joint.fit(
        pixels[train],
        {name: targets[name][train] for name in wanted},
        sample_weight=dict.fromkeys(wanted, weights[train]),
        validation_data=(
            pixels[held_out],
            {name: targets[name][held_out] for name in wanted},
            dict.fromkeys(wanted, weights[held_out]),
        ),
        batch_size=BATCH,
        epochs=epochs,
        callbacks=[stopping],
        verbose=0,
    )
    said = joint.predict(pixels[held_out], batch_size=64, verbose=0)["answer"][:, 0]
    signed = np.where(targets["answer"][held_out, 0] > 0.5, 1, -1) * said
    weight = weights[held_out]
    return float(np.sum(weight * np.logaddexp(0, -signed)) / np.sum(weight))
