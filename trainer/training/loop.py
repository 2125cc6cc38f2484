"""The training loop: epochs, validation, checkpoints, early stopping, and a stop at NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.console.progress import ProgressBar, progress_bar
from edge.errors import RefusedError, UsageError
from trainer.networks.backbones import pixel_scale_name
from trainer.networks.face_network import NetworkConfig, build
from trainer.networks.strategy import make_strategy, spread_batches
from trainer.training.augmentation import Augmentation
from trainer.training.batches import (
    FaceArrays,
    Mix,
    batches_per_epoch,
    plain_batches,
    training_batches,
)
from trainer.training.checkpoint import Checkpoint, Progress
from trainer.training.margin import MarginSoftmax
from trainer.training.objective import Objective, ObjectiveConfig
from trainer.training.optimizers import Schedule, make_optimizer
from trainer.training.session import Session

PLATEAU_FACTOR = 0.3
"""What a plateau's learning rate is multiplied with after `plateau_patience` epochs."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    progressive: (input size in pixels, epochs) of a first phase at smaller pictures, or None.
    warmup_epochs: of the learning rate and of the margin. early_stopping, plateau_patience:
    epochs without a better validation loss, 0 for never. stop_after: epochs after which this call
    ends, to be resumed, 0 for none. checkpoint_minutes: how often within an epoch. clip_norm: of
    the gradient, 0 for none. mixed_precision: bfloat16 within, float32 weights. strategy: a name
    of `trainer.networks.strategy.STRATEGIES`. average: momentum of the weights' moving average,
    which is what is watched and kept; 0 for none. mix: shares of a batch, see
    `trainer.training.batches`.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup_epochs: float = 0.3
    early_stopping: int = 0
    plateau_patience: int = 3
    clip_norm: float = 5.0
    seed: int = 0
    progressive: tuple[int, int] | None = None
    checkpoint_minutes: float = 5.0
    stop_after: int = 0
    workers: int = 2
    mixed_precision: bool = False
    strategy: str = "none"
    average: float = 0.0
    mix: Mix | None = None

    def __post_init__(self) -> None:
        watches = self.early_stopping > 0 or self.schedule == "plateau"
        if self.strategy == "multiworker" and watches:
            raise UsageError(
                "each of several machines would judge by itself when to stop or to slow down",
                hint="leave --early-stopping and --schedule plateau away with them",
            )
        if self.epochs < 1 or self.batch_size < 1:
            raise UsageError("epochs and batch size start at 1")

    def size_at(self, epoch: int, full_px: int) -> int:
        """Input size in pixels of an epoch."""
        if self.progressive and epoch < self.progressive[1]:
            return self.progressive[0]
        return full_px


@dataclass(frozen=True)
class Outcome:
    """model: with the best epoch's weights. progress: history and best epoch. finished: False
    where `stop_after` ended the call.
    """

    model: keras.Model
    progress: Progress
    finished: bool


Report = Callable[[str], None]
EpochHook = Callable[[int, dict[str, float]], None]


