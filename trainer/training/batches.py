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

PICTURE, SINGLE, BLEND = 0, 1, 2
"""Kinds of what is learned from: pictures, pictures of people with one picture each, blends."""

Mix = tuple[float, float, float]
"""Shares of a batch that are of each kind."""

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
    1, zeros where there is none. classes: int32[N] for a margin softmax, -1 for none. kinds:
    int8[N], `PICTURE`, `SINGLE` or `BLEND`.
    """

    crops: Crops
    margin_px: int
    labels: np.ndarray
    targets: np.ndarray
    classes: np.ndarray
    kinds: np.ndarray

    def __post_init__(self) -> None:
        columns = (self.labels, self.targets, self.classes, self.kinds)
        counts = {len(self.crops), *map(len, columns)}
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
            kinds=self.kinds[index],
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
            kinds=np.concatenate([self.kinds, other.kinds]),
        )

    def windows(self, places: np.ndarray, size_px: int) -> np.ndarray:
        """Plain windows of some pictures, uint8[len(places), size_px, size_px, 3] BGR."""
        return centre(self.crops.take(places), size_px, self.margin_px)


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches in an epoch; the last pictures of an order that fill none wait for another epoch."""
    return max(1, count // batch_size)


def batches_per_epoch(arrays: FaceArrays, batch_size: int, mix: Mix | None) -> int:
    """As `steps_per_epoch`, or with a mix as `mixed_steps`."""
    if mix is None:
        return steps_per_epoch(len(arrays), batch_size)
    return mixed_steps(arrays.kinds, mixed_counts(arrays.kinds, batch_size, mix))


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of rows in an epoch, int64[N], from seed and epoch alone."""
    philox = np.random.Philox(key=[seed ^ _SHUFFLE, epoch])
    return np.random.Generator(philox).permutation(count)


def mixed_counts(kinds: np.ndarray, batch_size: int, mix: Mix) -> tuple[int, int, int]:
    """Pictures of each kind in a batch. Raises `DataError` where the data has none of a kind."""
    places = np.cumsum(np.asarray(mix) / sum(mix))
    ends = np.rint(places * batch_size).astype(int)
    counts = np.diff([0, *ends])
    for kind, count in enumerate(counts):
        if count and not (kinds == kind).any():
            raise DataError(
                f"the batch mix {mix} asks for a kind of picture that the data has none of",
                hint="give --data, --singles and --blends, or a share of 0",
            )
    return int(counts[0]), int(counts[1]), int(counts[2])


def mixed_order(
    kinds: np.ndarray, counts: tuple[int, int, int], steps: int, seed: int, epoch: int
) -> np.ndarray:
    """Rows of an epoch's `steps` batches, int64[steps * sum(counts)], each batch with `counts`.

    Every kind goes round by itself, in a new order each time, wherever an epoch ends.
    """
    columns = []
    for kind, count in enumerate(counts):
        rows = np.flatnonzero(kinds == kind)
        if not count:
            continue
        places = np.arange(epoch * steps * count, (epoch + 1) * steps * count)
        rounds = {
            int(r): epoch_order(len(rows), seed + 1 + kind, int(r))
            for r in np.unique(places // len(rows))
        }
        chosen = [rows[rounds[int(p // len(rows))][p % len(rows)]] for p in places]
        columns.append(np.asarray(chosen, np.int64).reshape(steps, count))
    return np.concatenate(columns, axis=1).ravel()


def mixed_steps(kinds: np.ndarray, counts: tuple[int, int, int]) -> int:
    """Batches after which the first kind that is mixed in has been seen once."""
    kind = next(number for number, count in enumerate(counts) if count)
    return max(1, int((kinds == kind).sum()) // counts[kind])


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
    mix: Mix | None = None,
) -> tf.data.Dataset:
    """Batches of one epoch from `first_step` on: dicts of

    `pixels` uint8[B, S, S, 3] RGB, `labels` int8[B, A], `targets` float32[B, E], `classes`
    int32[B]. The same step of the same epoch is always the same batch.
    """
    steps = batches_per_epoch(arrays, batch_size, mix)
    if mix is None:
        order = epoch_order(len(arrays), seed, epoch)
    else:
        counts = mixed_counts(arrays.kinds, batch_size, mix)
        order = mixed_order(arrays.kinds, counts, steps, seed, epoch)

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
