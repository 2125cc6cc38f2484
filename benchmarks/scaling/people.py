"""People of photographs whom the shipped base was not trained on: strangers, photos, groups.

Each enrols with some photos; the others of theirs and all of everybody else are judged, frame by
frame, by detector, gate and the deployed file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.scaling.heads import any_head
from benchmarks.scaling.plot import Series
from benchmarks.studies.person_data import Bench, Trial, cmu_files, trials_of
from benchmarks.studies.person_figures import given
from benchmarks.studies.person_strategies import STRATEGIES
from edge.errors import RefusedError
from edge.heads.cohort import Cohort
from edge.heads.head import Head
from edge.heads.threshold import Rate, upper_bound

PHOTOS = (3, 4, 5, 7, 10)
"""As many as all of these people have to spare; more are not at hand."""

ROOM_PHOTOS = (3, 5, 7, 10, 15, 20)
DRAWN_PHOTOS = (3, 5, 7, 10, 15, 20, 30, 50)
DRAWN_PEOPLE = 12
DRAWN_TESTS = 10
_FIRST_DRAWN = 900

STRANGERS = (50, 100, 250, 500, 1000, 2000, 4000)
HEADS = (1, 5, 10, 20, 40, 80)

FEWEST_LEFT = 10
"""People who are strangers to all heads of a draw."""

EQUAL_WITHIN = 0.05
"""Groups are called equal where bounds at 95 % leave no difference beyond this."""


@dataclass(frozen=True, eq=False)
class Judging:
    """All heads of one setting. accepted: bool[E, P], by enrolment and picture; own: bool[E, P];
    whose: str[P]; owners: of the enrolments. refused: enrolments that were refused.
    """

    accepted: np.ndarray
    own: np.ndarray
    others: np.ndarray
    whose: np.ndarray
    owners: tuple[str, ...]
    refused: int

    @property
    def frr(self) -> Rate:
        """Own pictures that are not accepted, those without a usable face among them."""
        return Rate(int((~self.accepted & self.own).sum()), int(self.own.sum()))

    @property
    def far(self) -> float:
        """Strangers' pictures accepted, the mean over enrolments."""
        shares = [a[o].mean() for a, o in zip(self.accepted, self.others, strict=True)]
        return float(np.mean(shares)) if shares else float("nan")

    @property
    def pairs(self) -> Rate:
        """Enrolments and strangers of whom any picture passed."""
        events = trials = 0
        for accepted, others in zip(self.accepted, self.others, strict=True):
            for name in np.unique(self.whose[others]):
                trials += 1
                events += bool(accepted[others & (self.whose == name)].any())
        return Rate(events, trials)


@dataclass(eq=False)
class People:
    """Trials of people, and the strangers that heads are made against."""

    bench: Bench
    trials: list[Trial]
    cohort: Cohort

    def judged(self, photos: int | None = None, strangers: int | None = None) -> Judging:
        """photos: that enrol, all ten by default. strangers: people of the cohort, all of it."""
        cohort = self.cohort if strangers is None else fewer(self.cohort, strangers)
        rows, own, others, owners, refused = [], [], [], [], 0
        judged = self.trials[0].judged
        for trial in self.trials:
            head = self._head(trial, cohort, photos)
            if head is None:
                refused += 1
                continue
            highest = judged.highest(head.score(judged.embeddings))
            rows.append(highest >= head.threshold)
            own.append(trial.own)
            others.append(trial.others)
            owners.append(trial.name)
        shape = (0, len(judged.person))
        return Judging(
            np.array(rows, bool).reshape(-1, shape[1]),
            np.array(own, bool).reshape(-1, shape[1]),
            np.array(others, bool).reshape(-1, shape[1]),
            np.array(judged.person),
            tuple(owners),
            refused,
        )

    def _head(self, trial: Trial, cohort: Cohort, photos: int | None) -> Head | None:
        if photos is not None:
            keep = np.arange(len(trial.looks.kept)) < photos
            trial = replace(trial, looks=trial.looks.select(keep))
        try:
            return list(STRATEGIES.values())[-1](given(trial, self.bench), cohort)
        except RefusedError:
            return None


def fewer(cohort: Cohort, people: int) -> Cohort:
    """The same cohort with `people` of its people, drawn at random."""
    names = np.unique(cohort.identity)
    chosen = np.random.default_rng(0).permutation(names)[:people]
    return cohort.select(np.isin(cohort.identity, chosen))


def by_photos(people: People, counts: Sequence[int]) -> dict[int, Judging]:
    """How many photos enrol, against FRR and FAR."""
    return {count: people.judged(photos=count) for count in counts}


def by_strangers(people: People) -> dict[int, Judging]:
    """How many strangers heads are made against."""
    known = len(np.unique(people.cohort.identity))
    counts = [count for count in STRANGERS if count < known] + [known]
    return {count: people.judged(strangers=count) for count in counts}


def room_trials(bench: Bench, shared: Path) -> list[Trial]:
    """People of one gray room; up to 20 of the pictures of each enrol, drawn at random."""
    chosen = _at_random(max(ROOM_PHOTOS))
    return list(trials_of(bench, cmu_files(shared), "one room", chosen, fewest=25))


def drawn_trials(bench: Bench, folder: Path) -> list[Trial]:
    """People whom nobody is, each photographed 60 times in 60 places; ten test."""
    from trainer.drawn import DrawnPerson
    from trainer.drawn.dataset import write_photos

    files = []
    for number in range(DRAWN_PEOPLE):
        own, shots = folder / str(number), max(DRAWN_PHOTOS) + DRAWN_TESTS
        person = DrawnPerson.draw(_FIRST_DRAWN + number)
        written = write_photos(own, person, shots=shots, seed=number, size_px=320)
        files += [(own, path) for path in written]
    return list(trials_of(bench, files, "drawn", lambda own: own[: max(DRAWN_PHOTOS)]))


