"""The state of a training run in one file, which is whole or not there, whatever kills the run."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import InputError
from edge.files.atomic import atomic_file


@dataclass
class Progress:
    """Where a run is.

    epoch, step: next to be run; step within the epoch. best: smallest validation loss so far, in
    best_epoch. waited: epochs without a better one. rate_share: what a plateau has made of the
    learning rate. history: one dict of figures per finished epoch. sums, seconds: of the epoch
    under way.
    """

    epoch: int = 0
    step: int = 0
    best: float = float("inf")
    best_epoch: int = -1
    waited: int = 0
    rate_share: float = 1.0
    history: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """progress, and arrays by name: "state/NNNN" of the session, "best/NNNN" of the best epoch's
    network where there was one yet.
    """

    progress: Progress
    state: list[np.ndarray]
    best: list[np.ndarray] | None

    def save(self, path: Path) -> None:
        """Write the file, atomically."""
        arrays: dict[str, Any] = {f"state/{i:04d}": a for i, a in enumerate(self.state)}
        arrays |= {f"best/{i:04d}": a for i, a in enumerate(self.best or [])}
        meta = json.dumps(asdict(self.progress)).encode()
        with atomic_file(path) as temporary:
            np.savez(temporary, meta=np.frombuffer(meta, np.uint8), **arrays)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Raises `InputError` where there is no checkpoint, or a broken one."""
        try:
            with np.load(path) as arrays:
                meta: dict[str, Any] = json.loads(arrays["meta"].tobytes())
                state = [arrays[n] for n in sorted(arrays.files) if n.startswith("state/")]
                best = [arrays[n] for n in sorted(arrays.files) if n.startswith("best/")]
        except FileNotFoundError:
            raise InputError(f"there is no checkpoint {path}, so nothing to resume") from None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
            raise InputError(f"the checkpoint {path} cannot be read: {problem}") from None
        known = {f.name for f in fields(Progress)}
        progress = Progress(**{k: v for k, v in meta.items() if k in known})
        return cls(progress, state, best or None)
