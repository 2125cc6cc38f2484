"""The settings of a direct run: options as given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DirectSettings:
    """The options of `edge-train direct`, see there. learning_rate, epochs: of the answer on the
    frozen backbone; finetune_rate, finetune_epochs: of the layers from `from_layer` on after that.
    """

    positive: tuple[Path, ...]
    negative: tuple[Path, ...]
    name: str
    out: Path
    group_regex: str = ""
    arch: str = "mobilenet_v2"
    alpha: float = 1.0
    weights: str = "imagenet"
    input_size: int = 128
    window: str = "tight"
    epochs: int = 10
    learning_rate: float = 1e-3
    finetune_epochs: int = 10
    finetune_rate: float = 1e-5
    from_layer: int = 100
    optimizer: str = "rmsprop"
    dropout: float = 0.2
    batch_size: int = 32
    folds: int = 3
    overwrite: bool = False
    detector_model: Path | None = None
    threads: int | None = None
    seed: int = 0
    as_json: bool = False
    quiet: bool = False
