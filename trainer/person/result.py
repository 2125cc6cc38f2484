"""The result of enrolling a person on the workstation."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.console.display_text import for_terminal, shortened
from edge.enrolment.conditions import Origin
from edge.heads.head import Head
from trainer.person.evaluation import PersonEvaluation, Sample
from trainer.person.figures import PersonFigures
from trainer.photos.samples import FaceSamples
from trainer.run_folder import result_to_json


@dataclass(frozen=True, eq=False)
class PersonResult:
    """What came out, for people (`text`) and programs (`to_json`).

    looks: all kept ones, also those that enrolment left out. not_me: their scores. test: figures on
    a part that was kept back.
    """

    head: Head
    looks: FaceSamples
    origin: Origin
    out: Path
    figures: PersonFigures
    warnings: tuple[str, ...] = ()
    not_me: Sample | None = None
    test: PersonEvaluation | None = None

    @property
    def enrolled(self) -> FaceSamples:
        """The looks that the head was fitted on, in the order of its held-out scores."""
        keep = np.ones(len(self.looks.kept), bool)
        keep[list(self.head.facts.left_out)] = False
        return self.looks.select(keep)

    def to_json(self) -> dict[str, Any]:
        return {
            **result_to_json(
                self.out,
                self.head.name,
                self.figures,
                self.warnings,
                origin=self.origin.to_json(),
            ),
            "dropped": [{"file": one.name, "reason": one.reason} for one in self.looks.dropped],
            "left_out": [self.looks.kept[n].name for n in self.head.facts.left_out],
        }

    def _missing(self) -> list[str]:
        """Files that do not count, with the reason, as many as one can read."""
        left_out = [self.looks.kept[n].name for n in self.head.facts.left_out]
        said = [f"left out, looks like somebody else: {name}" for name in left_out]
        said += [f"dropped, {one.reason}: {one.name}" for one in self.looks.dropped]
        rest = "… and {} more: see report.json and contact-sheet.png"
        return shortened([for_terminal(line) for line in said], rest)

    def text(self) -> str:
        """A few lines, each figure beside what a trivial answer gives."""
        facts, figures = self.head.facts, self.figures
        pack = ["edge-export", "pack", str(self.out), "-o", f"{self.head.name}.edge"]
        within = " within this one sitting" if self.looks.one_sitting else ""
        lines = [
            f"{self.head.name}: {figures.looks} looks in {figures.independent_looks} independent "
            f"groups, {len(self.looks.dropped)} dropped; {self.origin.describe()}",
            f"strangers accepted: {facts.far.events} of {facts.far.trials} people (at most "
            f"{100 * facts.far_upper_95:.2g} % with 95 % confidence; accepting everybody: 100 %)",
            f"own looks rejected{within}: {facts.frr.events} of {facts.frr.trials} groups, "
            "out of fold (rejecting everybody: 100 %)",
            *([] if self.test is None else self.test.lines()),
            *self._missing(),
            *(f"warning: {text}" for text in self.warnings),
            f"wrote {self.out}",
            f"next: {shlex.join(pack)}",
        ]
        return "\n".join(lines)
