"""The result of a direct run, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edge.heads.threshold import Rate
from trainer.direct.curves import Curves
from trainer.direct.figures import DirectFigures, WrittenFile
from trainer.direct.pictures import AnsweredPictures
from trainer.run_folder import result_to_json

FEW_GROUPS = 15


@dataclass(frozen=True, eq=False)
class DirectResult:
    """pictures: all that were read. logits: float64[N], of each picture by a network that had not
    seen its group. curves: means over the folds. files: what was written of the
    network that has seen all. trainable: parameters by phase.
    """

    out: Path
    name: str
    pictures: AnsweredPictures
    logits: np.ndarray
    folds: int
    curves: Curves
    files: tuple[WrittenFile, ...]
    trainable: dict[str, int]

    @property
    def said(self) -> np.ndarray:
        """bool[N]."""
        return self.logits > 0

    @property
    def mostly_wrong(self) -> Rate:
        """Groups of whose pictures more than half are answered wrongly."""
        right = self.said == self.pictures.answer
        groups = np.unique(self.pictures.group)
        wrong = sum(float(right[self.pictures.group == g].mean()) < 0.5 for g in groups)
        return Rate(wrong, len(groups))

    @cached_property
    def figures(self) -> DirectFigures:
        answer, found = self.pictures.answer, self.pictures.found
        right = self.said == answer
        yes, no = float(right[answer].mean()), float(right[~answer].mean())
        per_group = [float(right[self.pictures.group == g].mean()) for g in self._groups()]
        return DirectFigures(
            pictures=len(right),
            positive=int(answer.sum()),
            negative=int((~answer).sum()),
            groups=len(per_group),
            people_told_apart=bool(self.pictures.people),
            folds=self.folds,
            accuracy=float(right.mean()),
            balanced_accuracy=0.5 * (yes + no),
            lowest_of_groups=min(per_group),
            median_of_groups=float(np.median(per_group)),
            majority_accuracy=self.pictures.majority_accuracy,
            without_a_face=int((~found).sum()),
            accuracy_without_a_face=float(right[~found].mean()) if (~found).any() else None,
            accuracy_with_a_face=float(right[found].mean()) if found.any() else None,
            mostly_wrong=self.mostly_wrong,
            copies=self.pictures.copies,
            ignored=self.pictures.ignored,
            undecodable=len(self.pictures.unread),
            trainable=self.trainable,
            files=self.files,
            curves=self.curves,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        found = []
        if not self.pictures.people:
            found.append(
                "pictures are told apart by their looks alone, so that one person may stand on "
                "both sides: name people by --group-regex"
            )
        elif len(self._groups()) < FEW_GROUPS:
            found.append(f"{len(self._groups())} people are few: on others it may do worse")
        for one in self.files:
            if one.same < 0.98:
                found.append(
                    f"{one.name} answers {100 * (1 - one.same):.1f} % of the pictures otherwise "
                    "than the network"
                )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        return result_to_json(self.out, self.name, self.figures, self.warnings)

    def text(self) -> str:
        facts = self.figures
        unit = "people" if facts.people_told_apart else "independent pictures"
        unread = f", {facts.undecodable} cannot be decoded" if facts.undecodable else ""
        return "\n".join(
            [
                f"{self.name}: {facts.positive} pictures with and {facts.negative} without, "
                f"of {facts.groups} {unit}; {facts.copies} files are copies, "
                f"{facts.ignored} are no pictures{unread}",
                f"all {facts.pictures} pictures, each answered by a network that has not seen "
                f"its {'person' if facts.people_told_apart else 'group'} ({self.folds} folds): "
                f"accuracy {facts.accuracy:.3f} (always the majority: "
                f"{facts.majority_accuracy:.3f}), balanced {facts.balanced_accuracy:.3f} "
                "(chance: 0.5)",
                f"mostly answered wrongly: {self.mostly_wrong} {unit}",
                self._faceless(facts),
                *(
                    f"{one.name}: {one.size_bytes / 1e6:.1f} MB, answers {100 * one.same:.1f} % "
                    "as the network does"
                    for one in self.files
                ),
                *(f"warning: {text}" for text in self.warnings),
                f"wrote {self.out}",
            ]
        )

    def _faceless(self, facts: DirectFigures) -> str:
        if not facts.without_a_face:
            return "a face was found in all of them"
        return (
            f"in {facts.without_a_face} of them no face was found; the whole picture was asked "
            f"(accuracy {facts.accuracy_without_a_face:.3f})"
        )

    def _groups(self) -> list[int]:
        return [int(g) for g in np.unique(self.pictures.group)]
