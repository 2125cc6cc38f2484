"""Strangers: the cohort that somebody is enrolled against, from wherever there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.bundle.locate import shipped_bundle
from edge.errors import InputError
from edge.heads.cohort import Cohort
from edge.models.run_record import COHORT
from trainer.inference.source import SHIPPED_NAME, Deployed

OTHERS = "others given"
"""The group of the people of `--others`."""


def find_cohort(
    deployed: Deployed,
    *,
    base: str = SHIPPED_NAME,
    file: Path | None = None,
    others: Sequence[Path] = (),
    detector: Path | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Cohort:
    """The strangers for an embedder: `file`, else the base's cohort, and the people of `others`.

    Raises `InputError` where there are neither, or `file` is of another embedder.
    """
    found = stored_cohort(deployed, base, file)
    if others:
        from trainer.cohort.build import CohortPlan, build_cohort, strangers

        plan = CohortPlan(
            groups=tuple((OTHERS, folder) for folder in others),
            detector=detector,
            seed=seed,
            quiet=quiet,
            source="--others",
        )
        added, _ = build_cohort(strangers(list(others), plan), deployed, plan)
        found = added if found is None else found.joined(added)
    if found is None:
        raise InputError(
            "there are no strangers to tell anybody from: no cohort of this embedder is at hand",
            hint="make one with 'edge-train cohort DIR --embedding … -o cohort.npz' and give "
            "--cohort, or give faces of many people with --others",
        )
    return found


def stored_cohort(deployed: Deployed, base: str, file: Path | None) -> Cohort | None:
    """`file`, else that of the run, else the shipped one; only of the embedder in use."""
    if file is not None:
        cohort = Cohort.load(file)
        if cohort.embedder_sha256 != deployed.network.sha256:
            raise InputError(
                f"{file} was made by another embedder",
                hint="make it again with 'edge-train cohort' and the same --embedding",
            )
        return cohort
    candidate: Cohort | None = None
    path = Path(base) / COHORT
    if path.is_file():
        candidate = Cohort.load(path)
    elif base == SHIPPED_NAME:
        with shipped_bundle() as bundle:
            candidate = bundle.cohort()
    fits = candidate is not None and candidate.embedder_sha256 == deployed.network.sha256
    return candidate if fits else None
