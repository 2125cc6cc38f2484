"""What a base is trained for: attributes, a teacher, identities, each with its weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainer.training.losses import attribute_loss, cosine_loss, relational_loss
from trainer.training.margin import MarginSoftmax


@dataclass(frozen=True)
class ObjectiveConfig:
    """loss: of the attributes, "bce", "focal" or "mse". Weights of 0 switch a term off.

    margin: "arcface", "cosface" or "none".
    """

    loss: str = "bce"
    attribute_weight: float = 1.0
    teacher_weight: float = 0.0
    relational_weight: float = 0.0
    margin: str = "none"
    margin_weight: float = 1.0


class Objective:
    """The sum of the terms that `config` asks for.

    margin_softmax: with trainable weights of its own, where identities are learned.
    """

    def __init__(self, config: ObjectiveConfig, margin_softmax: MarginSoftmax | None) -> None:
        self.config = config
        self.margin_softmax = margin_softmax
        self._attributes = attribute_loss(config.loss)

    def __call__(
        self, outputs: dict[str, Any], batch: dict[str, Any], margin_share: Any
    ) -> dict[str, Any]:
        """Terms by name and their weighted sum `loss`, scalars; see `trainer.training.batches` for
        `batch`.

        margin_share: 0..1, how much of the margin counts yet.
        """
        config = self.config
        terms: list[tuple[str, float, Any]] = []
        if "attributes" in outputs and config.attribute_weight:
            value = self._attributes(batch["labels"], outputs["attributes"])
            terms.append(("attributes", config.attribute_weight, value))
        if "embedding" in outputs:
            embedding, target = outputs["embedding"], batch["targets"]
            if config.teacher_weight:
                value = cosine_loss(embedding, target)
                terms.append(("teacher", config.teacher_weight, value))
            if config.relational_weight:
                value = relational_loss(embedding, target)
                terms.append(("relational", config.relational_weight, value))
            if self.margin_softmax is not None and config.margin_weight:
                value = self.margin_softmax.loss(embedding, batch["classes"], margin_share)
                terms.append(("margin", config.margin_weight, value))
        total = tf.add_n([weight * value for _, weight, value in terms])
        return {"loss": total, **{name: value for name, _, value in terms}}