class Training:
    """One run over `train`, watched on `validation`, with its checkpoint in `folder`."""

    def __init__(
        self,
        network: NetworkConfig,
        objective: ObjectiveConfig,
        config: TrainingConfig,
        augmentation: Augmentation,
        train: FaceArrays,
        validation: FaceArrays,
        folder: Path,
        *,
        report: Report = lambda line: None,
        on_epoch: EpochHook = lambda epoch, figures: None,
        start: Callable[[keras.Model], None] = lambda model: None,
        quiet: bool = False,
    ) -> None:
        self.network, self.config, self.augmentation = network, config, augmentation
        self.train_set, self.validation_set = train, validation
        self.checkpoint_path = Path(folder) / "checkpoint.npz"
        self.report, self.on_epoch, self.quiet = report, on_epoch, quiet
        self.progress = Progress()
        self._best: list[np.ndarray] | None = None
        self._objective_config = objective
        self._strategy = make_strategy(config.strategy)
        self._steps = batches_per_epoch(train, config.batch_size, config.mix)
        self._schedule = Schedule(
            config.schedule,
            config.learning_rate,
            config.epochs * self._steps,
            round(config.warmup_epochs * self._steps),
        )
        self._size = config.size_at(0, network.input_size)
        self._session = self._new_session(self._size, network.weights)
        start(self._session.model)

    def resume(self) -> None:
        """Go on from the checkpoint in the folder.

        Raises `InputError` where there is none, and `UsageError` where it lies further within an
        epoch than that has steps now.
        """
        checkpoint = Checkpoint.load(self.checkpoint_path)
        if checkpoint.progress.step > self._steps:
            raise UsageError(
                f"the run stopped within an epoch, after {checkpoint.progress.step} steps, and "
                f"there are {self._steps} in one now",
                hint="go on with as many --blends as before until the epoch ends",
            )
        self.progress, self._best = checkpoint.progress, checkpoint.best
        self._go_to_size(self.progress.epoch, checkpoint.state)

    def run(self) -> Outcome:
        """Train to the end. Raises `RefusedError` when the loss is no number any more; the
        checkpoint then holds the last good state.
        """
        config, at = self.config, self.progress
        first, last = at.epoch, config.epochs
        if config.stop_after:
            last = min(last, first + config.stop_after)
        per_epoch = self._steps + -(-len(self.validation_set) // config.batch_size)
        left = (last - first) * per_epoch - at.step
        if not self.checkpoint_path.exists():
            self._save()
        with progress_bar("training", max(0, left), quiet=self.quiet) as bar:
            while at.epoch < last and not self._stopped_early():
                self._go_to_size(at.epoch)
                self._epoch(bar)
        finished = at.epoch >= config.epochs or self._stopped_early()
        if finished and self._best is not None:
            self._go_to_size(config.epochs)
            self._session.set_network_state(self._best)
        return Outcome(self._plain_model(), at, finished)

    def _epoch(self, bar: ProgressBar) -> None:
        at, began = self.progress, time.monotonic()
        saved = began
        for batch in self._batches():
            values = self._session.step(batch, self._rate(), self._margin_share())
            self._guard(values)
            for name, value in values.items():
                at.sums[name] = at.sums.get(name, 0.0) + value
            at.step += 1
            bar.advance(note=f"epoch {at.epoch + 1}, loss {at.sums['loss'] / at.step:.4f}")
            now = time.monotonic()
            if now - saved > 60 * self.config.checkpoint_minutes and at.step < self._steps:
                at.seconds, began, saved = at.seconds + now - began, now, now
                self._save()
        figures = {name: value / self._steps for name, value in at.sums.items()}
        figures["learning_rate"] = self._rate(self._steps - 1)
        figures["seconds"] = at.seconds + time.monotonic() - began
        with self._session.averaged():
            figures |= {f"val_{name}": value for name, value in self._validate(bar).items()}
            kept = self._session.network_state()
        self._finish_epoch(figures, kept)

    def _batches(self) -> Iterator[dict[str, Any]]:
        at, config = self.progress, self.config
        batches = training_batches(
            self.train_set,
            self._size,
            config.batch_size,
            self.augmentation,
            seed=config.seed,
            epoch=at.epoch,
            first_step=at.step,
            workers=config.workers,
            mix=config.mix,
        )
        return iter(spread_batches(batches, self._strategy))

    def _validate(self, bar: ProgressBar) -> dict[str, float]:
        """Terms of the loss, each the mean over the pictures of the validation part."""
        sums: dict[str, float] = {}
        hits = known = 0
        batches = plain_batches(self.validation_set, self._size, self.config.batch_size)
        for batch in batches:
            terms, outputs = self._session.evaluate(batch)
            count = int(batch["pixels"].shape[0])
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + count * value
            if "attributes" in outputs:
                labels = batch["labels"].numpy()
                hits += int(((outputs["attributes"] > 0) == (labels > 0))[labels >= 0].sum())
                known += int((labels >= 0).sum())
            bar.advance(note="validation")
        figures = {name: value / len(self.validation_set) for name, value in sums.items()}
        return figures | ({"accuracy": hits / known} if known else {})

    def _finish_epoch(self, figures: dict[str, float], kept: list[np.ndarray]) -> None:
        at, config = self.progress, self.config
        at.history.append(figures)
        watched = figures.get("val_loss", figures["loss"])
        at.waited += 1
        if not self._at_full_size(at.epoch):
            at.waited = 0
        elif watched < at.best:
            at.best, at.best_epoch, at.waited = watched, at.epoch, 0
            self._best = kept
        patience = config.plateau_patience if config.schedule == "plateau" else 0
        if patience and at.waited and at.waited % patience == 0:
            at.rate_share *= PLATEAU_FACTOR
        self.report(_line(at.epoch, config.epochs, figures))
        self.on_epoch(at.epoch, figures)
        at.epoch, at.step, at.sums, at.seconds = at.epoch + 1, 0, {}, 0.0
        self._save()

    def _guard(self, values: dict[str, float]) -> None:
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if not bad:
            return
        at = self.progress
        raise RefusedError(
            f"training stopped: {' and '.join(bad)} became NaN or infinite in epoch "
            f"{at.epoch + 1}, step {at.step + 1}, at a learning rate of {self._rate():.2g}; the "
            f"last good weights are kept in {self.checkpoint_path}",
            hint=f"try --resume --learning-rate {self.config.learning_rate / 10:.2g}, a longer "
            "--warmup or a smaller --clip-norm, and --loss bce",
        )

    def _stopped_early(self) -> bool:
        return 0 < self.config.early_stopping <= self.progress.waited

    def _at_full_size(self, epoch: int) -> bool:
        return self.config.size_at(epoch, self.network.input_size) == self.network.input_size

    def _rate(self, step: int | None = None) -> float:
        at = self.progress
        step = at.step if step is None else step
        return self._schedule.at(at.epoch * self._steps + step) * at.rate_share

    def _margin_share(self) -> float:
        """The margin grows over twice the warm-up, and at least one epoch."""
        span = max(1.0, 2 * self.config.warmup_epochs) * self._steps
        return min(1.0, (self.progress.epoch * self._steps + self.progress.step) / span)

    def _save(self) -> None:
        Checkpoint(self.progress, self._session.state(), self._best).save(self.checkpoint_path)

    def _go_to_size(self, epoch: int, state: list[np.ndarray] | None = None) -> None:
        size = self.config.size_at(epoch, self.network.input_size)
        if size != self._size:
            state = state or self._session.state()
            self._size = size
            self._session = self._new_session(size, "none")
        if state is not None:
            self._session.set_state(state)

    def _new_session(self, size_px: int, weights: str) -> Session:
        config, objective = self.config, self._objective_config
        keras.utils.set_random_seed(config.seed)
        with self._strategy.scope(), _precision(config.mixed_precision):
            model = build(_at_size(self.network, size_px, weights))
            optimizer = make_optimizer(
                config.optimizer, config.learning_rate, config.weight_decay, config.average
            )
            margin = None
            if objective.margin != "none":
                classes = int(self.train_set.classes.max(initial=-1)) + 1
                size = self.network.embedding_size
                margin = MarginSoftmax(objective.margin, classes, size, config.seed)
            goal = Objective(objective, margin)
            return Session(model, optimizer, goal, config.clip_norm, self._strategy)

    def _plain_model(self) -> keras.Model:
        """The network in float32 and without strategy, as it is saved."""
        config, model = self.config, self._session.model
        if not config.mixed_precision and config.strategy == "none":
            return model
        plain = build(_at_size(self.network, self._size, "none"))
        for variable, array in zip(plain.variables, self._session.network_state(), strict=True):
            variable.assign(array)
        return plain


@contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    """Layers made within compute in bfloat16 where `mixed`; their weights stay float32."""
    before = keras.config.dtype_policy()
    if mixed:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _at_size(network: NetworkConfig, size_px: int, weights: str) -> NetworkConfig:
    """The same network for another input; the pixel scale stays that of the first weights."""
    scale = pixel_scale_name(network.arch, network.weights, network.pixel_scale)
    return replace(network, input_size=size_px, weights=weights, pixel_scale=scale)


def _line(epoch: int, epochs: int, figures: dict[str, float]) -> str:
    shown = [f"epoch {epoch + 1}/{epochs}"]
    for name, value in figures.items():
        if name in ("norm", "seconds"):
            continue
        shown.append(f"{name} {value:.4g}" if name == "learning_rate" else f"{name} {value:.4f}")
    return ", ".join([*shown, f"{figures['seconds']:.0f} s"])
