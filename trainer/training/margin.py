"""Margin softmax over identities: embeddings of one person close, of others apart.

ArcFace adds a margin to the angle to the own class (Deng et al., CVPR 2019), CosFace takes one off
its cosine (Wang et al., CVPR 2018).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge.errors import UsageError

MARGINS = {"arcface": 0.3, "cosface": 0.25}
"""Default margins: radians for ArcFace, cosine for CosFace. Smaller than in the papers (0.5 and
0.35), which train on a hundred times more pictures."""

SCALE = 32.0
"""Factor on the cosines before the softmax."""

MINIMAL_PICTURES = 4
"""Identities with fewer pictures take no part: nothing can be learned from their few pairs."""


class MarginSoftmax:
    """Class centres and the loss against them.

    weights: a float32[classes, E] variable, to be trained with the network.
    """

    def __init__(self, kind: str, classes: int, embedding_size: int, seed: int) -> None:
        """Raises `UsageError` for an unknown kind or too few classes."""
        if kind not in MARGINS:
            raise UsageError(f"unknown margin '{kind}'", hint=f"known are {', '.join(MARGINS)}")
        if classes < 2:
            raise UsageError(
                f"a margin softmax needs at least 2 people with {MINIMAL_PICTURES} pictures each, "
                f"got {classes}",
                hint="leave --margin away, or add data with identities",
            )
        self.kind = kind
        start = np.random.default_rng([seed, classes]).normal(size=(classes, embedding_size))
        self.weights = keras.Variable(start.astype(np.float32), name="class_centres")

    def loss(self, embedding: Any, classes: Any, share: Any) -> Any:
        """Cross-entropy, scalar; classes int32[B], -1 does not count; share 0..1 of the margin."""
        known = tf.cast(classes >= 0, tf.float32)
        own = tf.one_hot(classes, self.weights.shape[0])
        centres = tf.math.l2_normalize(tf.convert_to_tensor(self.weights), axis=1)
        cosine = tf.clip_by_value(tf.matmul(embedding, centres, transpose_b=True), -0.9999, 0.9999)
        margin = MARGINS[self.kind] * share
        if self.kind == "arcface":
            closer = tf.cos(tf.minimum(tf.acos(cosine) + margin, np.pi))
        else:
            closer = cosine - margin
        logits = SCALE * (own * closer + (1.0 - own) * cosine)
        entropy = tf.nn.softmax_cross_entropy_with_logits(labels=own, logits=logits)
        return tf.reduce_sum(known * entropy) / tf.maximum(tf.reduce_sum(known), 1.0) / SCALE


def identity_classes(identity: np.ndarray) -> tuple[np.ndarray, int]:
    """Class numbers int32[N] (-1: unknown or too few pictures) and the number of classes."""
    values, inverse, counts = np.unique(identity, return_inverse=True, return_counts=True)
    enough = (counts >= MINIMAL_PICTURES) & (values >= 0)
    number = np.full(len(values), -1, np.int32)
    number[enough] = np.arange(int(enough.sum()), dtype=np.int32)
    return number[inverse], int(enough.sum())
