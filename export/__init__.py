"""From a training run to a Pi: conversion, bundles, signatures and the way onto the device.

`pack` is public; everything else may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.files.paths import PathLike, Paths
    from export.gate.limits import Recipe
    from export.packing.pack import PackResult

__all__ = ["pack"]


def pack(
    run: PathLike,
    out: PathLike,
    *,
    formats: Sequence[str] = ("auto",),
    heads: Paths = (),
    name: str | None = None,
    sign: PathLike | None = None,
    serial: int | None = None,
    fused: bool = False,
    detector: PathLike | None = None,
    recipe: Recipe | None = None,
    log: PathLike | None = None,
    pictures: Paths = (),
    cohort: PathLike | None = None,
    embedder: PathLike | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> PackResult:
    """Convert a run, compare every file with the float model, write a bundle: `edge-export pack`.

    Args:
        run: A folder that `edge-train` wrote: a base's or a person's.
        out: The bundle, `NAME.edge`; it appears whole or not at all.
        formats: "auto" (try all, pack the best), "all" (pack all that pass), or names of
            `edge.models.spec.FORMATS`, "keras" and "savedmodel".
        heads: Runs of further people whose heads go into the bundle.
        name: The bundle's name; by default that of the file.
        sign: A private key of `edge-export keygen`.
        serial: Serial number of a signed bundle, by default the time in seconds.
        fused: Also write base and heads as one graph.
        detector: YuNet's file; by default the shipped one.
        recipe: Limits of the gate and the time spent on timing.
        log: Where converters write; by default a file in the cache folder.
        pictures: Images to measure formats on, or to enroll people of another embedder again.
        cohort: Strangers for these, by this run's embedder.
        embedder: A file in place of the run's external embedder.
        report: Called with each step before it begins.

    Returns:
        What was packed, measured and refused.

    Raises:
        ParityMissed: A file that has to travel is outside its limits; nothing was written.
        ToolkitError: By its kind: a wrong run, or heads of another embedder.

    Example:
        >>> result = export.pack("runs/ana", "ana-again.edge")
        >>> result.heads
        ('ana',)
    """
    from pathlib import Path

    from edge.files.paths import as_path, as_paths
    from export.gate.limits import Recipe
    from export.options import PackOptions
    from export.packing.pack import pack as pack_run

    options = PackOptions(
        run=Path(run),
        out=Path(out),
        formats=tuple(formats),
        heads=as_paths(heads),
        name=name,
        sign=as_path(sign),
        serial=serial,
        fused=fused,
        detector=as_path(detector),
        recipe=Recipe() if recipe is None else recipe,
        log=as_path(log),
        pictures=as_paths(pictures),
        cohort=as_path(cohort),
        embedder=as_path(embedder),
    )
    return pack_run(options, report)
