"""A head: from an embedding to the score of one person, or of a task, and its threshold."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np

from edge.errors import ModelError, RefusedError
from edge.files.atomic import atomic_file
from edge.files.npz_record import NpzRecord, npz_bytes
from edge.heads.calibration_record import (
    Calibration,
    PersonCalibration,
    Unstated,
    calibration_from_json,
)
from edge.heads.normalization import Normalization
from edge.person_name import LONGEST, name_problem

SCHEMA = 1

HeadKind = Literal["linear", "dense-128", "kernel"]

LINEAR: Final = "linear"
DENSE_128: Final = "dense-128"
KERNEL: Final = "kernel"
KINDS: tuple[HeadKind, ...] = (LINEAR, DENSE_128, KERNEL)

Activation = Literal["linear", "relu", "tanh", "sigmoid", "exp"]

ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)

HIGHEST_EXPONENT = 30.0
"""So that a head with absurd weights gives large scores and not infinite ones."""

_MOST_LAYERS = 4
_WIDEST = 8192


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer: activation(x @ weights + bias), weights float32[I, O], bias float32[O]."""

    weights: np.ndarray
    bias: np.ndarray
    activation: Activation = "linear"

    def __post_init__(self) -> None:
        """Raises `ModelError` for arrays of other types, shapes or with numbers not finite."""
        w, b = self.weights, self.bias
        if w.dtype != np.float32 or b.dtype != np.float32 or w.ndim != 2 or b.shape != w.shape[1:]:
            raise ModelError("a head's layer needs weights float32[I, O] and bias float32[O]")
        if not 1 <= min(w.shape) <= max(w.shape) <= _WIDEST:
            raise ModelError(f"a head's layer cannot have the shape {w.shape}")
        if not (np.isfinite(w).all() and np.isfinite(b).all()):
            raise ModelError("a head's layer holds numbers that are not finite")
        if self.activation not in ACTIVATIONS:
            raise ModelError(
                f"unknown activation '{self.activation}'", hint=f"known: {', '.join(ACTIVATIONS)}"
            )

    def apply(self, x: np.ndarray) -> np.ndarray:
        """float64[N, O] of x, float64[N, I]."""
        z = x @ self.weights.astype(np.float64) + self.bias
        if self.activation == "relu":
            return np.asarray(np.maximum(z, 0.0))
        if self.activation == "tanh":
            return np.asarray(np.tanh(z))
        if self.activation == "sigmoid":
            return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))
        if self.activation == "exp":
            return np.asarray(np.exp(np.minimum(z, HIGHEST_EXPONENT)))
        return np.asarray(z)


