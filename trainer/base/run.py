"""One run of `edge-train attributes`, from its settings to the run folder."""

from __future__ import annotations

import importlib
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.console.commands import say
from edge.console.display_text import counted
from edge.console.overwriting import refuse_existing
from edge.errors import InputError, RefusedError, UsageError
from edge.files.atomic import publish_folder
from trainer.base.settings import CHECKPOINT, SETTINGS_JSON, BaseSettings
from trainer.networks.start import start_tensorflow
from trainer.networks.workers import worker_number

STARTED_ON = 256
"""Faces over which the scales of a network with a teacher's weights are set."""


@dataclass(frozen=True)
class BaseResult:
    """What a call of `edge-train attributes` ends with. run: None where it was stopped early."""

    folder: Path
    epochs: int
    run: Any = None
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        done = self.run.to_json() if self.run is not None else None
        return {"folder": str(self.folder), "epochs": self.epochs, "run": done}

    def text(self) -> str:
        if self.run is None and not self.lines:
            return f"stopped after {counted(self.epochs, 'epoch')}, go on with --resume"
        then = (
            f"edge-train person --photos PHOTOS --name NAME --base {shlex.quote(str(self.folder))}"
        )
        wrote = [f"wrote {self.folder}", f"next: {then} --out runs/NAME"] * (self.run is not None)
        return "\n".join([*self.lines, *wrote])


def train_base(settings: BaseSettings, command: str) -> BaseResult:
    """Train as `settings` say and write the run folder `settings.out`.

    Raises `InputError` where the folder exists already, `RefusedError` where the int8 file does not
    decide as the network does (the run is kept), and whatever loading and training raise.
    """
    start_tensorflow(settings.threads, settings.strategy)
    settings = settings.for_worker(worker_number())
    _refuse_existing(settings)
    from trainer.base.data import load_base_data
    from trainer.data.table import VALIDATION
    from trainer.inference.external import read_teacher
    from trainer.training.loop import Training

    _check(settings)
    teacher = None
    if settings.teacher is not None:
        teacher = read_teacher(settings.teacher, settings.teacher_description)
    data = load_base_data(
        settings.data(),
        seed=settings.seed,
        embedding_size=settings.embedding_size,
        teacher=teacher,
        classes=settings.margin != "none",
        quiet=settings.quiet,
    )
    if settings.export_augmented is not None:
        _export(settings, data)
    training = Training(
        settings.network(_attribute_count(settings, data)),
        settings.objective(),
        settings.training(),
        settings.augmentation(),
        data.lessons(),
        data.part(VALIDATION),
        settings.working_folder,
        report=lambda line: None if settings.quiet else say(line, err=True),
        on_epoch=_tensorboard(settings.tensorboard),
        start=_start(settings, data, teacher),
        quiet=settings.quiet,
    )
    folder = _prepared_folder(settings)
    settings.save(folder)
    if settings.resume:
        training.resume()
    outcome = training.run()
    done = outcome.progress.epoch
    if not outcome.finished:
        return BaseResult(folder, done)
    if worker_number():
        shutil.rmtree(folder, ignore_errors=True)
        return BaseResult(folder, done, lines=("the first worker writes the run",))
    from trainer.base.finish import finish

    run, lines, missed = finish(settings, command, data, teacher, outcome, folder)
    _publish(folder, settings.out)
    if missed:
        raise RefusedError(
            f"{missed}; the network and its run are kept in {settings.out}",
            hint="calibrate on other faces with --resume --calibrate-on DIR, or pack it in "
            f"floating point: edge-export pack {settings.out} --format tflite-float16 -o NAME.edge",
        )
    return BaseResult(settings.out, done, run, lines)


def _export(settings: BaseSettings, data: Any) -> None:
    """Augmented pictures of the training part as files."""
    from trainer.data.table import TRAIN
    from trainer.training.exported import export_augmented

    assert settings.export_augmented is not None
    count = export_augmented(
        data.table.part(TRAIN).paths,
        settings.export_augmented,
        per_photo=settings.per_photo,
        settings=settings.augmentation(),
        seed=settings.seed,
        quiet=settings.quiet,
    )
    if not settings.quiet:
        say(f"wrote {count} augmented pictures to {settings.export_augmented}", err=True)


