"""The self-test: does a bundle decide on this machine as where it was packed, and for everybody?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bundle.golden import Golden, GoldenDifference
from edge.bundle.locate import SHIPPED, SHIPPED_MODEL, shipped_bundle
from edge.bundle.reader import Bundle
from edge.bundle.signature import as_public_key
from edge.errors import GateFailed, RefusedError
from edge.models.embedder import Embedder
from edge.recognition.trial import run_parts, try_bundle

LEAST_COSINE = 0.99
"""Of a golden embedding to the recorded one. int8 TFLite under XNNPACK is bit-identical on x86-64
and ARM; other kernels round otherwise."""

UNDECIDED = 0.05
"""Difference of a score from the recorded one within which another decision is no fault: so far do
scores move between x86-64 and ARM (measured on webcam clips under an emulated Cortex-A72)."""


@dataclass(frozen=True)
class SelfTest:
    """What was found.

    path: the bundle. runtime: what ran its base. difference: of its golden crops to the recorded
    results, None where it has none.
    """

    path: Path
    runtime: str
    difference: GoldenDifference | None

    def to_json(self) -> dict[str, Any]:
        golden = None if self.difference is None else self.difference.to_json()
        return {"schema": 1, "path": str(self.path), "runtime": self.runtime, "golden": golden}

    def text(self) -> str:
        """For people."""
        if self.difference is None:
            return f"{self.path} runs here ({self.runtime}); it has no golden crops to compare"
        return (
            f"{self.path} runs here ({self.runtime}); {self.difference.crops} golden crops, "
            f"worst cosine {self.difference.cosine_worst:.5f}, all decisions as recorded"
        )


def self_test(path: Path, public_key: Path | str | None = None) -> SelfTest:
    """Check a bundle's hashes and signature, run each part in a child process, compare the golden
    crops' decisions.

    public_key: as in `Bundle.open`. Raises a `BundleError` for a damaged or unsigned file,
    `ModelError` for a part that does not run, `GateFailed` where results are others than recorded.

    Example: ``self_test(Path("anna.edge")).difference``
    """
    key = None if public_key is None else as_public_key(public_key)
    with Bundle.open(path, key) as bundle:
        bundle.verify()
        try_bundle(path, key)
        golden = bundle.golden
        if golden is None:
            return SelfTest(Path(path), Embedder(bundle.base, bundle.base_data).model.runtime, None)
        found = rerun(bundle, golden)
    _require(path, golden, found)
    return SelfTest(Path(path), found.runtime, golden.compare(found))


def refuse_older(path: Path, current: Path) -> None:
    """Raise `RefusedError` where both bundles are signed by the configured key and the new one has
    the smaller serial number: somebody may be playing an old one back."""
    with Bundle.open(path) as new, Bundle.open(current) as old:
        if not new.verified_by or old.verified_by != new.verified_by:
            return
        ours, theirs = old.manifest.signature, new.manifest.signature
    if ours is not None and theirs is not None and theirs.serial < ours.serial:
        raise RefusedError(
            f"{path} was signed before the bundle in use (serial {theirs.serial}, and "
            f"{ours.serial} is in use)",
            hint="push a newer one, or use --allow-older",
        )


def shipped_test() -> SelfTest:
    """Run the parts of the shipped base once. Raises `ToolkitError` for one that does not run."""
    with shipped_bundle() as bundle:
        run_parts(bundle)
        runtime = Embedder(bundle.base, bundle.base_data).model.runtime
    return SelfTest(SHIPPED / SHIPPED_MODEL, runtime, None)


def rerun(bundle: Bundle, golden: Golden) -> Golden:
    """The golden crops once more, by the bundle's networks and heads on this machine."""
    base = Embedder(bundle.base, bundle.base_data)
    own = bundle.embedder.sha256 == bundle.base.sha256
    embedder = base if own else Embedder(bundle.embedder, bundle.embedder_data)
    heads = [head for head in bundle.heads if head.name in golden.heads]
    return Golden.record(golden.crops, base, embedder, heads)


def _require(path: Path, golden: Golden, found: Golden) -> None:
    difference = golden.compare(found)
    problems = []
    if not difference.cosine_worst >= LEAST_COSINE:
        problems.append(f"cosine {difference.cosine_worst:.4f}, at least {LEAST_COSINE} is needed")
    if golden.heads == found.heads:
        others = golden.accepted != found.accepted
        far = abs(golden.scores - found.scores) > UNDECIDED
        if (others & far).any():
            problems.append(f"{int((others & far).sum())} decisions differ")
    if problems:
        raise GateFailed(
            f"{path} gives other results here than when it was packed: {', '.join(problems)}",
            hint=f"run 'edge-recognize doctor'; it was recorded with {golden.runtime}",
        )
