"""How the head of a yes-or-no task does on pictures that it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.heads.head import Head
from edge.heads.threshold import Rate
from trainer.person.evaluation import Sample, decisions

NAMED = 5
"""People that a warning names."""


@dataclass(frozen=True, eq=False)
class TaskEvaluation:
    """Figures on fresh pictures. positive, negative: by the true answer, None where there were
    none; their people are whose pictures they are, or numbers of independent pictures where nothing
    tells people apart (told_apart false). trained_with: people who are also in the pictures that
    the head was fitted on.
    """

    head: Head
    positive: Sample | None
    negative: Sample | None
    told_apart: bool = False
    trained_with: tuple[str, ...] = ()

    def figures(self) -> dict[str, Any]:
        """Every figure beside what trivial answers give, JSON values."""
        found: dict[str, Any] = {
            "task": True,
            "threshold": self.head.threshold,
            "margin": self.head.margin,
            "people_told_apart": self.told_apart,
            "trained_with": list(self.trained_with),
        }
        if self.positive is not None:
            found["positive"] = self._side(self.positive)
        if self.negative is not None:
            found["negative"] = self._side(self.negative)
        found["mostly_wrong"] = self._mostly_wrong().to_json()
        if self.positive is not None and self.negative is not None:
            yes = self.positive.scores >= self.head.threshold
            no = self.negative.scores < self.head.threshold
            count = len(yes) + len(no)
            rejected = self.positive.dropped + self.negative.dropped
            right = int(yes.sum() + no.sum())
            found["pictures"] = count
            found["all_pictures"] = count + rejected
            found["accuracy_of_all"] = right / (count + rejected)
            found["accuracy"] = float((yes.sum() + no.sum()) / count)
            found["majority_accuracy"] = max(len(yes), len(no)) / count
            found["balanced_accuracy"] = float(0.5 * (yes.mean() + no.mean()))
            found["majority_balanced_accuracy"] = 0.5
        return found

    def lines(self) -> list[str]:
        """For people."""
        facts = self.figures()
        unit = "people" if self.told_apart else "independent pictures"
        said = []
        for side, trivial in (("positive", "always no: 0 %"), ("negative", "always yes: 100 %")):
            if side not in facts:
                continue
            one = facts[side]
            said.append(
                f"{self.head.name}, {side}: {one['answered_yes']} of {one['pictures']} pictures "
                f"answered yes ({100 * one['answered_yes'] / one['pictures']:.1f} %; {trivial}), "
                f"{one['uncertain']} uncertain; {one['groups']} {unit}; "
                f"{one['not_judged']} could not be judged"
            )
        wrong = facts["mostly_wrong"]
        said.append(
            f"most pictures answered wrongly: {wrong['events']} of {wrong['trials']} {unit} (at "
            f"most {100 * wrong['upper_95']:.2g} % with 95 % confidence)"
        )
        if "accuracy" in facts:
            said.append(
                f"accuracy {facts['accuracy']:.3f} of {facts['pictures']} usable faces (always "
                f"the majority: {facts['majority_accuracy']:.3f}), "
                f"{facts['accuracy_of_all']:.3f} of all {facts['all_pictures']} pictures, those "
                "that could not be judged counted as wrong; balanced "
                f"{facts['balanced_accuracy']:.3f} (always the majority, or chance: 0.5)"
            )
        if self.trained_with:
            named = ", ".join(self.trained_with[:NAMED])
            more = len(self.trained_with) - NAMED
            said.append(
                f"warning: the head was trained with other pictures of {len(self.trained_with)} of "
                f"these people ({named}{f' and {more} more' if more > 0 else ''}): on others it "
                "may do worse"
            )
        return said

    def _side(self, sample: Sample) -> dict[str, Any]:
        facts = decisions(self.head, sample)
        return {
            "pictures": facts["looks"],
            "answered_yes": facts["accepted"],
            "answered_no": facts["looks"] - facts["accepted"],
            "uncertain": facts["uncertain"],
            "not_judged": facts["not_judged"],
            "groups": len(set(sample.people)),
        }

    def _mostly_wrong(self) -> Rate:
        """People, or independent pictures, of whom more than half of the answers are wrong."""
        answers: dict[str, list[bool]] = {}
        for sample, yes in ((self.positive, True), (self.negative, False)):
            if sample is None:
                continue
            said = sample.scores >= self.head.threshold
            for whose, right in zip(sample.people, said == yes, strict=True):
                key = whose if self.told_apart else f"{yes} {whose}"
                answers.setdefault(key, []).append(bool(right))
        wrong = sum(float(np.mean(right)) < 0.5 for right in answers.values())
        return Rate(wrong, len(answers))
