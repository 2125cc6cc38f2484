"""The card: a bundle's README.md, its labels and the licenses of its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.bundle.locate import SHIPPED, YUNET_LICENCE
from edge.faces.yunet import YUNET_SHA256
from edge.files.model_file import sha256_of
from edge.heads.calibration_record import TaskCalibration
from edge.models.spec import Network
from export.gate.candidate import Candidate, table

if TYPE_CHECKING:
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

_UNKNOWN = "not stated; ask whoever made it before you pass the bundle on"


@dataclass(frozen=True)
class Contents:
    """What the card speaks of. figures: of run.json. warnings: for whoever uses the bundle."""

    name: str
    base: Network
    embedder: Network
    heads: Sequence[Head]
    cohort: Cohort | None
    candidates: Sequence[Candidate]
    chosen: Candidate
    figures: Mapping[str, Any]
    warnings: Sequence[str]

    def card(self) -> str:
        """Markdown; says nothing of the machine or the time it was packed at."""
        parts = [
            f"# {self.name}",
            "A bundle of edge-recognize: all that recognizes "
            f"{_people(self.heads)} on a Raspberry Pi, in one file.",
            "## Networks",
            f"- base: {self.base.format}, {self.base.input.size_px} px, "
            f"{len(self.base.attributes)} attributes, needs {_runtimes(self.base)}",
            self._embedder_line(),
            *self._section("People", self._people()),
            *self._section("For whom it was measured", self._measured()),
            *self._section("Figures of the training run", _flattened(self.figures)),
            "## Formats",
            "Against the float model, on crops that were not used for calibration. `ms` was left "
            "out: it holds for the machine that packed.",
            "```\n" + "\n".join(table([_untimed(c) for c in self.candidates], None)) + "\n```",
            f"Used: {self.chosen.format}.",
            *self._section("Warnings", [f"- {text}" for text in self.warnings]),
            "## Limits of use",
            "Scores say how alike faces are, not who somebody is: error rates hold for pictures "
            "like those they were measured on, and photos of a face pass as the face. Ask the "
            "people you enroll; do not use the bundle for decisions about people's rights.",
            "## Terms",
            "See the folder `licences/`.",
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def labels(self) -> str:
        """One attribute a line, in the order of the base's output."""
        return "".join(f"{name}\n" for name in self.base.attributes)

    def licences(self, detector: bytes) -> dict[str, str]:
        """File name to text, one for every file that comes from somewhere."""
        texts = {"base.txt": _terms("the base (models/base…)", self.base)}
        if self.embedder.sha256 != self.base.sha256:
            texts["embedder.txt"] = _terms("the embedder (models/embedder…)", self.embedder)
        if sha256_of(detector) == YUNET_SHA256:
            texts["detector.txt"] = (SHIPPED / YUNET_LICENCE).read_text("utf-8")
        else:
            texts["detector.txt"] = f"detector/: a file of the user's own\n\nLicence: {_UNKNOWN}\n"
        if self.cohort is not None:
            texts["cohort.txt"] = (
                f"cohort.npz: {len(self.cohort)} embeddings of {self.cohort.people} strangers\n\n"
                f"Source: {self.cohort.source or 'not stated'}\n"
                f"Licence: {self.cohort.licence or _UNKNOWN}\n"
            )
        if self.heads:
            texts["heads.txt"] = (
                "heads/: made from photos of the people named in them. They are personal data, and "
                "belong to these people.\n"
            )
        return texts

    def _embedder_line(self) -> str:
        if self.embedder.sha256 == self.base.sha256:
            return f"- embedder: the base itself, {self.embedder.embedding_size} numbers"
        return (
            f"- embedder: {self.embedder.format}, {self.embedder.embedding_size} numbers, needs "
            f"{_runtimes(self.embedder)}, from {self.embedder.source or 'not stated'}"
        )

    def _people(self) -> list[str]:
        return [
            f"- {head.name}: threshold {head.threshold:.4g}"
            + "".join(f", {f}" for f in _facts(head))
            for head in self.heads
        ]

    def _measured(self) -> list[str]:
        """Which kinds of strangers are accepted, by exact bounds, and whom nobody has measured."""
        if self.cohort is None:
            return []
        from edge.heads.group_rates import measured_for, rates_of_all

        rates = rates_of_all(self.heads, self.cohort)
        if not rates:
            return []
        known, unknown = measured_for(self.cohort)
        return [
            f"- measured: {known}",
            f"- nobody has measured: {unknown}",
            *(f"- {who}: {each}" for who, each in rates),
        ]

    @staticmethod
    def _section(title: str, lines: Sequence[str]) -> tuple[str, ...]:
        return (f"## {title}", "\n".join(lines)) if lines else ()


def _untimed(candidate: Candidate) -> Candidate:
    """Times differ from run to run, and the same inputs shall give the same bundle."""
    from dataclasses import replace

    return replace(candidate, speed_ms=None, speed_ratio=None)


def _people(heads: Sequence[Head]) -> str:
    people = ", ".join(head.name for head in heads if not head.is_task)
    return people or "nobody yet (heads can be enrolled on it)"


def _runtimes(network: Network) -> str:
    known = [f"{name} {version}" for name, version in network.minimal_runtimes.items()]
    return " or ".join(known) or "a runtime that is not known"


def _terms(what: str, network: Network) -> str:
    return (
        f"{what}\n\nSource: {network.source or 'not stated'}\n"
        f"Licence: {network.licence or _UNKNOWN}\n"
    )


def _facts(head: Head) -> list[str]:
    """What people should know of how the threshold was set."""
    facts = head.stated
    if isinstance(head.calibration, TaskCalibration):
        return [f"{head.calibration.figures.pictures} looks of its own"]
    if facts is None:
        return []
    words = [f"{facts.pictures} looks of its own"]
    if facts.heads:
        words.append(f"{facts.far.trials} strangers")
    if facts.target_far is not None:
        words.append(f"{facts.target_far} as target for FAR")
    if facts.far_alone.trials:
        words.append(f"FAR {facts.far_alone}")
    return words


def _flattened(figures: Mapping[str, Any], before: str = "") -> list[str]:
    """Figures as list items, nested ones with the names of those around them."""
    lines: list[str] = []
    for key, value in figures.items():
        name = f"{before}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines += _flattened(value, f"{name}, ")
        elif isinstance(value, float):
            lines.append(f"- {name}: {value:.4g}")
        elif isinstance(value, (str, int)):
            lines.append(f"- {name}: {value}")
    return lines
