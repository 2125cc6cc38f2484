"""Optimizers by Keras' names, and how the learning rate changes during a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras

from edge.errors import UsageError

SCHEDULES = ("cosine", "plateau", "constant")

_NAMES = (
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "ftrl",
    "lamb",
    "lion",
    "nadam",
    "rmsprop",
    "sgd",
)


def make_optimizer(
    name: str, learning_rate: float, weight_decay: float = 0.0, average: float = 0.0
) -> keras.optimizers.Optimizer:
    """Keras' optimizer `name` (lower case), SGD with Nesterov momentum 0.9.

    average: momentum of a moving average of the weights (Polyak and Juditsky, 1992), 0 for none;
    `finalize_variable_values` puts it in their place. weight_decay: decoupled
    (Loshchilov and Hutter, ICLR 2019), on kernels alone, not on biases and normalization.

    Raises `UsageError` for an unknown name or an impossible rate.
    """
    if name.lower() not in _NAMES:
        raise UsageError(f"unknown optimizer '{name}'", hint=f"known are {', '.join(_NAMES)}")
    if not 0 < learning_rate < 1e3 or not math.isfinite(learning_rate):
        raise UsageError(f"a learning rate of {learning_rate} is not possible")
    settings: dict[str, object] = {"learning_rate": learning_rate}
    if average:
        settings |= {"use_ema": True, "ema_momentum": average}
    if name.lower() == "sgd":
        settings |= {"momentum": 0.9, "nesterov": True}
    if weight_decay:
        settings["weight_decay"] = weight_decay
    elif name.lower() == "adamw":
        settings["weight_decay"] = 0.0
    optimizer = keras.optimizers.get({"class_name": name.lower(), "config": settings})
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a function of the step, so that nothing about it needs to be saved.

    kind: "cosine" (down to `floor` of the rate; Loshchilov and Hutter, ICLR 2017), "plateau" or
    "constant" (both constant here; the trainer lowers a plateau's rate). warmup_steps: linear rise.
    """

    kind: str
    learning_rate: float
    total_steps: int
    warmup_steps: int = 0
    floor: float = 0.01

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise UsageError(
                f"unknown schedule '{self.kind}'", hint=f"known are {', '.join(SCHEDULES)}"
            )

    def at(self, step: int) -> float:
        """Learning rate of step `step`, counted from 0 over the whole run."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if self.kind != "cosine":
            return self.learning_rate
        span = max(1, self.total_steps - self.warmup_steps)
        done = min(1.0, (step - self.warmup_steps) / span)
        share = self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))
        return self.learning_rate * share
