"""People of an old base on a new one: enrolled again from kept pictures, or mapped.

    git archive COMMIT edge/shipped | tar -x -C before
    OPENBLAS_NUM_THREADS=1 python -m benchmarks.studies.mapped_people ../shared before/edge/shipped

COMMIT ships the old base; the new one is that shipped now, or that of a second folder. Enrolled and
judged are people whom neither base was trained on (`benchmarks.shipped_base.hold_out`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from edge.console.commands import PATH, command, say
from edge.heads.threshold import SEVERAL, CameraKind

if TYPE_CHECKING:
    from edge.faces.face import Face
    from edge.heads.base_map import BaseMap
    from edge.heads.cohort import Cohort
    from edge.heads.enrol import Album
    from edge.models.embedder import Embedder

PEOPLE, LFW = "people", "lfw-crops"
ENROLLING = {PEOPLE: 10, LFW: 6}
"""Photos that enroll somebody; whoever has at least two more is enrolled."""

OLD, NATIVE, AGAIN, MAPPED = "old base", "new base", "enrolled again", "mapped"
WAYS = (OLD, NATIVE, AGAIN, MAPPED)


@dataclass(eq=False)
class Somebody:
    """Whose photos. albums: by way. own: rows of those that are judged. camera: as enrolment says
    it."""

    name: str
    part: str
    albums: dict[str, Album] = field(default_factory=dict)
    own: list[int] = field(default_factory=list)
    camera: CameraKind = SEVERAL


@dataclass(frozen=True, eq=False)
class Base:
    """A base and its strangers."""

    embedder: Embedder
    cohort: Cohort


@dataclass
class Count:
    """Own pictures, and those of others: accepted, and all; pairs of people with any."""

    own: int = 0
    of_own: int = 0
    others: int = 0
    of_others: int = 0
    refused: int = 0

    def row(self, part: str, way: str, people: int) -> str:
        tar, far = self.own / max(1, self.of_own), self.others / max(1, self.of_others)
        refused = f" ({self.refused} refused)" if self.refused else ""
        return (
            f"| {part}, {people} enrolled{refused} | {way} | {tar:.3f} ({self.own} of "
            f"{self.of_own}) | {far:.5f} ({self.others} of {self.of_others}) |"
        )


@command("mapped-people", examples="python -m benchmarks.studies.mapped_people ../shared before")
@click.argument("shared", type=PATH)
@click.argument("before", type=PATH)
@click.argument("after", type=PATH, required=False)
def main(shared: Path, before: Path, after: Path | None) -> None:
    """TAR and FAR of people who were enrolled on the base in BEFORE, on that in AFTER."""
    from edge.heads.base_map import fit_map
    from edge.service.libraries import set_library_settings

    set_library_settings()
    old, new = _base_of(before), _shipped() if after is None else _base_of(after)
    map_ = fit_map(old.cohort, new.cohort)
    say(f"likeness {map_.likeness} of {map_.strangers} strangers left out")
    people, seen = _looked_at(shared, old, new, map_)
    counts = _counts(people, seen, old, new)
    say("| photos | way | own accepted | others accepted |\n|---|---|---|---|")
    for (part, way), count in counts.items():
        say(count.row(part, way, sum(one.part == part for one in people)))


def _base_of(folder: Path) -> Base:
    from edge.heads.cohort import Cohort
    from edge.models.embedder import Embedder
    from edge.models.spec import Network

    network = Network.from_json(json.loads((folder / "base.json").read_text("utf-8")))
    embedder = Embedder(network, (folder / "base.int8.tflite").read_bytes(), threads=1)
    return Base(embedder, Cohort.load(folder / "cohort.npz"))


def _shipped() -> Base:
    from edge.bundle.locate import shipped_bundle
    from edge.models.embedder import Embedder

    with shipped_bundle() as bundle:
        cohort = bundle.cohort()
        assert cohort is not None
        return Base(Embedder(bundle.embedder, bundle.embedder_data, threads=1), cohort)


@dataclass(frozen=True, eq=False)
class Seen:
    """All pictures with a face that passes the gate: whose, and embeddings by both bases."""

    whose: np.ndarray
    old: np.ndarray
    new: np.ndarray


def _looked_at(shared: Path, old: Base, new: Base, map_: BaseMap) -> tuple[list[Somebody], Seen]:
    from benchmarks.shipped_base.hold_out import held_out_people
    from edge.console.progress import progress
    from edge.enrolment.samples import embeddings_of

    held_out = held_out_people(shared)
    wanted = [(part, name) for part in (PEOPLE, LFW) for name in held_out[part]]
    people: list[Somebody] = []
    whose: list[str] = []
    crops: dict[str, list[np.ndarray]] = {OLD: [], NATIVE: []}
    for part, name in progress(iter(wanted), label="people", total=len(wanted)):
        faces = list(_faces(shared / "data" / part / name))
        count = ENROLLING[part]
        somebody = Somebody(name, part)
        for number, (image, face) in enumerate(faces):
            if number >= count:
                somebody.own.append(len(whose))
            whose.append(name)
            crops[OLD].append(old.embedder.crop(image, face))
            crops[NATIVE].append(new.embedder.crop(image, face))
        if len(faces) >= count + 2:
            _enroll(somebody, faces[:count], old, new, map_)
            people.append(somebody)
    seen = (embeddings_of(b.embedder, np.stack(crops[w])) for b, w in ((old, OLD), (new, NATIVE)))
    return people, Seen(np.array(whose), *seen)


def _faces(folder: Path) -> Iterator[tuple[np.ndarray, Face]]:
    """The face that each photo is about, where it passes the gate."""
    from edge.errors import PictureError
    from edge.faces.detector import Detector
    from edge.faces.quality import QualityGate
    from edge.files.image import read_picture
    from trainer.data.landmarks import main_face

    detector, gate = Detector.open(), QualityGate()
    for path in sorted(folder.glob("*.jpg")):
        try:
            image = read_picture(path)
        except PictureError:
            continue
        face = main_face(detector.detect(image), image.shape[1], image.shape[0])
        if face is not None and gate.check(image, face).passed:
            yield image, face


def _enroll(
    somebody: Somebody, faces: list[tuple[np.ndarray, Face]], old: Base, new: Base, map_: BaseMap
) -> None:
    from dataclasses import replace

    from edge.enrolment.conditions import measure_scene, origin_of
    from edge.faces.keepsake import keepsake_of
    from edge.faces.quality import QualityGate
    from edge.people.carry_over import album_of

    gate = QualityGate()
    scenes = [measure_scene(image, face, gate.check(image, face)) for image, face in faces]
    somebody.camera = origin_of([scene for scene in scenes if scene is not None]).camera
    kept = tuple(keepsake_of(image, face) for image, face in faces)
    groups = np.arange(len(faces))
    before = _album(old.embedder, faces)
    varied = None if before.varied is None else map_.mapped(before.varied)
    somebody.albums = {
        OLD: before,
        NATIVE: _album(new.embedder, faces),
        AGAIN: album_of(new.embedder, kept, groups),
        MAPPED: replace(before, embeddings=map_.mapped(before.embeddings), varied=varied),
    }


def _album(embedder: Embedder, faces: list[tuple[np.ndarray, Face]]) -> Album:
    from edge.enrolment.augment import PER_PICTURE, variations
    from edge.enrolment.samples import embeddings_of
    from edge.heads.enrol import Album

    expects = embedder.network.input
    crops = np.stack([embedder.crop(image, face) for image, face in faces])
    varied = [
        variations(image, face, expects, count=PER_PICTURE, seed=number)
        for number, (image, face) in enumerate(faces)
    ]
    return Album(
        embeddings_of(embedder, crops),
        np.arange(len(faces)),
        embeddings_of(embedder, np.concatenate(varied)),
        np.repeat(np.arange(len(faces)), PER_PICTURE),
    )


def _counts(
    people: list[Somebody], seen: Seen, old: Base, new: Base
) -> dict[tuple[str, str], Count]:
    from edge.errors import RefusedError
    from edge.heads.enrol import enrol

    counts = {(part, way): Count() for part in (PEOPLE, LFW) for way in WAYS}
    for somebody in people:
        own = np.zeros(len(seen.whose), bool)
        own[somebody.own] = True
        others = seen.whose != somebody.name
        for way, album in somebody.albums.items():
            count = counts[somebody.part, way]
            base, shown = (old, seen.old) if way == OLD else (new, seen.new)
            try:
                head = enrol(
                    somebody.name, album.embeddings, album.groups, base.cohort,
                    varied=album.varied, varied_of=album.varied_of, camera=somebody.camera,
                )  # fmt: skip
            except RefusedError:
                count.refused += 1
                continue
            passed = head.score(shown) >= head.threshold
            count.own += int(passed[own].sum())
            count.of_own += int(own.sum())
            count.others += int(passed[others].sum())
            count.of_others += int(others.sum())
    return counts


if __name__ == "__main__":
    main()
