"""A run folder: what `edge-train` writes and `edge-export` reads, and nothing else passes."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from edge import __version__
from edge.console.json_text import json_text
from edge.errors import InputError
from edge.files.atomic import atomic_file
from edge.models.spec import Network, NetworkInput

SCHEMA = 1

MODEL_KERAS = "model.keras"
MODEL_H5 = "model.h5"
SPLIT_LIST = "split.txt"
MODEL_TFLITE = "model.int8.tflite"
REPRESENTATIVE = "representative.npz"
COHORT, GOLDEN = "cohort.npz", "golden.npz"
RUN_JSON = "run.json"

GOLDEN_CROPS = 8
"""Drawn faces that travel with a bundle, so that a device can prove that it sees as we do."""

_VERSIONS_OF = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "opencv-python-headless")


RunKind = Literal["base", "person"]


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

    kind: what was trained. command: the command line. network: of `MODEL_TFLITE`. embedder: of
    an external embedder, else None. data: fingerprint and counts. figures: each beside its
    baseline.
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
        """Raises `InputError` where `folder` is no run or of a newer schema, `ModelError` where
        its network is described wrongly.
        """
        path = Path(folder) / RUN_JSON
        try:
            data = json.loads(path.read_text())
        except FileNotFoundError:
            raise InputError(
                f"{folder} is no run folder, it has no {RUN_JSON}",
                hint="train one with edge-train attributes or edge-train person",
            ) from None
        except (OSError, ValueError) as problem:
            raise InputError(f"cannot read {path}: {problem}") from None
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else None
            raise InputError(f"{path} has schema {found}, this version reads {SCHEMA}")
        try:
            kind: RunKind = "person" if data["kind"] == "person" else "base"
            if kind != data["kind"]:
                raise InputError(
                    f"{path} is a run of the unknown kind {data['kind']}",
                    hint="update edge-recognize",
                )
            return cls(
                kind=kind,
                command=str(data["command"]),
                seed=int(data["seed"]),
                network=Network.from_json(data["network"]),
                embedder=Network.from_json(data["embedder"]) if data["embedder"] else None,
                data=dict(data["data"]),
                figures=RecordedFigures(dict(data["figures"])),
                warnings=tuple(str(w) for w in data["warnings"]),
                learned_something=bool(data["learned_something"]),
                versions={str(k): str(v) for k, v in data["versions"].items()},
            )
        except (KeyError, TypeError, AttributeError, ValueError) as problem:
            raise InputError(f"{path} is incomplete: {problem!r}") from None


def result_to_json(
    out: Path, name: str, figures: Figures, warnings: Sequence[str], **more: Any
) -> dict[str, Any]:
    """What a command says of the run that it wrote to `out`. more: fields between the figures and
    the warnings."""
    return {
        "run": str(out),
        "name": name,
        "figures": figures.to_json(),
        **more,
        "warnings": list(warnings),
    }


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


def load_representative(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """`crops` and `held_out` of a run folder. Raises `InputError` where they are not readable."""
    path = Path(folder) / REPRESENTATIVE
    try:
        with np.load(path) as arrays:
            return arrays["crops"], arrays["held_out"]
    except (OSError, ValueError, KeyError) as problem:
        raise InputError(f"cannot read the representative crops {path}: {problem}") from None
