"""The person's protocols on real data: who enrols with what, and who is judged.

Every picture goes the way of the product: detector, gate, alignment, deployed file. Nothing of a
test picture is used before it is scored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.console.progress import progress
from edge.enrolment.samples import NO_FACE
from edge.errors import PictureError
from edge.faces.detector import Detector
from edge.faces.face import Face
from edge.faces.quality import QualityGate
from edge.files.image import read_picture
from edge.models.embedder import Embedder
from edge.sources.files import file_source
from trainer.data.landmarks import main_face
from trainer.inference.embeddings import embeddings_of
from trainer.inference.source import Deployed
from trainer.photos.samples import FaceSamples, read_looks

ENROLLING = 10
"""Photos that enroll somebody; the rest tests."""

CMU_SCALED = re.compile(r"_[24]\.pgm$")


LEFT, RIGHT = "left", "right"


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture to judge, uint8[H, W, 3] BGR. whose: picture it is. side: the half in which the
    face lies that is meant, where two people are shown; empty for any.
    """

    whose: str
    image_bgr: np.ndarray
    name: str = ""
    side: str = ""

    def means(self, face: Face) -> bool:
        """Whether a face is one that the picture is shown for."""
        x, _, w, _ = face.box_px
        left = x + w / 2 < self.image_bgr.shape[1] / 2
        return not self.side or left == (self.side == LEFT)


@dataclass(frozen=True, eq=False)
class Judged:
    """Faces that passed the gate, row by row. frame: number of the picture each is in, int[N];
    person, names: whose picture it is, and its name, by picture. faces: pictures with any face;
    passed: with one that passed the gate. reasons: why none passed, empty where one did.
    embeddings: float32[N, D].
    """

    embeddings: np.ndarray
    frame: np.ndarray
    person: tuple[str, ...]
    names: tuple[str, ...]
    faces: np.ndarray
    reasons: tuple[str, ...]

    @property
    def passed(self) -> np.ndarray:
        """bool[P], by picture."""
        found = np.zeros(len(self.person), bool)
        found[self.frame] = True
        return found

    def highest(self, scores: np.ndarray) -> np.ndarray:
        """The highest score in each picture, float64[P]; -inf without a face that passed."""
        best = np.full(len(self.person), -np.inf)
        np.maximum.at(best, self.frame, scores)
        return best


@dataclass(frozen=True, eq=False)
class Trial:
    """One enrolment and everybody it is tried on. own, others: bool[P], pictures of `judged`, also
    those without a face or with one that does not pass.
    """

    name: str
    looks: FaceSamples
    judged: Judged
    own: np.ndarray
    others: np.ndarray
    refused: str = ""


@dataclass(eq=False)
class Bench:
    """What looks at pictures in a benchmark."""

    deployed: Deployed
    quiet: bool = False
    embedder: Embedder = field(init=False)
    detector: Detector = field(init=False)

    def __post_init__(self) -> None:
        self.embedder = Embedder(self.deployed.network, self.deployed.data, threads=1)
        self.detector = Detector.open()

    def looks(self, paths: list[Path], name: str) -> FaceSamples:
        return read_looks(paths, self.embedder, self.detector, quiet=True, label=name)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return embeddings_of(self.embedder, crops)

    def judge(self, pictures: Iterator[Shown], *, one_face: bool, total: int, label: str) -> Judged:
        """Look at pictures. one_face: the face that the picture is about alone."""
        gate = QualityGate()
        crops, frame, person, names, faces, reasons = [], [], [], [], [], []
        progressing = progress(pictures, label=label, total=total, quiet=self.quiet)
        for number, shown in enumerate(progressing):
            image = shown.image_bgr
            found = self.detector.detect(image)
            if one_face and found:
                main = main_face(found, image.shape[1], image.shape[0])
                found = () if main is None else (main,)
            found = tuple(face for face in found if shown.means(face))
            person.append(shown.whose)
            names.append(shown.name)
            faces.append(bool(found))
            said = [gate.check(image, face) for face in found]
            passed = any(quality.passed for quality in said)
            reasons.append("" if passed else (said[0].reason or "") if said else NO_FACE)
            for face, quality in zip(found, said, strict=True):
                if quality.passed:
                    crops.append(self.embedder.crop(image, face))
                    frame.append(number)
        return Judged(
            embeddings=self.embed(np.stack(crops)),
            frame=np.array(frame),
            person=tuple(person),
            names=tuple(names),
            faces=np.array(faces),
            reasons=tuple(reasons),
        )


