"""How strangers before one camera score, camera by camera: table for RESULTS.md.

python -m benchmarks.studies.camera_effect ../shared --embedding shipped

The effect of a camera is by how much strangers before it score above the mean of the cohort's group
that scores highest. Every camera is judged with the effect estimated on the others alone. Nothing
but thresholds is set here; heads are made as `edge.heads.enrol` makes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from edge.heads.threshold import (
    GAP_SHARE,
    ONE,
    POOR,
    STRANGER_LEVEL,
    CameraEffect,
    CameraKind,
    Rate,
    Tail,
)

if TYPE_CHECKING:
    from benchmarks.studies.person_data import Bench, Trial
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

SETS = {"nuaa": 6, "casia-v5": 5, "faces94": 10}
"""Folders of `data/one-camera`, and how many of somebody's pictures enrol at least."""

RESAMPLED = 2000


@dataclass(frozen=True, eq=False)
class Enrolled:
    """A head before one camera. tails: of strangers elsewhere. own: held-out scores of the pictures
    that enrolled. strangers: scores of each other person before the camera. same, later: scores of
    the person's other pictures of this sitting, and of other days. threshold: as it is set.
    """

    person: str
    camera: CameraKind
    tails: tuple[Tail, ...]
    own: np.ndarray
    strangers: dict[str, np.ndarray]
    same: np.ndarray
    later: np.ndarray
    threshold: float

    def effect(self) -> float:
        """By how much strangers, each counted once, score above the highest group's mean."""
        means = [scores.mean() for scores in self.strangers.values()]
        return float(np.mean(means) - max(tail.mean for tail in self.tails))

    def threshold_for(self, effect: CameraEffect, share: float = GAP_SHARE) -> float:
        """The threshold with another camera effect and another share of the gap."""
        bound = max(tail.reach(STRANGER_LEVEL) for tail in self.tails)
        into_gap = bound + share * max(0.0, float(np.median(self.own)) - bound)
        return max(into_gap, *(tail.reach(STRANGER_LEVEL, effect) for tail in self.tails))


def person_of(name: str) -> str:
    """Whose picture it is, from a folder's or clip's name: sessions and clips are one person's."""
    if name.startswith("person-"):
        return name.split("-")[1]
    return name.split("-s")[0]


def one_camera(bench: Bench, shared: Path, name: str) -> list[Trial]:
    """Two of three pictures of a folder enrol, in `casia-v5`, where there are five, all."""
    from benchmarks.studies.person_data import folder_trials

    everything = name == "casia-v5"
    return list(
        folder_trials(
            bench,
            shared / "data" / "one-camera" / name,
            enrolling=lambda own: [o for n, o in enumerate(own) if everything or n % 3 != 2],
            fewest=SETS[name],
        )
    )


def head_before_a_camera(
    name: str, trial: Trial, bench: Bench, cohort: Cohort, *, told: str
) -> Head | None:
    """As a device enrols, each look counts; None where it refuses, which is told with `told`."""
    from edge.errors import RefusedError
    from edge.heads.enrol import enrol

    vectors = bench.embed(trial.looks.crops())
    varied, owner = trial.looks.varied()
    try:
        return enrol(
            name,
            vectors,
            np.arange(len(vectors)),
            cohort,
            varied=bench.embed(varied),
            varied_of=owner,
            camera=POOR if trial.looks.origin().camera == POOR else ONE,
        )
    except RefusedError as problem:
        click.echo(f"{told} left out: {problem}", err=True)
        return None


def enrolled(trials: Sequence[Trial], bench: Bench, cohort: Cohort) -> Iterator[Enrolled]:
    """The heads of trials; enrolments that are refused are named and left out."""
    from edge.heads.calibration import scored_strangers

    for trial in trials:
        head = head_before_a_camera("me", trial, bench, cohort, told=trial.name)
        if head is None:
            continue
        judged = trial.judged
        best = judged.highest(head.score(judged.embeddings))
        whose = np.array([person_of(name) for name in judged.person])
        folder, me = np.array(judged.person), person_of(trial.name)
        passed, mine = judged.passed, whose == me
        later = mine & (folder != trial.name) & passed & ("-s" in trial.name)
        others = {w: best[(whose == w) & passed] for w in sorted(set(whose[~mine & passed]))}
        yield Enrolled(
            person=me,
            camera=trial.looks.origin().camera,
            tails=scored_strangers(head, cohort).tails,
            own=np.array(head.facts.own_scores),
            strangers=others,
            same=best[trial.own & passed & ~later],
            later=best[later],
            threshold=head.threshold,
        )


