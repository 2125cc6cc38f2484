"""What a head knows of its own making: the record that its file, the reports and the card read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from edge.errors import ToolkitError
from edge.files.closed_set import one_of
from edge.heads.threshold import CAMERAS, PROOFS, CameraKind, Proof, Rate, Tail


@dataclass(frozen=True)
class Scored:
    """Scores that a head gives the strangers of a cohort's half that sets thresholds.

    tails: of each group. nearest: numbers and scores of the highest, the highest first. people: how
    many strangers there are. cohort: `Cohort.fingerprint` of which cohort.
    """

    tails: tuple[Tail, ...]
    nearest: tuple[tuple[int, float], ...]
    people: int
    cohort: str

    def accepted(self, threshold: float) -> set[int] | None:
        """Numbers of the strangers from a threshold on; None where not all of them are kept."""
        passing = {number for number, score in self.nearest if score >= threshold}
        return None if len(passing) == len(self.nearest) < self.people else passing

    def to_json(self) -> dict[str, Any]:
        return {
            "cohort": self.cohort,
            "people": self.people,
            "tails": [vars(tail) for tail in self.tails],
            "nearest": [list(each) for each in self.nearest],
        }

    @classmethod
    def from_json(cls, data: Any) -> Scored:
        """Raises KeyError, TypeError or ValueError for what is no such description."""
        return cls(
            tails=tuple(Tail(**tail) for tail in data["tails"]),
            nearest=tuple((int(number), float(score)) for number, score in data["nearest"]),
            people=int(data["people"]),
            cohort=str(data["cohort"]),
        )


@dataclass(frozen=True)
class PersonCalibration:
    """How the head of a person was fitted, and how its threshold was set.

    Attributes:
        target_far: Wanted rate of strangers accepted by the whole bundle; None for what the cohort
            supports.
        camera: What took the pictures.
        looks: Shares of the cohort's looks that the pictures resemble, by name.
        likeness: Median score of the person's pictures.
        own_scores: Of each picture, by heads that had not seen it.
        own_groups: Of each picture; pictures that are not independent share a number.
        not_me: The highest score of a hard negative, None without.
        strict, seed, l2: How the head was fitted.
        people: Strangers of the cohort.
        pictures: How many the head was fitted on.
        left_out: Numbers of the pictures that look like somebody else.
        one_sitting: Whether all pictures are of one occasion.
        heads: For how many in one bundle the threshold was set; 0 before it is set, and then what
            follows counts nothing.
        strategy: How the threshold was set, in words.
        proof: Whether the target is proven.
        stranger_bound: Score that strangers stay below; None in heads by an earlier version.
        nearest_group: Of the strangers that score highest; None likewise.
        scored: What the strangers score; None likewise.
        far: Strangers accepted by all heads of the bundle together.
        far_alone: Strangers accepted by this head.
        frr: Independent groups of the person's pictures that are rejected.
        warnings: What somebody who relies on the head should know.
        other: Facts that this version does not know; they are kept.
    """

    target_far: float | None
    camera: CameraKind
    looks: Mapping[str, float]
    likeness: float
    own_scores: tuple[float, ...]
    own_groups: tuple[int, ...]
    not_me: float | None
    strict: bool
    seed: int
    people: int
    l2: float
    pictures: int
    left_out: tuple[int, ...]
    one_sitting: bool
    heads: int = 0
    strategy: str = ""
    proof: Proof = "proven"
    stranger_bound: float | None = None
    nearest_group: str | None = None
    scored: Scored | None = None
    far: Rate = Rate(0, 0)
    far_alone: Rate = Rate(0, 0)
    frr: Rate = Rate(0, 0)
    warnings: tuple[str, ...] = ()
    other: Mapping[str, Any] = field(default_factory=dict)

    is_task = False

    @property
    def far_upper_95(self) -> float:
        """Upper bound of `far`, as files and reports give it."""
        return round(self.far.upper, 6)

    @property
    def frr_upper_95(self) -> float:
        """Upper bound of `frr`, as files and reports give it."""
        return round(self.frr.upper, 4)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "target_far": self.target_far,
            "strict": self.strict,
            "seed": self.seed,
            "people": self.people,
            "l2": self.l2,
            "pictures": self.pictures,
            "left_out": list(self.left_out),
            "camera": self.camera,
            "one_sitting": self.one_sitting,
            "looks": dict(self.looks),
            "likeness": self.likeness,
            "own_scores": list(self.own_scores),
            "own_groups": list(self.own_groups),
            "not_me": self.not_me,
        }
        if self.heads:
            later = {
                "stranger_bound": self.stranger_bound,
                "nearest_group": self.nearest_group,
                "scored": None if self.scored is None else self.scored.to_json(),
            }
            found |= {"strategy": self.strategy, "heads": self.heads, "proof": self.proof}
            found |= {name: value for name, value in later.items() if value is not None}
            found |= {
                "strangers": self.far.trials,
                "strangers_accepted": self.far.events,
                "far_upper_95": self.far_upper_95,
                "far_alone": self.far_alone.to_json(),
                "groups": self.frr.trials,
                "groups_rejected": self.frr.events,
                "frr_upper_95": self.frr_upper_95,
                "warnings": list(self.warnings),
            }
        return {**found, **self.other}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PersonCalibration:
        """Raises KeyError, TypeError, ValueError or `ToolkitError` for what is none."""
        scores, groups = data["own_scores"], data["own_groups"]
        if len(scores) != len(groups):
            raise ValueError(f"it has {len(scores)} scores of its own in {len(groups)} groups")
        found: dict[str, Any] = {
            "target_far": _optional(data["target_far"]),
            "camera": one_of(data["camera"], CAMERAS),
            "looks": {str(name): float(share) for name, share in data["looks"].items()},
            "likeness": float(data["likeness"]),
            "own_scores": tuple(float(score) for score in scores),
            "own_groups": tuple(int(group) for group in groups),
            "not_me": _optional(data["not_me"]),
            "strict": bool(data["strict"]),
            "seed": int(data["seed"]),
            "people": int(data["people"]),
            "l2": float(data["l2"]),
            "pictures": int(data["pictures"]),
            "left_out": tuple(int(number) for number in data["left_out"]),
            "one_sitting": bool(data["one_sitting"]),
        }
        if "heads" in data:
            group = data.get("nearest_group")
            scored = data.get("scored")
            alone = data["far_alone"]
            found |= {
                "heads": int(data["heads"]),
                "strategy": str(data["strategy"]),
                "proof": one_of(data["proof"], PROOFS),
                "stranger_bound": _optional(data.get("stranger_bound")),
                "nearest_group": None if group is None else str(group),
                "scored": None if scored is None else Scored.from_json(scored),
                "far": Rate(int(data["strangers_accepted"]), int(data["strangers"])),
                "far_alone": Rate(int(alone["events"]), int(alone["trials"])),
                "frr": Rate(int(data["groups_rejected"]), int(data["groups"])),
                "warnings": tuple(str(warning) for warning in data["warnings"]),
            }
            if any(rate.events > rate.trials for rate in (found["far"], found["frr"])):
                raise ValueError("it counts more events than trials")
        return cls(**found, other={name: data[name] for name in data.keys() - PERSON_FACTS})


@dataclass(frozen=True)
class TaskFigures:
    """What a yes-or-no question came to, out of fold.

    Attributes:
        positive, negative: Usable faces by their answer.
        groups: Independent groups of them.
        dropped: Faces that could not be judged.
        copies: Files that are smaller copies of others.
        ignored: Files that are no pictures.
        accuracy: Of the usable faces.
        pictures: Usable faces and dropped ones.
        accuracy_of_all: Of these, dropped ones counted as wrong.
        single_files: Groups of one file each.
        majority_accuracy: Of always giving the commoner answer.
        balanced_accuracy: The mean of both answers'.
        far: Share of the negative that are answered yes.
        frr: Share of the positive that are answered no.
        out_of_fold: Whether each face was judged by a head that had not seen its group.
        head: Kind of the head.
        head_parameters: Of its layers.
    """

    positive: int
    negative: int
    groups: int
    dropped: int
    copies: int
    ignored: int
    accuracy: float
    pictures: int
    accuracy_of_all: float
    single_files: int
    majority_accuracy: float
    balanced_accuracy: float
    far: float
    frr: float
    out_of_fold: bool
    head: str
    head_parameters: int

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class TaskCalibration:
    """How the head of a yes-or-no question was fitted.

    Attributes:
        strategy: How the threshold was set, in words.
        l2: Of the fit.
        figures: What it came to.
        own_scores: Of the positive, by heads that had not seen their groups.
        negative_scores: Of the negative, likewise.
        warnings: What somebody who relies on the head should know.
        other: Facts that this version does not know; they are kept.
    """

    strategy: str
    l2: float
    figures: TaskFigures
    own_scores: tuple[float, ...]
    negative_scores: tuple[float, ...]
    warnings: tuple[str, ...]
    other: Mapping[str, Any] = field(default_factory=dict)

    is_task = True

    def to_json(self) -> dict[str, Any]:
        return {
            "task": True,
            "strategy": self.strategy,
            "l2": self.l2,
            **self.figures.to_json(),
            "own_scores": list(self.own_scores),
            "negative_scores": list(self.negative_scores),
            "warnings": list(self.warnings),
            **self.other,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskCalibration:
        """Raises KeyError, TypeError or ValueError for what is none."""
        made = cls(
            strategy=str(data["strategy"]),
            l2=float(data["l2"]),
            figures=TaskFigures(**{one.name: data[one.name] for one in fields(TaskFigures)}),
            own_scores=tuple(float(score) for score in data["own_scores"]),
            negative_scores=tuple(float(score) for score in data["negative_scores"]),
            warnings=tuple(str(warning) for warning in data["warnings"]),
        )
        known = made.to_json()
        other = {name: data[name] for name in data.keys() - known.keys()}
        return cls(**{**vars(made), "other": other})


@dataclass(frozen=True)
class Unstated:
    """Facts of a head that does not say how it was calibrated: made by hand, by an earlier version
    or by a later one. It scores, but no threshold can be set for it again.

    Attributes:
        values: What its file says, JSON values.
        problem: Why that is no calibration.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = "it says nothing"

    @property
    def is_task(self) -> bool:
        """Whether it answers a yes-or-no question."""
        return bool(self.values.get("task"))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its file warns of."""
        said = self.values.get("warnings")
        return tuple(map(str, said)) if isinstance(said, list) else ()

    def to_json(self) -> dict[str, Any]:
        return dict(self.values)


PERSON_FACTS = frozenset(
    {
        "target_far",
        "strict",
        "seed",
        "people",
        "l2",
        "pictures",
        "left_out",
        "camera",
        "one_sitting",
        "looks",
        "likeness",
        "own_scores",
        "own_groups",
        "not_me",
        "strategy",
        "heads",
        "proof",
        "stranger_bound",
        "nearest_group",
        "scored",
        "strangers",
        "strangers_accepted",
        "far_upper_95",
        "far_alone",
        "groups",
        "groups_rejected",
        "frr_upper_95",
        "warnings",
    }
)
"""Names of the facts in the file of a person's head."""

Calibration = PersonCalibration | TaskCalibration | Unstated


def calibration_from_json(data: Mapping[str, Any]) -> Calibration:
    """The record that a head's file holds; `Unstated` where the facts are not whole."""
    kind = TaskCalibration if data.get("task") else PersonCalibration
    try:
        return kind.from_json(data)
    except KeyError as problem:
        return Unstated(data, f"{problem} is missing")
    except (TypeError, ValueError, AttributeError, ToolkitError) as problem:
        return Unstated(data, str(problem))


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)
