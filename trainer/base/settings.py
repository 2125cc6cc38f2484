"""The settings of a base's run: options as given, kept beside the run so that it can go on."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.console.json_text import json_text
from edge.errors import InputError, UsageError
from edge.faces.canonical import CROP_REGIONS
from edge.files.atomic import atomic_file

if TYPE_CHECKING:
    from trainer.base.data import DataConfig
    from trainer.networks.face_network import NetworkConfig
    from trainer.training.augmentation import Augmentation
    from trainer.training.loop import TrainingConfig
    from trainer.training.objective import ObjectiveConfig

SETTINGS_JSON = "settings.json"
CHECKPOINT = "checkpoint.npz"


FREE_ON_RESUME = {
    "calibrate_on",
    "blends",
    "export_augmented",
    "per_photo",
    "save_format",
    "learning_rate",
    "epochs",
    "stop_after",
    "early_stopping",
    "tensorboard",
    "threads",
    "workers",
    "quiet",
    "as_json",
    "resume",
    "overwrite",
    "checkpoint_minutes",
    "clip_norm",
    "warmup",
}
"""What may differ between a run and its continuation."""


@dataclass(frozen=True)
class BaseSettings:
    """One field per option of `edge-train attributes`, see there."""

    folders: tuple[Path, ...]
    out: Path
    resume: bool = False
    overwrite: bool = False
    attributes: tuple[str, ...] = ()
    arch: str = "mobilenet_v2"
    input_size: int = 96
    window: str = "tight"
    alpha: float = 1.0
    weights: str = "none"
    pixel_scale: str = "auto"
    freeze: int = 0
    embedding_size: int = 128
    batch_norm_momentum: float = 0.97
    dropout: float = 0.0
    loss: str = "bce"
    attribute_weight: float = 1.0
    teacher: Path | None = None
    teacher_description: Path | None = None
    teacher_weight: float = 2.0
    relational_weight: float = 0.0
    margin: str = "none"
    margin_weight: float = 1.0
    epochs: int = 10
    stop_after: int = 0
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.3
    early_stopping: int = 0
    clip_norm: float = 5.0
    progressive: str = ""
    degradation: float = 0.5
    webcam: float = 0.0
    blends: int = 0
    blends_of_three: float = 0.0
    singles: tuple[Path, ...] = ()
    batch_mix: str = ""
    average: float = 0.0
    start_from_teacher: bool = False
    start_from: Path | None = None
    no_augmentation: bool = False
    flip: float | None = None
    rotation: float | None = None
    zoom: float | None = None
    shift: float | None = None
    stretch: float | None = None
    brightness: float | None = None
    contrast: float | None = None
    export_augmented: Path | None = None
    per_photo: int = 5
    save_format: str = "keras"
    hold_out: Path | None = None
    identities: Path | None = None
    calibrate_on: Path | None = None
    fractions: str = "0.8,0.1,0.1"
    allow_random_split: bool = False
    allow_missing: bool = False
    cache_dir: Path | None = None
    checkpoint_minutes: float = 5.0
    workers: int = 2
    mixed_precision: bool = False
    strategy: str = "none"
    tensorboard: Path | None = None
    detector_model: Path | None = None
    threads: int | None = None
    seed: int = 0
    as_json: bool = False
    quiet: bool = False

    @property
    def working_folder(self) -> Path:
        """Where a run under way lies; it becomes `out` when it is complete."""
        return self.out.parent / f"{self.out.name}.training"

    def for_worker(self, number: int) -> BaseSettings:
        """The settings of one of several machines; those after the first keep to themselves."""
        if number == 0:
            return self
        return replace(self, out=self.out.parent / f".{self.out.name}.worker{number}", quiet=True)

    def continued(self, given: set[str], free: set[str]) -> BaseSettings:
        """The settings of the run that is resumed, with the options of `free` as given now.

        given: other options on the command line, which must say what they said then. Raises
        `InputError` where there is no run to resume and `UsageError` where one differs.
        """
        before = self._saved()
        for name in sorted(given - {"out"}):
            old, new = getattr(before, name), getattr(self, name)
            if _comparable(old) != _comparable(new):
                raise UsageError(
                    f"--{name.replace('_', '-')} is {new} now and was {old} when the run began",
                    hint="leave it out to resume, or start a new run with another --out",
                )
        changed = {name: getattr(self, name) for name in free | {"out", "resume", "overwrite"}}
        return replace(before, **changed)

    def save(self, folder: Path) -> None:
        """Write settings.json, atomically."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        with atomic_file(folder / SETTINGS_JSON) as temporary:
            temporary.write_text(json_text(values, indent=2) + "\n")

    def _saved(self) -> BaseSettings:
        for folder in (self.working_folder, self.out):
            if (folder / SETTINGS_JSON).is_file() and (folder / CHECKPOINT).is_file():
                return _load(folder / SETTINGS_JSON)
        raise InputError(
            f"there is no run at {self.out} that could be resumed", hint="start it without --resume"
        )

    def network(self, attributes: int) -> NetworkConfig:
        from trainer.networks.face_network import NetworkConfig

        return NetworkConfig(
            arch=self.arch,
            input_size=self.input_size,
            alpha=self.alpha,
            attributes=attributes,
            embedding_size=self.embedding_size,
            weights=self.weights,
            pixel_scale=self.pixel_scale,
            frozen_layers=self.freeze,
            batch_norm_momentum=self.batch_norm_momentum,
            dropout=self.dropout,
        )

    def objective(self) -> ObjectiveConfig:
        from trainer.training.losses import attribute_loss
        from trainer.training.objective import ObjectiveConfig

        attribute_loss(self.loss)
        taught = self.teacher is not None
        return ObjectiveConfig(
            loss=self.loss,
            attribute_weight=self.attribute_weight,
            teacher_weight=self.teacher_weight if taught else 0.0,
            relational_weight=self.relational_weight if taught else 0.0,
            margin=self.margin,
            margin_weight=self.margin_weight,
        )

    def training(self) -> TrainingConfig:
        from trainer.training.loop import TrainingConfig

        return TrainingConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            optimizer=self.optimizer,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            warmup_epochs=self.warmup,
            early_stopping=self.early_stopping,
            clip_norm=self.clip_norm,
            seed=self.seed,
            progressive=_progressive(self.progressive, self.input_size),
            checkpoint_minutes=self.checkpoint_minutes,
            stop_after=self.stop_after,
            workers=self.workers,
            mixed_precision=self.mixed_precision,
            strategy=self.strategy,
            average=self.average,
            mix=_mix(self.batch_mix),
        )

    def augmentation(self) -> Augmentation:
        from edge.enrolment.degrade import CameraDegradation
        from trainer.training.augmentation import NO_AUGMENTATION, RANGES, Augmentation, wider

        ranges = {name: getattr(self, name) for name in RANGES}
        if self.no_augmentation:
            if any(value is not None for value in ranges.values()):
                raise UsageError("--no-augmentation leaves nothing to change", hint="give one")
            return NO_AUGMENTATION
        camera = CameraDegradation(webcam=self.webcam)
        return wider(Augmentation(degradation=self.degradation, camera=camera), **ranges)

    def data(self) -> DataConfig:
        from trainer.base.data import DataConfig

        return DataConfig(
            folders=self.folders,
            window=CROP_REGIONS[self.window],
            input_size=self.input_size,
            margin=self.augmentation().margin,
            attributes=self.attributes,
            hold_out=self.hold_out,
            identities=self.identities,
            fractions=_fractions(self.fractions),
            allow_missing=self.allow_missing,
            allow_random=self.allow_random_split,
            detector=self.detector_model,
            cache_dir=self.cache_dir,
            threads=self.threads or 2,
            blends=self.blends,
            of_three=self.blends_of_three,
            singles=self.singles,
        )