def _at_random(count: int) -> Callable[[list[int]], list[int]]:
    def chosen(own: list[int]) -> list[int]:
        order = np.random.default_rng(0).permutation(len(own))[:count]
        return [own[k] for k in order]

    return chosen


def head_rows(judging: Judging) -> list[tuple[str, ...]]:
    """How many heads are asked at once."""
    found: list[tuple[str, ...]] = []
    for count in (n for n in HEADS if n <= len(judging.owners) - FEWEST_LEFT):
        share, strangers = any_head(judging.accepted, judging.whose, judging.owners, count)
        found.append((str(count), f"{share:.4f}", str(strangers)))
    return found


def group_rows(
    judging: Judging, groups: dict[str, dict[str, bool]]
) -> tuple[list[tuple[str, ...]], list[str]]:
    """By group who is mostly rejected and who is accepted as somebody else, over people; and
    whether the two sides of each group may be called equal.

    groups: name of a group to person to whether they belong to it.
    """
    rows: list[tuple[str, ...]] = []
    said: list[str] = []
    wrong_own, wrong_other = mostly_rejected(judging), accepted_as_others(judging)
    for group, belongs in groups.items():
        sides = []
        for side in (True, False):
            own = [wrong_own[p] for p in wrong_own if belongs.get(p) == side]
            other = [wrong_other[p] for p in wrong_other if belongs.get(p) == side]
            sides.append((Rate(sum(own), len(own)), Rate(sum(other), len(other))))
            label = group if side else f"not {group}"
            rows.append((label, *(str(one) if one.trials else "nobody" for one in sides[-1])))
        said.append(f"{group}: rejected {equality(sides[0][0], sides[1][0])}; taken for others "
                    f"{equality(sides[0][1], sides[1][1])}.")  # fmt: skip
    return rows, said


def mostly_rejected(judging: Judging) -> dict[str, bool]:
    """By owner: whether more than half of the own pictures are rejected."""
    return {
        owner: bool((~accepted[own]).mean() > 0.5)
        for owner, accepted, own in zip(judging.owners, judging.accepted, judging.own, strict=True)
        if own.any()
    }


def accepted_as_others(judging: Judging) -> dict[str, bool]:
    """By person: whether any of their pictures is accepted by any head that is not theirs."""
    found: dict[str, bool] = {}
    for name in np.unique(judging.whose).tolist():
        shown = judging.whose == name
        heads = [k for k, owner in enumerate(judging.owners) if owner != name]
        found[name] = bool(judging.accepted[heads][:, shown].any())
    return found


def equality(a: Rate, b: Rate) -> str:
    """Whether two rates may be called equal, different, or neither, by exact bounds of each."""
    if not a.trials or not b.trials:
        return "cannot be compared: nobody is on one side"
    low_a, low_b = (1.0 - upper_bound(x.trials - x.events, x.trials) for x in (a, b))
    if max(a.upper - low_b, b.upper - low_a) <= EQUAL_WITHIN:
        return f"equal within {100 * EQUAL_WITHIN:.0f} points"
    if low_a > b.upper or low_b > a.upper:
        return "different"
    return f"neither shown equal nor different: {a.trials} and {b.trials} people do not carry it"


def rows_of(found: dict[int, Judging], more: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Rows of a table, with `more` before the count."""
    return [(*more, *_row(f"{count:,}", judging)) for count, judging in found.items()]


def rejected(name: str, found: dict[int, Judging]) -> Series:
    """Own pictures rejected, in percent, with exact bounds at 95 % on each side."""
    made = [(count, one.frr) for count, one in found.items() if one.owners]
    points = tuple((float(count), 100 * rate.value) for count, rate in made)
    lowest = [1.0 - upper_bound(rate.trials - rate.events, rate.trials) for _, rate in made]
    bars = tuple((100 * low, 100 * rate.upper) for low, (_, rate) in zip(lowest, made, strict=True))
    return Series(name, points, bars)


def passed(name: str, found: dict[int, Judging]) -> Series:
    """Strangers' pictures accepted, in percent."""
    made = [(count, one.far) for count, one in found.items() if one.owners]
    return Series(name, tuple((float(count), 100 * far) for count, far in made))


def _row(label: str, judging: Judging) -> tuple[str, ...]:
    if not judging.owners:
        return (label, f"0 ({judging.refused} refused)", "–", "–", "–")
    return (
        label,
        f"{len(judging.owners)} ({judging.refused} refused)",
        f"{judging.frr.value:.3f} ({judging.frr.events} of {judging.frr.trials})",
        f"{judging.far:.4f}",
        str(judging.pairs),
    )


def attribute_groups(shared: Path, names: Sequence[str], people: Sequence[str]) -> dict[
    str, dict[str, bool]
]:  # fmt: skip
    """CelebA's attribute to person to whether most of their labeled photos have it."""
    from trainer.data.label_files import read_labels

    folder = shared / "data" / "people"
    listed = read_labels(folder / "list_attr_celeba.txt")
    row_of = {Path(name).stem: row for row, name in enumerate(listed.names)}
    found: dict[str, dict[str, bool]] = {name: {} for name in names}
    for person in people:
        rows = [row_of[p.stem] for p in (folder / person).iterdir() if p.stem in row_of]
        for name in names:
            labels = listed.labels[rows, listed.attributes.index(name)]
            labels = labels[labels >= 0]
            if len(labels):
                found[name][person] = bool(labels.mean() > 0.5)
    return found
