"""Checking a person's run on fresh pictures; see `edge-train evaluate-person`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.detector import Detector
from edge.embedder import Embedder
from edge.errors import InputError
from edge.head import Head
from trainer.album import expanded
from trainer.embeddings import embeddings_of
from trainer.groups import Print, bits_from_hex, refuse_copies
from trainer.looks import Looks, read_looks
from trainer.person_evaluation import PersonEvaluation, Sample, sample_of
from trainer.run import Run
from trainer.subject import open_subject


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
    """Judge fresh pictures with a run's head.

    Raises `RefusedError` naming the files where a picture was enrolled with, or is of both sets;
    `InputError` where the run has no head of that name, or nothing usable is left.
    """
    run = Run.load(folder)
    if run.kind != "person":
        raise InputError(f"{folder} is no person's run", hint="make one with edge-train person")
    head = find_head(folder, name)
    deployed = open_subject(str(folder)).embedder
    embedder = Embedder(deployed.network, deployed.data, threads=threads or 2)
    detector = Detector.open(detector_model)

    def read(paths: Sequence[Path], label: str) -> Looks | None:
        if not paths:
            return None
        return read_looks(paths, embedder, detector, vary=0, quiet=quiet, label=label)

    me, them = read(photos, "looking at photos"), read(others, "looking at others")
    known = enrolled_prints(run)
    for looks, said in ((me, "photos"), (them, "others")):
        if looks is not None:
            refuse_copies(looks.prints, known, names=(said, "pictures enrolled with"))
    if me is not None and them is not None:
        refuse_copies(me.prints, them.prints, names=("photos", "others"))

    def sample(looks: Looks | None, paths: Sequence[Path]) -> Sample | None:
        if looks is None:
            return None
        return sample_of(head, looks, embeddings_of(embedder, looks.crops()), expanded(paths))

    return PersonEvaluation(head, sample(me, photos), sample(them, others)), Path(folder)


def find_head(folder: Path, name: str = "") -> Head:
    """The head of a run, by name where there are several. Raises `InputError`."""
    heads = [Head.load(path) for path in sorted((Path(folder) / "heads").glob("*.npz"))]
    wanted = [head for head in heads if not name or head.name == name]
    if len(wanted) == 1:
        return wanted[0]
    known = ", ".join(head.name for head in heads) or "none"
    said = f"no head called {name}" if name else f"{len(heads)} heads"
    raise InputError(f"{folder} holds {said}", hint=f"give --name, there are: {known}")


def enrolled_prints(run: Run) -> tuple[Print, ...]:
    """What the pictures of a run are recognized by. Raises `InputError` where that is damaged."""
    try:
        return tuple(
            Print(str(entry["file"]), str(entry["sha256"]), bits_from_hex(entry["bits"]))
            for entry in run.data.get("pictures", [])
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise InputError(f"the run's list of pictures is damaged: {problem!r}") from None
