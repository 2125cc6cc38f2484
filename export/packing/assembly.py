"""Assembly: everything that goes into the bundle, put together."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.bundle.entry import FileEntry
from edge.bundle.golden import Golden
from edge.bundle.writer import BundleWriter, file_stem
from edge.console.native_output import output_into
from edge.errors import InputError
from edge.faces.detector import DetectorConfig, detector_bytes
from edge.faces.yunet import YUNET_NAME
from edge.models.embedder import Embedder
from edge.models.spec import Network
from export.convert import fused
from export.gate.candidate import Candidate, reference_answers
from export.gate.parity import fed
from export.heads.gather import Persons
from export.inputs.run_folder import RunFolder
from export.inputs.versions import versions
from export.options import PackOptions
from export.packing.card import Contents
from export.packing.formats import Made, other_files, properties

if TYPE_CHECKING:
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

Pair = tuple[Network, bytes]


def assemble(
    run: RunFolder,
    persons: Persons,
    made: Made,
    chosen: Candidate,
    external: Candidate | None,
    options: PackOptions,
    log: Path,
) -> tuple[BundleWriter, tuple[str, ...]]:
    """The bundle, not yet written, and warnings for whoever uses it. external: the embedder where
    it is not the base.
    """
    assert chosen.network is not None
    heads, cohort = persons.heads, persons.cohort
    base: Pair = (chosen.network, chosen.data)
    embedder: Pair | None = None
    if external is not None and external.network is not None:
        embedder = (external.network, external.data)
    golden = _golden(run, base, embedder or base, heads)
    warnings = _warnings(run, heads, cohort, golden, made)
    detector = detector_bytes(options.detector)
    name = options.name or options.out.stem
    contents = Contents(
        name=name,
        base=base[0],
        embedder=(embedder or base)[0],
        heads=heads,
        cohort=cohort,
        candidates=made.candidates,
        chosen=chosen,
        figures=run.record.figures.to_json(),
        warnings=warnings,
    )
    writer = BundleWriter(
        name=name,
        base=base,
        embedder=embedder,
        alternatives=_alternatives(made, chosen),
        files=tuple(_files(run, heads, made, options, log)),
        detector=(_detector_name(options), detector, DetectorConfig().score_threshold),
        heads=heads,
        cohort=b"" if cohort is None else cohort.to_bytes(),
        golden=b"" if golden is None else golden.to_bytes(),
        card=contents.card(),
        labels=contents.labels(),
        licences=contents.licences(detector),
        versions={**run.record.versions, **versions()},
        facts={
            **_facts(run, made, chosen, options, warnings),
            "far_of_bundle": _far_of_bundle(heads, cohort),
            "enrolled_again": list(persons.enrolled_again),
            **({} if external is None else {"embedder": _untimed(external)}),
        },
    )
    return writer, warnings


def _golden(run: RunFolder, base: Pair, embedder: Pair, heads: tuple[Head, ...]) -> Golden | None:
    crops = run.golden_crops()
    if crops is None or not len(crops):
        return None
    first = Embedder(*base)
    second = first if base[0].sha256 == embedder[0].sha256 else Embedder(*embedder)
    return Golden.record(crops, first, second, heads)


def _alternatives(made: Made, chosen: Candidate) -> tuple[Pair, ...]:
    return tuple(
        (candidate.network, candidate.data)
        for candidate in made.candidates
        if candidate.passed
        and candidate is not chosen
        and candidate.network is not None
        and candidate.format in made.travelling
    )


def _files(
    run: RunFolder, heads: tuple[Head, ...], made: Made, options: PackOptions, log: Path
) -> list[tuple[FileEntry, bytes]]:
    """Files for other programs: Keras, SavedModel, fused graphs."""
    if made.model is None:
        if options.fused:
            raise InputError(
                "--fused needs the float model, and the run has no model.keras",
                hint="pack the base's own run, with --head RUN for the person",
            )
        return []
    with tempfile.TemporaryDirectory(prefix="edge-export-") as folder, output_into(log):
        others = other_files(options.formats, run, made.model, Path(folder))
        found = [(FileEntry(member, kind), data) for member, (kind, data) in others.items()]
        if options.fused:
            found += _fused(run, heads, made, options)
    return found


def _fused(
    run: RunFolder, heads: tuple[Head, ...], made: Made, options: PackOptions
) -> list[tuple[FileEntry, bytes]]:
    if run.external is not None:
        raise InputError(
            "--fused joins base and heads, and these heads stand on an external embedder",
            hint="pack without --fused",
        )
    assert made.model is not None
    files = fused.fuse(made.model, heads, properties(run), mirrored=run.network.mirrored)
    said = Embedder(run.network, run.deployed_data()).embed(made.held_out)
    assert said.embeddings is not None
    exact = fed(reference_answers(made.model, made.held_out), run.network.mirrored)
    assert exact is not None
    exact = exact[: len(made.held_out)]
    limit = options.recipe.limits["tflite-int8"].agreement
    fused.check(files, run.network, heads, made.held_out, said.embeddings, exact, limit)
    return fused.entries(files, heads)


def _warnings(
    run: RunFolder,
    heads: tuple[Head, ...],
    cohort: Cohort | None,
    golden: Golden | None,
    made: Made,
) -> tuple[str, ...]:
    found = list(run.record.warnings)
    if not run.record.learned_something:
        found.append("the run's own figures say that it has learned nothing beyond its baseline")
    if made.model is None:
        found.append(
            "the float model is not here: the file was compared with the one that the heads stand "
            "on alone"
            if heads
            else "parity was not measured, the run has no float model: pack the base's own run"
        )
    if golden is None:
        found.append("no golden crops: 'edge-export verify' can only compare hashes")
    if cohort is None:
        found.append("no cohort: nobody can be enrolled on the device")
        if len(heads) > 1:
            found.append("no cohort: each threshold is that of one person alone, not of the bundle")
    elif len(heads) > 1:
        from edge.heads.crowd import crowd_of
        from edge.heads.same_face import same_faces_of

        found += same_faces_of(heads, cohort)
        found += crowd_of(heads).warnings
    return tuple(dict.fromkeys(found))


def _facts(
    run: RunFolder,
    made: Made,
    chosen: Candidate,
    options: PackOptions,
    warnings: tuple[str, ...],
) -> dict[str, Any]:
    """For people: nothing that differs when the same is packed again, no paths, no command line."""
    return {
        "run": {
            "kind": run.kind,
            "seed": run.record.seed,
            "figures": run.record.figures.to_json(),
            "learned_something": run.record.learned_something,
        },
        "formats": [_untimed(candidate) for candidate in made.candidates],
        "limits": {c.format: asdict(options.recipe.limits[c.format]) for c in made.candidates},
        "chosen": chosen.format,
        "warnings": list(warnings),
    }


def _untimed(candidate: Candidate) -> dict[str, Any]:
    """Times differ from run to run, and the same inputs shall give the same bundle."""
    found = candidate.to_json()
    del found["speed_ms"], found["speed_ratio"]
    return found


def _far_of_bundle(heads: tuple[Head, ...], cohort: Cohort | None) -> dict[str, Any] | None:
    """False accepts of the cohort's strangers at all heads together, as counted when their
    thresholds were set (`edge.heads.calibration.recalibrate`).
    """
    if not heads or cohort is None:
        return None
    facts = heads[0].stated
    return facts.far.to_json() if facts is not None and facts.heads == len(heads) else None


def _detector_name(options: PackOptions) -> str:
    if options.detector is None:
        return YUNET_NAME
    return f"{file_stem(options.detector.stem)}.onnx"
