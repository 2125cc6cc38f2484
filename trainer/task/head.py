"""Heads of tasks: a linear one and a kernel one, told apart on groups that had no part in the fit.

An embedding of identity is made to look past glasses and the like: what is left of them is there,
but not along one direction. A kernel head compares with examples, so that it finds it all the same;
where strangers are at hand it compares by what people do not differ in, see
`trainer.task.whitening`. A dense head, the classic new top on frozen features, is fitted when asked
for: 128 sigmoid units and one linear one, 4,353 numbers on 32 features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.heads.head import DENSE_128, KERNEL, LINEAR, HeadKind, Layer, linear_layers
from edge.heads.logistic import balanced_weights, fit_logistic
from trainer.task.dense_head import fit_layers
from trainer.task.whitening import Whitening

L2_GRID = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)

KERNEL_L2_GRID = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
"""Against the mean squared error of targets 1 and -1."""

MOST_EXAMPLES = 1024
"""That a kernel head compares with: 0.5 MB at 128 dimensions, 0.1 million products a face."""

DENSE_L2_GRID = (1e-4, 1e-5)

FOLDS = 5

_JITTER = 1e-6
"""On the diagonal of the kernel matrix of unit height, where examples nearly repeat each other."""

_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class TaskExamples:
    """x: embeddings float64[N, D] of length 1. varied: float64[M, D], variations of the rows
    varied_of, int[M]. answer: bool[N]. group: int[N], what must not be split. whitening: in which
    a kernel compares, None for the embeddings as they are.
    """

    x: np.ndarray
    varied: np.ndarray
    varied_of: np.ndarray
    answer: np.ndarray
    group: np.ndarray
    whitening: Whitening | None = None

    def part(self, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows `keep`, bool[N], then their variations: float64[R, D], and answers bool[R]."""
        more = keep[self.varied_of]
        rows = np.concatenate([self.x[keep], self.varied[more]])
        return rows, np.concatenate([self.answer[keep], self.answer[self.varied_of[more]]])


@dataclass(frozen=True, eq=False)
class TaskFit:
    """held_out: float64[N], scores of every look by a head that was fitted without its group.

    l2: the regularization that did best there.
    """

    kind: HeadKind
    layers: tuple[Layer, ...]
    l2: float
    held_out: np.ndarray


def fit_task_head(examples: TaskExamples, kinds: tuple[HeadKind, ...], seed: int) -> TaskFit:
    """The one of `kinds`, LINEAR, KERNEL and DENSE_128, that answers best out of fold; the first of
    equals."""
    folds = _folds(examples.group, seed)
    fits = [_FITTERS[kind](examples, folds, seed) for kind in kinds]
    return max(fits, key=lambda fit: _best_balanced_accuracy(fit.held_out, examples.answer))


def best_threshold(scores: np.ndarray, answer: np.ndarray, group: np.ndarray) -> float:
    """Where the balanced accuracy of scores float64[N] out of fold is best for answers bool[N].

    0, where the fit itself parts them, unless another cut is better by more than one standard
    error over the groups int[N] (Breiman et al., Classification and Regression Trees, 1984): what
    looks best on a few people is mostly chance. Else the cut that is nearest to it among those
    within that error.
    """
    cuts, rates = _balanced_accuracies(scores, answer)
    best = rates.max()
    error = np.sqrt(best * (1.0 - best) / len(np.unique(group)))
    good = cuts[rates >= best - error - 1e-12]
    return float(good[np.argmin(np.abs(good))])


def _best_balanced_accuracy(scores: np.ndarray, answer: np.ndarray) -> float:
    return float(_balanced_accuracies(scores, answer)[1].max())


