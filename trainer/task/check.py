"""Checking a task's run on fresh pictures; see `edge-train evaluate-person`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.errors import InputError
from edge.models.run_record import Run
from trainer.inference.embeddings import embeddings_of
from trainer.person.check import read_fresh
from trainer.person.evaluation import Sample, sample_of
from trainer.photos.samples import FaceSamples
from trainer.photos.whose import names_by, pattern_of
from trainer.task.evaluation import TaskEvaluation


def is_task(run: Run) -> bool:
    """Whether a run is of a yes-or-no task and not of a person."""
    return run.kind == "person" and bool(run.data.get("task"))


def check_task(
    folder: Path,
    positive: Sequence[Path],
    negative: Sequence[Path],
    *,
    group_regex: str = "",
    name: str = "",
    detector_model: Path | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> TaskEvaluation:
    """Judge fresh pictures, yes by `positive` and no by `negative`, with a task's head.

    Raises `UsageError` where the pattern finds nothing in a name, `InputError` for a run of
    another kind, and as `read_fresh`.
    """
    pattern = pattern_of(group_regex)
    run = Run.load(folder)
    if not is_task(run):
        raise InputError(
            f"{folder} is no task's run",
            hint="make one with edge-train person --positive DIR --negative DIR",
        )
    fresh = read_fresh(
        folder,
        {"positive": positive, "negative": negative},
        name=name,
        detector_model=detector_model,
        threads=threads,
        quiet=quiet,
    )

    def sample(looks: FaceSamples | None) -> Sample | None:
        if looks is None:
            return None
        made = sample_of(fresh.head, looks, embeddings_of(fresh.embedder, looks.crops()), ())
        if pattern is None:
            return replace(made, people=tuple(str(number) for number in looks.groups))
        return replace(made, people=names_by(pattern, (one.file for one in looks.prints)))

    yes, no = sample(fresh.looks["positive"]), sample(fresh.looks["negative"])
    met = {whose for one in (yes, no) if one is not None for whose in one.people}
    known = met & set(map(str, run.data.get("people", []))) if pattern is not None else set()
    return TaskEvaluation(fresh.head, yes, no, pattern is not None, tuple(sorted(known)))
