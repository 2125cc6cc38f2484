"""The look book: usable faces of one person to enroll, so that near-identical ones count once.

What a face says of who it is, while somebody is recognized, is a look too: see
`edge.recognition.observation`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.enrolment.augment import PER_PICTURE, variations
from edge.enrolment.conditions import Origin, Scene, measure_scene, origin_of
from edge.enrolment.copies import FaceMarks, is_copy, marks_of
from edge.errors import ModelError
from edge.faces.alignment import align
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE
from edge.faces.detector import Detector
from edge.faces.face import Face
from edge.faces.keepsake import Keepsake, keepsake_of
from edge.faces.quality import NO_FACE_REASONS, Quality, QualityGate
from edge.heads.enrol import Album
from edge.models.embedder import Embedder
from edge.recognition.recognizer import Recognizer

if TYPE_CHECKING:
    from edge.bundle.reader import Bundle

log = logging.getLogger(__name__)

CLEARLY_LARGER = 2.0
"""Of several faces the largest counts when its box has so many times the second's area."""

SAME_LOOK = 0.95
"""Correlation of two aligned faces, see `face_print`, from which they are one look. Measured: a
picture beside itself with noise of 6 levels, other brightness and JPEG quality 60 lies above 0.96;
frames of a person 0.4 s apart have a median of 0.82 to 0.99."""

SHORTEST_GAP_S = 0.3
"""Frames of one camera or video that are closer than this are one look whatever they show."""

PRINT_PX = 32

SEVERAL_FACES = "several faces"
NO_FACE = "no face"
SEEN_ALREADY = "as before"


@dataclass(frozen=True, eq=False)
class Sample:
    """One usable face in the book.

    crop: uint8[S, S, 3] BGR, as the embedder sees it. varied: uint8[V, S, S, 3], see
    `edge.enrolment.augment`. face_print: see there. marks: by which copies of photos are told.
    quality: with yaw_deg and pitch_deg. kept: where pictures are kept. of: the file or camera that
    it was taken from.
    """

    crop: np.ndarray = field(repr=False)
    varied: np.ndarray = field(repr=False)
    face_print: np.ndarray = field(repr=False)
    marks: FaceMarks = field(repr=False)
    scene: Scene | None
    quality: Quality
    kept: Keepsake | None = field(default=None, repr=False)
    of: str = ""


@dataclass(frozen=True, eq=False)
class Offer:
    """What came of a picture. look: where it was taken. reason: why it was not."""

    look: Sample | None
    reason: str | None = None


