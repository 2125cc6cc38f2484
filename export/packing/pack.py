"""Packing: from run folders to a bundle, through conversion, the gate and the golden crops."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bundle.reader import SUFFIX, Bundle
from edge.bundle.signature import PrivateKey, PublicKey
from edge.bundle.writer import BundleWriter
from edge.errors import UsageError
from edge.files.atomic import atomic_file
from edge.files.formats import printable
from export.console.noise import default_log, start_log
from export.gate.candidate import DEPLOYED, Candidate, passed, reason, table
from export.heads.gather import Persons, gather
from export.inputs.run_folder import RunFolder
from export.options import AUTO, PackOptions


@dataclass(frozen=True)
class PackResult:
    """What was packed. embedder: the external one. why: why this format was chosen.
    tasks: those of the heads that are nobody's.
    enrolled_again: whose heads were fitted anew on this embedder. warnings: what whoever uses the
    bundle should know.
    """

    path: Path
    name: str
    size_bytes: int
    sha256: str
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    embedder: Candidate | None
    why: str
    heads: tuple[str, ...]
    tasks: tuple[str, ...]
    enrolled_again: tuple[str, ...]
    warnings: tuple[str, ...]
    key_id: str | None
    log: Path

    def lines(self) -> list[str]:
        """For people."""
        signed = f", signed with key {self.key_id}" if self.key_id else ""
        people = ", ".join(one for one in self.heads if one not in self.tasks) or "nobody yet"
        tasks = f", answers {', '.join(self.tasks)}" if self.tasks else ""
        return [
            *table(self.candidates, self.chosen),
            *([self.why] if self.why else []),
            *([] if self.embedder is None else ["embedder:", *table([self.embedder], None)[1:]]),
            *(f"{name} was enrolled again on this embedder" for name in self.enrolled_again),
            *(f"warning: {text}" for text in self.warnings),
            f"{self.path}: {self.size_bytes / 1e6:.2f} MB, knows {people}{tasks}{signed}",
            f"next: edge-flash push {shlex.quote(str(self.path))} USER@HOST, or on this machine "
            f"edge-recognize --camera 0 --bundle {shlex.quote(str(self.path))}",
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "name": self.name,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "chosen": self.chosen.format,
            "embedder": None if self.embedder is None else self.embedder.to_json(),
            "why": self.why,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "heads": list(self.heads),
            "tasks": list(self.tasks),
            "enrolled_again": list(self.enrolled_again),
            "warnings": list(self.warnings),
            "key_id": self.key_id,
            "log": str(self.log),
        }


def pack(options: PackOptions, report: Callable[[str], None] = lambda line: None) -> PackResult:
    """Write the bundle, whole or not at all. report: told each step before it begins.

    Raises `InputError` for a wrong run, `RefusedError` for heads of another embedder that cannot
    be enrolled again, `ParityMissed` when a file that has to travel misses its limits, and
    `ModelError` when one ends the process that runs it, see `edge.recognition.trial`.
    """
    from export.packing.assembly import assemble
    from export.packing.embedder import judged, with_embedder
    from export.packing.formats import make_candidates

    _check_out(options.out)
    key = None if options.sign is None else PrivateKey.load(options.sign)
    own = RunFolder.open(options.run)
    run = own if options.embedder is None else with_embedder(own, options.embedder)
    report("trying the model files")
    _try_files(run, options, key)
    persons = gather(run, options, report)
    if measures_on_pictures(run, options, persons):
        from export.inputs.crops import with_pictures

        report("looking for faces")
        run = with_pictures(run, options.pictures, options.detector)
    heads = persons.heads
    if run.external is not None:
        report("measuring the embedder")
    embedder = judged(run, own, heads, options)
    log = start_log(options.log or default_log())
    made = make_candidates(run, heads, options, log, report)
    bound = run.external is None and bool(heads or persons.cohort is not None)
    file = run.network.format if bound else None
    chosen = passed(made.candidates, made.required, made.choosable, bound=file)
    report("recording golden crops")
    writer, warnings = assemble(run, persons, made, chosen, embedder, options, log)
    public = None if key is None else key.public
    sha256, size_bytes = write_checked(writer, options.out, key, public, _serial(options))
    return PackResult(
        path=options.out,
        name=writer.name,
        size_bytes=size_bytes,
        sha256=sha256,
        candidates=made.candidates,
        chosen=chosen,
        embedder=embedder,
        why=reason(made.candidates, chosen, bound=bound),
        heads=tuple(head.name for head in heads),
        tasks=tuple(head.name for head in heads if head.is_task),
        enrolled_again=persons.enrolled_again,
        warnings=warnings,
        key_id=None if public is None else public.key_id,
        log=log,
    )


def measures_on_pictures(run: RunFolder, options: PackOptions, persons: Persons) -> bool:
    """Whether `pictures` measure formats: always, unless they are there to enroll somebody again
    and the run can be packed without them.
    """
    if persons.enrolled_again:
        others = set(options.formats) - {AUTO, DEPLOYED}
        return bool(options.pictures and others and run.keras is None)
    return bool(options.pictures)


def write_checked(
    writer: BundleWriter,
    out: Path,
    key: PrivateKey | None,
    public: PublicKey | None,
    serial: int = 0,
) -> tuple[str, int]:
    """Write, read everything back, run all parts, and only then give the file its name.

    Returns (SHA-256, size in bytes). Raises `ModelError` as `edge.recognition.trial.try_bundle`.
    """
    from edge.files.model_file import sha256_of
    from edge.recognition.trial import try_bundle

    with atomic_file(out) as temporary:
        writer.write(temporary, key=key, serial=serial)
        with Bundle.open(temporary, public) as bundle:
            bundle.verify()
        try_bundle(temporary, public, everything=True)
        data = temporary.read_bytes()
    return sha256_of(data), len(data)


def _try_files(run: RunFolder, options: PackOptions, key: PrivateKey | None) -> None:
    """The run's own files and the detector, before this process runs any of them."""
    from edge.faces.detector import DetectorConfig, detector_bytes
    from edge.recognition.trial import try_bundle

    writer = BundleWriter(
        name=run.name,
        base=(run.network, run.deployed_data()),
        embedder=None if run.external is None else (run.external, run.embedder_data()),
        detector=(
            "detector.onnx",
            detector_bytes(options.detector),
            DetectorConfig.score_threshold,
        ),
    )
    with tempfile.TemporaryDirectory(prefix="edge-export-") as folder:
        path = Path(folder) / f"files of {run.name}{SUFFIX}"
        writer.write(path, key=key)
        try_bundle(path, None if key is None else key.public)


def _check_out(out: Path) -> None:
    if out.suffix != SUFFIX:
        raise UsageError(f"{out} is no bundle's name", hint=f"give -o NAME{SUFFIX}")
    if out.is_dir():
        raise UsageError(f"{out} is a folder", hint=f"give -o NAME{SUFFIX}")
    if not out.stem.isprintable():
        raise UsageError(
            f"a bundle cannot be called {printable(out.stem)}", hint=f"give another -o NAME{SUFFIX}"
        )


def _serial(options: PackOptions) -> int:
    """Of a signed bundle; time goes on from one to the next."""
    return int(time.time()) if options.serial is None else options.serial
