"""The settings of a person's or a task's run: options as given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edge.errors import UsageError
from edge.heads.head import KERNEL
from edge.heads.threshold import CameraKind
from trainer.inference.source import SHIPPED_NAME

AUTO: Final = "auto"
FEATURES, FINETUNE = "features", "finetune"

CameraChoice = CameraKind | Literal["auto"]


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
    camera: CameraChoice = AUTO
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


def check_person(settings: PersonSettings) -> None:
    """Raises `UsageError` for settings that no person can be enrolled with."""
    if not settings.photos:
        raise UsageError(
            "nobody to enroll", hint="give --photos, or --positive and --negative for another task"
        )
    if settings.head == KERNEL:
        raise UsageError("a kernel head is for --positive and --negative, not for a person")
    if settings.privacy and settings.save_augmented:
        raise UsageError(
            "--save-augmented writes pictures and --privacy leaves them out", hint="give one"
        )
    check_mode(settings)


def check_mode(settings: PersonSettings) -> None:
    """Raises `UsageError` for settings that do not go with fine-tuning."""
    if settings.mode != "finetune":
        return
    for name in ("embedding", "cohort"):
        if getattr(settings, name):
            raise UsageError(
                f"--{name} does not go with --mode finetune, which makes a base of its own"
            )
