"""What a person's run came to, each figure beside what a trivial answer gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.heads.calibration import rates_to_json
from edge.heads.head import Head
from trainer.person.evaluation import PersonEvaluation


@dataclass(frozen=True, eq=False)
class PersonFigures:
    """Figures of an enrolment.

    Attributes:
        head: Its rates were counted when its threshold was set.
        looks: Usable pictures.
        independent_looks: Groups of them that count once.
        one_sitting: Whether all are of one occasion.
        finetune: What fine-tuning says of itself; None without.
        test: Figures on a part that was kept back; None without.
    """

    head: Head
    looks: int
    independent_looks: int
    one_sitting: bool
    finetune: Mapping[str, Any] | None = None
    test: PersonEvaluation | None = None

    def to_json(self) -> dict[str, Any]:
        facts, rates = self.head.facts, rates_to_json(self.head)
        return {
            **({} if self.finetune is None else {"finetune": dict(self.finetune)}),
            "looks": self.looks,
            "independent_looks": self.independent_looks,
            "one_sitting": self.one_sitting,
            "far": {**rates["far"], "proof": facts.proof},
            "frr": {**rates["frr"], "out_of_fold": True},
            "threshold": self.head.threshold,
            "stranger_bound": facts.stranger_bound,
            "nearest_group": facts.nearest_group,
            "strategy": facts.strategy,
            **({} if self.test is None else {"test": self.test.figures()}),
        }