def _load(path: Path) -> BaseSettings:
    try:
        values: dict[str, Any] = json.loads(path.read_text())
        for name in _PATHS & set(values):
            values[name] = None if values[name] is None else Path(values[name])
        values["folders"] = tuple(Path(folder) for folder in values["folders"])
        values["singles"] = tuple(Path(folder) for folder in values.get("singles", ()))
        values["attributes"] = tuple(values["attributes"])
        return BaseSettings(**values)
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise InputError(f"the settings {path} cannot be read: {problem}") from None


_PATHS = {
    "out",
    "teacher",
    "teacher_description",
    "hold_out",
    "identities",
    "calibrate_on",
    "cache_dir",
    "tensorboard",
    "detector_model",
    "start_from",
    "export_augmented",
}


def _comparable(value: Any) -> Any:
    if isinstance(value, Path):
        return value.resolve()
    return tuple(_comparable(v) for v in value) if isinstance(value, tuple) else value


def _progressive(text: str, full_px: int) -> tuple[int, int] | None:
    if not text:
        return None
    try:
        size, epochs = (int(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"--progressive is SIZE:EPOCHS as in 64:3, not '{text}'") from None
    if not 16 <= size < full_px or epochs < 1:
        raise UsageError(f"--progressive needs a size from 16 below {full_px} px, and an epoch")
    return size, epochs


def _mix(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        pictures, singles, blends = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--batch-mix is as in 0.4,0.3,0.3, not '{text}'") from None
    if min(pictures, singles, blends) < 0 or pictures + singles + blends <= 0:
        raise UsageError(f"--batch-mix needs shares from 0 on, not '{text}'")
    return pictures, singles, blends


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--fractions is as in 0.8,0.1,0.1, not '{text}'") from None
    return train, validation, test
