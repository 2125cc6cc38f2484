"""A run folder's record, run.json: what `edge-train` writes and `edge-export` reads."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np

from edge import __version__
from edge.console.json_text import json_text
from edge.errors import InputError, ModelError
from edge.files.atomic import atomic_file
from edge.files.closed_set import one_of
from edge.files.npz_record import NpzRecord
from edge.models.spec import Network

SCHEMA = 1

RUN_JSON = "run.json"
MODEL_KERAS, MODEL_H5, MODEL_TFLITE = "model.keras", "model.h5", "model.int8.tflite"
REPRESENTATIVE, GOLDEN, COHORT, HEADS = "representative.npz", "golden.npz", "cohort.npz", "heads"

RunKind = Literal["base", "person"]

_VERSIONS_OF = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "opencv-python-headless")
_RETRAIN = "train again with this version's edge-train"


class Figures(Protocol):
    """What a run came to: a record of its own for each kind of run."""

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class RecordedFigures:
    """Figures as a file holds them. values: JSON values by name."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dict(self.values)


@dataclass(frozen=True)
class Run:
    """What run.json holds.

    Attributes:
        kind: What was trained.
        command: The command line.
        seed: Of the run.
        network: Of `MODEL_TFLITE`.
        embedder: Of an external embedder, None where the base gives the embedding.
        data: Fingerprint and counts.
        figures: Each beside its baseline.
        warnings: For whoever uses the run.
        learned_something: Whether it is better than its baseline.
        versions: Of what the run depended on.
    """

    kind: RunKind
    command: str
    seed: int
    network: Network
    embedder: Network | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    figures: Figures = RecordedFigures()
    warnings: tuple[str, ...] = ()
    learned_something: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "command": self.command,
            "seed": self.seed,
            "versions": dict(self.versions or installed_versions()),
            "data": dict(self.data),
            "network": self.network.to_json(),
            "embedder": self.embedder.to_json() if self.embedder else None,
            "figures": self.figures.to_json(),
            "warnings": list(self.warnings),
            "learned_something": self.learned_something,
        }

    def save(self, folder: Path) -> None:
        """Write run.json into the folder, atomically."""
        with atomic_file(Path(folder) / RUN_JSON) as temporary:
            temporary.write_text(json_text(self.to_json(), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Raises `InputError` where `folder` is no run folder, or its record is damaged, not whole
        or of another schema."""
        path = Path(folder) / RUN_JSON
        data = _read_json(Path(folder))
        if data.get("schema") != SCHEMA:
            raise InputError(
                f"{path} has schema {data.get('schema')}, this version reads {SCHEMA}",
                hint=_RETRAIN,
            )
        try:
            embedder = data["embedder"]
            return cls(
                kind=one_of(data["kind"], get_args(RunKind)),
                command=str(data["command"]),
                seed=int(data["seed"]),
                network=Network.from_json(data["network"]),
                embedder=None if embedder is None else Network.from_json(embedder),
                data=dict(data["data"]),
                figures=RecordedFigures(dict(data["figures"])),
                warnings=tuple(str(warning) for warning in data["warnings"]),
                learned_something=bool(data["learned_something"]),
                versions={str(k): str(v) for k, v in data["versions"].items()},
            )
        except (KeyError, TypeError, AttributeError, ValueError, ModelError) as problem:
            raise InputError(f"{path} is incomplete: {problem!r}", hint=_RETRAIN) from None


def embedder_name(embedder: Network) -> str:
    """Name of an external embedder's file in a run folder."""
    return "embedder.onnx" if embedder.format.startswith("onnx") else "embedder.tflite"


def installed_versions() -> dict[str, str]:
    """Versions of what a run depends on."""
    found = {"edge-recognize": __version__, "python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def load_crops(path: Path, size_px: int, *names: str) -> tuple[np.ndarray, ...]:
    """Arrays of an `.npz` of a run folder, each crops uint8[N, S, S, 3] BGR of `size_px`.

    Raises `InputError` where they are missing, damaged or of another size.
    """
    try:
        record = NpzRecord.read(Path(path).read_bytes(), packed=True)
        return tuple(record.array(name, np.uint8, name, size_px, size_px, 3) for name in names)
    except (OSError, ValueError) as problem:
        raise InputError(f"cannot read the crops {path}: {problem}", hint=_RETRAIN) from None


def _read_json(folder: Path) -> dict[str, Any]:
    if folder.suffix in (".keras", ".h5", ".tflite", ".onnx") and folder.is_file():
        raise InputError(
            f"{folder} is a model file, not a run", hint="give the folder that edge-train wrote"
        )
    path = folder / RUN_JSON
    try:
        data = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        reason = f"has no {RUN_JSON}" if folder.exists() else "does not exist"
        raise InputError(
            f"{folder} is no run folder: it {reason}",
            hint="train one with edge-train attributes or edge-train person",
        ) from None
    except (OSError, ValueError) as problem:
        raise InputError(f"cannot read {path}: {problem}", hint=_RETRAIN) from None
    if not isinstance(data, dict):
        raise InputError(f"{path} is no JSON object", hint=_RETRAIN)
    return data
