"""A person's run: from photos to a head, its threshold, and a folder to pack."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.atomic import atomic_folder
from edge.cohort import Cohort
from edge.detector import Detector
from edge.embedder import Embedder
from edge.enrolment import enrol
from edge.errors import InputError
from edge.head import Head
from edge.locate import shipped_bundle
from edge.modelfile import sha256_of
from trainer.drawn.dataset import golden_crops
from trainer.looks import Looks, read_looks
from trainer.person_report import write_report
from trainer.run import MODEL_TFLITE, Run
from trainer.subject import SHIPPED_NAME, Deployed, Subject, open_file, open_subject

COHORT = "cohort.npz"

GOLDEN = 8
"""Drawn faces that travel with a bundle, so that a device can prove that it sees as we do."""


@dataclass(frozen=True)
class PersonSettings:
    """The options of `edge-train person`, see there."""

    photos: tuple[Path, ...]
    name: str
    out: Path
    base: str = SHIPPED_NAME
    embedding: Path | None = None
    cohort: Path | None = None
    others: tuple[Path, ...] = ()
    not_me: tuple[Path, ...] = ()
    target_far: float | None = None
    strict: bool = False
    camera: str = "one"
    overwrite: bool = False
    privacy: bool = False
    detector_model: Path | None = None
    threads: int | None = None
    seed: int = 0
    as_json: bool = False
    quiet: bool = False


@dataclass(frozen=True, eq=False)
class PersonResult:
    """What came out, for people (`text`) and programs (`to_json`)."""

    head: Head
    looks: Looks
    out: Path
    warnings: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "run": str(self.out),
            "name": self.head.name,
            "figures": self.figures,
            "warnings": list(self.warnings),
            "dropped": [{"file": name, "reason": reason} for name, reason in self.looks.dropped],
        }

    def text(self) -> str:
        """A few lines, each figure beside what a trivial answer gives."""
        facts = self.figures
        far, frr = facts["far"], facts["frr"]
        within = " within this one sitting" if self.looks.one_sitting else ""
        lines = [
            f"{self.head.name}: {facts['looks']} looks in {facts['independent_looks']} independent "
            f"groups, {len(self.looks.dropped)} dropped",
            f"strangers accepted: {far['events']} of {far['trials']} people (at most "
            f"{100 * far['upper_95']:.2g} % with 95 % confidence; accepting everybody: 100 %)",
            f"own looks rejected{within}: {frr['events']} of {frr['trials']} groups, out of fold "
            "(rejecting everybody: 100 %)",
            *(f"warning: {text}" for text in self.warnings),
            f"wrote {self.out}",
        ]
        return "\n".join(lines)


def train_person(settings: PersonSettings, command: str) -> PersonResult:
    """Read, gate, embed, enrol, write. Raises a `ToolkitError` for whatever cannot be."""
    if settings.out.exists() and not settings.overwrite:
        raise InputError(f"{settings.out} exists", hint="give another --out, or --overwrite")
    subject = open_subject(settings.base)
    deployed = open_file(settings.embedding) if settings.embedding else subject.embedder
    embedder = Embedder(deployed.network, deployed.data, threads=settings.threads or 2)
    detector = Detector.open(settings.detector_model)
    looks = read_looks(
        settings.photos, embedder, detector, seed=settings.seed, quiet=settings.quiet
    )
    cohort = _cohort(settings, deployed)
    varied, varied_of = looks.varied()
    head = enrol(
        settings.name,
        _embedded(embedder, looks.crops()),
        looks.groups,
        cohort,
        target_far=settings.target_far,
        not_me=_others(settings.not_me, embedder, detector, settings.quiet),
        varied=_embedded(embedder, varied),
        varied_of=varied_of,
        camera=settings.camera,
        one_sitting=looks.one_sitting,
        strict=settings.strict,
        seed=settings.seed,
    )
    warnings = _warnings(looks, subject, head)
    figures = _figures(looks, head)
    run = Run(
        kind="person",
        command=command,
        seed=settings.seed,
        network=subject.base.network,
        embedder=None if deployed is subject.base else _external(deployed, subject),
        data={"files": looks.files, "videos": looks.videos, "fingerprint": _fingerprint(looks)},
        figures=figures,
        warnings=warnings,
        learned_something=True,
    )
    result = PersonResult(head, looks, settings.out, warnings, figures)
    with atomic_folder(settings.out, replace=settings.overwrite) as folder:
        _write(folder, run, subject, deployed, head, cohort, settings)
        write_report(folder, result, cohort, privacy=settings.privacy)
    return result


def _write(
    folder: Path,
    run: Run,
    subject: Subject,
    deployed: Deployed,
    head: Head,
    cohort: Cohort,
    settings: PersonSettings,
) -> None:
    (folder / MODEL_TFLITE).write_bytes(subject.base.data)
    if run.embedder is not None:
        suffix = "onnx" if run.embedder.format.startswith("onnx") else "tflite"
        (folder / f"embedder.{suffix}").write_bytes(deployed.data)
    head.save(folder / "heads" / f"{_file_name(head.name)}.npz")
    cohort.save(folder / COHORT)
    base = Path(settings.base)
    for name in ("representative.npz", "model.keras"):
        if (base / name).is_file():
            shutil.copy2(base / name, folder / name)
    expects = subject.base.network.input
    crops = golden_crops(expects.window, expects.size_px, GOLDEN, frame=expects.frame)
    np.savez_compressed(folder / "golden.npz", crops=crops)
    run.save(folder)


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name) or "person"


def _external(deployed: Deployed, subject: Subject) -> Any:
    return None if deployed.network.sha256 == subject.base.network.sha256 else deployed.network


def _cohort(settings: PersonSettings, deployed: Deployed) -> Cohort:
    """The strangers: a cohort of the same embedder, and the people of --others.

    Raises `InputError` where there are neither.
    """
    found = _stored_cohort(settings, deployed)
    if settings.others:
        from trainer.cohort_builder import CohortPlan, build_cohort, strangers

        plan = CohortPlan(detector=settings.detector_model, quiet=settings.quiet)
        added, _ = build_cohort(strangers(settings.others, plan), deployed, plan)
        found = added if found is None else found.joined(added)
    if found is None:
        raise InputError(
            "there are no strangers to tell anybody from: no cohort of this embedder is at hand",
            hint="make one with 'edge-train cohort DIR --embedding … -o cohort.npz' and give "
            "--cohort, or give faces of many people with --others",
        )
    return found


def _stored_cohort(settings: PersonSettings, deployed: Deployed) -> Cohort | None:
    """--cohort, else that of the run, else the shipped one; only of the embedder in use."""
    if settings.cohort is not None:
        cohort = Cohort.load(settings.cohort)
        if cohort.embedder_sha256 != deployed.network.sha256:
            raise InputError(
                f"{settings.cohort} was made by another embedder",
                hint="make it again with 'edge-train cohort' and the same --embedding",
            )
        return cohort
    candidate: Cohort | None = None
    path = Path(settings.base) / COHORT
    if path.is_file():
        candidate = Cohort.load(path)
    elif settings.base == SHIPPED_NAME:
        with shipped_bundle() as bundle:
            candidate = bundle.cohort()
    fits = candidate is not None and candidate.embedder_sha256 == deployed.network.sha256
    return candidate if fits else None


def _embedded(embedder: Embedder, crops_bgr: np.ndarray) -> np.ndarray:
    perception = embedder.embed(crops_bgr)
    if perception.embeddings is None:
        raise InputError(
            "the base has no embedding, so nobody can be enrolled on it",
            hint="train it with --embedding-size, or bring an --embedding",
        )
    return perception.embeddings


def _others(
    paths: Sequence[Path], embedder: Embedder, detector: Detector, quiet: bool
) -> np.ndarray | None:
    if not paths:
        return None
    looks = read_looks(paths, embedder, detector, quiet=quiet, label="looking at not-me")
    return _embedded(embedder, looks.crops())


def _warnings(looks: Looks, subject: Subject, head: Head) -> tuple[str, ...]:
    found = []
    if subject.run is not None and not subject.run.learned_something:
        found.append(
            "the base has learned nothing useful (its attributes are hardly better than always "
            "answering the majority); do not rely on this head"
        )
    return (*found, *head.calibration["warnings"])


def _figures(looks: Looks, head: Head) -> dict[str, Any]:
    facts = head.calibration
    return {
        "looks": len(looks.kept),
        "independent_looks": looks.independent,
        "one_sitting": looks.one_sitting,
        "far": {
            "events": facts["strangers_accepted"],
            "trials": facts["strangers"],
            "upper_95": facts["far_upper_95"],
            "proof": facts["proof"],
            "baseline_accept_all": 1.0,
        },
        "frr": {
            "events": facts["groups_rejected"],
            "trials": facts["groups"],
            "upper_95": facts["frr_upper_95"],
            "baseline_reject_all": 1.0,
            "out_of_fold": True,
        },
        "threshold": head.threshold,
        "stranger_bound": facts["stranger_bound"],
        "strategy": facts["strategy"],
    }


def _fingerprint(looks: Looks) -> str:
    return sha256_of(b"".join(look.crop.tobytes() for look in looks.kept))
