"""Pictures of a direct run: every one of both answers, also where no face is found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.console.progress import progress
from edge.enrolment.copies import marks_of
from edge.errors import InputError, PictureError, RefusedError
from edge.faces.detector import Detector
from edge.faces.face import Face
from edge.files.image import read_picture
from edge.files.model_file import sha256_of
from edge.models.spec import NetworkInput
from trainer.data.landmarks import main_face
from trainer.direct.settings import DirectSettings
from trainer.photos.augmented import source_of
from trainer.photos.copies import smaller_copies
from trainer.photos.grouping import Print, bits_of, group_numbers
from trainer.photos.whose import names_by, pattern_of
from trainer.task.train import FEWEST_GROUPS, ignored_files, picture_files


@dataclass(frozen=True, eq=False)
class AnsweredPictures:
    """files: the pictures. crops: uint8[N, S, S, 3] BGR. answer: bool[N]. group: int[N], what must
    not be split. found: bool[N], whether a face was found; elsewhere the crop is the whole picture.
    people: whose pictures these are, where a pattern says so. copies, ignored, unread: files that
    are smaller or augmented copies, no pictures, or cannot be decoded.
    """

    files: tuple[str, ...]
    crops: np.ndarray
    answer: np.ndarray
    group: np.ndarray
    found: np.ndarray
    people: tuple[str, ...]
    copies: int
    ignored: int
    unread: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def majority_accuracy(self) -> float:
        """Of always giving the commoner answer."""
        share = float(self.answer.mean())
        return max(share, 1.0 - share)


def read_answered(
    settings: DirectSettings, expects: NetworkInput, detector: Detector
) -> AnsweredPictures:
    """All pictures of --positive and --negative.

    Raises `RefusedError` where a file is given as both answers, where an answer has fewer than
    `FEWEST_GROUPS` groups, or where there are fewer groups than folds.
    """
    prints: list[Print] = []
    crops, answers, found, unread = [], [], [], []
    copies = 0
    for paths, answer in ((settings.positive, True), (settings.negative, False)):
        files = picture_files(paths)
        smaller = smaller_copies(files)
        label = "reading --positive" if answer else "reading --negative"
        for path in progress(files, label=label, quiet=settings.quiet):
            if path in smaller or source_of(path) is not None:
                copies += 1
                continue
            try:
                image = read_picture(path)
            except PictureError:
                unread.append(str(path))
                continue
            face = main_face(detector.detect(image), image.shape[1], image.shape[0])
            crops.append(_cut(image, face, expects))
            answers.append(answer)
            found.append(face is not None)
            marks = None if face is None else marks_of(image, face)
            digest = sha256_of(path.read_bytes())
            prints.append(Print(str(path), digest, bits_of(image), marks=marks))
    if not prints:
        raise InputError("there is no picture that can be decoded", hint="check the folders")
    answered = np.array(answers)
    _refuse_both(prints, answered)
    pattern = pattern_of(settings.group_regex)
    people: tuple[str, ...] = ()
    if pattern is None:
        group = np.asarray(group_numbers(prints))
    else:
        names = names_by(pattern, (one.file for one in prints))
        unique, group = np.unique(names, return_inverse=True)
        people, group = tuple(map(str, unique)), group.reshape(-1)
    _refuse_few(answered, group, settings.folds)
    return AnsweredPictures(
        files=tuple(one.file for one in prints),
        crops=np.stack(crops),
        answer=answered,
        group=group,
        found=np.array(found),
        people=people,
        copies=copies,
        ignored=ignored_files((*settings.positive, *settings.negative)),
        unread=tuple(unread),
    )


def fold_of(answer: np.ndarray, group: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Which fold each row is measured in, int[N]: whole groups, spread evenly for each answer."""
    rng = np.random.default_rng([seed, 11])
    of_group: dict[int, int] = {}
    for wanted in (True, False):
        fresh = [g for g in np.unique(group[answer == wanted]).tolist() if g not in of_group]
        for place, number in enumerate(rng.permutation(fresh).tolist()):
            of_group[number] = place % folds
    return np.array([of_group[g] for g in group.tolist()])


def _cut(image_bgr: np.ndarray, face: Face | None, expects: NetworkInput) -> np.ndarray:
    """The aligned face, or the whole picture where there is none, uint8[S, S, 3] BGR."""
    from edge.faces.alignment import align

    if face is not None:
        return align(image_bgr, face, expects.frame, expects.window, expects.size_px)
    size = (expects.size_px, expects.size_px)
    return np.asarray(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA))


def _refuse_both(prints: Sequence[Print], answer: np.ndarray) -> None:
    said_yes = {one.sha256: one.file for one, yes in zip(prints, answer, strict=True) if yes}
    for one, yes in zip(prints, answer, strict=True):
        if not yes and one.sha256 in said_yes:
            raise RefusedError(
                f"{said_yes[one.sha256]} of --positive is also {one.file} of --negative",
                hint="a picture has one answer; take it out of one of the two",
            )


def _refuse_few(answer: np.ndarray, group: np.ndarray, folds: int) -> None:
    for wanted, option in ((True, "--positive"), (False, "--negative")):
        count = len(np.unique(group[answer == wanted]))
        if count < max(FEWEST_GROUPS, folds):
            raise RefusedError(
                f"{option} shows {count} independent groups, it takes at least "
                f"{max(FEWEST_GROUPS, folds)}",
                hint="give pictures of more people, fewer --folds, or check --group-regex",
            )


def listed(files: Sequence[str], limit: int = 5) -> str:
    """The first names of files, for people."""
    names = [Path(one).name for one in files]
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
