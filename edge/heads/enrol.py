"""Enrolment: from the embeddings of my pictures and a cohort to a head with its threshold.

Runs on the workstation and on the device alike; needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge.errors import InputError, ModelError, RefusedError, TwoPeopleError
from edge.faces.keepsake import Keepsake
from edge.heads.calibration import proof_of, recalibrate
from edge.heads.calibration_record import PersonCalibration
from edge.heads.camera_shift import CameraShift, estimate_shift, no_shift, plain_rows
from edge.heads.cohort import Cohort, trains
from edge.heads.fitting import LINEAR_FITTER, MAX_STRANGERS, Examples, Fit, Fitter
from edge.heads.head import Head
from edge.heads.outliers import DOUBTFUL_SCORE, MOST_OUTLIERS, OTHER_SCORE, outliers
from edge.heads.threshold import CAMERAS, ONE, SEVERAL, CameraKind
from edge.heads.two_people import set_apart

__all__ = ["FEWEST_LOOKS", "Album", "enrol", "recalibrate"]

FEWEST_LOOKS = 5
"""Independent looks below which nobody is enrolled: leaving some out would leave nothing."""

FEWEST_STRANGERS = 10
"""People in each half of a cohort: those who train, and those who set the threshold."""

FOLDS = 5

HELD_STRANGERS = 1500
"""Strangers in each of the fits that held-out scores come from."""

MARGIN = 0.08
"""Half width of the band around the threshold in which a head does not commit itself."""


@dataclass(frozen=True, eq=False)
class Album:
    """Embeddings of one person's pictures, float32[·, D] of length 1.

    embeddings: one row a picture. groups: int[N], pictures that are not independent (bursts, a
    block of a video, near-duplicates) share a number. varied, varied_of: variations of the
    pictures, see `edge.enrolment.augment`, and of which row each is, int[M]. pictures: where they
    are kept, to enrol on another base, one for each row.
    """

    embeddings: np.ndarray
    groups: np.ndarray
    varied: np.ndarray | None = None
    varied_of: np.ndarray | None = None
    pictures: tuple[Keepsake, ...] | None = None

    def select(self, keep: np.ndarray) -> Album:
        """The pictures of `keep`, bool[N], with their variations."""
        pictures = self.pictures
        if pictures is not None:
            pictures = tuple(kept for kept, yes in zip(pictures, keep, strict=True) if yes)
        if self.varied is None or self.varied_of is None:
            return replace(
                self,
                embeddings=self.embeddings[keep],
                groups=self.groups[keep],
                pictures=pictures,
            )
        still = keep[self.varied_of]
        numbers = np.cumsum(keep) - 1
        return replace(
            self,
            embeddings=self.embeddings[keep],
            groups=self.groups[keep],
            varied=self.varied[still],
            varied_of=numbers[self.varied_of[still]],
            pictures=pictures,
        )


@dataclass(frozen=True, eq=False)
class Negatives:
    """Everybody else. strangers, norm: float32[·, D] as in `Examples`. hold: the cohort's half
    that thresholds are set on. not_me: float32[H, D], not_me_groups: int[H]."""

    strangers: np.ndarray
    norm: np.ndarray
    hold: Cohort
    not_me: np.ndarray
    not_me_groups: np.ndarray


@dataclass(frozen=True, eq=False)
class Held:
    """Scores by fits that had not seen the pictures: own float64[N], not_me float64[H]."""

    own: np.ndarray
    not_me: np.ndarray = field(default_factory=lambda: np.zeros(0))


def enrol(
    name: str,
    embeddings: np.ndarray,
    groups: np.ndarray,
    cohort: Cohort,
    *,
    target_far: float | None = None,
    not_me: np.ndarray | None = None,
    not_me_groups: np.ndarray | None = None,
    varied: np.ndarray | None = None,
    varied_of: np.ndarray | None = None,
    camera: CameraKind = ONE,
    one_sitting: bool = False,
    strict: bool = False,
    fitter: Fitter = LINEAR_FITTER,
    seed: int = 0,
) -> Head:
    """Enroll somebody; the same arguments give the same head, byte for byte.

    Args:
        name: The person's name.
        embeddings: float32[N, D] of length 1, one row an image.
        groups: int[N]: images that are not independent (bursts, near-duplicates) share a number.
        cohort: Strangers, by the same embedder: half train the head, half set the threshold.
        target_far: Wanted rate of strangers accepted; None for what the cohort supports.
        not_me: float32[H, D], people who must not be accepted.
        not_me_groups: As `groups`; by default each image is its own.
        varied: float32[M, D], augmented variants of the images.
        varied_of: int[M], of which row each is.
        camera: What took the images, one of `edge.heads.threshold.CAMERAS`.
        one_sitting: Whether the images are of one occasion.
        strict: Refuse a target that cannot be proven.
        fitter: How the layers are fitted.
        seed: Of the folds and of the choice among strangers.

    Returns:
        The head; its `facts` say what was found: `left_out` (rows that look like somebody
        else), `warnings`, rates with bounds.

    Raises:
        TwoPeopleError: The images show two people.
        RefusedError: Fewer than 5 independent looks, too many images of somebody else, or the
            target cannot be had.
        ModelError: Embeddings of another size than the cohort's.

    Example:
        >>> with edge.Bundle.open("ana.edge") as bundle:
        ...     cohort = bundle.cohort()
        >>> looks = cohort.vectors()[:1] + 0.01 * np.random.default_rng(0).normal(size=(6, 128))
        >>> looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
        >>> edge.enrol("ben", looks, np.arange(6), cohort).name
        'ben'
    """
    album = Album(embeddings, groups, varied, varied_of)
    _check(album, cohort, camera)
    rng = np.random.default_rng(seed)
    shift = no_shift(cohort.size) if camera == SEVERAL else estimate_shift(embeddings, cohort)
    others = _negatives(cohort, shift, not_me, not_me_groups, rng)
    proof_of(target_far, others.hold.people, strict)
    kept, left_out = _without_outliers(album, others, shift, camera)
    fit, held = _best_fit(kept, others, shift, rng, fitter)
    calibration = PersonCalibration(
        target_far=target_far,
        strict=strict,
        seed=seed,
        people=cohort.people,
        l2=fit.l2,
        pictures=len(kept.embeddings),
        left_out=tuple(left_out),
        camera=camera,
        one_sitting=one_sitting,
        looks={name: round(share, 6) for name, share in shift.looks.items()},
        likeness=round(float(np.median(fit.score(kept.embeddings))), 5),
        own_scores=tuple(round(float(s), 5) for s in held.own),
        own_groups=tuple(_numbered(kept.groups)),
        not_me=round(float(held.not_me.max()), 5) if len(held.not_me) else None,
    )
    head = Head(
        name=name,
        kind=fitter.kind,
        embedder_sha256=cohort.embedder_sha256,
        layers=fit.layers,
        threshold=0.0,
        margin=MARGIN,
        normalization=fit.normalization,
        calibration=calibration,
    )
    return recalibrate([head], cohort, target_far=target_far, strict=strict)[0]


def _check(album: Album, cohort: Cohort, camera: CameraKind) -> None:
    """Raises as `enrol` for arrays that do not fit and for too few looks."""
    own, groups = album.embeddings, album.groups
    if own.ndim != 2 or groups.shape != (len(own),) or not np.isfinite(own).all():
        raise InputError(f"enrolment got embeddings {own.shape} in groups {groups.shape}")
    if camera not in CAMERAS:
        raise InputError(f"unknown camera '{camera}'", hint=f"known: {', '.join(CAMERAS)}")
    if own.shape[1] != cohort.size:
        raise ModelError(
            f"the cohort is of another embedder: {cohort.size} numbers, not {own.shape[1]}",
            hint="make one with edge-train cohort",
        )
    hold = int((~trains(np.unique(cohort.identity))).sum())
    if min(hold, cohort.people - hold) < FEWEST_STRANGERS:
        raise RefusedError(
            f"{cohort.people} strangers are too few to tell anybody from",
            hint="add faces of more people by --others; the shipped cohort has 5,885",
        )
    looks = len(np.unique(groups))
    if looks < FEWEST_LOOKS:
        raise RefusedError(
            f"{looks} independent looks are too few, it takes at least {FEWEST_LOOKS}",
            hint="add pictures of other moments; bursts and near-duplicates count once",
        )


def _negatives(
    cohort: Cohort,
    shift: CameraShift,
    not_me: np.ndarray | None,
    not_me_groups: np.ndarray | None,
    rng: np.random.Generator,
) -> Negatives:
    train, hold = cohort.halves()
    hard = np.zeros((0, cohort.size), np.float32) if not_me is None else not_me
    groups = np.arange(len(hard)) if not_me_groups is None else not_me_groups
    return Negatives(
        strangers=moved_plain(train, shift, rng),
        norm=moved_plain(hold, shift, rng),
        hold=hold,
        not_me=hard,
        not_me_groups=groups,
    )


def moved_plain(cohort: Cohort, shift: CameraShift, rng: np.random.Generator) -> np.ndarray:
    """At most `MAX_STRANGERS` strangers in the plain look, as my camera would show them:
    float32[S, D]."""
    vectors = cohort.select(plain_rows(cohort)).vectors()
    if len(vectors) > MAX_STRANGERS:
        vectors = vectors[rng.choice(len(vectors), MAX_STRANGERS, replace=False)]
    return shift.moved(vectors).astype(np.float32)


def _without_outliers(
    album: Album, others: Negatives, shift: CameraShift, camera: CameraKind
) -> tuple[Album, list[int]]:
    """The album without the pictures that look like somebody else, and which these are.

    Raises `TwoPeopleError` where the album shows two people, `RefusedError` where the pictures of
    somebody else are many, or leave too few looks.
    """
    apart = set_apart(album.embeddings, album.groups, others.norm, shift, camera)
    if apart.second:
        raise TwoPeopleError(np.flatnonzero(apart.found).tolist(), len(apart.found))
    keep = ~apart.found
    rest = album.select(keep)
    doubtful = OTHER_SCORE if camera == SEVERAL else DOUBTFUL_SCORE
    keep[keep] = ~outliers(rest.embeddings, rest.groups, others.norm, shift, FEWEST_LOOKS, doubtful)
    if (~keep).mean() > MOST_OUTLIERS or len(np.unique(album.groups[keep])) < FEWEST_LOOKS:
        raise RefusedError(
            f"{int((~keep).sum())} of {len(keep)} pictures do not show the person of the others",
            hint="look at the contact sheet and give pictures of one person alone",
        )
    return album.select(keep), np.flatnonzero(~keep).tolist()


def _best_fit(
    album: Album, others: Negatives, shift: CameraShift, rng: np.random.Generator, fitter: Fitter
) -> tuple[Fit, Held]:
    """The regularization with the highest mean of my held-out scores over groups, fitted on all.

    Scores are in standard deviations over strangers, so that this is the distance to them.
    """
    folds = _folds(album.groups, rng)
    best: tuple[float, float, Held] | None = None
    starts: list[Fit | None] = [None] * FOLDS
    for number, l2 in enumerate(fitter.grid):
        held, starts = _held_scores(album, _fewer(others), shift, folds, fitter, number, starts)
        mean = float(np.mean([held.own[album.groups == g].mean() for g in np.unique(album.groups)]))
        if best is None or mean > best[0]:
            best = (mean, l2, held)
    assert best is not None
    keep = np.ones(len(album.embeddings), bool)
    hard = np.ones(len(others.not_me), bool)
    return fitter.fit(_examples(album, others, keep, hard), shift, best[1], None), best[2]


def _fewer(others: Negatives) -> Negatives:
    """With the strangers that held-out scores are computed with."""
    return replace(others, strangers=others.strangers[:HELD_STRANGERS])


def _folds(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int[N] in 0..FOLDS: pictures of one group in one fold."""
    numbers, index = np.unique(groups, return_inverse=True)
    place = rng.permutation(len(numbers)) % FOLDS
    return np.asarray(place[index.reshape(-1)])


