"""Batches for training: cached crops, reshuffled each epoch, augmented on the fly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from edge.errors import DataError
from trainer.data.crops import CropSource
from trainer.training.augmentation import Augmentation, augment, centre, row_generator

PREFETCH = 2
"""Batches made ahead of the network."""

_SHUFFLE = 1 << 63
"""Bit that keeps the random numbers of an epoch's order apart from those of its pictures."""


class Crops:
    """Widened crops from one or several arrays uint8[N, M, M, 3] BGR, as if they were one.

    An array is whatever has a shape and gives a crop for a row, such as
    `trainer.training.blends.Blends`.

    rows: which of all rows, in which order; all by default. Nothing is read before it is asked for.
    """

    def __init__(self, *arrays: CropSource, rows: np.ndarray | None = None) -> None:
        sides = {array.shape[1] for array in arrays}
        if len(sides) != 1:
            raise DataError(f"crops of one size are needed, not of {sorted(sides)} px")
        self.side_px = sides.pop()
        self._arrays = arrays
        self._starts = np.cumsum([0, *(len(array) for array in arrays)])
        self._rows = np.arange(self._starts[-1]) if rows is None else np.asarray(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all crops, as an array of them would have it: (N, M, M, 3)."""
        return len(self), self.side_px, self.side_px, 3

    def __getitem__(self, place: int) -> np.ndarray:
        """One crop, uint8[M, M, 3]."""
        row = self._rows[place]
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        return np.asarray(self._arrays[part][row - self._starts[part]])

    def select(self, index: np.ndarray) -> Crops:
        """The crops of `index` (bool[N] or integers), in that order."""
        return Crops(*self._arrays, rows=self._rows[index])

    def take(self, places: np.ndarray) -> np.ndarray:
        """Several crops, uint8[len(places), M, M, 3]."""
        shape = (len(places), self.side_px, self.side_px, 3)
        result = np.empty(shape, np.uint8)
        for number, place in enumerate(places):
            result[number] = self[int(place)]
        return result


@dataclass(frozen=True)
class FaceArrays:
    """What a network is trained on, N pictures.

    crops: of N windows widened by margin_px on each side.
    labels: int8[N, A], -1 not labelled. targets: float32[N, E], the teacher's embeddings of length
    1, zeros where there is none. classes: int32[N] for a margin softmax, -1 for none.
    """

    crops: Crops
    margin_px: int
    labels: np.ndarray
    targets: np.ndarray
    classes: np.ndarray

    def __post_init__(self) -> None:
        counts = {len(self.crops), len(self.labels), len(self.targets), len(self.classes)}
        if len(counts) != 1:
            raise DataError(f"crops, labels, targets and classes differ in number: {counts}")

    def __len__(self) -> int:
        return len(self.crops)

    def select(self, index: np.ndarray) -> FaceArrays:
        """The pictures of `index` (bool[N] or integers), in that order."""
        return replace(
            self,
            crops=self.crops.select(index),
            labels=self.labels[index],
            targets=self.targets[index],
            classes=self.classes[index],
        )

    def joined(self, other: FaceArrays) -> FaceArrays:
        """These pictures and then those of `other`, whose crops have the same size and margin."""
        if self.margin_px != other.margin_px:
            raise DataError(f"margins of {self.margin_px} and {other.margin_px} px do not join")
        return FaceArrays(
            crops=Crops(self.crops, other.crops),
            margin_px=self.margin_px,
            labels=np.concatenate([self.labels, other.labels]),
            targets=np.concatenate([self.targets, other.targets]),
            classes=np.concatenate([self.classes, other.classes]),
        )

    def windows(self, places: np.ndarray, size_px: int) -> np.ndarray:
        """Plain windows of some pictures, uint8[len(places), size_px, size_px, 3] BGR."""
        return centre(self.crops.take(places), size_px, self.margin_px)


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches in an epoch; the last pictures of an order that fill none wait for another epoch."""
    return max(1, count // batch_size)


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of rows in an epoch, int64[N], from seed and epoch alone."""
    philox = np.random.Philox(key=[seed ^ _SHUFFLE, epoch])
    return np.random.Generator(philox).permutation(count)


def training_batches(
    arrays: FaceArrays,
    size_px: int,
    batch_size: int,
    augmentation: Augmentation,
    *,
    seed: int,
    epoch: int,
    first_step: int = 0,
    workers: int = 2,
) -> tf.data.Dataset:
    """Batches of one epoch from `first_step` on: dicts of

    `pixels` uint8[B, S, S, 3] RGB, `labels` int8[B, A], `targets` float32[B, E], `classes`
    int32[B]. The same step of the same epoch is always the same batch.
    """
    order = epoch_order(len(arrays), seed, epoch)
    steps = steps_per_epoch(len(arrays), batch_size)

    def make(step: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = order[int(step) * batch_size : (int(step) + 1) * batch_size]
        pictures = np.empty((len(rows), size_px, size_px, 3), np.uint8)
        for place, row in enumerate(rows):
            rng = row_generator(seed, epoch, int(row))
            picture = augment(arrays.crops[row], size_px, arrays.margin_px, augmentation, rng)
            pictures[place] = picture[:, :, ::-1]
        return _columns(arrays, pictures, rows)

    return _dataset(arrays, size_px, make, first_step, steps, workers)


def plain_batches(arrays: FaceArrays, size_px: int, batch_size: int) -> tf.data.Dataset:
    """All pictures in order, without augmentation; the last batch may be smaller."""
    steps = -(-len(arrays) // batch_size)

    def make(step: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = np.arange(int(step) * batch_size, min((int(step) + 1) * batch_size, len(arrays)))
        pictures = arrays.windows(rows, size_px)
        return _columns(arrays, np.ascontiguousarray(pictures[..., ::-1]), rows)

    return _dataset(arrays, size_px, make, 0, steps, workers=1)


def _columns(arrays: FaceArrays, pictures: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    return pictures, arrays.labels[rows], arrays.targets[rows], arrays.classes[rows]


def _dataset(
    arrays: FaceArrays,
    size_px: int,
    make: Callable[[np.ndarray], tuple[np.ndarray, ...]],
    first_step: int,
    steps: int,
    workers: int,
) -> tf.data.Dataset:
    shapes = {
        "pixels": (None, size_px, size_px, 3),
        "labels": (None, *arrays.labels.shape[1:]),
        "targets": (None, *arrays.targets.shape[1:]),
        "classes": (None,),
    }
    types = (tf.uint8, tf.int8, tf.float32, tf.int32)

    def batch(step: Any) -> dict[str, Any]:
        columns = tf.numpy_function(make, [step], types)
        for column, shape in zip(columns, shapes.values(), strict=True):
            column.set_shape(shape)
        return dict(zip(shapes, columns, strict=True))

    numbers = tf.data.Dataset.range(first_step, steps)
    return numbers.map(batch, num_parallel_calls=workers, deterministic=True).prefetch(PREFETCH)