@dataclass(frozen=True, eq=False)
class Head:
    """Says whether embeddings of the file with `embedder_sha256` are of one person.

    Attributes:
        name: The person's name, as results give it.
        kind: One of `KINDS`.
        embedder_sha256: Hash of the network's file whose embeddings it takes.
        layers: Dense layers; the last one has one output.
        threshold: Scores from here on are accepted.
        margin: Half width of the band around the threshold in which the head does not commit
            itself.
        normalization: Of the last layer's output.
        calibration: How it was fitted and its threshold set; `facts` of a person's head.

    Example:
        >>> with edge.Bundle.open("ana.edge") as bundle:
        ...     head = bundle.heads[0]
        >>> head.score(np.zeros((3, head.size), np.float32)).shape
        (3,)
    """

    name: str
    kind: HeadKind
    embedder_sha256: str
    layers: tuple[Layer, ...]
    threshold: float
    margin: float = 0.0
    normalization: Normalization = field(default_factory=Normalization)
    calibration: Calibration = field(default_factory=Unstated)

    def __post_init__(self) -> None:
        """Raises `ModelError` when the parts do not fit together."""
        problem = name_problem(self.name)
        if problem is not None:
            raise ModelError(f"a head cannot be called {self.name[:LONGEST]!r}: {problem}")
        if self.kind not in KINDS:
            raise ModelError(f"unknown kind of head '{self.kind}'", hint="update edge-recognize")
        if not math.isfinite(self.threshold) or not math.isfinite(self.margin) or self.margin < 0:
            raise ModelError("a head needs a finite threshold and a margin of at least 0")
        if not 1 <= len(self.layers) <= _MOST_LAYERS or self.layers[-1].weights.shape[1] != 1:
            raise ModelError("a head needs layers of which the last has one output")
        for one, following in zip(self.layers, self.layers[1:], strict=False):
            if one.weights.shape[1] != following.weights.shape[0]:
                raise ModelError("a head's layers do not fit onto each other")
        rows = self.normalization.rows
        if len(rows) and rows.shape[1] != self.size:
            raise ModelError("a head's score normalization is of another embedding")

    @property
    def is_task(self) -> bool:
        """Whether it answers a yes-or-no question about any face, and is nobody's."""
        return self.calibration.is_task

    @property
    def stated(self) -> PersonCalibration | None:
        """How the head of a person was calibrated, None where it does not say."""
        return self.calibration if isinstance(self.calibration, PersonCalibration) else None

    @property
    def facts(self) -> PersonCalibration:
        """How the head of a person was calibrated. Raises `RefusedError` where it does not say."""
        if self.stated is not None:
            return self.stated
        raise RefusedError(
            f"the head of {self.name} does not say how it was calibrated",
            hint="enroll again, so that thresholds can be set for all heads together",
        )

    @property
    def size(self) -> int:
        """Dimensions of the embeddings that it takes."""
        return int(self.layers[0].weights.shape[0])

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits for how it scores: the same for another threshold, another after
        it was fitted again. Says nothing of whose head it is."""
        digest = hashlib.sha256(f"{self.embedder_sha256} {self.kind}".encode())
        for layer in self.layers:
            digest.update(layer.activation.encode())
            digest.update(np.ascontiguousarray(layer.weights).tobytes())
            digest.update(np.ascontiguousarray(layer.bias).tobytes())
        digest.update(json.dumps(self.normalization.to_json(), sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.normalization.rows).tobytes())
        return digest.hexdigest()[:16]

    def raw(self, embeddings: np.ndarray) -> np.ndarray:
        """The last layer's output, float64[N], of embeddings float32[N, D]."""
        if embeddings.ndim != 2 or embeddings.shape[1] != self.size:
            raise ModelError(
                f"the head of {self.name} takes embeddings of {self.size} numbers, "
                f"got {embeddings.shape[1:]}",
                hint="enroll again with this embedder",
            )
        values = embeddings.astype(np.float64)
        for layer in self.layers:
            values = layer.apply(values)
        return values[:, 0]

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Scores, float64[N], of embeddings float32[N, D] of length 1; larger is more alike.

        Raises `ModelError` for embeddings of another size.
        """
        return self.normalization.apply(self.raw(embeddings), embeddings)

    def accepts(self, embeddings: np.ndarray) -> np.ndarray:
        """bool[N]: whether the score reaches the threshold."""
        return np.asarray(self.score(embeddings) >= self.threshold)

    def to_bytes(self) -> bytes:
        """As an `.npz` of stored arrays; the same bytes for the same content."""
        meta = {
            "schema": SCHEMA,
            "name": self.name,
            "kind": self.kind,
            "embedder_sha256": self.embedder_sha256,
            "threshold": float(self.threshold),
            "margin": float(self.margin),
            "activations": [layer.activation for layer in self.layers],
            "normalization": self.normalization.to_json(),
            "calibration": self.calibration.to_json(),
        }
        arrays: dict[str, np.ndarray] = {}
        for number, layer in enumerate(self.layers):
            arrays[f"weights_{number}"] = np.ascontiguousarray(layer.weights)
            arrays[f"bias_{number}"] = np.ascontiguousarray(layer.bias)
        if len(self.normalization.rows):
            arrays["cohort"] = np.ascontiguousarray(self.normalization.rows)
        return npz_bytes(arrays, meta)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all, readable by its owner alone."""
        with atomic_file(Path(path), private=True) as temporary:
            temporary.write_bytes(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the head") -> Head:
        """Raises `ModelError` when it is no head, damaged, or of another schema."""
        try:
            return _read(NpzRecord.read(data))
        except ModelError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise ModelError(
                f"{name} cannot be read: {problem}", hint="enroll again, or copy the file again"
            ) from None

    @classmethod
    def load(cls, path: Path) -> Head:
        """Raises `ModelError` when the file is missing or no head."""
        try:
            data = Path(path).read_bytes()
        except OSError as problem:
            raise ModelError(f"cannot read the head {path}: {problem.strerror}") from None
        return cls.from_bytes(data, str(path))


def linear_layers(weights: np.ndarray, bias: float) -> tuple[Layer, ...]:
    """The layers of a linear head: weights float[D], and its bias."""
    column = np.ascontiguousarray(weights, np.float32).reshape(-1, 1)
    return (Layer(column, np.array([bias], np.float32)),)


def _read(file: NpzRecord) -> Head:
    """Raises `ModelError`, AttributeError, KeyError, TypeError or ValueError."""
    meta = file.meta
    if meta.get("schema") != SCHEMA:
        raise ModelError(
            f"a head has schema {meta.get('schema')}, this version reads {SCHEMA}",
            hint="update edge-recognize",
        )
    activations: list[Any] = [str(activation) for activation in meta["activations"]]
    expected = {f"{k}_{n}" for k in ("weights", "bias") for n in range(len(activations))}
    if file.arrays.keys() - {"cohort"} != expected:
        raise ValueError(f"it holds {', '.join(sorted(file.arrays))}")
    rows = file.array("cohort", np.float16, "R", "D") if "cohort" in file else None
    if not isinstance(meta["calibration"], dict):
        raise TypeError("its calibration is no object")
    return Head(
        name=str(meta["name"]),
        kind=meta["kind"],
        embedder_sha256=str(meta["embedder_sha256"]),
        layers=tuple(
            Layer(
                file.array(f"weights_{n}", np.float32, f"I{n}", f"O{n}"),
                file.array(f"bias_{n}", np.float32, f"O{n}"),
                activation,
            )
            for n, activation in enumerate(activations)
        ),
        threshold=float(meta["threshold"]),
        margin=float(meta["margin"]),
        normalization=Normalization.from_json(meta["normalization"], rows),
        calibration=calibration_from_json(meta["calibration"]),
    )
