"""A network with its optimizer and objective at one input size: one training step, its state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.networks.face_network import all_layers
from trainer.training.objective import Objective


class Session:
    """One compiled training step and one compiled evaluation.

    The state (weights, moving statistics, random seeds, optimizer, class centres) is a list of
    arrays of the same order at every input size, so that it can move from one size to the next.

    strategy: a tf.distribute strategy in whose scope everything was made. Each replica has its
    share of a batch; their gradients are averaged.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        objective: Objective,
        clip_norm: float,
        strategy: Any = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self._objective = objective
        self._clip_norm = clip_norm
        self._strategy = strategy or tf.distribute.get_strategy()
        self._replicas = self._strategy.num_replicas_in_sync
        centres = objective.margin_softmax
        extra = [centres.weights] if centres is not None else []
        self._trained = [*model.trainable_variables, *extra]
        self._extra = extra
        optimizer.build(self._trained)
        self._step = tf.function(self._step_everywhere)
        self._measure = tf.function(self._evaluate_step)

    def step(
        self, batch: dict[str, Any], learning_rate: float, margin_share: float
    ) -> dict[str, float]:
        """One update. Returns the terms of the loss, and `norm` of the gradient before clipping."""
        self.optimizer.learning_rate = learning_rate
        values = self._step(batch, tf.constant(margin_share, tf.float32))
        return {name: float(value) for name, value in values.items()}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """With the moving average of the weights in their place, where the optimizer keeps one."""
        if not self.optimizer.use_ema or not int(self.optimizer.iterations):
            yield
            return
        before = [np.asarray(variable) for variable in self._trained]
        self.optimizer.finalize_variable_values(self._trained)
        try:
            yield
        finally:
            for variable, array in zip(self._trained, before, strict=True):
                variable.assign(array)

    def evaluate(self, batch: dict[str, Any]) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Terms of the loss with the full margin, and the outputs, in inference mode."""
        terms, outputs = self._measure(batch)
        return (
            {name: float(value) for name, value in terms.items()},
            {role: value.numpy() for role, value in outputs.items()},
        )

    def state(self) -> list[np.ndarray]:
        """Everything that training changes, as arrays."""
        return [np.asarray(variable) for variable in self._variables()]

    def set_state(self, arrays: list[np.ndarray]) -> None:
        """Take over the state of a session with the same network, at whatever input size."""
        variables = self._variables()
        if len(arrays) != len(variables):
            raise ValueError(f"a state of {len(arrays)} arrays for {len(variables)} variables")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def network_state(self) -> list[np.ndarray]:
        """The network's own variables, as arrays."""
        return [np.asarray(variable) for variable in self.model.variables]

    def set_network_state(self, arrays: list[np.ndarray]) -> None:
        """Put back what `network_state` gave."""
        for variable, array in zip(self.model.variables, arrays, strict=True):
            variable.assign(array)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self._extra, *self.optimizer.variables]

    def _step_everywhere(self, batch: dict[str, Any], margin_share: Any) -> dict[str, Any]:
        values = self._strategy.run(self._train_step, args=(batch, margin_share))
        mean = tf.distribute.ReduceOp.MEAN
        return {name: self._strategy.reduce(mean, v, axis=None) for name, v in values.items()}

    def _train_step(self, batch: dict[str, Any], margin_share: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape, self._young_momentum():
            outputs = self.model(tf.cast(batch["pixels"], tf.float32), training=True)
            terms = self._objective(outputs, batch, margin_share)
        gradients = tape.gradient(
            terms["loss"], _raw(self._trained), unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradients, norm = _clipped(gradients, self._clip_norm)
        if self._replicas > 1:  # the optimizer adds up what they give it
            gradients = [g / self._replicas for g in gradients]
        self.optimizer.apply(gradients, self._trained)
        return {**terms, "norm": norm}

    @contextmanager
    def _young_momentum(self) -> Iterator[None]:
        """While the step is traced: batch normalization that forgets its start at once.

        The moving statistics of step t keep t / (t + 2) of what they were, at most the layer's
        momentum, so that the first batch replaces them and recent ones count more. Otherwise a
        short run ends with statistics that describe no batch it has seen.
        """
        step = tf.cast(self.optimizer.iterations, tf.float32)
        layers = [
            layer
            for layer in all_layers(self.model)
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        before = [layer.momentum for layer in layers]
        for layer, momentum in zip(layers, before, strict=True):
            layer.momentum = tf.minimum(momentum, step / (step + 2.0))
        try:
            yield
        finally:
            for layer, momentum in zip(layers, before, strict=True):
                layer.momentum = momentum

    def _evaluate_step(self, batch: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        outputs = self.model(tf.cast(batch["pixels"], tf.float32), training=False)
        return self._objective(outputs, batch, tf.constant(1.0)), outputs


def _raw(variables: list[Any]) -> list[Any]:
    return [variable.value for variable in variables]


def _clipped(gradients: list[Any], limit: float) -> tuple[list[Any], Any]:
    """Gradients scaled to a common norm of at most `limit` (0: as they are), and their norm."""
    norm = tf.linalg.global_norm(gradients)
    if not limit:
        return gradients, norm
    scale = limit / tf.maximum(norm, limit)
    return [g * scale for g in gradients], norm