def row(
    name: str, heads: Sequence[Enrolled], effect: CameraEffect, rng: np.random.Generator
) -> str:
    """A line of the table, thresholds set with `effect`."""
    limits = [head.threshold_for(effect) for head in heads]
    through = [
        (head.person, other, bool((scores >= limit).any()), float((scores >= limit).mean()))
        for head, limit in zip(heads, limits, strict=True)
        for other, scores in head.strangers.items()
    ]
    passed = np.array([passed for *_, passed, _ in through])
    people = np.array([person for person, *_ in through])
    names = np.unique(people)
    rates = []
    for _ in range(RESAMPLED):
        drawn = rng.choice(names, len(names))
        rates.append(np.mean([passed[people == each].mean() for each in drawn]))
    # without a single pair the bootstrap says nothing: the exact bound over people does
    letting = Rate(sum(bool(passed[people == each].any()) for each in names), len(names))
    same = np.concatenate([h.same >= t for h, t in zip(heads, limits, strict=True)])
    later = np.concatenate([h.later >= t for h, t in zip(heads, limits, strict=True)])
    return (
        f"| {name}, {len(heads)} enrolments of {len(names)} people | "
        f"{np.mean([head.effect() for head in heads]):.2f} | "
        f"{effect.mean:.2f} ± {effect.spread:.2f} | {passed.sum()} of {len(passed)} "
        f"({100 * np.quantile(rates, 0.95):.1f} %) | {letting} | "
        f"{np.mean([share for *_, share in through]):.4f} | {_share(same)} | {_share(later)} |"
    )


def _share(accepted: np.ndarray) -> str:
    return f"{accepted.mean():.3f} ({len(accepted)})" if len(accepted) else "–"


def added_sitting(trials: Sequence[Trial], bench: Bench, cohort: Cohort) -> list[str]:
    """What another sitting's pictures, added to the first, lift on the rest of that other sitting
    and of a third one."""
    from edge.heads.enrol import enrol

    if not trials:
        return []
    judged = trials[0].judged
    folder = np.array(judged.person)
    rows: dict[str, np.ndarray] = {}
    for name in sorted(set(folder)):
        rows[name] = np.flatnonzero(np.isin(judged.frame, np.flatnonzero(folder == name)))
    counts: dict[str, list[bool]] = {}
    for first in rows:
        for second in rows:
            if first == second or person_of(first) != person_of(second):
                continue
            given, tested = rows[second][::2], rows[second][1::2]
            rest = [n for n in rows if n not in (first, second)]
            third = [rows[n] for n in rest if person_of(n) == person_of(first)]
            for label, chosen in (
                ("one sitting", rows[first]),
                ("another added", np.concatenate([rows[first], given])),
            ):
                vectors = judged.embeddings[chosen]
                if len(vectors) < 5:
                    continue
                head = enrol("me", vectors, np.arange(len(vectors)), cohort, camera=ONE)
                for where, part in (("that other day", [tested]), ("a third day", third)):
                    for each in part:
                        said = head.accepts(judged.embeddings[each])
                        counts.setdefault(f"{label}, on {where}", []).extend(said.tolist())
    return [f"| {what} | {np.mean(said):.3f} ({len(said)}) |" for what, said in counts.items()]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
@click.option("--embedding", type=click.Choice(["mobilefacenet", "shipped"]), default="shipped")
@click.option("--cohort", type=click.Path(path_type=Path), help="Cohort of the embedding.")
def main(shared: Path, embedding: str, cohort: Path | None) -> None:
    """Estimate the camera's part, leaving out one camera at a time, and judge thresholds."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchmarks.studies.person_data import cmu_faces, webcam
    from benchmarks.studies.person_figures import opened

    bench, strangers = opened(shared, embedding, cohort)
    trials = {name: one_camera(bench, shared, name) for name in SETS}
    tasks = {**trials, "webcam": list(webcam(bench, shared)), "cmu": list(cmu_faces(bench, shared))}
    heads = {name: list(enrolled(given, bench, strangers)) for name, given in tasks.items()}
    effects = {
        name: float(np.mean([head.effect() for head in made])) for name, made in heads.items()
    }
    rng = np.random.default_rng(0)
    click.echo(
        "| camera | its effect | effect used, of the others | stranger pairs accepted "
        "(95 % of bootstraps over people) | people whose head accepts any | "
        "FAR per look | TAR, same sitting | TAR, other days |"
    )
    click.echo("|---|---|---|---|---|---|---|---|")
    for name, made in heads.items():
        others = [value for other, value in effects.items() if other not in (name, "cmu")]
        used = CameraEffect(float(np.mean(others)), float(np.std(others, ddof=1)))
        click.echo(row(name, made, used, rng))
    click.echo("\n| enrolled from | TAR (looks) |\n|---|---|")
    for line in added_sitting(trials["nuaa"], bench, strangers):
        click.echo(line)


if __name__ == "__main__":
    main()
