"""Dense heads: a hidden layer of 128 units and one output, fitted in Keras, run in NumPy.

The same examples and the same scale as the linear head's, see `edge.heads.fitting`; only the layers
differ. TensorFlow is loaded when one is fitted, never before.
"""

from __future__ import annotations

import numpy as np

from edge.heads.camera_shift import CameraShift
from edge.heads.fitting import NOT_ME_SHARE, Examples, Fit, Fitter, normalization_of
from edge.heads.head import DENSE_128, Layer
from edge.heads.logistic import balanced_weights

UNITS = 128
EPOCHS = 40
RATE = 2e-3
BATCH = 128
GRID = (3e-3, 3e-4)
"""Weight decays tried, the strongest first."""


def dense_fitter(seed: int = 0) -> Fitter:
    """Fits heads of kind "dense-128"; the same seed gives the same head on the same machine."""

    def fit(examples: Examples, shift: CameraShift, l2: float, start: Fit | None = None) -> Fit:
        layers = _fit_layers(examples, shift, l2, seed)
        return Fit(layers, normalization_of(layers, examples, shift), None, l2)

    return Fitter(DENSE_128, fit, GRID)


def _fit_layers(examples: Examples, shift: CameraShift, l2: float, seed: int) -> tuple[Layer, ...]:
    x, positive, weight = _problem(examples, shift)
    import keras

    keras.utils.set_random_seed(seed)
    decay = keras.regularizers.L2(l2)
    model = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            keras.layers.Dense(UNITS, activation="relu", kernel_regularizer=decay),
            keras.layers.Dense(1, kernel_regularizer=decay),
        ]
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(RATE), loss)
    model.fit(
        x,
        positive.astype(np.float32),
        sample_weight=(weight * len(x)).astype(np.float32),
        epochs=EPOCHS,
        batch_size=BATCH,
        verbose=0,
    )
    hidden, last = model.layers[-2:]
    weights = shift.removed(np.asarray(hidden.kernel, np.float64).T).T
    return (
        Layer(weights.astype(np.float32), np.asarray(hidden.bias, np.float32), "relu"),
        Layer(np.asarray(last.kernel, np.float32), np.asarray(last.bias, np.float32)),
    )


def _problem(examples: Examples, shift: CameraShift) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x float32[N, D], positive bool[N], weights float64[N] of sum 1."""
    parts = (examples.own, examples.varied, examples.strangers, examples.not_me)
    counts = [len(part) for part in parts]
    x = shift.removed(np.concatenate(parts).astype(np.float64)).astype(np.float32)
    relative = np.repeat([1.0, counts[0] / max(counts[1], 1), 1.0, 1.0], counts)
    if counts[3]:
        share = NOT_ME_SHARE / (1.0 - NOT_ME_SHARE)
        relative[-counts[3] :] = share * counts[2] / counts[3]
    positive = np.arange(len(x)) < counts[0] + counts[1]
    return x, positive, balanced_weights(positive, relative)
