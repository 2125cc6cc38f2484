"""Verification: a bundle's hashes, and its golden crops run again on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.entry import ModelEntry
from edge.bundle.golden import Golden, GoldenDifference, resized
from edge.bundle.reader import Bundle
from edge.bundle.signature import as_public_key
from edge.errors import GateFailed, ToolkitError
from edge.models.embedder import Embedder
from edge.recognition.self_test import LEAST_COSINE, rerun
from edge.recognition.trial import try_bundle


@dataclass(frozen=True)
class GoldenLimits:
    """How far another machine may be from the one that packed.

    int8 TFLite under XNNPACK is bit-identical on x86-64 and ARM; other kernels round otherwise.
    cosine: of every embedding. decisions: how many may differ.
    """

    cosine: float = LEAST_COSINE
    decisions: int = 0


@dataclass(frozen=True)
class AlternativeCheck:
    """An alternative format on the golden crops. cosine_mean: to the recorded embeddings, None
    where they are another network's. problem: why it cannot be used here, "" where it can.
    """

    format: str
    cosine_mean: float | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        cosine = None if self.cosine_mean is None else round(self.cosine_mean, 5)
        return {"format": self.format, "cosine_mean": cosine, "problem": self.problem}


@dataclass(frozen=True)
class Verification:
    """What was found. difference: None for a bundle without golden crops."""

    path: Path
    name: str
    members: int
    verified_by: str
    recorded_on: str
    runtime: str
    difference: GoldenDifference | None
    alternatives: tuple[AlternativeCheck, ...] = ()
    problems: tuple[str, ...] = field(default=())

    def require(self) -> None:
        """Raises `GateFailed` when this machine's results are others than the recorded ones."""
        if self.problems:
            raise GateFailed(
                f"{self.path} gives other results here than when it was packed: "
                + ", ".join(self.problems),
                hint="run 'edge-recognize doctor', and use the runtime that it was packed with "
                f"({self.recorded_on})",
            )

    def lines(self) -> list[str]:
        """For people."""
        signed = f"signature of key {self.verified_by}, " if self.verified_by else ""
        found = [f"{self.path}: {signed}{self.members} members as the manifest promises"]
        if self.difference is None:
            found.append("no golden crops: all parts run here, their results were not compared")
        else:
            d = self.difference
            found.append(
                f"golden: {d.crops} crops in {self.runtime}, worst cosine {d.cosine_worst:.5f}, "
                f"largest score difference {d.score_largest:.4f}, {d.decisions} other decisions "
                f"(recorded in {self.recorded_on})"
            )
        for check in self.alternatives:
            words = check.problem or "runs here"
            if check.cosine_mean is not None:
                words += f", mean cosine {check.cosine_mean:.4f}"
            found.append(f"{check.format}: {words}")
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "name": self.name,
            "members": self.members,
            "verified_by": self.verified_by,
            "recorded_on": self.recorded_on,
            "runtime": self.runtime,
            "golden": None if self.difference is None else self.difference.to_json(),
            "alternatives": [check.to_json() for check in self.alternatives],
            "problems": list(self.problems),
        }


def verify(
    path: Path, public_key: Path | None = None, limits: GoldenLimits | None = None
) -> Verification:
    """Read every member, run all parts in a process of their own, then the golden crops, compare.

    Raises a `BundleError` for what is wrong with the file, `ModelError` or `RuntimeMissing` where
    its networks cannot run here or end the process that runs them, see `edge.recognition.trial`.
    """
    key = None if public_key is None else as_public_key(public_key)
    with Bundle.open(path, key) as bundle:
        bundle.verify()
        try_bundle(path, key, everything=True)
        golden = bundle.golden
        common: dict[str, Any] = {
            "path": Path(path),
            "name": bundle.name,
            "members": len(bundle.manifest.members) + 1,
            "verified_by": bundle.verified_by,
        }
        if golden is None:
            return Verification(**common, recorded_on="", runtime="", difference=None)
        found = rerun(bundle, golden)
        difference = golden.compare(found)
        return Verification(
            **common,
            recorded_on=golden.runtime,
            runtime=found.runtime,
            difference=difference,
            alternatives=tuple(_alternatives(bundle, golden)),
            problems=tuple(_problems(difference, limits or GoldenLimits())),
        )


def _problems(difference: GoldenDifference, limits: GoldenLimits) -> list[str]:
    found = []
    if not difference.cosine_worst >= limits.cosine:
        found.append(f"cosine {difference.cosine_worst:.4f}, at least {limits.cosine} is required")
    if difference.decisions > limits.decisions:
        found.append(f"{difference.decisions} decisions differ")
    return found


def _alternatives(bundle: Bundle, golden: Golden) -> list[AlternativeCheck]:
    own = bundle.embedder.sha256 == bundle.base.sha256
    return [
        _alternative(bundle, entry, golden.crops, golden.embeddings if own else None)
        for entry in bundle.manifest.alternatives
    ]


def _alternative(
    bundle: Bundle, entry: ModelEntry, crops_bgr: np.ndarray, recorded: np.ndarray | None
) -> AlternativeCheck:
    network = entry.network
    try:
        runner = Embedder(network, bundle.read(entry.member))
        said = runner.embed(resized(crops_bgr, network.input.size_px))
    except ToolkitError as problem:
        return AlternativeCheck(network.format, problem=problem.message)
    if recorded is None or said.embeddings is None:
        return AlternativeCheck(network.format)
    return AlternativeCheck(network.format, float(np.mean(_cosines(recorded, said.embeddings))))


def _cosines(one: np.ndarray, other: np.ndarray) -> Sequence[float]:
    return list(np.sum(one * other, axis=1))
