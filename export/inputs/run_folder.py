"""The run folder: what `edge-train` left behind, read and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InputError, RefusedError
from edge.files.model_file import read_model_file
from edge.models.run_record import (
    COHORT,
    GOLDEN,
    HEADS,
    MODEL_KERAS,
    MODEL_TFLITE,
    REPRESENTATIVE,
    Run,
    RunKind,
    embedder_name,
    load_crops,
)
from edge.models.spec import Network

if TYPE_CHECKING:
    import numpy as np

    from edge.heads.cohort import Cohort
    from edge.heads.head import Head


@dataclass(frozen=True)
class RunFolder:
    """A run that was opened. Files are read, and their hashes compared, when they are asked for.

    record: its run.json. float_model, given_crops: what
    `export.inputs.crops` brings to a run that has neither. given_embedder: the file of another
    embedder in place of the run's, see `export.packing.embedder`; then the run's own persons no
    longer stand on it.
    """

    path: Path
    record: Run = field(repr=False)
    float_model: Path | None = None
    given_crops: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    given_embedder: Path | None = None

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Raises `InputError` when `path` is no run folder, or one of another version."""
        run = cls(Path(path), Run.load(path))
        if "embedding" not in run.embedder.outputs:
            raise InputError(
                f"{path} has no embedding and names no external embedder, so nobody could be "
                "recognized with it",
                hint="train with --embedding-size, or bring an embedder with --embedder",
            )
        return run

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def kind(self) -> RunKind:
        return self.record.kind

    @property
    def network(self) -> Network:
        """Of the deployed file."""
        return self.record.network

    @property
    def external(self) -> Network | None:
        """Of the external embedder, None where the base gives the embedding."""
        return self.record.embedder

    @property
    def embedder(self) -> Network:
        """The network that heads are enrolled on."""
        return self.network if self.external is None else self.external

    @property
    def keras(self) -> Path | None:
        """The float model, None in a person's run unless it was brought."""
        path = self.path / MODEL_KERAS
        return path if path.is_file() else self.float_model

    def deployed_data(self) -> bytes:
        """The deployed file as the trainer made it. Raises `ModelError` when it was changed."""
        return read_model_file(self.path / MODEL_TFLITE, sha256=self.network.sha256)

    def embedder_data(self) -> bytes:
        """The file that heads are enrolled on. Raises `ModelError` when it was changed."""
        if self.external is None:
            return self.deployed_data()
        path = self.given_embedder or self.path / embedder_name(self.external)
        return read_model_file(path, sha256=self.external.sha256)

    def heads(self) -> tuple[Head, ...]:
        """The persons of the run, by name. Raises `RefusedError` for one of another embedder."""
        from edge.heads.head import Head

        if self.given_embedder is not None:
            return ()
        folder = self.path / HEADS
        found = [Head.load(path) for path in sorted(folder.glob("*.npz"))]
        for head in found:
            check_head(head, self.embedder, self.path)
        return tuple(found)

    def cohort(self) -> Cohort | None:
        """The strangers, None where there are none. Raises `RefusedError` as `heads`."""
        path = self.path / COHORT
        if self.given_embedder is not None or not path.is_file():
            return None
        from edge.heads.cohort import Cohort

        cohort = Cohort.load(path)
        if cohort.embedder_sha256 != self.embedder.sha256:
            raise RefusedError(
                f"the cohort of {self.path} was made by another embedder than the run's",
                hint="make it again with 'edge-train cohort'",
            )
        return cohort

    def representative(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Crops uint8[N, S, S, 3] BGR for calibration and as many others for the parity gate.

        None where the run has none (a person's) and none were given. Raises `InputError` for
        damaged ones.
        """
        path = self.path / REPRESENTATIVE
        if not path.is_file():
            return self.given_crops
        crops, held_out = load_crops(path, self.network.input.size_px, "crops", "held_out")
        return crops, held_out

    def golden_crops(self) -> np.ndarray | None:
        """Drawn faces uint8[N, S, S, 3] BGR, None where the run has none."""
        path = self.path / GOLDEN
        return load_crops(path, self.network.input.size_px, "crops")[0] if path.is_file() else None


def check_head(head: Head, embedder: Network, where: Path) -> None:
    """Raises `RefusedError` unless the head was enrolled on exactly this embedder file."""
    if head.embedder_sha256 != embedder.sha256:
        raise RefusedError(
            f"{head.name} of {where} was enrolled on the embedder file "
            f"{head.embedder_sha256[:12]}…, the bundle's is {embedder.sha256[:12]}…: the scores "
            "would mean nothing",
            hint="enroll again on this base with 'edge-train person --base'",
        )
