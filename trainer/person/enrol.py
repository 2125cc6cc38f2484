"""A person's run: from photos to a head, its threshold, and a folder to pack."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.writer import file_stem
from edge.console.overwriting import refuse_existing
from edge.enrolment.augment import PER_PICTURE
from edge.enrolment.conditions import Origin
from edge.errors import InputError, RefusedError, ToolkitError, TwoPeopleError
from edge.files.atomic import atomic_folder
from edge.files.model_file import sha256_of
from edge.heads.cohort import Cohort
from edge.heads.enrol import enrol
from edge.heads.fitting import LINEAR_FITTER, Fitter
from edge.heads.head import DENSE_128, Head
from edge.heads.same_face import same_faces
from edge.models.run_record import COHORT, Run
from trainer.cohort.choose import find_cohort
from trainer.finetune.base import TUNED_ON_THESE, TunedBase
from trainer.inference.embeddings import embeddings_of
from trainer.person.evaluation import PersonEvaluation, Sample, sample_of
from trainer.person.figures import PersonFigures
from trainer.person.finetune import tuned_eyes
from trainer.person.pipeline import Pipeline, write_models
from trainer.person.report import write_report
from trainer.person.result import PersonResult
from trainer.person.settings import AUTO, FINETUNE, PersonSettings, check_person
from trainer.photos.album import Album, find_files, open_album
from trainer.photos.grouping import prints_to_json, refuse_copies
from trainer.photos.marks_file import write_marks
from trainer.photos.samples import FaceSamples, read_looks
from trainer.report.contact_sheet import CONTACT_SHEET, write_contact_sheet, write_variations

SEEN_OF_OTHERS = 24
"""Pictures of strangers that tell where they are from."""


def train_person(settings: PersonSettings, command: str) -> PersonResult:
    """Read, gate, embed, enroll, write. Raises a `ToolkitError` for whatever cannot be."""
    check_person(settings)
    refuse_existing(settings.out, overwrite=settings.overwrite)
    if not settings.overwrite:
        refuse_existing(settings.save_augmented)
    album = open_album(settings.photos, settings.name)
    eyes = Pipeline.open(settings)
    looks = _read(album.me, eyes, settings, recurring=True)
    not_me = _read(settings.not_me, eyes, settings, "looking at not-me")
    test = _read(album.test_me, eyes, settings, "looking at the test part", vary=0)
    _refuse_leaks(album, looks, not_me, test)
    assert looks is not None
    sides = {"not-me pictures": not_me, "others": _some(album.others, eyes, settings)}
    sides["strangers of --others"] = _some(settings.others, eyes, settings)
    tuned: TunedBase | None = None
    if settings.mode == FINETUNE:
        eyes, tuned, cohort = tuned_eyes(eyes, looks, (*settings.others, *album.others), settings)
    else:
        cohort = find_cohort(
            eyes.deployed,
            base=settings.base,
            file=settings.cohort,
            others=(*settings.others, *album.others),
            detector=settings.detector_model,
            seed=settings.seed,
            quiet=settings.quiet,
        )
    origin = looks.origin()
    if settings.camera != AUTO:
        origin = replace(origin, camera=settings.camera)
    try:
        head = _enrolled(settings, eyes, looks, not_me, cohort, origin)
    except TwoPeopleError as problem:
        raise _shown(problem, looks, settings) from None
    result = PersonResult(
        head=head,
        looks=looks,
        origin=origin,
        out=settings.out,
        warnings=(
            *_known_already(settings, eyes, looks, head),
            *_warnings(looks, sides, eyes, head, tuned),
        ),
        figures=PersonFigures(
            head=head,
            looks=len(looks.kept),
            independent_looks=looks.independent,
            one_sitting=looks.one_sitting,
            finetune=None if tuned is None else tuned.facts,
        ),
        not_me=None if not_me is None else _sample(head, not_me, eyes, settings.not_me, settings),
        test=_tested(head, album, test, eyes, settings),
    )
    _write(result, eyes, cohort, tuned, settings, command)
    return result


def _read(
    paths: Sequence[Path],
    eyes: Pipeline,
    settings: PersonSettings,
    label: str = "looking at photos",
    vary: int = PER_PICTURE,
    recurring: bool = False,
) -> FaceSamples | None:
    if not paths:
        return None
    return read_looks(
        paths,
        eyes.embedder,
        eyes.detector,
        vary=vary,
        seed=settings.seed,
        quiet=settings.quiet,
        label=label,
        recurring=recurring,
    )


def _refuse_leaks(
    album: Album, looks: FaceSamples | None, not_me: FaceSamples | None, test: FaceSamples | None
) -> None:
    """Raises `RefusedError` naming the files where one picture stands on two sides."""
    assert looks is not None
    for other, name in ((not_me, "not-me pictures"), (test, "test part")):
        if other is not None:
            refuse_copies(looks.prints, other.prints, names=("photos", name))
    parts = {
        part: [p for p in looks.prints if folder in Path(p.file).parents]
        for part, folder in album.me_parts
    }
    if parts.get("train") and parts.get("validation"):
        names = ("training part", "validation part")
        refuse_copies(parts["train"], parts["validation"], names=names)


def _enrolled(
    settings: PersonSettings,
    eyes: Pipeline,
    looks: FaceSamples,
    not_me: FaceSamples | None,
    cohort: Cohort,
    origin: Origin,
) -> Head:
    varied, varied_of = looks.varied()
    hard, hard_groups = None, None
    if not_me is not None:
        again, of = not_me.varied()
        crops = np.concatenate([not_me.crops(), again])
        hard = embeddings_of(eyes.embedder, crops, keep=not settings.privacy)
        hard_groups = np.concatenate([not_me.groups, not_me.groups[of]])
    return enrol(
        settings.name,
        _embedded(eyes, looks, settings),
        looks.groups,
        cohort,
        target_far=settings.target_far,
        not_me=hard,
        not_me_groups=hard_groups,
        varied=embeddings_of(eyes.embedder, varied, keep=not settings.privacy),
        varied_of=varied_of,
        camera=origin.camera,
        one_sitting=looks.one_sitting,
        strict=settings.strict,
        fitter=_fitter(settings),
        seed=settings.seed,
    )


def _shown(problem: TwoPeopleError, looks: FaceSamples, settings: PersonSettings) -> RefusedError:
    """The problem with a file of each person, and where both are seen."""
    names = [look.name for look in looks.kept]
    first = next(name for n, name in enumerate(names) if n not in problem.second)
    said = (
        f"{len(problem.second)} of {len(names)} looks show somebody else than the others: "
        f"{first} and {names[problem.second[0]]} are two people"
    )
    if settings.privacy:
        return RefusedError(said, hint="give photos of one person alone")
    sheet = settings.out.with_name(f"{settings.out.name}-{CONTACT_SHEET}")
    sheet.parent.mkdir(parents=True, exist_ok=True)
    write_contact_sheet(sheet, looks, problem.second)
    return RefusedError(
        said,
        hint=f"give photos of one person alone; {sheet} shows the one framed green, the other red",
    )


def _fitter(settings: PersonSettings) -> Fitter:
    if settings.head != DENSE_128:
        return LINEAR_FITTER
    from trainer.person.dense_head import dense_fitter

    return dense_fitter(settings.seed)


def _embedded(eyes: Pipeline, looks: FaceSamples, settings: PersonSettings) -> np.ndarray:
    return embeddings_of(eyes.embedder, looks.crops(), keep=not settings.privacy)


def _sample(
    head: Head,
    looks: FaceSamples,
    eyes: Pipeline,
    roots: Sequence[Path],
    settings: PersonSettings,
) -> Sample:
    return sample_of(head, looks, _embedded(eyes, looks, settings), roots)


def _tested(
    head: Head, album: Album, test: FaceSamples | None, eyes: Pipeline, settings: PersonSettings
) -> PersonEvaluation | None:
    if test is None:
        return None
    others = _read(album.test_others, eyes, settings, "looking at test strangers", vary=0)
    return PersonEvaluation(
        head,
        _sample(head, test, eyes, album.test_me, settings),
        None if others is None else _sample(head, others, eyes, album.test_others, settings),
    )


def _some(paths: Sequence[Path], eyes: Pipeline, settings: PersonSettings) -> FaceSamples | None:
    """Some pictures of strangers, to see where they are from; None without a usable one."""
    if not paths:
        return None
    try:
        files = find_files(paths)
        chosen = files[:: max(1, len(files) // SEEN_OF_OTHERS)][:SEEN_OF_OTHERS]
        return _read(chosen, eyes, settings, "looking at the others' pictures", vary=0)
    except InputError:
        return None


def _warnings(
    looks: FaceSamples,
    sides: Mapping[str, FaceSamples | None],
    eyes: Pipeline,
    head: Head,
    tuned: TunedBase | None,
) -> tuple[str, ...]:
    found = []
    if not eyes.learned_something:
        found.append(
            "the base has learned nothing useful (its attributes are hardly better than always "
            "answering the majority); do not rely on this head"
        )
    for name, other in sides.items():
        if other is not None and looks.origin().differs(other.origin()):
            found.append(
                f"the photos and the {name} look different (light, color or camera): the head "
                "may tell the cameras apart instead of the people; take both with one camera"
            )
    if tuned is not None:
        found.append(TUNED_ON_THESE)
    return (*found, *head.facts.warnings)


def _known_already(
    settings: PersonSettings, eyes: Pipeline, looks: FaceSamples, head: Head
) -> list[str]:
    """Under which names runs beside this one know the person."""
    heads = []
    for path in sorted(settings.out.parent.glob("*/heads/*.npz")):
        with contextlib.suppress(ToolkitError):
            other = Head.load(path)
            beside = path.parent.parent != settings.out
            if beside and other.embedder_sha256 == head.embedder_sha256:
                heads.append(other)
    if not heads:
        return []
    return [str(each) for each in same_faces(head.name, _embedded(eyes, looks, settings), heads)]


def _write(
    result: PersonResult,
    eyes: Pipeline,
    cohort: Cohort,
    tuned: TunedBase | None,
    settings: PersonSettings,
    command: str,
) -> None:
    run = Run(
        kind="person",
        command=command,
        seed=settings.seed,
        network=eyes.subject.base.network,
        embedder=eyes.external,
        data={**_data(result, settings), "origin": result.origin.to_json()},
        figures=replace(result.figures, test=result.test),
        warnings=result.warnings,
        learned_something=eyes.learned_something,
    )
    with atomic_folder(settings.out, replace=settings.overwrite) as folder:
        write_models(folder, eyes, settings, tuned)
        result.head.save(folder / "heads" / f"{file_stem(result.head.name)}.npz")
        cohort.save(folder / COHORT)
        run.save(folder)
        if not settings.privacy:
            write_marks(folder, result.looks.prints)
            sheet = folder / CONTACT_SHEET
            write_contact_sheet(sheet, result.looks, result.head.facts.left_out)
        write_report(folder, result, cohort, run, privacy=settings.privacy)
    if settings.save_augmented is not None:
        write_variations(settings.save_augmented, result.looks)


def _data(result: PersonResult, settings: PersonSettings) -> dict[str, Any]:
    """Counts and fingerprint; what pictures are recognized by, without names if `privacy`."""
    looks = result.looks
    fingerprint = sha256_of(b"".join(look.crop.tobytes() for look in looks.kept))
    return {
        "files": looks.files,
        "videos": looks.videos,
        "fingerprint": fingerprint,
        "pictures": prints_to_json(looks.prints, private=settings.privacy),
    }
