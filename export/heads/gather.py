"""Persons: who goes into a bundle, and the strangers that their thresholds stand on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import RefusedError, UsageError
from export.inputs.run_folder import RunFolder

if TYPE_CHECKING:
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head
    from export.options import PackOptions

Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Persons:
    """heads: all of one embedder, with thresholds for all of them together. cohort: None where
    there is none. enrolled_again: names of those whose heads were fitted anew on this embedder.
    """

    heads: tuple[Head, ...] = ()
    cohort: Cohort | None = None
    enrolled_again: tuple[str, ...] = ()


def gather(run: RunFolder, options: PackOptions, report: Report = lambda line: None) -> Persons:
    """The persons of all runs, their thresholds set for the whole bundle, and the cohort.

    Heads of another embedder than the run's are fitted anew where `options` brings pictures. Raises
    `RefusedError` where there are none or no cohort, `UsageError` for two persons of one name and
    for a cohort that the heads were not enrolled with.
    """
    paths = options.heads if run.given_embedder is None else (run.path, *options.heads)
    others = [RunFolder.open(path) for path in paths]
    moved = [other for other in others if other.embedder.sha256 != run.embedder.sha256]
    moved = [other for other in moved if other.heads()]
    own = list(run.heads())
    own += [head for other in others if other not in moved for head in other.heads()]
    _check_names([*own, *(head for other in moved for head in other.heads())])
    cohort = _cohort(run, [other for other in others if other not in moved], own, options)
    again = _enrolled_again(run, moved, cohort, options, report)
    in_order = {head.name: head for head in (*own, *again)}
    names = [head.name for each in (run, *others) for head in each.heads()]
    heads = for_the_whole_bundle([in_order[name] for name in names], cohort)
    return Persons(heads, cohort, tuple(head.name for head in again))


def for_the_whole_bundle(heads: Sequence[Head], cohort: Cohort | None) -> tuple[Head, ...]:
    """Heads whose thresholds keep the stated FAR for all of them together.

    One head keeps the threshold that it was enrolled with. Several without a cohort do as well,
    and a warning says so. Raises `RefusedError` where somebody can then not be told from strangers.
    """
    if len(heads) < 2 or cohort is None:
        return tuple(heads)
    from edge.heads.calibration import recalibrate

    return recalibrate(heads, cohort)


def _check_names(heads: Sequence[Head]) -> None:
    names = [head.name for head in heads]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two runs hold a person named {name}", hint="enroll one of them under another name"
            )


def _cohort(
    run: RunFolder, same: Sequence[RunFolder], heads: Sequence[Head], options: PackOptions
) -> Cohort | None:
    """The one that is given, else the run's, else that of a person on the same embedder."""
    if options.cohort is None:
        found = (each.cohort() for each in (run, *same))
        return next((cohort for cohort in found if cohort is not None), None)
    if heads:
        raise UsageError(
            f"the threshold of {heads[0].name} was set on another cohort than --cohort",
            hint="leave --cohort out, or enroll with it: 'edge-train person --cohort'",
        )
    from edge.heads.cohort import Cohort

    cohort = Cohort.load(options.cohort)
    if cohort.embedder_sha256 != run.embedder.sha256:
        raise RefusedError(
            f"{options.cohort} was made by another embedder than that of {run.path}",
            hint="make it with 'edge-train cohort DIR --embedding "
            f"{run.given_embedder or run.path}'",
        )
    return cohort


def _enrolled_again(
    run: RunFolder,
    moved: Sequence[RunFolder],
    cohort: Cohort | None,
    options: PackOptions,
    report: Report,
) -> list[Head]:
    """The persons of runs on another embedder, fitted again on that of `run`."""
    if not moved:
        return []
    name = moved[0].heads()[0].name
    if not options.pictures:
        raise RefusedError(
            f"{name} of {moved[0].path} was enrolled on the embedder file "
            f"{moved[0].embedder.sha256[:12]}…, the bundle's is {run.embedder.sha256[:12]}…: the "
            "scores would mean nothing",
            hint=f"give --pictures with the photos of {name}, to enroll again on this embedder",
        )
    if cohort is None:
        raise RefusedError(
            f"{run.path} brings no strangers to enroll {name} against on the embedder",
            hint="make some with 'edge-train cohort DIR --embedding "
            f"{run.given_embedder or run.path} -o cohort.npz' and give --cohort cohort.npz",
        )
    from edge.faces.detector import Detector
    from edge.models.embedder import Embedder
    from export.heads.re_enrol import Sight, enrolled_again, plan_of

    embedder = Embedder(run.embedder, run.embedder_data())
    sight = Sight(embedder, Detector.open(options.detector), cohort)
    plans = [plan_of(other, head) for other in moved for head in other.heads()]
    again = []
    for plan in plans:
        report(f"enrolling {plan.name} again on {run.path.name}")
        again.append(enrolled_again(plan, sight, options.pictures))
    return again
