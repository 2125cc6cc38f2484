"""Figures of persons' heads one by one: by enrolment, and in one room by pose and eyewear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from benchmarks.studies.person_data import Judged, Trial
from edge.heads.head import Head

DIRECTIONS = ("straight", "left", "right", "up")
EYES = ("open", "sunglasses")


def enrolment_table(trials: Sequence[Trial], heads: Sequence[Head | None]) -> list[str]:
    """Lines of a table in Markdown, a row for each enrolment; heads: None where it was refused."""
    lines = [
        "| enrolled from | independent looks | TAR of frames that pass | gate passes | "
        "FAR per frame of strangers | strangers accepted |",
        "|---|---|---|---|---|---|",
    ]
    for trial, head in zip(trials, heads, strict=True):
        looks = trial.looks.independent
        if head is None:
            lines.append(f"| {trial.name} | {looks} | refused | – | – | – |")
            continue
        judged = trial.judged
        yes = judged.highest(head.score(judged.embeddings)) >= head.threshold
        own, others = trial.own & judged.passed, trial.others & judged.passed
        whose = np.array(judged.person)
        through = Counter(whose[others & yes].tolist())
        named = ", ".join(f"{name} {count}" for name, count in through.most_common()) or "none"
        gate = judged.passed[trial.own & judged.faces].mean()
        lines.append(
            f"| {trial.name} | {looks} | {_share(int((own & yes).sum()), int(own.sum()))} | "
            f"{gate:.3f} | {_share(int((others & yes).sum()), int(others.sum()))} | {named} |"
        )
    return lines


def pose_table(trials: Sequence[Trial], heads: Sequence[Head | None]) -> list[str]:
    """Lines of a table in Markdown; heads: of the trials, all on the same pictures, None where an
    enrolment was refused, which accepts nobody.

    File names are `name_direction_emotion_eyes.pgm`. TAR and FAR pool all enrolments.
    """
    judged = trials[0].judged
    parts = [name.removesuffix(".pgm").split("_") for name in judged.names]
    direction = np.array([part[1] for part in parts])
    eyes = np.array([part[3] for part in parts])
    accepted = [
        np.zeros(len(parts), bool)
        if head is None
        else trial.judged.highest(head.score(trial.judged.embeddings)) >= head.threshold
        for trial, head in zip(trials, heads, strict=True)
    ]
    lines = [
        "| pose | eyes | pictures | gate passes | TAR of faces that pass | TAR of all | "
        "FAR of faces that pass | rejected because |",
        "|---|---|---|---|---|---|---|---|",
    ]
    everything = np.ones(len(parts), bool)
    rows = [
        (turned, worn, (direction == turned) & (eyes == worn))
        for turned in DIRECTIONS
        for worn in EYES
    ]
    for turned, worn, cell in [*rows, ("all", "all", everything)]:
        passed = judged.passed & cell
        tar, tar_all, far = _rates(trials, accepted, cell)
        lines.append(
            f"| {turned} | {worn} | {int(cell.sum())} | {passed.sum() / cell.sum():.3f} | "
            f"{tar} | {tar_all} | {far} | {_reasons(judged, cell)} |"
        )
    return lines


def _rates(
    trials: Sequence[Trial], accepted: Sequence[np.ndarray], cell: np.ndarray
) -> tuple[str, str, str]:
    """TAR of faces that pass, TAR of all, FAR of faces that pass; each with its counts."""
    mine = theirs = own_passed = own = others = 0
    for trial, yes in zip(trials, accepted, strict=True):
        passed = trial.judged.passed & cell
        mine += int((yes & passed & trial.own).sum())
        own_passed += int((passed & trial.own).sum())
        own += int((cell & trial.own).sum())
        theirs += int((yes & passed & trial.others).sum())
        others += int((passed & trial.others).sum())
    return _share(mine, own_passed), _share(mine, own), _share(theirs, others)


def _share(events: int, trials: int) -> str:
    return f"{events / trials:.3f} ({events} of {trials})" if trials else "–"


def _reasons(judged: Judged, cell: np.ndarray) -> str:
    found = Counter(judged.reasons[n] for n in np.flatnonzero(cell) if judged.reasons[n])
    return ", ".join(f"{reason} {count}" for reason, count in found.most_common()) or "–"
