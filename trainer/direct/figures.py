"""What a direct run came to, each figure beside its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.heads.threshold import Rate
from trainer.direct.curves import Curves


@dataclass(frozen=True)
class WrittenFile:
    """name: within the run folder. kind: for people. size_bytes: on disk. same: share of the
    pictures that it answers as Keras does; accuracy: of its answers, on pictures that it was
    trained on, so that it says nothing but that the file works.
    """

    name: str
    kind: str
    size_bytes: int
    same: float
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "same": round(self.same, 4), "accuracy": round(self.accuracy, 4)}


@dataclass(frozen=True, eq=False)
class DirectFigures:
    """Figures of all pictures, each answered by a network that had not seen its group.

    Attributes:
        pictures, positive, negative: How many there are.
        groups: Independent groups of them: people, or pictures that look alike.
        people_told_apart: Whether groups are people.
        folds: Networks that were trained to measure.
        accuracy, balanced_accuracy: Of all pictures.
        lowest_of_groups, median_of_groups: Accuracies of the groups.
        majority_accuracy: Of always giving the commoner answer.
        without_a_face: Pictures of which the whole was asked.
        accuracy_without_a_face, accuracy_with_a_face: None where there are none.
        mostly_wrong: Groups of whose pictures more than half are answered wrongly.
        copies, ignored, undecodable: Files that do not count.
        trainable: Parameters by phase.
        files: What was written of the network that has seen all.
        curves: Means over the folds.
    """

    pictures: int
    positive: int
    negative: int
    groups: int
    people_told_apart: bool
    folds: int
    accuracy: float
    balanced_accuracy: float
    lowest_of_groups: float
    median_of_groups: float
    majority_accuracy: float
    without_a_face: int
    accuracy_without_a_face: float | None
    accuracy_with_a_face: float | None
    mostly_wrong: Rate
    copies: int
    ignored: int
    undecodable: int
    trainable: Mapping[str, int]
    files: tuple[WrittenFile, ...]
    curves: Curves

    def to_json(self) -> dict[str, Any]:
        return {
            "pictures": self.pictures,
            "positive": self.positive,
            "negative": self.negative,
            "groups": self.groups,
            "people_told_apart": self.people_told_apart,
            "folds": self.folds,
            "accuracy": self.accuracy,
            "accuracy_by_group": {
                "lowest": self.lowest_of_groups,
                "median": self.median_of_groups,
            },
            "majority_accuracy": self.majority_accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "without_a_face": self.without_a_face,
            "accuracy_without_a_face": self.accuracy_without_a_face,
            "accuracy_with_a_face": self.accuracy_with_a_face,
            "mostly_wrong": self.mostly_wrong.to_json(),
            "copies": self.copies,
            "ignored": self.ignored,
            "undecodable": self.undecodable,
            "trainable": dict(self.trainable),
            "files": [one.to_json() for one in self.files],
            "curves": self.curves.to_json(),
            "out_of_fold": True,
        }
