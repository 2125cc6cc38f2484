"""The options of a pack, as they are handed down: one definition for all rooms."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from export.gate.limits import Recipe

AUTO, ALL = "auto", "all"
"""What `formats` may hold beside names of formats: the best one, or all that pass."""


@dataclass(frozen=True)
class PackOptions:
    """What is packed, and how.

    formats: "auto" (try all, pack the chosen), "all" (pack all that pass), or names of
    `edge.models.spec.FORMATS`, "keras" and "savedmodel". heads: further runs whose persons go into
    the bundle. sign: private key. serial: of a signed bundle, None for the time. fused: also base
    and heads as one graph. log: where converters write. pictures: files and folders, for a run
    without float model and crops (`export.inputs.crops`) and to enroll persons of another embedder
    again (`export.heads.gather`). cohort: strangers for these. embedder: in place of the run's
    external one (`export.packing.embedder`).
    """

    run: Path
    out: Path
    formats: tuple[str, ...] = (AUTO,)
    heads: tuple[Path, ...] = ()
    name: str | None = None
    sign: Path | None = None
    serial: int | None = None
    fused: bool = False
    detector: Path | None = None
    recipe: Recipe = field(default_factory=Recipe)
    log: Path | None = None
    pictures: tuple[Path, ...] = ()
    cohort: Path | None = None
    embedder: Path | None = None