class SampleSet:
    """Gathers looks of one person. Not thread-safe."""

    def __init__(
        self,
        embedder: Embedder,
        detector: Detector,
        gate: QualityGate | None = None,
        *,
        vary: int = PER_PICTURE,
        seed: int = 0,
        keep: bool = False,
    ) -> None:
        """vary: variations of each look. seed: of what is varied. keep: pictures, too.

        `refused` counts why pictures and frames do not count; `not_used` names those pictures.
        """
        self._keep = keep
        self.looks: list[Sample] = []
        self.refused: dict[str, int] = {}
        self.not_used: list[tuple[str, str]] = []
        self._embedder = embedder
        self._detector = detector
        self._gate = gate or QualityGate()
        self._vary = vary
        self._seed = seed
        self._taken_at: tuple[str, float] | None = None

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        detector_model: Path | None = None,
        threads: int | None = None,
        *,
        keep: bool = False,
    ) -> SampleSet:
        """As the bundle sees, by default with a thread per core. Raises as `Recognizer.open`."""
        eyes = Recognizer.open(
            bundle,
            detector_model=detector_model,
            threads=threads or os.cpu_count() or 1,
            attributes=False,
        )
        return cls(eyes.embedder, eyes.detector, keep=keep)

    def refuse(self, reason: str, of: str = "", why: str = "") -> None:
        """Count what does not count. of: the picture's file. why: more than the reason."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        if of:
            self.not_used.append((of, why or reason))

    def offer(self, image_bgr: np.ndarray, *, time_s: float | None = None, of: str = "") -> Offer:
        """Take the face of a picture, uint8[H, W, 3] BGR, if it is usable and new.

        time_s: of frames, on the clock of the camera or video `of`.
        """
        offer = self._judged(image_bgr, time_s, of)
        if offer.look is None:
            reason = offer.reason or "cannot be judged"
            self.refuse(reason, of if time_s is None else "")
            at = "" if time_s is None else f" at {time_s:.2f} s"
            log.debug("%s%s does not count: %s", of or "a picture", at, reason)
            return offer
        self.looks.append(offer.look)
        self._taken_at = None if time_s is None else (of, time_s)
        return offer

    def detect(self, image_bgr: np.ndarray) -> tuple[Face, ...]:
        """All faces of a picture, uint8[H, W, 3] BGR, largest first."""
        return self._detector.detect(image_bgr)

    def _judged(self, image_bgr: np.ndarray, time_s: float | None, of: str) -> Offer:
        if self._is_too_soon(time_s, of):
            return Offer(None, SEEN_ALREADY)
        found = usable_face(image_bgr, self._detector, self._gate)
        if isinstance(found, str):
            return Offer(None, found)
        face, quality = found
        coarse, marks = face_print(image_bgr, face), marks_of(image_bgr, face)
        if any(float(coarse @ look.face_print) > SAME_LOOK for look in self.looks):
            return Offer(None, SEEN_ALREADY)
        if time_s is None and any(is_copy(marks, look.marks) for look in self.looks):
            return Offer(None, SEEN_ALREADY)
        expects = self._embedder.network.input
        seed = self._seed + len(self.looks)
        look = Sample(
            crop=self._embedder.crop(image_bgr, face),
            varied=variations(image_bgr, face, expects, count=self._vary, seed=seed),
            face_print=coarse,
            marks=marks,
            scene=measure_scene(image_bgr, face, quality),
            quality=quality,
            kept=keepsake_of(image_bgr, face) if self._keep else None,
            of=of,
        )
        return Offer(look)

    def _is_too_soon(self, time_s: float | None, of: str) -> bool:
        if time_s is None or self._taken_at is None or self._taken_at[0] != of:
            return False
        return abs(time_s - self._taken_at[1]) < SHORTEST_GAP_S

    def origin(self) -> Origin:
        """What the pictures have in common. Raises `InputError` without any."""
        return origin_of([look.scene for look in self.looks if look.scene is not None])

    def album(self) -> Album:
        """The looks' embeddings, each look a group of its own. Raises `ModelError` for a network
        without embedding."""
        varied = [look.varied for look in self.looks]
        size = self._embedder.network.input.size_px
        nothing = np.zeros((0, size, size, 3), np.uint8)
        crops = np.stack([look.crop for look in self.looks]) if self.looks else nothing
        pictures = tuple(look.kept for look in self.looks if look.kept is not None)
        return Album(
            embeddings=embeddings_of(self._embedder, crops),
            groups=np.arange(len(self.looks)),
            varied=embeddings_of(self._embedder, np.concatenate([nothing, *varied])),
            varied_of=np.repeat(np.arange(len(varied)), [len(each) for each in varied]),
            pictures=pictures if self._keep else None,
        )


def usable_face(
    image_bgr: np.ndarray, detector: Detector, gate: QualityGate
) -> tuple[Face, Quality] | str:
    """The one face of a picture, uint8[H, W, 3] BGR, that counts and its quality, or the reason
    why there is none."""
    judged = [(face, gate.check(image_bgr, face)) for face in detector.detect(image_bgr)]
    good = [(face, quality) for face, quality in judged if quality.passed]
    if not good:
        return (judged[0][1].reason or "cannot be judged") if judged else NO_FACE
    rivals = [f for f, q in judged if f is not good[0][0] and q.reason not in NO_FACE_REASONS]
    if any(CLEARLY_LARGER * face.area_px2 > good[0][0].area_px2 for face in rivals):
        return SEVERAL_FACES
    return good[0]


def usable_faces(
    image_bgr: np.ndarray, detector: Detector, gate: QualityGate
) -> tuple[tuple[Face, Quality], ...]:
    """All faces of a picture, uint8[H, W, 3] BGR, that pass the gate, largest first."""
    judged = ((face, gate.check(image_bgr, face)) for face in detector.detect(image_bgr))
    return tuple((face, quality) for face, quality in judged if quality.passed)


def face_print(image_bgr: np.ndarray, face: Face) -> np.ndarray:
    """What an aligned face looks like in coarse gray: float64[1024], of mean 0 and length 1.

    The product of two is their correlation. Raises `InputError` as alignment does.
    """
    crop = align(image_bgr, face, ARCFACE, ARCFACE_WHOLE, PRINT_PX)
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (0, 0), 1.0)
    values = grey.astype(np.float64).ravel()
    values -= values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-9))


def embeddings_of(embedder: Embedder, crops_bgr: np.ndarray) -> np.ndarray:
    """float32[N, D] of length 1, of crops uint8[N, S, S, 3] BGR. Raises `ModelError` for a network
    without embedding."""
    found = embedder.embed(crops_bgr).embeddings
    if found is None:
        raise ModelError(
            "the bundle's base has no embedding, so nobody can be enrolled on it",
            hint="pack a bundle with a base that has one",
        )
    return found


def joined(albums: Sequence[Album]) -> Album:
    """Several albums of one person as one; groups and owners get new numbers."""
    first, looks = 0, 0
    groups, owners = [], []
    for album in albums:
        numbers = np.unique(album.groups, return_inverse=True)[1].reshape(-1)
        groups.append(numbers + first)
        first += int(numbers.max(initial=-1)) + 1
        if album.varied_of is not None:
            owners.append(album.varied_of + looks)
        looks += len(album.embeddings)
    varied = [album.varied for album in albums if album.varied is not None]
    pictures = [album.pictures for album in albums if album.pictures is not None]
    return Album(
        embeddings=np.concatenate([album.embeddings for album in albums]),
        groups=np.concatenate(groups),
        varied=np.concatenate(varied) if varied else None,
        varied_of=np.concatenate(owners) if owners else None,
        pictures=tuple(kept for part in pictures for kept in part)
        if len(pictures) == len(albums)
        else None,
    )