def _start(settings: BaseSettings, data: Any, teacher: Any) -> Any:
    """What a new network is given before its first step: the weights of a saved network or of the
    teacher, where asked for."""
    if settings.start_from is not None and not settings.resume:
        from trainer.networks.start import start_from_saved

        saved = settings.start_from
        return lambda model: start_from_saved(model, saved)
    if not settings.start_from_teacher or settings.resume:
        return lambda model: None
    from trainer.data.table import TRAIN
    from trainer.networks.mobilefacenet import start_from_file

    train = data.part(TRAIN)
    places = np.linspace(0, len(train) - 1, STARTED_ON).astype(int)
    crops = train.windows(places, settings.input_size)[..., ::-1]
    return lambda model: start_from_file(model, teacher.data, data.basis, crops)


def _refuse_existing(settings: BaseSettings) -> None:
    if settings.overwrite:
        refuse_existing(settings.out, overwrite=True)
    if settings.resume or settings.overwrite:
        return
    for folder in (settings.out, settings.working_folder):
        if folder.exists():
            raise InputError(
                f"{folder} exists already",
                hint="go on with it by --resume, or replace it by --overwrite",
            )


def _prepared_folder(settings: BaseSettings) -> Path:
    """The working folder: new, or with the checkpoint of the run that is resumed."""
    out, working = settings.out, settings.working_folder
    if not settings.resume:
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
    elif not (working / CHECKPOINT).is_file():
        working.mkdir(parents=True, exist_ok=True)
        for name in (SETTINGS_JSON, CHECKPOINT):
            shutil.copy2(out / name, working / name)
    return working


def _publish(working: Path, out: Path) -> None:
    """Give the finished run its name; a run that was there before goes only then."""
    publish_folder(working, out, replace=True)


def _check(settings: BaseSettings) -> None:
    """Refuse what cannot be trained before minutes are spent on the data."""
    from trainer.networks.face_network import build
    from trainer.training.optimizers import make_optimizer

    if settings.embedding_size == 0 and (settings.teacher or settings.margin != "none"):
        raise UsageError(
            "--teacher and --margin train the embedding, and there is none",
            hint="give an --embedding-size",
        )
    if settings.blends and settings.teacher is None:
        raise UsageError(
            "blends of two faces need a teacher to learn from",
            hint="give a --teacher, or leave out --blends",
        )
    if settings.start_from is not None and (
        settings.start_from_teacher or settings.weights != "none"
    ):
        raise UsageError(
            "--start-from brings all weights, so that --weights and --start-from-teacher do "
            "not go with it",
            hint="give one of them",
        )
    if settings.start_from_teacher and settings.teacher is None:
        raise UsageError("--start-from-teacher needs a --teacher", hint="name its .tflite file")
    kind, _, place = settings.arch.partition(":")
    if kind == "file" and Path(place).is_dir():
        raise UsageError(
            f"{place} is a SavedModel: it shows no layers, so that a base made of it could be "
            "trained but not saved",
            hint="save that network as .keras or .h5, and give this file",
        )
    if settings.tensorboard is not None:
        importlib.import_module("tensorboard")
    settings.objective()
    settings.training()
    settings.data()
    make_optimizer(settings.optimizer, settings.learning_rate)
    build(settings.network(attributes=1))


def _attribute_count(settings: BaseSettings, data: Any) -> int:
    """Attributes of the network: those of the data; learning must have something to learn from."""
    count = len(data.table.attributes)
    learns_identity = settings.teacher is not None or settings.margin != "none"
    if count == 0 and not learns_identity:
        raise InputError(
            "the data has no attributes, so there is nothing to learn",
            hint="add data with an attribute list, or give a --teacher or --margin",
        )
    return count


def _tensorboard(folder: Path | None) -> Any:
    """A hook that writes the figures of each epoch for TensorBoard."""
    if folder is None:
        return lambda epoch, figures: None
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder))

    def write(epoch: int, figures: dict[str, float]) -> None:
        with writer.as_default(step=epoch + 1):
            for name, value in figures.items():
                tf.summary.scalar(name, value)
        writer.flush()

    return write
