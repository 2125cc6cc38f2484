"""Checking a person's run on fresh pictures; see `edge-train evaluate-person`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.enrolment.copies import FaceMarks
from edge.errors import InputError
from edge.faces.detector import Detector
from edge.heads.head import Head
from edge.models.embedder import Embedder
from edge.models.run_record import Run
from trainer.inference.embeddings import embeddings_of
from trainer.inference.source import open_subject
from trainer.person.evaluation import PersonEvaluation, Sample, sample_of
from trainer.photos.album import expanded
from trainer.photos.grouping import Print, bits_from_hex, refuse_copies
from trainer.photos.marks_file import read_marks
from trainer.photos.samples import FaceSamples, read_looks


@dataclass(frozen=True, eq=False)
class Fresh:
    """Pictures that a run has not seen, by what the user calls them; None where none were given."""

    head: Head
    embedder: Embedder
    looks: Mapping[str, FaceSamples | None]


def check_person(
    folder: Path,
    photos: Sequence[Path],
    others: Sequence[Path],
    *,
    name: str = "",
    detector_model: Path | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> tuple[PersonEvaluation, Path]:
    """Judge fresh pictures with a run's head. Raises as `read_fresh`."""
    fresh = read_fresh(
        folder,
        {"photos": photos, "others": others},
        name=name,
        detector_model=detector_model,
        threads=threads,
        quiet=quiet,
    )

    def sample(looks: FaceSamples | None, paths: Sequence[Path]) -> Sample | None:
        if looks is None:
            return None
        embeddings = embeddings_of(fresh.embedder, looks.crops())
        return sample_of(fresh.head, looks, embeddings, expanded(paths))

    me, them = (fresh.looks[side] for side in ("photos", "others"))
    return PersonEvaluation(fresh.head, sample(me, photos), sample(them, others)), Path(folder)


def read_fresh(
    folder: Path,
    sides: Mapping[str, Sequence[Path]],
    *,
    name: str = "",
    detector_model: Path | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> Fresh:
    """Look at the pictures of each side with what the run's device would.

    Raises `RefusedError` naming the files where a picture was enrolled with, or is of two sides;
    `InputError` where the run has no head of that name, or nothing usable is left.
    """
    run = Run.load(folder)
    if run.kind != "person":
        raise InputError(f"{folder} is no person's run", hint="make one with edge-train person")
    head = find_head(folder, name)
    deployed = open_subject(str(folder)).embedder
    embedder = Embedder(deployed.network, deployed.data, threads=threads or 2)
    detector = Detector.open(detector_model)
    known = enrolled_prints(run, read_marks(folder))
    read: dict[str, FaceSamples | None] = {}
    for side, paths in sides.items():
        label = f"looking at {side}"
        looks = (
            read_looks(paths, embedder, detector, vary=0, quiet=quiet, label=label)
            if paths
            else None
        )
        if looks is not None:
            refuse_copies(looks.prints, known, names=(side, "pictures enrolled with"))
            for other, before in read.items():
                if before is not None:
                    refuse_copies(before.prints, looks.prints, names=(other, side))
        read[side] = looks
    return Fresh(head, embedder, read)


def find_head(folder: Path, name: str = "") -> Head:
    """The head of a run, by name where there are several. Raises `InputError`."""
    heads = [Head.load(path) for path in sorted((Path(folder) / "heads").glob("*.npz"))]
    wanted = [head for head in heads if not name or head.name == name]
    if len(wanted) == 1:
        return wanted[0]
    known = ", ".join(head.name for head in heads) or "none"
    said = f"no head called {name}" if name else f"{len(heads)} heads"
    raise InputError(f"{folder} holds {said}", hint=f"give --name, there are: {known}")


def enrolled_prints(run: Run, marks: Sequence[FaceMarks] = ()) -> tuple[Print, ...]:
    """What the pictures of a run are recognized by, with the marks of each where the run has them.

    Raises `InputError` where that is damaged.
    """
    pictures = run.data.get("pictures", [])
    if marks and len(marks) != len(pictures):
        raise InputError(f"the run lists {len(pictures)} pictures and has marks of {len(marks)}")
    try:
        return tuple(
            Print(
                str(entry["file"]),
                str(entry["sha256"]),
                bits_from_hex(entry["bits"]),
                marks=marks[number] if marks else None,
            )
            for number, entry in enumerate(pictures)
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise InputError(f"the run's list of pictures is damaged: {problem!r}") from None
