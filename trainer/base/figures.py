"""What a base's run came to, each figure beside its baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainer.data.attribute_metrics import AttributeReport
from trainer.evaluation.verification import Verification
from trainer.networks.quantization import Agreement

CHANCE_AUC = 0.5


@dataclass(frozen=True, eq=False)
class BaseFigures:
    """Figures of people that were not trained on.

    Attributes:
        int8_against_float: How the int8 file compares with the network; None where it does not
            decide as the network does.
        attributes: With tuned thresholds; None without labels.
        attributes_at_half: With a threshold of 0.5 for all; None likewise.
        verification: Of pairs; None without pairs or embedding.
        best_epoch: The epoch, from 1, whose weights are kept.
        history: Of each epoch, name to value.
    """

    int8_against_float: Agreement | None
    attributes: AttributeReport | None
    attributes_at_half: AttributeReport | None
    verification: Verification | None
    best_epoch: int
    history: list[dict[str, float]]

    def to_json(self) -> dict[str, Any]:
        close = self.int8_against_float
        found: dict[str, Any] = {"int8_against_float": None if close is None else close.to_json()}
        if self.attributes is not None:
            found["attributes"] = self.attributes.to_json()
        if self.attributes_at_half is not None:
            found["attributes_at_half"] = self.attributes_at_half.mean.to_json()
        if self.verification is not None:
            found["verification"] = {**self.verification.to_json(), "chance_auc": CHANCE_AUC}
        return {**found, "best_epoch": self.best_epoch, "history": self.history}
