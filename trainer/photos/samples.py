"""Looks: the usable faces in a person's photos and videos, and which of them belong together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from edge.console.progress import progress
from edge.enrolment.augment import PER_PICTURE, variations
from edge.enrolment.conditions import Origin, Scene, measure_scene, origin_of
from edge.enrolment.copies import marks_of
from edge.enrolment.samples import CLEARLY_LARGER, embeddings_of, usable_face, usable_faces
from edge.errors import InputError, PictureError, SourceError
from edge.faces.detector import Detector
from edge.faces.face import Face
from edge.faces.quality import Quality, QualityGate
from edge.files.formats import is_video
from edge.files.image import read_picture
from edge.files.model_file import sha256_of
from edge.models.embedder import Embedder
from edge.sources.files import file_source
from trainer.photos.album import find_files
from trainer.photos.augmented import AUGMENTED_COPY, source_of
from trainer.photos.copies import SMALLER_COPY, smaller_copies
from trainer.photos.grouping import BLOCK_S, Print, bits_of, group_numbers
from trainer.photos.origin import camera_model
from trainer.photos.recurring import NONE_RECURS, recurring_faces

_LOG = logging.getLogger("trainer.photos")

PER_BLOCK = 4
"""Frames that are taken from a block of a video."""

SITTING_S = 3600.0
"""Photos that were all taken within so many seconds are of one sitting."""

THUMB_PX = 128


@dataclass(frozen=True, eq=False)
class FaceSample:
    """One usable face. name: file, with the time in videos. crop: uint8[S, S, 3] BGR, as the
    embedder sees it. varied: uint8[V, S, S, 3], see `edge.enrolment.augment`. group: looks of one
    group are not independent. thumb: uint8[128, 128, 3] BGR, the face with its surroundings.
    area_px2: of the face's box.
    """

    name: str
    crop: np.ndarray = field(repr=False)
    varied: np.ndarray = field(repr=False)
    group: int
    print: Print = field(repr=False)
    scene: Scene | None = field(repr=False)
    quality: Quality = field(repr=False)
    thumb: np.ndarray = field(repr=False)
    area_px2: float = 0.0


@dataclass(frozen=True, eq=False)
class Dropped:
    """A picture that is not used. reason: without the file's name, so that it may be told in
    private. thumb: as in `FaceSample`, None where it could not be decoded.
    """

    name: str
    reason: str
    thumb: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class FaceSamples:
    """kept: usable faces. dropped: what was not. videos: how many files were videos. files: how
    many files were read.
    """

    kept: tuple[FaceSample, ...]
    dropped: tuple[Dropped, ...]
    videos: int = 0
    files: int = 0

    @property
    def groups(self) -> np.ndarray:
        """int64[N]."""
        return np.array([look.group for look in self.kept], np.int64)

    @property
    def independent(self) -> int:
        """Number of groups."""
        return len(np.unique(self.groups))

    @property
    def one_sitting(self) -> bool:
        """Whether everything is from one video, or from photos of one hour."""
        clips = {look.print.file for look in self.kept if look.print.block is not None}
        if clips:
            return {look.print.file for look in self.kept} == clips and len(clips) == 1
        times = [look.print.taken_s for look in self.kept]
        known = [time for time in times if time is not None]
        return len(known) == len(times) and max(known) - min(known) <= SITTING_S

    @property
    def prints(self) -> tuple[Print, ...]:
        return tuple(look.print for look in self.kept)

    def origin(self) -> Origin:
        """What the pictures have in common. Raises `InputError` when none is left."""
        return origin_of([look.scene for look in self.kept if look.scene is not None])

    def crops(self) -> np.ndarray:
        """uint8[N, S, S, 3] BGR. Raises `InputError` when no face is left."""
        if not self.kept:
            raise InputError("no usable face is left")
        return np.stack([look.crop for look in self.kept])

    def varied(self) -> tuple[np.ndarray, np.ndarray]:
        """Variations of all looks, uint8[M, S, S, 3] BGR, and of which look each is, int64[M]."""
        owner = np.repeat(np.arange(len(self.kept)), [len(look.varied) for look in self.kept])
        return np.concatenate([look.varied for look in self.kept]), owner

    def select(self, keep: np.ndarray) -> FaceSamples:
        """The looks of `keep`, bool[N]."""
        return replace(
            self, kept=tuple(k for k, wanted in zip(self.kept, keep, strict=True) if wanted)
        )


def read_looks(
    paths: Sequence[Path],
    embedder: Embedder,
    detector: Detector,
    *,
    gate: QualityGate | None = None,
    vary: int = PER_PICTURE,
    seed: int = 0,
    quiet: bool = False,
    label: str = "looking at photos",
    recurring: bool = False,
) -> FaceSamples:
    """Find, gate and cut the faces of files, folders and videos; `vary` variations of each.

    A file that cannot be decoded is dropped with its reason, as is a smaller copy of another one,
    see `trainer.photos.copies`. recurring: whether all show one person, so that of several faces in
    a picture the one is taken that the others show, see `trainer.photos.recurring`. Raises
    `InputError` when a path does not exist, a folder is empty, or nothing usable is left.
    """
    gate = gate or QualityGate()
    files = find_files(paths)
    kept: list[FaceSample] = []
    dropped: list[Dropped] = []
    several: list[_Several] = []
    copies = smaller_copies(files)
    for path in progress(files, label=label, quiet=quiet):
        if path in copies:
            dropped.append(Dropped(str(path), SMALLER_COPY))
            continue
        if source_of(path) is not None:
            dropped.append(Dropped(str(path), AUGMENTED_COPY))
            continue
        try:
            for name, image, print_ in _pictures(path):
                found = _usable(image, detector, gate, every=recurring)
                if isinstance(found, str):
                    dropped.append(Dropped(name, found, thumb_of(image)))
                    continue
                shows = [
                    _look(name, image, print_, face, quality, embedder, vary, seed + len(kept))
                    for face, quality in found
                ]
                if len(shows) > 1:
                    several.append(_Several(name, thumb_of(image), shows))
                else:
                    kept.append(shows[0])
        except (PictureError, SourceError) as problem:
            dropped.append(Dropped(str(path), problem.message.replace(str(path), "the file")))
    for shown, which in zip(several, _which(kept, several, embedder), strict=True):
        if which is None:
            dropped.append(Dropped(shown.name, NONE_RECURS, shown.thumb))
        else:
            kept.append(shown.faces[which])
    for one in dropped:
        _LOG.debug("%s does not count: %s", one.name, one.reason)
    if not kept:
        reasons = ", ".join(sorted({one.reason for one in dropped})) or "no pictures"
        raise InputError(
            f"none of the {len(files)} files in {paths[0]} shows a usable face ({reasons})",
            hint="give sharp, well lit photos with one face each",
        )
    numbers = group_numbers([look.print for look in kept])
    looks = tuple(replace(k, group=int(n)) for k, n in zip(kept, numbers, strict=True))
    return FaceSamples(looks, tuple(dropped), sum(map(is_video, files)), len(files))


@dataclass(frozen=True, eq=False)
class _Several:
    """A picture with several usable faces, largest first."""

    name: str
    thumb: np.ndarray
    faces: Sequence[FaceSample]


def _usable(
    image_bgr: np.ndarray, detector: Detector, gate: QualityGate, *, every: bool
) -> Sequence[tuple[Face, Quality]] | str:
    """The face that counts, `every` usable one where there are several, or why there is none."""
    faces = usable_faces(image_bgr, detector, gate) if every else ()
    if len(faces) > 1:
        return faces
    found = usable_face(image_bgr, detector, gate)
    return found if isinstance(found, str) else (found,)


def _look(
    name: str,
    image: np.ndarray,
    print_: Print,
    face: Face,
    quality: Quality,
    embedder: Embedder,
    vary: int,
    seed: int,
) -> FaceSample:
    return FaceSample(
        name=name,
        crop=embedder.crop(image, face),
        varied=variations(image, face, embedder.network.input, count=vary, seed=seed),
        group=0,
        print=replace(print_, marks=marks_of(image, face)),
        scene=measure_scene(image, face, quality),
        quality=quality,
        thumb=thumb_of(image, face),
        area_px2=face.area_px2,
    )


def _which(
    kept: Sequence[FaceSample], several: Sequence[_Several], embedder: Embedder
) -> Sequence[int | None]:
    """Of each picture with several faces, the number of the one that counts."""
    if not several:
        return ()
    single = [look.crop for look in kept]
    found = None
    if single:
        faces = [embeddings_of(embedder, np.stack([f.crop for f in p.faces])) for p in several]
        found = recurring_faces(embeddings_of(embedder, np.stack(single)), faces)
    if found is not None:
        return found
    areas_px2 = [[face.area_px2 for face in one.faces] for one in several]
    return [0 if a[0] >= CLEARLY_LARGER * a[1] else None for a in areas_px2]


def thumb_of(image_bgr: np.ndarray, face: Face | None = None) -> np.ndarray:
    """uint8[128, 128, 3] BGR: the face with its surroundings, or the whole picture, letterboxed."""
    if face is not None:
        x, y, w, h = face.box_px
        side = 1.8 * max(w, h)
        x0, y0 = int(max(0, x + w / 2 - side / 2)), int(max(0, y + h / 2 - side / 2))
        image_bgr = image_bgr[y0 : int(y0 + side) + 1, x0 : int(x0 + side) + 1]
    height, width = image_bgr.shape[:2]
    scale = THUMB_PX / max(height, width)
    size_px = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image_bgr, size_px, interpolation=how)
    thumb = np.full((THUMB_PX, THUMB_PX, 3), 235, np.uint8)
    top, left = (THUMB_PX - small.shape[0]) // 2, (THUMB_PX - small.shape[1]) // 2
    thumb[top : top + small.shape[0], left : left + small.shape[1]] = small
    return thumb


def _pictures(path: Path) -> Iterator[tuple[str, np.ndarray, Print]]:
    """Name, picture and print of a photo, or of frames of a video."""
    if not is_video(path):
        image = read_picture(path)
        digest = sha256_of(path.read_bytes())
        taken_s = camera_model(path)[1]
        yield str(path), image, Print(str(path), digest, bits_of(image), taken_s)
        return
    step_s, due_s = BLOCK_S / PER_BLOCK, 0.0
    last: np.ndarray | None = None
    last_block = -1
    with file_source(path) as source:
        for grab in source:
            if grab.image_bgr is None or grab.time_s + 1e-6 < due_s:
                continue
            due_s = grab.time_s + step_s
            block, bits = int((grab.time_s + 1e-6) / BLOCK_S), bits_of(grab.image_bgr)
            still = last is not None and np.count_nonzero(bits != last) <= 2
            if still and block == last_block:  # nothing has moved since the last frame
                continue
            last, last_block = bits, block
            name = f"{path} at {grab.time_s:.2f} s"
            yield name, grab.image_bgr, Print(str(path), "", bits, None, block)
