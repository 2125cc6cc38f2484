"""A run folder: what `edge-train` writes beside the record that `edge-export` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.files.atomic import atomic_file
from edge.models.run_record import GOLDEN, REPRESENTATIVE, Figures
from edge.models.spec import NetworkInput

SPLIT_LIST = "split.txt"

GOLDEN_CROPS = 8
"""Drawn faces that travel with a bundle, so that a device can prove that it sees as we do."""


def result_to_json(
    out: Path, name: str, figures: Figures, warnings: Sequence[str], **more: Any
) -> dict[str, Any]:
    """What a command says about the run that it wrote to `out`. more: fields between the figures
    and the warnings."""
    return {
        "run": str(out),
        "name": name,
        "figures": figures.to_json(),
        **more,
        "warnings": list(warnings),
    }


def save_representative(folder: Path, crops: np.ndarray, held_out: np.ndarray) -> None:
    """Write the crops for calibration, uint8[N, S, S, 3] BGR, and those for the parity gate."""
    with atomic_file(Path(folder) / REPRESENTATIVE) as temporary:
        np.savez_compressed(temporary, crops=crops, held_out=held_out)


def save_golden(folder: Path, expects: NetworkInput) -> None:
    """Write `GOLDEN_CROPS` drawn crops as the network takes them; its results on them are recorded
    when a bundle is packed and compared on the device.
    """
    from trainer.drawn.dataset import golden_crops

    crops = golden_crops(expects.window, expects.size_px, GOLDEN_CROPS, frame=expects.frame)
    with atomic_file(Path(folder) / GOLDEN) as temporary:
        np.savez_compressed(temporary, crops=crops)
