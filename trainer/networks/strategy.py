"""Training on several devices or machines at once, by tf.distribute."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import tensorflow as tf

from edge.errors import UsageError

STRATEGIES = ("none", "mirrored", "multiworker")
"""One device; all GPUs of this machine; several machines, named in TF_CONFIG."""


@cache
def make_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy called `name`, the same object every time.

    Raises `UsageError` for an unknown one, and where TF_CONFIG does not name the machines.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy([d.name for d in _devices()])
    if name == "multiworker":
        if not os.environ.get("TF_CONFIG"):
            raise UsageError(
                "--strategy multiworker needs TF_CONFIG with the machines and this one's number",
                hint="see TensorFlow's guide to multi-worker training",
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise UsageError(f"unknown strategy '{name}'", hint=f"known are {', '.join(STRATEGIES)}")


def spread_batches(batches: tf.data.Dataset, strategy: tf.distribute.Strategy) -> Any:
    """Batches of which each replica gets its own share; as they are on one device."""
    if not tf.distribute.has_strategy() and strategy is tf.distribute.get_strategy():
        return batches
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return strategy.experimental_distribute_dataset(batches.with_options(options))


def _devices() -> list[Any]:
    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
