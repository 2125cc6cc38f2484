"""Blends: two people's faces laid over each other, as faces that nobody has.

A teacher can say of any picture where it lies, so that a network can learn from it on more faces
than there are photos; what it then says of new people is closer to the teacher (mixup: Zhang et
al., ICLR 2018; as pictures to ask a teacher about: Beyer et al., CVPR 2022). All faces stand in
one frame, so that eyes lie on eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import DataError
from trainer.data.cache import cache_folder, cached_array, pictures_key
from trainer.data.crops import CropSource
from trainer.data.table import FaceTable
from trainer.inference.external import Teacher, ask_teacher, targets
from trainer.training.batches import BLEND, Crops, FaceArrays

LEAST_SHARE = 0.5
MOST_SHARE = 0.8
"""Of the face that is seen more. Above it the other one hardly counts."""


@dataclass(frozen=True)
class BlendPlan:
    """Which pictures are laid over each other: int64[N] each, and the first one's share,
    float32[N].

    third: int64[N], -1 where only two are; it takes half of what the first one leaves.
    """

    first: np.ndarray
    second: np.ndarray
    share: np.ndarray
    third: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def plan_blends(
    identity: np.ndarray,
    count: int,
    seed: int,
    *,
    source: np.ndarray | None = None,
    of_three: float = 0.0,
) -> BlendPlan:
    """`count` groups of pictures of two or three people each, drawn from `seed`.

    identity: int64[N], -1 for a picture of an unknown person, whom nobody else is. source: int[N],
    the folder of each picture; every other blend then keeps within one folder, so that near faces
    are met as often as far ones. of_three: share of the blends that are of three pictures. Raises
    `DataError` where there are no two people.
    """
    identity = np.asarray(identity)
    people = np.where(identity < 0, -1 - np.arange(len(identity)), identity)
    if count and len(np.unique(people)) < 2:
        raise DataError(
            "blends of faces need pictures of two people at least",
            hint="add people to --data, or leave --blends away",
        )
    rng = np.random.default_rng([seed, count])
    first, second = (rng.integers(0, len(people), count) for _ in range(2))
    if source is not None:
        _stay(first, second, source, rng)
    while (same := people[first] == people[second]).any():
        second[same] = rng.integers(0, len(people), int(same.sum()))
    share = rng.uniform(LEAST_SHARE, MOST_SHARE, count).astype(np.float32)
    third = np.full(count, -1)
    if of_three:
        chosen = rng.random(count) < of_three
        third[chosen] = rng.integers(0, len(people), int(chosen.sum()))
        third[people[third] == people[first]] = -1
    return BlendPlan(first, second, share, third)


def _stay(
    first: np.ndarray, second: np.ndarray, source: np.ndarray, rng: np.random.Generator
) -> None:
    """Draw every other second picture from the folder of the first, in place."""
    for number in np.unique(source):
        rows = np.flatnonzero(source == number)
        places = np.flatnonzero(source[first] == number)
        places = places[places % 2 == 0]
        second[places] = rng.choice(rows, len(places))


class Blends:
    """The N blends of `plan`, each made from `crops` when it is asked for."""

    def __init__(self, crops: CropSource, plan: BlendPlan) -> None:
        self._crops, self._plan = crops, plan
        self.shape = (len(plan), *crops.shape[1:])

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, place: int) -> np.ndarray:
        """One blend, uint8[S, S, 3] BGR."""
        import cv2

        plan = self._plan
        share = float(plan.share[place])
        first, second = (self._crops[int(rows[place])] for rows in (plan.first, plan.second))
        if plan.third[place] >= 0:
            second = cv2.addWeighted(second, 0.5, self._crops[int(plan.third[place])], 0.5, 0.0)
        return cv2.addWeighted(first, share, second, 1.0 - share, 0.0)


@dataclass(frozen=True)
class BlendsTeacher:
    """Who says what a blend is. crops: the pictures as the teacher wants them, uint8[N, S, S, 3]
    BGR. basis: float32[D, E], see `trainer.inference.external.projection`.
    """

    teacher: Teacher
    crops: CropSource
    basis: np.ndarray


def blended(
    arrays: FaceArrays,
    table: FaceTable,
    asked: BlendsTeacher,
    plan: BlendPlan,
    *,
    cache_dir: Path | None = None,
    threads: int = 2,
    quiet: bool = False,
) -> FaceArrays:
    """The blends of `plan` with the teacher's embedding of each, without attributes and classes.

    arrays, table and the teacher's crops: the N pictures that the plan speaks of. What the
    teacher says is cached under the pictures, the plan and the teacher's file. Raises `ModelError`
    where the teacher cannot be run.
    """
    drawn = b"".join(part.tobytes() for part in (plan.first, plan.second, plan.share, plan.third))
    key = pictures_key(table.paths, "blends", 2, asked.teacher.network.sha256, drawn.hex())
    said = cached_array(
        cache_folder(cache_dir) / "teacher" / f"{key}.npy",
        lambda: ask_teacher(Blends(asked.crops, plan), asked.teacher, threads=threads, quiet=quiet),
    )
    return FaceArrays(
        crops=Crops(Blends(arrays.crops, plan)),
        margin_px=arrays.margin_px,
        labels=np.full((len(plan), *arrays.labels.shape[1:]), -1, arrays.labels.dtype),
        targets=targets(said, asked.basis),
        classes=np.full(len(plan), -1, arrays.classes.dtype),
        kinds=np.full(len(plan), BLEND, np.int8),
    )
