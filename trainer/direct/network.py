"""The network of a direct run and its two phases: first the answer alone on a frozen backbone, then
the backbone's last layers too, slowly. Batch normalization stays as it is. Loads TensorFlow.

This is the way that TensorFlow's own guide to transfer learning goes.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from trainer.direct.curves import CURVES, Curves
from trainer.direct.settings import DirectSettings
from trainer.networks.face_network import NetworkConfig, all_layers, build, freeze
from trainer.training.augmentation import Augmentation, augment_picture
from trainer.training.optimizers import make_optimizer

CHANGES = Augmentation(degradation=0.0)
"""How training pictures are changed: the ranges of a base's training."""


def make_network(settings: DirectSettings) -> keras.Model:
    """float32[B, S, S, 3] RGB pixels in, one logit `attributes` out; the backbone frozen."""
    keras.utils.set_random_seed(settings.seed)
    return build(
        NetworkConfig(
            arch=settings.arch,
            input_size=settings.input_size,
            alpha=settings.alpha,
            attributes=1,
            embedding_size=0,
            weights=settings.weights,
            frozen_layers=-1,
            dropout=settings.dropout,
        )
    )


def backbone_of(model: keras.Model) -> keras.Model:
    """The network within that makes the features."""
    return max((x for x in model.layers if hasattr(x, "layers")), key=lambda x: len(x.layers))


def unfreeze(model: keras.Model, from_layer: int) -> None:
    """Let the backbone learn from a layer on; batch normalization keeps what it knows."""
    backbone = backbone_of(model)
    freeze(backbone, min(from_layer, len(backbone.layers)))
    for layer in all_layers(backbone):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def train_network(
    settings: DirectSettings,
    crops_bgr: np.ndarray,
    answer: np.ndarray,
    watched: np.ndarray,
    on_step: Callable[[], object] = lambda: None,
) -> tuple[keras.Model, Curves]:
    """Train on the rows that are not `watched`, bool[N], of crops uint8[N, S, S, 3] BGR with
    answers bool[N]. The watched rows choose nothing: they are there for the curves.
    """
    model = make_network(settings)
    rows = np.flatnonzero(~watched)
    seen = _pixels(crops_bgr[watched]), answer[watched].astype(np.float32)
    history: dict[str, list[float]] = {}
    phases = (
        (settings.epochs, settings.learning_rate, len(backbone_of(model).layers)),
        (settings.finetune_epochs, settings.finetune_rate, settings.from_layer),
    )
    done = 0
    for epochs, rate, from_layer in phases:
        unfreeze(model, from_layer)
        model.compile(
            make_optimizer(settings.optimizer, rate),
            {"attributes": keras.losses.BinaryCrossentropy(from_logits=True)},
            metrics={"attributes": [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)]},
            jit_compile=False,
        )
        for _ in range(epochs):
            batches = _Batches(settings, crops_bgr, answer, rows, done, on_step)
            said = model.fit(batches, epochs=1, shuffle=False, verbose=0)
            figures = {name: float(values[-1]) for name, values in said.history.items()}
            figures |= _watch(model, *seen)
            for name, value in figures.items():
                history.setdefault(name, []).append(value)
            done += 1
    columns = {name: np.array(history[name]) for name in CURVES}
    return model, Curves(settings.epochs, **columns)


def logits_of(model: keras.Model, crops_bgr: np.ndarray) -> np.ndarray:
    """float64[N] of crops uint8[N, S, S, 3] BGR."""
    if not len(crops_bgr):
        return np.empty(0)
    said = model.predict(_pixels(crops_bgr), batch_size=64, verbose=0)
    return np.asarray(said["attributes"][:, 0], np.float64)


class _Batches(keras.utils.PyDataset):  # type: ignore[misc, unused-ignore]
    """One epoch's training pictures, each changed by its own random numbers; both answers weigh the
    same."""

    def __init__(
        self,
        settings: DirectSettings,
        crops_bgr: np.ndarray,
        answer: np.ndarray,
        rows: np.ndarray,
        epoch: int,
        on_step: Callable[[], object],
    ) -> None:
        super().__init__()
        self._settings, self._crops, self._answer = settings, crops_bgr, answer
        self._order = np.random.default_rng([settings.seed, epoch]).permutation(rows)
        self._epoch, self._on_step = epoch, on_step
        share = float(answer[rows].mean())
        self._weights = np.where(answer, 0.5 / share, 0.5 / (1.0 - share)).astype(np.float32)

    def __len__(self) -> int:
        return -(-len(self._order) // self._settings.batch_size)

    def __getitem__(
        self, place: int
    ) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        size = self._settings.batch_size
        rows = self._order[place * size : (place + 1) * size]
        changed = []
        for row in rows.tolist():
            rng = np.random.default_rng([self._settings.seed, self._epoch, row])
            changed.append(augment_picture(self._crops[row], CHANGES, rng))
        self._on_step()
        answers = self._answer[rows].astype(np.float32)[:, None]
        weights = {"attributes": self._weights[rows]}
        return _pixels(np.stack(changed)), {"attributes": answers}, weights


def _watch(model: keras.Model, pixels: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    if not len(answer):
        return {"val_loss": float("nan"), "val_accuracy": float("nan")}
    logits = model.predict(pixels, batch_size=64, verbose=0)["attributes"][:, 0]
    loss = np.logaddexp(0.0, np.where(answer > 0.5, -logits, logits)).mean()
    return {"val_loss": float(loss), "val_accuracy": float(((logits > 0) == (answer > 0.5)).mean())}


def _pixels(crops_bgr: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(crops_bgr[..., ::-1]).astype(np.float32)
