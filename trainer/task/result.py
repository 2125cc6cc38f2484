"""The faces that a task is learned from, and the result of learning it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.heads.calibration_record import TaskFigures
from trainer.photos.samples import FaceSamples
from trainer.run_folder import result_to_json


@dataclass(frozen=True, eq=False)
class Answers:
    """Labeled faces. looks: of both answers. answer: bool[N]. group: int[N], of what must not be
    split. dropped: faces that could not be judged. copies: smaller copies of other pictures.
    ignored: files that are no pictures. people: who is shown, where a pattern says so.
    """

    looks: FaceSamples
    answer: np.ndarray
    group: np.ndarray
    dropped: int
    copies: int
    ignored: int
    people: tuple[str, ...] = ()

    @property
    def single_files(self) -> int:
        """Groups of one file each, 0 where a pattern says whose the pictures are."""
        return 0 if self.people else int(np.sum(np.unique(self.group, return_counts=True)[1] == 1))


@dataclass(frozen=True)
class TaskResult:
    """For people (`text`) and programs (`to_json`)."""

    out: Path
    name: str
    figures: TaskFigures
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return result_to_json(self.out, self.name, self.figures, self.warnings)

    def text(self) -> str:
        facts = self.figures
        pack = ["edge-export", "pack", str(self.out), "-o", f"{self.name}.edge"]
        return "\n".join(
            [
                f"{self.name}: {facts.positive} faces with and {facts.negative} without, "
                f"{facts.groups} groups; could not be judged: {facts.dropped}, smaller copies: "
                f"{facts.copies}, no pictures: {facts.ignored}",
                f"out of fold: accuracy {facts.accuracy:.3f} of "
                f"{facts.positive + facts.negative} usable faces (always the majority: "
                f"{facts.majority_accuracy:.3f}), {facts.accuracy_of_all:.3f} of all "
                f"{facts.pictures}, those that could not be judged counted as wrong; balanced "
                f"{facts.balanced_accuracy:.3f} (chance: 0.5), FAR {facts.far:.3f}, FRR "
                f"{facts.frr:.3f}",
                f"head: {facts.head}, {facts.head_parameters:,} parameters",
                *(f"warning: {text}" for text in self.warnings),
                f"wrote {self.out}",
                f"next: {shlex.join(pack)}",
            ]
        )
