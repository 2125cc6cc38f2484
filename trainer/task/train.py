"""A task: any yes-or-no question about faces, learned from two folders.

`positive` shows what the head shall say yes to (sunglasses), `negative` what not. There are no
strangers here: the threshold is where the fit parts the answers, unless another place is clearly
better on scores of groups that had no part in the fit. A group, the person by a pattern in the file
names, is never split.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.bundle.writer import file_stem
from edge.console.overwriting import refuse_existing
from edge.enrolment.augment import PER_PICTURE
from edge.errors import RefusedError
from edge.files.atomic import atomic_folder
from edge.files.formats import is_picture, is_video
from edge.files.listing import list_folder
from edge.heads.calibration_record import TaskCalibration, TaskFigures
from edge.heads.head import DENSE_128, KERNEL, LINEAR, Head, HeadKind
from edge.models.run_record import Figures, RecordedFigures, Run
from trainer.cohort.choose import stored_cohort
from trainer.data.attribute_metrics import USEFUL_MARGIN
from trainer.finetune.base import TUNED_ON_THESE, TunedBase, tune_base
from trainer.inference.embeddings import embeddings_of
from trainer.person.pipeline import Pipeline, write_models
from trainer.person.settings import AUTO, FINETUNE, PersonSettings
from trainer.photos.album import expanded
from trainer.photos.copies import SMALLER_COPY
from trainer.photos.grouping import Print, group_numbers, prints_to_json
from trainer.photos.marks_file import write_marks
from trainer.photos.samples import FaceSamples, read_looks
from trainer.photos.whose import names_by, pattern_of
from trainer.report.contact_sheet import CONTACT_SHEET, write_contact_sheet
from trainer.task.head import TaskExamples, best_threshold, fit_task_head
from trainer.task.result import Answers, TaskResult
from trainer.task.whitening import Whitening

KINDS: dict[str, tuple[HeadKind, ...]] = {
    LINEAR: (LINEAR,),
    KERNEL: (KERNEL,),
    DENSE_128: (DENSE_128,),
    AUTO: (LINEAR, KERNEL),
}
"""What --head asks for; with "auto" the better one out of fold."""

MOST_VARIATIONS = 24
"""Of each look, where there are few."""

VARIATIONS_IN_ALL = 8_000
"""About: 0.2 GB of crops, and half a minute on two cores."""

FEWEST_GROUPS = 4
"""Of each answer, below which nothing can be learned that holds for others."""

FEW_GROUPS = 15


def train_task(
    settings: PersonSettings,
    positive: Sequence[Path],
    negative: Sequence[Path],
    group_regex: str,
    command: str,
) -> TaskResult:
    """Read both answers, fit, set the threshold out of fold, and write a run.

    Raises `RefusedError` where there are fewer than `FEWEST_GROUPS` groups of an answer, and
    whatever reading pictures raises.
    """
    refuse_existing(settings.out, overwrite=settings.overwrite)
    pattern = pattern_of(group_regex)
    eyes = Pipeline.open(settings)
    answers = read_answers(positive, negative, pattern, eyes, settings)
    tuned: TunedBase | None = None
    if settings.mode == FINETUNE:
        eyes, tuned = _tuned(eyes, answers, settings)
    cohort = stored_cohort(eyes.deployed, settings.base, None if tuned else settings.cohort)
    whitening = None if cohort is None else Whitening.of(cohort)
    kinds = KINDS[settings.head]
    head, figures = fit_task(
        settings.name, answers, eyes, kinds, settings.seed, whitening, keep=not settings.privacy
    )
    warnings = (*head.calibration.warnings, *([] if tuned is None else [TUNED_ON_THESE]))
    result = TaskResult(settings.out, settings.name, figures, warnings)
    _write(result, head, answers, eyes, tuned, settings, command)
    return result


def read_answers(
    positive: Sequence[Path],
    negative: Sequence[Path],
    pattern: re.Pattern[str] | None,
    eyes: Pipeline,
    settings: PersonSettings,
) -> Answers:
    """The usable faces of both answers, grouped.

    Raises `RefusedError` where a file is given as both, or an answer has few groups.
    """
    both: list[FaceSamples] = []
    vary = variations_per_look(len(picture_files((*positive, *negative))))
    for paths, label in ((positive, "looking at --positive"), (negative, "looking at --negative")):
        both.append(
            read_looks(
                paths,
                eyes.embedder,
                eyes.detector,
                vary=vary,
                seed=settings.seed,
                quiet=settings.quiet,
                label=label,
            )
        )
    _refuse_both(both[0].prints, both[1].prints)
    looks = FaceSamples((*both[0].kept, *both[1].kept), (*both[0].dropped, *both[1].dropped))
    answer = np.arange(len(looks.kept)) < len(both[0].kept)
    people: tuple[str, ...] = ()
    if pattern is None:
        group = group_numbers(looks.prints)
    else:
        names = names_by(pattern, (one.file for one in looks.prints))
        found, group = np.unique(names, return_inverse=True)
        people, group = tuple(map(str, found)), group.reshape(-1)
    _refuse_few(answer, group)
    copies = sum(one.reason == SMALLER_COPY for one in looks.dropped)
    ignored = ignored_files((*positive, *negative))
    return Answers(looks, answer, group, len(looks.dropped) - copies, copies, ignored, people)


def variations_per_look(pictures: int) -> int:
    """How many variations of each are worth their time: what is left to chance in a few is not in
    many (measured on sunglasses: accuracy 0.92 to 0.96 by the draw with 8, 0.95 with 24)."""
    return max(PER_PICTURE, min(MOST_VARIATIONS, VARIATIONS_IN_ALL // max(pictures, 1)))


def ignored_files(paths: Sequence[Path]) -> int:
    """How many files of the folders are neither pictures nor videos, such as `.bad` ones."""
    folders = [root for root in expanded(paths) if root.is_dir()]
    listings = [list_folder(one, lambda p: is_picture(p) or is_video(p)) for one in folders]
    return sum(len(listing.left_out) for listing in listings)


def picture_files(paths: Sequence[Path]) -> list[Path]:
    """The pictures among files and in folders."""
    roots = expanded(paths)
    found: list[Path] = []
    for root in roots:
        if root.is_dir():
            found += list_folder(root, is_picture).files
        elif is_picture(root):
            found.append(root)
    return found


def fit_task(
    name: str,
    answers: Answers,
    eyes: Pipeline,
    kinds: tuple[HeadKind, ...],
    seed: int,
    whitening: Whitening | None = None,
    *,
    keep: bool = True,
) -> tuple[Head, TaskFigures]:
    """The head, the best of `kinds`, and its figures on scores out of fold. whitening: of a cohort
    of this embedder, where there is one. keep: whether embeddings may be kept for the next run."""
    varied, owner = answers.looks.varied()
    examples = TaskExamples(
        x=embeddings_of(eyes.embedder, answers.looks.crops(), keep=keep).astype(np.float64),
        varied=embeddings_of(eyes.embedder, varied, keep=keep).astype(np.float64),
        varied_of=owner,
        answer=answers.answer,
        group=answers.group,
        whitening=whitening,
    )
    fit = fit_task_head(examples, kinds, seed)
    threshold = best_threshold(fit.held_out, answers.answer, answers.group)
    parameters = sum(layer.weights.size + layer.bias.size for layer in fit.layers)
    figures = _figures(fit.held_out, threshold, answers, fit.kind, parameters)
    head = Head(
        name=name,
        kind=fit.kind,
        embedder_sha256=eyes.deployed.network.sha256,
        layers=fit.layers,
        threshold=threshold,
        calibration=TaskCalibration(
            strategy="where the fit parts the answers, unless another place is clearly better",
            l2=fit.l2,
            figures=figures,
            own_scores=tuple(round(float(s), 5) for s in fit.held_out[answers.answer]),
            negative_scores=tuple(round(float(s), 5) for s in fit.held_out[~answers.answer]),
            warnings=_warnings(figures),
        ),
    )
    return head, figures


def _tuned(
    eyes: Pipeline, answers: Answers, settings: PersonSettings
) -> tuple[Pipeline, TunedBase]:
    varied, owner = answers.looks.varied()
    tuned = tune_base(
        eyes.subject,
        np.concatenate([answers.looks.crops(), varied]),
        np.concatenate([answers.answer, answers.answer[owner]]),
        np.concatenate([answers.group, answers.group[owner]]),
        from_layer=settings.from_layer,
        seed=settings.seed,
    )
    return eyes.on(tuned.subject(f"{eyes.subject.name}, fine-tuned"), settings.threads), tuned


def _refuse_both(yes: Sequence[Print], no: Sequence[Print]) -> None:
    """Raises `RefusedError` naming a file that is given as both answers. Pictures that are merely
    alike may be: the answer is often a detail."""
    said_yes = {one.sha256: one.file for one in yes if one.sha256}
    for one in no:
        if one.sha256 in said_yes:
            raise RefusedError(
                f"{said_yes[one.sha256]} of --positive is also {one.file} of --negative",
                hint="a picture has one answer; take it out of one of the two",
            )


def _refuse_few(answer: np.ndarray, group: np.ndarray) -> None:
    for wanted, option in ((True, "--positive"), (False, "--negative")):
        count = len(np.unique(group[answer == wanted]))
        if count < FEWEST_GROUPS:
            raise RefusedError(
                f"{option} shows {count} independent groups, it takes at least {FEWEST_GROUPS}",
                hint="give pictures of more people, or check --group-regex",
            )


def _figures(
    scores: np.ndarray, threshold: float, answers: Answers, head: str, head_parameters: int
) -> TaskFigures:
    yes, said = answers.answer, scores >= threshold
    share = float(yes.mean())
    far, frr = float(said[~yes].mean()), float((~said[yes]).mean())
    pictures, right = len(yes) + answers.dropped, int((said == yes).sum())
    return TaskFigures(
        positive=int(yes.sum()),
        negative=int((~yes).sum()),
        groups=len(np.unique(answers.group)),
        dropped=answers.dropped,
        copies=answers.copies,
        ignored=answers.ignored,
        accuracy=float((said == yes).mean()),
        pictures=pictures,
        accuracy_of_all=right / pictures,
        single_files=answers.single_files,
        majority_accuracy=max(share, 1.0 - share),
        balanced_accuracy=1.0 - (far + frr) / 2,
        far=far,
        frr=frr,
        out_of_fold=True,
        head=head,
        head_parameters=head_parameters,
    )


def _is_useful(figures: TaskFigures) -> bool:
    return bool(figures.accuracy >= figures.majority_accuracy + USEFUL_MARGIN)


def _warnings(figures: TaskFigures) -> tuple[str, ...]:
    found = []
    if figures.groups < FEW_GROUPS:
        found.append(
            f"{figures.groups} independent groups are few: accuracy on others may differ much"
        )
    if 2 * figures.single_files >= figures.groups:
        found.append(
            f"{figures.single_files} of {figures.groups} groups are single files: where "
            "several pictures show one person, the accuracy flatters; say whose each is by "
            "--group-regex"
        )
    if not _is_useful(figures):
        found.append("the head has learned nothing useful: it is hardly better than the majority")
    return tuple(found)


def _write(
    result: TaskResult,
    head: Head,
    answers: Answers,
    eyes: Pipeline,
    tuned: TunedBase | None,
    settings: PersonSettings,
    command: str,
) -> None:
    from trainer.task.report import write_task_report

    figures: Figures = result.figures
    if tuned is not None:
        figures = RecordedFigures({**figures.to_json(), "finetune": tuned.facts})
    run = Run(
        kind="person",
        command=command,
        seed=settings.seed,
        network=eyes.subject.base.network,
        embedder=eyes.external,
        data={
            "task": True,
            "pictures": prints_to_json(answers.looks.prints, private=settings.privacy),
            "people": [] if settings.privacy else list(answers.people),
        },
        figures=figures,
        warnings=result.warnings,
        learned_something=_is_useful(result.figures),
    )
    with atomic_folder(settings.out, replace=settings.overwrite) as folder:
        write_models(folder, eyes, settings, tuned)
        head.save(folder / "heads" / f"{file_stem(head.name)}.npz")
        run.save(folder)
        if not settings.privacy:
            write_marks(folder, answers.looks.prints)
            yes = answers.looks.select(answers.answer)
            write_contact_sheet(folder / CONTACT_SHEET, yes, [])
        write_task_report(folder, result, head, answers, run, privacy=settings.privacy)