def _held_scores(
    album: Album,
    others: Negatives,
    shift: CameraShift,
    folds: np.ndarray,
    fitter: Fitter,
    number: int,
    starts: Sequence[Fit | None] = (None,) * FOLDS,
) -> tuple[Held, list[Fit | None]]:
    """Every picture scored by a fit without its fold, with regularization `number` of the grid; the
    fits are starts for the next."""
    own = np.zeros(len(album.embeddings))
    hard = np.zeros(len(others.not_me))
    hard_folds = np.unique(others.not_me_groups, return_inverse=True)[1].reshape(-1) % FOLDS
    fits: list[Fit | None] = []
    for fold in range(FOLDS):
        out, hard_out = folds == fold, hard_folds == fold
        examples = _examples(album, others, ~out, ~hard_out)
        fit = fitter.fit(examples, shift, fitter.grid[number], starts[fold])
        own[out] = fit.score(album.embeddings[out])
        hard[hard_out] = fit.score(others.not_me[hard_out])
        fits.append(fit)
    return Held(own, hard), fits


def _examples(album: Album, others: Negatives, keep: np.ndarray, hard: np.ndarray) -> Examples:
    part = album.select(keep)
    nothing = np.zeros((0, album.embeddings.shape[1]), np.float32)
    return Examples(
        own=part.embeddings,
        varied=nothing if part.varied is None else part.varied,
        strangers=others.strangers,
        norm=others.norm,
        not_me=others.not_me[hard],
    )


def _numbered(groups: np.ndarray) -> list[int]:
    return [int(n) for n in np.unique(groups, return_inverse=True)[1].reshape(-1)]