def in_first_half(name: str) -> bool:
    """Which half of the people somebody is in, by a hash of the name: on one something is chosen,
    on the other it is reported."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0


def frames_of(clip: Path, whose: str, side: str = "") -> Iterator[Shown]:
    """Every frame of a clip."""
    with file_source(clip) as source:
        for grab in source:
            if grab.image_bgr is not None:
                yield Shown(whose, grab.image_bgr, clip.name, side)


def webcam_clips(shared: Path) -> list[Path]:
    """The clips of single people before one webcam."""
    return sorted((shared / "data" / "video").glob("person-*.mkv"))


def webcam(
    bench: Bench, shared: Path, more: Callable[[], Iterator[Shown]] | None = None
) -> Iterator[Trial]:
    """Enroll from one clip, recognize in every frame of all other clips; `more` shows strangers."""
    clips = webcam_clips(shared)

    def frames() -> Iterator[Shown]:
        for clip in clips:
            yield from frames_of(clip, clip.stem)
        if more is not None:
            yield from more()

    judged = bench.judge(frames(), one_face=False, total=850, label="webcam")
    whose = np.array([name.split("-")[1] for name in judged.person])
    clip_of = np.array(judged.person)
    for clip in clips:
        person = clip.stem.split("-")[1]
        own = (whose == person) & (clip_of != clip.stem)
        yield Trial(clip.stem, bench.looks([clip], clip.stem), judged, own, whose != person)


def people(bench: Bench, shared: Path, wanted: Callable[[str], bool]) -> Iterator[Trial]:
    """Ten photos enroll, the rest tests; all other wanted people are strangers."""
    yield from photo_trials(bench, shared / "data" / "people", wanted)


def photo_trials(
    bench: Bench, people_folder: Path, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[Trial]:
    """As `people`, from any folder that holds one folder of .jpg files for each person."""
    folders = [p for p in sorted(people_folder.iterdir()) if p.is_dir() and wanted(p.name)]
    files = [(folder, path) for folder in folders for path in sorted(folder.glob("*.jpg"))]
    yield from trials_of(bench, files, "people", enrolling=lambda own: own[:ENROLLING])


def folder_trials(
    bench: Bench, root: Path, *, enrolling: Callable[[list[int]], list[int]], fewest: int
) -> Iterator[Trial]:
    """As `people`, from folders of pictures of any kind; whoever has fewer than `fewest` usable
    pictures to enrol with is left out."""
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir()]
    files = [(folder, path) for folder in folders for path in sorted(folder.iterdir())]
    for trial in trials_of(bench, files, root.name, enrolling=enrolling, fewest=fewest):
        if len(trial.looks.kept) >= fewest:
            yield trial


def cmu_faces(bench: Bench, shared: Path) -> Iterator[Trial]:
    """Every third picture by name enrols, at most ten; scaled copies are left out."""
    yield from trials_of(
        bench, cmu_files(shared), "cmu", enrolling=lambda own: own[::3][:ENROLLING]
    )


def cmu_files(shared: Path) -> list[tuple[Path, Path]]:
    """Pictures of `cmu-faces`, each after its person's folder, without scaled copies."""
    folders = [p for p in sorted((shared / "data" / "cmu-faces").iterdir()) if p.is_dir()]
    return [
        (folder, path)
        for folder in folders
        for path in sorted(folder.glob("*.pgm"))
        if not CMU_SCALED.search(path.name)
    ]


def trials_of(
    bench: Bench,
    files: list[tuple[Path, Path]],
    label: str,
    enrolling: Callable[[list[int]], list[int]],
    fewest: int = ENROLLING + 2,
) -> Iterator[Trial]:
    """As `people`, from pictures and the folders whose names say whose they are. enrolling: which
    of a person's pictures enrol. fewest: pictures with a face that a person must have.
    """

    def pictures() -> Iterator[Shown]:
        for folder, path in files:
            try:
                image = read_picture(path)
            except PictureError:
                image = np.zeros((64, 64, 3), np.uint8)
            yield Shown(folder.name, image, path.name)

    judged = bench.judge(pictures(), one_face=True, total=len(files), label=label)
    whose = np.array(judged.person)
    for name in sorted(set(judged.person)):
        rows = np.flatnonzero((whose == name) & judged.faces).tolist()
        chosen = enrolling(rows)
        own = whose == name
        own[chosen] = False
        if len(rows) < fewest:
            continue
        looks = bench.looks([files[row][1] for row in chosen], name)
        yield Trial(name, looks, judged, own, whose != name)
