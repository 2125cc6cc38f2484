"""Fine-tuning a base on one person: their looks against half of the strangers at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.errors import RefusedError
from edge.heads.cohort import Cohort
from trainer.cohort.build import CohortPlan, build_cohort, strangers
from trainer.finetune.base import FEWEST_PEOPLE, TunedBase, stranger_crops, tune_base
from trainer.person.pipeline import Pipeline
from trainer.person.settings import PersonSettings
from trainer.photos.samples import FaceSamples


def tuned_eyes(
    eyes: Pipeline, looks: FaceSamples, others: Sequence[Path], settings: PersonSettings
) -> tuple[Pipeline, TunedBase, Cohort]:
    """A base fine-tuned on my looks and half of the strangers of `others`, and the cohort of the
    other half, whom it has never seen; else false accepts would be underestimated.

    Raises `RefusedError` without enough strangers.
    """
    if not others:
        raise RefusedError(
            f"--mode finetune needs pictures of at least {FEWEST_PEOPLE} strangers",
            hint="give them by --others, or use --mode features, which has a cohort",
        )
    plan = CohortPlan(
        detector=settings.detector_model,
        seed=settings.seed,
        quiet=settings.quiet,
        source="--others, the half that fine-tuning did not see",
    )
    theirs, identity, unseen = stranger_crops(strangers(list(others), plan), eyes.subject, plan)
    varied, owner = looks.varied()
    mine = np.concatenate([looks.crops(), varied])
    my_groups = np.concatenate([looks.groups, looks.groups[owner]])
    numbers = np.unique(identity, return_inverse=True)[1].reshape(-1) + int(my_groups.max()) + 1
    tuned = tune_base(
        eyes.subject,
        np.concatenate([mine, theirs]),
        np.arange(len(mine) + len(theirs)) < len(mine),
        np.concatenate([my_groups, numbers]),
        from_layer=settings.from_layer,
        seed=settings.seed,
    )
    cohort, _ = build_cohort(unseen, tuned.deployed, plan)
    subject = tuned.subject(f"{eyes.subject.name}, fine-tuned")
    return eyes.on(subject, settings.threads), tuned, cohort
