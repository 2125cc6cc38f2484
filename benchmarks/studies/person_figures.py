"""The person's figures on real data, as tables for RESULTS.md.

python -m benchmarks.studies.person_figures ../shared --embedding mobilefacenet
python -m benchmarks.studies.person_figures ../shared --embedding shipped --strategies
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.errors import RefusedError

if TYPE_CHECKING:
    from benchmarks.studies.person_data import Bench, Trial
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

CMU = "cmu"
TABLES = ("webcam", "head-pose", CMU)
"""Tasks whose enrolments, or poses, are also shown one by one."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
@click.option("--embedding", type=click.Choice(["mobilefacenet", "shipped"]), default="shipped")
@click.option(
    "--cohort", type=click.Path(path_type=Path), help="Cohort; by default one made from LFW."
)
@click.option("--task", type=click.Choice(["webcam", "head-pose", "people", CMU]), multiple=True)
@click.option("--strategies", is_flag=True, help="Compare ways to set the threshold.")
@click.option("--verbose", is_flag=True, help="Print a line for every enrolment.")
def main(
    shared: Path,
    embedding: str,
    cohort: Path | None,
    task: tuple[str, ...],
    strategies: bool,
    verbose: bool,
) -> None:
    """Measure enrolment on the data in SHARED."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchmarks.studies.person_strategies import STRATEGIES
    from benchmarks.studies.person_tables import enrolment_table, pose_table

    bench, strangers = opened(shared, embedding, cohort)
    names = list(STRATEGIES) if strategies else list(STRATEGIES)[-1:]
    click.echo(f"\n{embedding}, cohort of {strangers.people} people\n")
    click.echo(
        "| task | threshold by | TAR of faces that pass | TAR of all, rejected ones counted | "
        "FAR per look | strangers accepted | gate passes |"
    )
    click.echo("|---|---|---|---|---|---|---|")
    tables = []
    for name, trials in _tasks(bench, shared, embedding, task):
        kept = list(trials)
        for strategy in names:
            heads = _heads(STRATEGIES[strategy], kept, strangers, bench, verbose)
            click.echo(_row(name, strategy, kept, heads))
        if name in TABLES:  # of the strategy in use, which stands last
            table = pose_table if name == CMU else enrolment_table
            tables.append("\n".join([f"\n{name}, {names[-1]}\n", *table(kept, heads)]))
    for text in tables:
        click.echo(text)


def opened(shared: Path, embedding: str, cohort: Path | None) -> tuple[Bench, Cohort]:
    """What looks at pictures, and the strangers of its embedding."""
    from benchmarks.studies.person_data import Bench
    from edge.heads.cohort import Cohort
    from trainer.cohort.choose import find_cohort
    from trainer.inference.source import open_file, open_subject

    if embedding == "shipped":
        deployed = open_subject("shipped").embedder
        return Bench(deployed), find_cohort(deployed, file=cohort)
    deployed = open_file(shared / "weights" / "MobileFaceNet.tflite")
    if cohort is not None:
        return Bench(deployed), Cohort.load(cohort)
    return Bench(deployed), _single_pictures(shared, deployed)


def _single_pictures(shared: Path, deployed: Any) -> Cohort:
    """A cohort of the people of LFW with one picture each."""
    import tempfile

    from trainer.cohort.build import CohortPlan, build_cohort, strangers

    with tempfile.TemporaryDirectory() as name:
        for folder in sorted((shared / "data" / "lfw-crops").iterdir()):
            if folder.is_dir() and len(list(folder.iterdir())) == 1:
                (Path(name) / folder.name).symlink_to(folder.resolve())
        plan = CohortPlan(source="LFW, people with one picture")
        return build_cohort(strangers([Path(name)], plan), deployed, plan)[0]


def _tasks(
    bench: Bench, shared: Path, embedding: str, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Iterator[Trial]]]:
    from benchmarks.shipped_base.hold_out import held_out_people
    from benchmarks.studies.head_poses import head_pose_frames, head_poses
    from benchmarks.studies.person_data import cmu_faces, people, webcam

    unseen: Callable[[str], bool] = lambda name: True  # noqa: E731
    if embedding == "shipped":  # people that it was trained on prove nothing
        held_out = set(held_out_people(shared)["people"])
        unseen = held_out.__contains__
    known = {
        "webcam": lambda: webcam(bench, shared, lambda: head_pose_frames(shared)),
        "head-pose": lambda: head_poses(bench, shared),
        "people": lambda: people(bench, shared, unseen),
        CMU: lambda: cmu_faces(bench, shared),
    }
    for name, make in known.items():
        if not wanted or name in wanted:
            yield name, make()


def _heads(
    strategy: Callable[..., Any], trials: list[Trial], cohort: Cohort, bench: Bench, verbose: bool
) -> list[Head | None]:
    """The head of each enrolment, None where it is refused."""
    heads: list[Head | None] = []
    for trial in trials:
        try:
            head = strategy(given(trial, bench), cohort)
        except RefusedError as problem:
            heads.append(None)
            if verbose:
                click.echo(f"  {trial.name}: {problem}", err=True)
            continue
        heads.append(head)
        if verbose:
            facts = head.facts
            scores = trial.judged.highest(head.score(trial.judged.embeddings))
            click.echo(
                f"  {trial.name}: threshold {head.threshold:.2f} strangers up to "
                f"{scores[trial.others].max():.2f} camera {facts.camera} groups "
                f"{facts.frr.trials} left out {list(facts.left_out)}",
                err=True,
            )
    return heads


def _row(task: str, label: str, trials: list[Trial], heads: list[Head | None]) -> str:
    import numpy as np

    from edge.heads.threshold import Rate

    tars, all_tars, fars, accepted, tried = [], [], [], 0, 0
    through: set[tuple[str, str]] = set()
    pairs: set[tuple[str, str]] = set()
    shown = np.zeros(len(trials[0].judged.person), bool)
    for trial, head in zip(trials, heads, strict=True):
        shown |= trial.own
        if head is None:
            continue
        highest = trial.judged.highest(head.score(trial.judged.embeddings))
        own = highest[trial.own & trial.judged.passed] >= head.threshold
        others = trial.others & trial.judged.passed
        wrong = highest[others] >= head.threshold
        whose = np.array(trial.judged.person)[others]
        pairs |= {(trial.name, name) for name in whose}
        through |= {(trial.name, name) for name in whose[wrong]}
        tars.append(own.mean())
        all_tars.append(own.sum() / trial.own.sum())
        fars.append(wrong.mean())
        accepted, tried = accepted + int(own.sum()), tried + len(own)
    judged = trials[0].judged
    gate = judged.passed[judged.faces & shown].mean()
    refused = len(trials) - len(tars)
    note = f", {refused} refused" if refused else ""
    if not tars:
        return f"| {task}, 0 enrolments{note} | {label} | – | – | – | – | {gate:.3f} |"
    return (
        f"| {task}, {len(tars)} enrolments{note} | {label} | {np.mean(tars):.3f} "
        f"(pooled {accepted / tried:.3f}) | {np.mean(all_tars):.3f} | {np.mean(fars):.5f} | "
        f"{Rate(len(through), len(pairs))} | {gate:.3f} |"
    )


def given(trial: Trial, bench: Bench) -> Any:
    """The trial's enrolment as strategies take it."""
    from benchmarks.studies.person_strategies import Enrolment

    varied, owner = trial.looks.varied()
    arguments = {"varied": bench.embed(varied), "varied_of": owner}
    return Enrolment(
        bench.embed(trial.looks.crops()),
        trial.looks.groups,
        arguments,
        trial.looks.origin().camera,
    )


if __name__ == "__main__":
    main()
