"""Losses of a base: attributes with gaps in their labels, and distances to a teacher.

Labels are int8[B, A]: 1 present, 0 absent, -1 not labelled; what is not labelled never counts, so
pictures without attributes train only the embedding. All losses are float32 scalars.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from edge.errors import UsageError

AttributeLoss = Callable[[Any, Any], Any]
"""From labels int8[B, A] and logits float32[B, A] to a scalar."""

FOCAL_GAMMA = 2.0
"""Focusing exponent of Lin et al., ICCV 2017."""

_SOFTMAX_NAMES = ("softmax", "categorical_crossentropy", "cce", "softmax_cross_entropy")


def attribute_loss(name: str) -> AttributeLoss:
    """The loss called `name`: "bce", "focal" or "mse" (of probabilities).

    Raises `UsageError` for another one, with the reason where it is a softmax cross-entropy.
    """
    if name in _SOFTMAX_NAMES:
        raise UsageError(
            "softmax cross-entropy lets one attribute win over all others, but a face has several "
            "at once: with such labels its sum is no probability and training ends in NaN",
            hint="use --loss bce, focal or mse",
        )
    losses = {"bce": _bce, "focal": _focal, "mse": _mse}
    if name not in losses:
        raise UsageError(f"unknown loss '{name}'", hint=f"known are {', '.join(losses)}")
    elementwise = losses[name]

    def loss(labels: Any, logits: Any) -> Any:
        known = tf.cast(labels >= 0, tf.float32)
        present = tf.cast(labels > 0, tf.float32)
        logits = tf.cast(logits, tf.float32)
        return tf.reduce_sum(known * elementwise(present, logits)) / _at_least_one(known)

    return loss


def cosine_loss(embedding: Any, target: Any) -> Any:
    """Mean of 1 - cos between embedding and target, float32[B, E], both of length 1.

    Rows whose target is all zero have none and do not count.
    """
    has_target = _has_target(target)
    cosine = tf.reduce_sum(embedding * target, axis=1)
    return tf.reduce_sum(has_target * (1.0 - cosine)) / _at_least_one(has_target)


def relational_loss(embedding: Any, target: Any) -> Any:
    """Mean squared difference of the cosine matrices of embedding and target, float32[B, E].

    What stands for what is free, who is like whom is not (Park et al., CVPR 2019; Tung and Mori,
    ICCV 2019). Pairs with themselves and rows without target do not count.
    """
    has_target = _has_target(target)
    pairs = has_target[:, None] * has_target[None, :]
    pairs = tf.linalg.set_diag(pairs, tf.zeros_like(has_target))
    student = tf.matmul(embedding, embedding, transpose_b=True)
    teacher = tf.matmul(target, target, transpose_b=True)
    return tf.reduce_sum(pairs * tf.square(student - teacher)) / _at_least_one(pairs)


def _bce(present: Any, logits: Any) -> Any:
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=present, logits=logits)


def _focal(present: Any, logits: Any) -> Any:
    right = tf.sigmoid(logits) * present + tf.sigmoid(-logits) * (1.0 - present)
    return tf.pow(1.0 - right, FOCAL_GAMMA) * _bce(present, logits)


def _mse(present: Any, logits: Any) -> Any:
    return tf.square(tf.sigmoid(logits) - present)


def _has_target(target: Any) -> Any:
    return tf.cast(tf.reduce_any(target != 0.0, axis=1), tf.float32)


def _at_least_one(weights: Any) -> Any:
    return tf.maximum(tf.reduce_sum(weights), 1.0)
