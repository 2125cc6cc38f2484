"""Crowds: what recognition loses, and who is taken for whom, with many people in one bundle.

python -m benchmarks.scaling.crowds ../shared

All people of `data/people` who have enough photos, ten of each enrol; whoever is not in a bundle,
and everybody of LFW with several pictures, is a stranger to it. People and strangers are halves by
a hash of their names: on the first `edge.heads.lead` was chosen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks.studies.person_data import in_first_half
from edge.errors import RefusedError

if TYPE_CHECKING:
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

DRAWS = {1: 72, 10: 20, 30: 10, 60: 6, 100: 6}
"""Bundles of so many people that are drawn."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Looks and how all heads score them. heads: by the people's names. scores: float32[H, N].
    whose: of each look, str[N]. own: bool[N], looks of people with a head that did not enroll.
    """

    heads: dict[str, Head]
    scores: np.ndarray
    whose: np.ndarray
    own: np.ndarray

    def of_half(self, first: bool) -> tuple[list[str], np.ndarray]:
        """The people with heads of a half, and which looks are of somebody of it, bool[N]."""
        half = {name: in_first_half(name) == first for name in np.unique(self.whose).tolist()}
        return [name for name in self.heads if half[name]], np.array(
            [half[name] for name in self.whose]
        )


@dataclass(frozen=True)
class Outcome:
    """Of one bundle. tar: own looks that are matches of the right person, and of the people whom
    the base was not trained on (NaN without any). misnamed: own looks taken for another person of
    the bundle. far: strangers' looks that match anybody. strangers: of whom any look does.
    """

    tar: float
    tar_held_out: float
    misnamed: float
    far: float
    strangers: float


def outcome(
    judged: Judged,
    names: Sequence[str],
    among: np.ndarray,
    cohort: Cohort,
    held_out: set[str],
    *,
    lead: bool,
) -> Outcome:
    """One bundle of these people, before the looks of `among`, bool[N]."""
    from edge.heads.calibration import recalibrate
    from edge.heads.decision import HeadScore, decide
    from edge.heads.lead import with_lead

    heads = recalibrate([judged.heads[name] for name in names], cohort)
    rows = [list(judged.heads).index(name) for name in names]
    excess = judged.scores[rows] - np.array([head.threshold for head in heads])[:, None]
    near = excess.max(axis=0) > -2.0  # no lead brings others back
    inside = np.isin(judged.whose, names)
    said = np.full(len(judged.whose), "", dtype=object)
    for look in np.flatnonzero(near & (inside & judged.own | ~inside & among)):
        scores = tuple(
            HeadScore(head.name, float(judged.scores[row, look]), head.threshold, head.margin)
            for head, row in zip(heads, rows, strict=True)
        )
        said[look] = decide(with_lead(scores) if lead else scores).person or ""
    own, others = inside & judged.own, ~inside & among
    right, any_name = said == judged.whose, said != ""
    known = own & np.isin(judged.whose, list(held_out))
    through = set(judged.whose[others & any_name])
    return Outcome(
        float(right[own].mean()),
        float(right[known].mean()) if known.any() else float("nan"),
        float((any_name & ~right)[own].mean()),
        float(any_name[others].mean()),
        len(through) / len(set(judged.whose[others])),
    )


def looked_at(shared: Path) -> tuple[Judged, Cohort]:
    """Everybody's looks, through detector, gate and the shipped base, and the heads."""
    from benchmarks.studies.person_data import Bench, Shown, people
    from benchmarks.studies.person_figures import given
    from benchmarks.studies.person_strategies import shipped
    from edge.files.image import read_picture
    from trainer.cohort.choose import find_cohort
    from trainer.inference.source import open_subject

    deployed = open_subject("shipped").embedder
    bench, cohort = Bench(deployed), find_cohort(deployed)
    trials = list(people(bench, shared, lambda name: True))
    heads = {}
    for trial in trials:
        try:
            heads[trial.name] = shipped(given(trial, bench), cohort)
        except RefusedError as problem:
            click.echo(f"{trial.name} left out: {problem}", err=True)
    folders = (f for f in sorted((shared / "data" / "lfw-crops").iterdir()) if f.is_dir())
    several = [files for files in (sorted(f.iterdir()) for f in folders) if len(files) > 1]
    shown = (Shown(p.parent.name, read_picture(p), p.name) for files in several for p in files)
    others = bench.judge(shown, one_face=True, total=sum(map(len, several)), label="LFW")
    judged = trials[0].judged
    own = np.zeros(len(judged.frame), bool)
    for trial in trials:
        own |= trial.own[judged.frame]
    vectors = np.concatenate([judged.embeddings, others.embeddings])
    return Judged(
        heads=heads,
        scores=np.stack([head.score(vectors) for head in heads.values()]).astype(np.float32),
        whose=np.concatenate(
            [np.array(each.person)[each.frame] for each in (judged, others)], dtype=object
        ),
        own=np.concatenate([own, np.zeros(len(others.frame), bool)]),
    ), cohort


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
def main(shared: Path) -> None:
    """Judge bundles of 1 to 100 people, with and without what a lead gives."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchmarks.shipped_base.hold_out import held_out_people

    held_out = set(held_out_people(shared)["people"])
    for line in table(*looked_at(shared), held_out):
        click.echo(line)


def table(judged: Judged, cohort: Cohort, held_out: set[str]) -> Iterator[str]:
    """Bundles of people of each half, and of all."""
    everybody = list(judged.heads), np.ones(len(judged.whose), bool)
    yield (
        f"{len(judged.heads)} people, {int(judged.own.sum())} own looks, "
        f"{len(set(judged.whose))} people in all\n"
    )
    yield (
        "| people, in one bundle | lead | TAR | TAR, not trained on | misnamed | FAR per look | "
        "strangers with any |\n|---|---|---|---|---|---|---|"
    )
    rng = np.random.default_rng(0)
    for label, (names, among) in (
        ("first half", judged.of_half(True)),
        ("second half", judged.of_half(False)),
        ("all", everybody),
    ):
        for count, draws in DRAWS.items():
            if count > 0.9 * len(names) or (label == "all" and count not in (1, 30, 100)):
                continue
            drawn = [
                [names[k % len(names)]] if count == 1 else rng.permutation(names)[:count].tolist()
                for k in range(draws)
            ]
            for lead in (False, True) if count > 1 else (False,):
                found = [
                    list(vars(outcome(judged, d, among, cohort, held_out, lead=lead)).values())
                    for d in drawn
                ]
                tar, held, wrong, far, people = np.nanmean(found, axis=0)
                yield (
                    f"| {label}, {count} | {'yes' if lead else 'no'} | {tar:.3f} | {held:.3f} | "
                    f"{wrong:.4f} | {far:.5f} | {people:.4f} |"
                )


if __name__ == "__main__":
    main()
