"""The person's protocols on real data: who enrols with what, and who is judged.

Every picture goes the way of the product: detector, gate, alignment, deployed file. Nothing of a
test picture is used before it is scored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.detector import Detector
from edge.embedder import Embedder
from edge.errors import PictureError
from edge.picture import read_picture
from edge.progress import progress
from edge.quality import QualityGate
from edge.source import file_source
from trainer.embeddings import embeddings_of
from trainer.landmarks import main_face
from trainer.looks import Looks, read_looks
from trainer.subject import Deployed

ENROLLING = 10
"""Photos that enrol somebody; the rest tests."""

CMU_SCALED = re.compile(r"_[24]\.pgm$")


@dataclass(frozen=True, eq=False)
class Judged:
    """Faces that passed the gate, row by row. frame: number of the picture each is in, int[N];
    person: whose picture it is, by picture. faces: pictures with any face; passed: with one that
    passed the gate. embeddings: float32[N, D].
    """

    embeddings: np.ndarray
    frame: np.ndarray
    person: tuple[str, ...]
    faces: np.ndarray

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
    """One enrolment and everybody it is tried on. own, others: bool[P], pictures of `judged`."""

    name: str
    looks: Looks
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

    def looks(self, paths: list[Path], name: str) -> Looks:
        return read_looks(paths, self.embedder, self.detector, quiet=True, label=name)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return embeddings_of(self.embedder, crops)

    def judge(
        self, pictures: Iterator[tuple[str, np.ndarray]], *, one_face: bool, total: int, label: str
    ) -> Judged:
        """Look at (whose, picture) pairs. one_face: the face that the picture is about alone."""
        gate = QualityGate()
        crops, frame, person, faces = [], [], [], []
        shown = progress(pictures, label=label, total=total, quiet=self.quiet)
        for number, (whose, image) in enumerate(shown):
            found = self.detector.detect(image)
            if one_face and found:
                main = main_face(found, image.shape[1], image.shape[0])
                found = () if main is None else (main,)
            person.append(whose)
            faces.append(bool(found))
            for face in found:
                if gate.judge(image, face).passed:
                    crops.append(self.embedder.crop(image, face))
                    frame.append(number)
        return Judged(
            embeddings=self.embed(np.stack(crops)),
            frame=np.array(frame),
            person=tuple(person),
            faces=np.array(faces),
        )


def webcam(bench: Bench, shared: Path) -> Iterator[Trial]:
    """Enrol from one clip, judge every frame of all other clips."""
    clips = sorted((shared / "data" / "video").glob("person-*.mkv"))

    def frames() -> Iterator[tuple[str, np.ndarray]]:
        for clip in clips:
            with file_source(clip) as source:
                for grab in source:
                    if grab.image_bgr is not None:
                        yield clip.stem, grab.image_bgr

    judged = bench.judge(frames(), one_face=False, total=700, label="webcam")
    whose = np.array([name.split("-")[1] for name in judged.person])
    clip_of = np.array(judged.person)
    for clip in clips:
        person = clip.stem.split("-")[1]
        own = (whose == person) & (clip_of != clip.stem)
        yield Trial(clip.stem, bench.looks([clip], clip.stem), judged, own, whose != person)


def people(bench: Bench, shared: Path, wanted: Callable[[str], bool]) -> Iterator[Trial]:
    """Ten photos enrol, the rest tests; all other wanted people are strangers."""
    yield from photo_trials(bench, shared / "data" / "people", wanted)


def photo_trials(
    bench: Bench, people_folder: Path, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[Trial]:
    """As `people`, from any folder that holds one folder of .jpg files for each person."""
    folders = [p for p in sorted(people_folder.iterdir()) if p.is_dir() and wanted(p.name)]
    files = [(folder, path) for folder in folders for path in sorted(folder.glob("*.jpg"))]
    yield from _photo_trials(bench, files, "people", enrolling=lambda own: own[:ENROLLING])


def cmu_faces(bench: Bench, shared: Path) -> Iterator[Trial]:
    """Every third picture by name enrols, at most ten; scaled copies are left out."""
    folders = [p for p in sorted((shared / "data" / "cmu-faces").iterdir()) if p.is_dir()]
    files = [
        (folder, path)
        for folder in folders
        for path in sorted(folder.glob("*.pgm"))
        if not CMU_SCALED.search(path.name)
    ]
    yield from _photo_trials(bench, files, "cmu", enrolling=lambda own: own[::3][:ENROLLING])


def _photo_trials(
    bench: Bench,
    files: list[tuple[Path, Path]],
    label: str,
    enrolling: Callable[[list[int]], list[int]],
) -> Iterator[Trial]:
    def pictures() -> Iterator[tuple[str, np.ndarray]]:
        for folder, path in files:
            try:
                yield folder.name, read_picture(path)
            except PictureError:
                yield folder.name, np.zeros((64, 64, 3), np.uint8)

    judged = bench.judge(pictures(), one_face=True, total=len(files), label=label)
    whose = np.array(judged.person)
    for name in sorted(set(judged.person)):
        rows = np.flatnonzero((whose == name) & judged.faces).tolist()
        chosen = enrolling(rows)
        own = np.zeros(len(whose), bool)
        own[[row for row in rows if row not in set(chosen)]] = True
        if len(rows) < ENROLLING + 2:
            continue
        looks = bench.looks([files[row][1] for row in chosen], name)
        yield Trial(name, looks, judged, own, whose != name)
