"""The settings of a person's or a task's run: options as given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainer.inference.source import SHIPPED_NAME

AUTO = "auto"
FEATURES, FINETUNE = "features", "finetune"


@dataclass(frozen=True)
class PersonSettings:
    """The options of `edge-train person`, see there."""

    photos: tuple[Path, ...]
    name: str
    out: Path
    base: str = SHIPPED_NAME
    embedding: Path | None = None
    cohort: Path | None = None
    others: tuple[Path, ...] = ()
    not_me: tuple[Path, ...] = ()
    head: str = AUTO
    target_far: float | None = None
    strict: bool = False
    camera: str = AUTO
    mode: str = FEATURES
    from_layer: int = 100
    save_augmented: Path | None = None
    overwrite: bool = False
    privacy: bool = False
    detector_model: Path | None = None
    threads: int | None = None
    seed: int = 0
    as_json: bool = False
    quiet: bool = False