def _balanced_accuracies(scores: np.ndarray, answer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts between the scores, and 0, float64[T], and the balanced accuracy at each."""
    ranked = np.unique(scores)
    cuts = np.concatenate([[ranked[0] - 1.0], (ranked[1:] + ranked[:-1]) / 2, [0.0]])
    yes, no = np.sort(scores[answer]), np.sort(scores[~answer])
    tpr = 1.0 - np.searchsorted(yes, cuts) / len(yes)
    return cuts, (tpr + np.searchsorted(no, cuts) / len(no)) / 2


def _folds(group: np.ndarray, seed: int) -> np.ndarray:
    numbers, index = np.unique(group, return_inverse=True)
    place = np.random.default_rng([seed, 11]).permutation(len(numbers)) % FOLDS
    return np.asarray(place[index.reshape(-1)])


def _linear(examples: TaskExamples, folds: np.ndarray, seed: int) -> TaskFit:
    """Logistic regression, the regularization by the loss out of fold."""
    held = np.zeros((len(L2_GRID), len(folds)))
    for fold in np.unique(folds):
        rows, positive = examples.part(folds != fold)
        here = folds == fold
        for place, l2 in enumerate(L2_GRID):
            model = fit_logistic(rows, positive, l2=l2, weight=balanced_weights(positive))
            held[place, here] = model.logits(examples.x[here])
    losses = np.logaddexp(0, np.where(examples.answer, -held, held)).mean(axis=1)
    best = int(np.argmin(losses))
    rows, positive = examples.part(np.ones(len(folds), bool))
    model = fit_logistic(rows, positive, l2=L2_GRID[best], weight=balanced_weights(positive))
    return TaskFit(LINEAR, linear_layers(model.weights, model.bias), L2_GRID[best], held[best])


def _kernel(examples: TaskExamples, folds: np.ndarray, seed: int) -> TaskFit:
    """Regularized least squares with a Gaussian kernel (Rifkin, Yeo, Poggio 2003), on some of the
    examples where there are many (Williams, Seeger, NIPS 2001)."""
    everything = np.ones(len(folds), bool)
    space = examples.whitening or Whitening.none(examples.x.shape[1])
    space = space.scaled_for(examples.x)
    width = _width(space.apply(examples.x))
    held = np.zeros((len(KERNEL_L2_GRID), len(folds)))
    for fold in np.unique(folds):
        here = folds == fold
        problem = _KernelProblem.of(examples, ~here, space, width, seed)
        for place, l2 in enumerate(KERNEL_L2_GRID):
            held[place, here] = problem.score(examples.x[here], problem.solved(l2))
    errors = (held - np.where(examples.answer, 1.0, -1.0)) ** 2 @ balanced_weights(examples.answer)
    best = int(np.argmin(errors))
    problem = _KernelProblem.of(examples, everything, space, width, seed)
    layers = problem.layers(problem.solved(KERNEL_L2_GRID[best]))
    return TaskFit(KERNEL, layers, KERNEL_L2_GRID[best], held[best])


def _dense(examples: TaskExamples, folds: np.ndarray, seed: int) -> TaskFit:
    """A hidden layer, the regularization by the loss out of fold."""
    held = np.zeros((len(DENSE_L2_GRID), len(folds)))
    for fold in np.unique(folds):
        here = folds == fold
        for place, l2 in enumerate(DENSE_L2_GRID):
            layers = fit_layers(*examples.part(folds != fold), l2, seed)
            held[place, here] = _score(layers, examples.x[here])
    losses = np.logaddexp(0, np.where(examples.answer, -held, held)).mean(axis=1)
    best = int(np.argmin(losses))
    rows, positive = examples.part(np.ones(len(folds), bool))
    layers = fit_layers(rows, positive, DENSE_L2_GRID[best], seed)
    return TaskFit(DENSE_128, layers, DENSE_L2_GRID[best], held[best])


def _score(layers: Sequence[Layer], x: np.ndarray) -> np.ndarray:
    for layer in layers:
        x = layer.apply(x)
    return x[:, 0]


_FITTERS: dict[str, Callable[[TaskExamples, np.ndarray, int], TaskFit]] = {
    LINEAR: _linear,
    KERNEL: _kernel,
    DENSE_128: _dense,
}


def _width(x: np.ndarray) -> float:
    """The kernel of rows a and b is exp(-2 width (1 - a b)), of rows of length 1 a Gaussian one: 1
    over the median squared distance of looks, the usual choice (Garreau, Jitkrittum, Kanagawa,
    arXiv:1707.07269)."""
    some = x[:: max(1, len(x) // 1000)]
    squared = 2.0 - 2.0 * (some @ some.T)[np.triu_indices(len(some), 1)]
    return 1.0 / max(float(np.median(squared)), 1e-3)


@dataclass(frozen=True, eq=False)
class _KernelProblem:
    """Normal equations in coordinates in which the penalty is the identity.

    space: where rows are compared. landmarks: float64[m, D] there, compared with. inverse:
    float64[m, m], of the Cholesky factor of their kernel matrix. products: float64[m, m]. right:
    float64[m].
    """

    space: Whitening
    landmarks: np.ndarray
    width: float
    inverse: np.ndarray
    products: np.ndarray
    right: np.ndarray

    @classmethod
    def of(
        cls, examples: TaskExamples, keep: np.ndarray, space: Whitening, width: float, seed: int
    ) -> _KernelProblem:
        rows, positive = examples.part(keep)
        rows = space.apply(rows)
        landmarks = rows[_chosen(len(rows), int(keep.sum()), seed)]
        square = _kernel_values(landmarks, landmarks, width)
        factor = np.linalg.cholesky(square + _JITTER * np.eye(len(square)))
        inverse = np.linalg.inv(factor)
        weight, target = balanced_weights(positive), np.where(positive, 1.0, -1.0)
        products = np.zeros_like(square)
        right = np.zeros(len(square))
        for first in range(0, len(rows), _CHUNK):
            part = slice(first, first + _CHUNK)
            values = _kernel_values(rows[part], landmarks, width) @ inverse.T
            weighted = values * weight[part, None]
            products += values.T @ weighted
            right += weighted.T @ target[part]
        return cls(space, landmarks, width, inverse, products, right)

    def solved(self, l2: float) -> np.ndarray:
        """float64[m]: how much each landmark counts."""
        system = self.products + l2 * np.eye(len(self.products))
        return np.asarray(self.inverse.T @ np.linalg.solve(system, self.right))

    def score(self, x: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return np.asarray(_kernel_values(self.space.apply(x), self.landmarks, self.width) @ counts)

    def layers(self, counts: np.ndarray) -> tuple[Layer, ...]:
        """The way into the space and the products with the landmarks are one layer."""
        to = 2.0 * self.width * self.space.matrix @ self.landmarks.T
        offset = (-2.0 * self.width - self.space.mean @ to).astype(np.float32)
        near = Layer(np.ascontiguousarray(to, np.float32), offset, "exp")
        return (near, *linear_layers(counts, 0.0))


def _chosen(rows: int, looks: int, seed: int) -> np.ndarray:
    """Indices of the landmarks: all rows, or the looks first and variations at random."""
    if rows <= MOST_EXAMPLES:
        return np.arange(rows)
    rng = np.random.default_rng([seed, 12])
    ranked = np.concatenate([rng.permutation(looks), looks + rng.permutation(rows - looks)])
    return np.sort(ranked[:MOST_EXAMPLES])


def _kernel_values(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """float64[N, M] of rows float64[N, D] and float64[M, D], see `_width`."""
    return np.asarray(np.exp(2.0 * width * (a @ b.T - 1.0)))
