"""The run folder: what `edge-train` left behind, read and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import InputError, ModelError, RefusedError
from edge.files.model_file import read_model_file
from edge.models.spec import Network

if TYPE_CHECKING:
    import numpy as np

    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

SCHEMA = 1
RUN_JSON, DEPLOYED, KERAS = "run.json", "model.int8.tflite", "model.keras"
REPRESENTATIVE, GOLDEN, COHORT, HEADS = "representative.npz", "golden.npz", "cohort.npz", "heads"
_RETRAIN = "train again with this version's edge-train"


@dataclass(frozen=True)
class RunFolder:
    """A run that was opened. Files are read, and their hashes compared, when they are asked for.

    kind: "base" or "person". network: of the deployed file. external: of the external embedder,
    None where the base gives the embedding. info: all of run.json. float_model, given_crops: what
    `export.inputs.crops` brings to a run that has neither. given_embedder: the file of another
    embedder in place of the run's, see `export.packing.embedder`; then the run's own persons no
    longer stand on it.
    """

    path: Path
    kind: str
    network: Network
    external: Network | None
    info: dict[str, Any] = field(repr=False)
    float_model: Path | None = None
    given_crops: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    given_embedder: Path | None = None

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Raises `InputError` when `path` is no run folder, or one of another version."""
        info = _read_json(Path(path))
        if info.get("schema") != SCHEMA:
            raise InputError(
                f"{path} was written by another version (schema {info.get('schema')}, known is "
                f"{SCHEMA})",
                hint=_RETRAIN,
            )
        try:
            external = info["embedder"]
            network = Network.from_json(info["network"])
            run = cls(
                path=Path(path),
                kind=str(info["kind"]),
                network=network,
                external=None if external is None else Network.from_json(external),
                info=info,
            )
        except (KeyError, TypeError, ModelError) as problem:
            raise InputError(f"{path}/{RUN_JSON} is incomplete: {problem}", hint=_RETRAIN) from None
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
    def embedder(self) -> Network:
        """The network that heads are enrolled on."""
        return self.network if self.external is None else self.external

    @property
    def keras(self) -> Path | None:
        """The float model, None in a person's run unless it was brought."""
        path = self.path / KERAS
        return path if path.is_file() else self.float_model

    def deployed_data(self) -> bytes:
        """The deployed file as the trainer made it. Raises `ModelError` when it was changed."""
        return read_model_file(self.path / DEPLOYED, sha256=self.network.sha256)

    def embedder_data(self) -> bytes:
        """The file that heads are enrolled on. Raises `ModelError` when it was changed."""
        if self.external is None:
            return self.deployed_data()
        suffix = "onnx" if self.external.format.startswith("onnx") else "tflite"
        path = self.given_embedder or self.path / f"embedder.{suffix}"
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
        arrays = _crops(self.path / REPRESENTATIVE, "crops", "held_out", self.network)
        return self.given_crops if arrays is None else (arrays[0], arrays[1])

    def golden_crops(self) -> np.ndarray | None:
        """Drawn faces uint8[N, S, S, 3] BGR, None where the run has none."""
        arrays = _crops(self.path / GOLDEN, "crops", None, self.network)
        return None if arrays is None else arrays[0]


def check_head(head: Head, embedder: Network, where: Path) -> None:
    """Raises `RefusedError` unless the head was enrolled on exactly this embedder file."""
    if head.embedder_sha256 != embedder.sha256:
        raise RefusedError(
            f"{head.name} of {where} was enrolled on the embedder file "
            f"{head.embedder_sha256[:12]}…, the bundle's is {embedder.sha256[:12]}…: the scores "
            "would mean nothing",
            hint="enroll again on this base with 'edge-train person --base'",
        )


def _read_json(path: Path) -> dict[str, Any]:
    if path.suffix in (".keras", ".h5", ".tflite", ".onnx") and path.is_file():
        raise InputError(
            f"{path} is a model file, not a run", hint="give the folder that edge-train wrote"
        )
    try:
        info = json.loads((path / RUN_JSON).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        reason = "does not exist" if not path.exists() else f"has no {RUN_JSON}"
        raise InputError(
            f"{path} is no run: it {reason}", hint="give the folder that edge-train wrote"
        ) from None
    except (OSError, ValueError) as problem:
        raise InputError(f"cannot read {path / RUN_JSON}: {problem}", hint=_RETRAIN) from None
    if not isinstance(info, dict):
        raise InputError(f"{path / RUN_JSON} is no JSON object", hint=_RETRAIN)
    return info


def _crops(path: Path, first: str, second: str | None, network: Network) -> Any:
    """Arrays of an `.npz`, each checked to be crops of the network; None without the file."""
    import numpy as np

    if not path.is_file():
        return None
    names = (first,) if second is None else (first, second)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in names]
    except Exception as problem:  # NumPy and zipfile raise anything on damaged bytes
        raise InputError(f"cannot read {path}: {problem}", hint=_RETRAIN) from None
    size = network.input.size_px
    for name, array in zip(names, arrays, strict=True):
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != (size, size, 3):
            raise InputError(
                f"{path}: '{name}' is {array.dtype}{list(array.shape)}, not crops of {size} px",
                hint=_RETRAIN,
            )
    return arrays
