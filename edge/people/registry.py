"""The register: the bundle's people and those enrolled on this device, judged together.

Bundles are never changed by enrolling: whom this device learned to know is kept in a folder of its
own (`edge.people.store`), bound to the embedder's file. Thresholds are set for all heads together,
the bundle's too, and set again when a bundle with other heads or another cohort comes.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.locate import locate
from edge.bundle.reader import Bundle
from edge.enrolment.samples import joined
from edge.errors import InputError, PeopleError, RefusedError
from edge.files.model_file import sha256_of
from edge.heads.calibration import recalibrate
from edge.heads.cohort import Cohort
from edge.heads.enrol import Album, enrol
from edge.heads.head import Head
from edge.heads.same_face import SameFace, same_faces
from edge.heads.threshold import ONE, POOR, SEVERAL, CameraKind
from edge.people.encryption import Encryption
from edge.people.store import People, Person, load_people, people_folder, save_people

log = logging.getLogger(__name__)

MOST_LOST = 0.2
"""Share of a person's own independent looks that a correction may cost; one look always may.
Chosen, not tuned: pictures of others cost 0 to 2 of 12, the person's own nearly all."""

KNOWN_ALREADY = 0.985
"""Cosine of two embeddings from which they are of one photo: the device keeps no pictures. Measured
on 5,341 pairs of other photos of 30 people, 13 of them in one room: none lies above 0.981. The same
photo has 1, its mirror image and light changes nearly so; strong changes pass for a new look."""

_STRICTEST = (SEVERAL, ONE, POOR)
"""Where pictures come from more than one kind of camera, the last of these counts."""

BUNDLE, DEVICE, CORRECTED = "bundle", "device", "bundle, corrected here"


@dataclass(frozen=True, eq=False)
class Known:
    """Somebody who is recognized. origin: "bundle", "device" or "bundle, corrected here"."""

    head: Head
    origin: str
    person: Person | None = None

    @property
    def name(self) -> str:
        return self.head.name

    def to_json(self) -> dict[str, Any]:
        stated = self.head.stated
        return {
            "name": self.head.name,
            "origin": self.origin,
            "looks": stated and stated.pictures,
            "threshold": round(self.head.threshold, 4),
            "far_upper_95": stated and stated.far_upper_95,
            "groups": stated and stated.frr.trials,
            "groups_rejected": stated and stated.frr.events,
            "frr_upper_95": stated and stated.frr_upper_95,
            "not_me": 0 if self.person is None else self.person.mistaken,
            "warnings": list(self.head.calibration.warnings),
        }


@dataclass(frozen=True)
class Correction:
    """What hard negatives have changed. pictures: how many there were. accepted_before,
    accepted_after: of these, by the person's head. rejected_before, rejected_after: independent
    groups of the person's own looks that are rejected, of `groups`.
    """

    name: str
    pictures: int
    accepted_before: int
    accepted_after: int
    groups: int
    rejected_before: int
    rejected_after: int

    @property
    def costs_too_much(self) -> bool:
        """Whether more of the person's own samples are lost than images of others can cost."""
        return self.rejected_after - self.rejected_before > max(1.0, MOST_LOST * self.groups)

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@contextlib.contextmanager
def open_register(bundle: Path | None, key_file: Path | None) -> Iterator[Registry]:
    """The register of a bundle, or of the one that would be used; closed afterwards.

    Raises as `edge.bundle.locate.locate`, `Bundle.open`, `Encryption.open` and `Registry` do.
    """
    vault = Encryption.open(key_file)
    with locate(bundle).open() as opened:
        yield Registry(opened, vault)


class Registry:
    """Who is known, by an open bundle and a folder of people."""

    def __init__(
        self,
        bundle: Bundle,
        vault: Encryption | None = None,
        folder: Path | None = None,
        *,
        people: People | None = None,
    ) -> None:
        """people: in place of those in the folder. Raises `PeopleError` where they were enrolled on
        another base than the bundle's, and as `load_people`."""
        self.bundle = bundle
        self.vault = vault or Encryption()
        self.folder = folder or people_folder()
        if people is None:
            people = load_people(self.folder, self.vault, bundle.embedder.sha256)
        self.people = people
        self._cohort: Cohort | None = None
        known = self.people.embedder_sha256
        if self.people.persons and known != bundle.embedder.sha256:
            names = ", ".join(person.name for person in self.people.persons)
            raise PeopleError(
                f"{names} of this device were enrolled on the base {known[:12]}, and "
                f"{bundle.path} has {bundle.embedder.sha256[:12]}: their scores would mean nothing",
                hint=f"use a bundle with that base, or 'edge-recognize forget' and enroll again "
                f"(they are in {self.folder})",
            )

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads of everybody, with thresholds for all of them together."""
        return tuple(known.head for known in self.known())

    def known(self) -> tuple[Known, ...]:
        """Everybody, the bundle's people first. Thresholds are taken as they were set, or set for
        heads and a cohort that they were not set for. Raises as `recalibrate` does."""
        people = self.people
        if not people.persons:
            return tuple(Known(head, BUNDLE) for head in self.bundle.heads)
        everybody = self._everybody(people.persons)
        if people.calibrated_for == self._fingerprint(people.persons):
            thresholds, sha256_of_name = people.thresholds, self._sha256_by_name()
            return tuple(
                known
                if known.origin != BUNDLE
                else replace(
                    known,
                    head=replace(known.head, threshold=thresholds[sha256_of_name[known.name]]),
                )
                for known in everybody
            )
        log.info("the bundle has changed: thresholds are set again for everybody")
        heads = recalibrate([known.head for known in everybody], self.cohort())
        return tuple(replace(k, head=head) for k, head in zip(everybody, heads, strict=True))

    def supposing(self, people: People) -> Registry:
        """The same register, were these people known; nothing is written."""
        other = copy.copy(self)
        other.people = people
        return other

    def keep(self, people: People, *, can_undo: bool = True) -> None:
        """Let these people be known from now on, in a way that can be taken back once."""
        self._keep(people, can_undo=can_undo)

    def renamed(self, old: str, new: str) -> People:
        """Who would be known, were somebody enrolled here called otherwise; thresholds stay."""
        persons = tuple(
            replace(p, head=replace(p.head, name=new)) if (p.name, p.replaces) == (old, "") else p
            for p in self.people.persons
        )
        settled = self.people.calibrated_for == self._fingerprint(self.people.persons)
        known_for = self._fingerprint(persons) if settled else ""
        return replace(self.people, persons=persons, calibrated_for=known_for)

    def fitted(self, albums: Sequence[tuple[Person, Album]]) -> People:
        """People of another base, with what their pictures are on this one; nothing is written.

        Their hard negatives have to be of this base, too. Raises as `enrol`.
        """
        made = []
        for person, album in albums:
            facts, hard = person.head.facts, (person.not_me, person.not_me_of)
            given = (facts.camera, facts.one_sitting, facts.target_far)
            head = self._fitted(person.name, album, hard[0], hard[1], *given)
            made.append(Person(head, album, *hard))
        return self._set_together(made)

    def cohort(self) -> Cohort:
        """The bundle's strangers. Raises `RefusedError` where it brings none."""
        if self._cohort is None:
            self._cohort = self.bundle.cohort()
        if self._cohort is None:
            raise RefusedError(
                f"{self.bundle.path} brings no strangers to tell anybody from",
                hint="pack a bundle with its cohort: edge-export pack",
            )
        return self._cohort

    def find(self, name: str) -> Known:
        """Raises `InputError` where nobody of that name is known."""
        everybody = self.known()
        for known in everybody:
            if known.head.name == name:
                return known
        names = ", ".join(known.head.name for known in everybody) or "nobody"
        raise InputError(f"nobody called {name} is known", hint=f"known: {names}")

    def check_name(self, name: str, *, add: bool) -> None:
        """Whether somebody may be enrolled under a name, before any picture is taken.

        Raises `RefusedError` for a name that is taken and, with `add`, for one that is not enrolled
        here.
        """
        taken = {known.head.name: known.origin for known in self.known()}
        if not add and name in taken:
            hint = "add looks with --add, or forget them first"
            if taken[name] != DEVICE:
                hint = "choose another name, or forget them first"
            raise RefusedError(f"{name} is known already ({taken[name]})", hint=hint)
        if add and taken.get(name) != DEVICE:
            raise RefusedError(
                f"{name} was not enrolled on this device, so no looks can be added",
                hint="leave --add out, or enroll on the workstation again",
            )

    def known_already(self, name: str, album: Album) -> np.ndarray:
        """Which pictures of an album are of photos that somebody was enrolled with, bool[N]."""
        person = next((p for p in self.people.persons if p.name == name), None)
        if person is None or person.album is None:
            return np.zeros(len(album.embeddings), bool)
        alike = album.embeddings @ person.album.embeddings.T
        return np.asarray(alike.max(axis=1, initial=-1.0) >= KNOWN_ALREADY)

    def known_as(self, name: str, album: Album) -> tuple[SameFace, ...]:
        """Under which other names the person of an album is known already."""
        return same_faces(name, album.embeddings, self.heads)

    def enrol(
        self,
        name: str,
        album: Album,
        *,
        camera: CameraKind,
        one_sitting: bool,
        target_far: float | None = None,
        add: bool = False,
    ) -> Head:
        """Enroll somebody, or add looks to somebody enrolled here, and set all thresholds.

        Looks that are known already are not added; where all are, nothing changes.

        Raises as `edge.heads.enrol.enrol` and `check_name`.
        """
        people = self.with_looks(
            name, album, camera=camera, one_sitting=one_sitting, target_far=target_far, add=add
        )
        if people is not self.people:
            self._keep(people)
        return self.find(name).head

    def with_looks(
        self,
        name: str,
        album: Album,
        *,
        camera: CameraKind,
        one_sitting: bool,
        target_far: float | None = None,
        add: bool = False,
    ) -> People:
        """Who would be known after `enrol`: `people` itself where all looks are known already.
        Nothing is written. Raises as `enrol` does."""
        self.check_name(name, add=add)
        self.cohort()
        here = [each for each in self.people.persons if not each.replaces]
        before = next((each for each in here if each.name == name), None)
        not_me, not_me_of = self._nobody()
        if before is not None and before.album is not None:
            album = album.select(~self.known_already(name, album))
            if not len(album.embeddings):
                return self.people
            album = joined([before.album, album])
            not_me, not_me_of = before.not_me, before.not_me_of
            one_sitting = False
            camera = max(camera, before.head.facts.camera, key=_STRICTEST.index)
            target_far = target_far or before.head.facts.target_far
        person = Person(
            self._fitted(name, album, not_me, not_me_of, camera, one_sitting, target_far),
            album,
            not_me,
            not_me_of,
        )
        others = [each for each in self.people.persons if each is not before]
        return self._set_together([*others, person])

    def correct(self, name: str, vectors: np.ndarray, picture_of: np.ndarray) -> Correction:
        """Make pictures of others hard negatives of somebody, and set all thresholds.

        vectors: float32[H, D] of length 1, by the bundle's embedder. picture_of: int[H], of which
        picture each row is; the first row of each is the picture itself, others vary it. Somebody
        enrolled here is fitted again; the head of a bundle's person stays, and its threshold rises
        above the pictures. Raises `RefusedError` where that would lose the person.
        """
        people, done = self.corrected(name, vectors, picture_of)
        self._keep(people, can_undo=True)
        return done

    def corrected(
        self, name: str, vectors: np.ndarray, picture_of: np.ndarray
    ) -> tuple[People, Correction]:
        """Who would be known after `correct`, and what it changes; nothing is written."""
        known = self.find(name)
        firsts = vectors[np.unique(picture_of, return_index=True)[1]]
        before = int(known.head.accepts(firsts).sum())
        rejected_before = 0 if known.head.stated is None else known.head.stated.frr.events
        person = self._corrected(known, vectors, picture_of)
        old = known.person
        others = (each for each in self.people.persons if each is not old)
        people = self._set_together([*others, person])
        replaces = "" if known.origin == DEVICE else self._sha256_by_name()[name]
        head = next(p.head for p in people.persons if (p.name, p.replaces) == (name, replaces))
        done = Correction(
            name=name,
            pictures=len(firsts),
            accepted_before=before,
            accepted_after=int(head.accepts(firsts).sum()),
            groups=head.facts.frr.trials,
            rejected_before=rejected_before,
            rejected_after=head.facts.frr.events,
        )
        if done.costs_too_much:
            raise RefusedError(
                f"{name} would be recognized no more: of {done.groups} own looks "
                f"{done.rejected_after} would be rejected, and {rejected_before} are now; nothing "
                "was changed",
                hint=f"leave out the pictures that show {name}, or who is too much alike",
            )
        return people, done

    def settle(self, changed: Sequence[str] = ()) -> None:
        """Set the thresholds of everybody for the bundle as it is, and keep them.

        changed: whose hard negatives are others now; these are fitted again. Raises as `enrol`.
        """
        if self.people.persons:
            persons = [p if p.name not in changed else self._again(p) for p in self.people.persons]
            self._settle([p for p in persons if p.album is not None or len(p.not_me)])

    def _corrected(self, known: Known, vectors: np.ndarray, picture_of: np.ndarray) -> Person:
        old = known.person
        not_me, not_me_of = self._nobody() if old is None else (old.not_me, old.not_me_of)
        first = int(not_me_of.max(initial=-1)) + 1
        numbers = np.unique(picture_of, return_inverse=True)[1].reshape(-1) + first
        hard, hard_of = np.concatenate([not_me, vectors]), np.concatenate([not_me_of, numbers])
        if old is not None:
            return self._again(replace(old, not_me=hard, not_me_of=hard_of))
        replaces = self._sha256_by_name()[known.name]
        return self._again(Person(known.head, None, hard, hard_of, replaces))

    def _again(self, person: Person) -> Person:
        """Somebody with the head that their hard negatives ask for."""
        album = person.album
        if album is not None:
            facts = person.head.facts
            given = (facts.camera, facts.one_sitting, facts.target_far)
            head = self._fitted(person.name, album, person.not_me, person.not_me_of, *given)
            return replace(person, head=head)
        if not len(person.not_me):
            return person
        highest = math.ceil(1e5 * float(person.head.score(person.not_me).max())) / 1e5
        kept = replace(person.head, calibration=replace(person.head.facts, not_me=highest))
        return replace(person, head=kept)

    def _fitted(
        self,
        name: str,
        album: Album,
        hard: np.ndarray,
        hard_of: np.ndarray,
        camera: CameraKind,
        one_sitting: bool,
        target_far: float | None,
    ) -> Head:
        return enrol(
            name,
            album.embeddings,
            album.groups,
            self.cohort(),
            target_far=target_far,
            not_me=hard if len(hard) else None,
            not_me_groups=hard_of if len(hard) else None,
            varied=album.varied,
            varied_of=album.varied_of,
            camera=camera,
            one_sitting=one_sitting,
        )

    def _settle(self, persons: Sequence[Person]) -> None:
        """Set the thresholds of everybody, keep them, and go on with these people.

        Corrections of people whom another bundle knows are kept as they are, for that bundle.
        """
        self._keep(self._set_together(persons))

    def _keep(self, people: People, *, can_undo: bool = False) -> None:
        self.people = people
        save_people(self.folder, people, self.vault, can_undo=can_undo)

    def _set_together(self, persons: Sequence[Person]) -> People:
        """These people with thresholds for everybody, not yet kept."""
        if not persons:
            return People()
        everybody = self._everybody(persons)
        heads = recalibrate([known.head for known in everybody], self.cohort())
        kept, thresholds, sha256_of_name = [], {}, self._sha256_by_name()
        for known, head in zip(everybody, heads, strict=True):
            if known.person is not None:
                replaces = sha256_of_name[head.name] if known.origin == CORRECTED else ""
                kept.append(replace(known.person, head=head, replaces=replaces))
            else:
                thresholds[sha256_of_name[head.name]] = float(head.threshold)
        used = {id(known.person) for known in everybody}
        kept += [each for each in persons if id(each) not in used]
        return People(tuple(kept), self.bundle.embedder.sha256, thresholds, self._fingerprint(kept))

    def _everybody(self, persons: Sequence[Person]) -> tuple[Known, ...]:
        """The bundle's people, corrected where they were, then the device's.

        Corrections of heads that this bundle does not have are left out, and of two people of one
        name the one enrolled here counts.
        """
        corrected = [person for person in persons if person.replaces]
        here = [person for person in persons if not person.replaces]
        names = {person.name for person in here}
        found = []
        for entry, head in zip(self.bundle.manifest.heads, self.bundle.heads, strict=True):
            if entry.name in names:
                log.warning("%s of the bundle is left out: enrolled on this device", entry.name)
                continue
            of_head = [each for each in corrected if _corrects(each, entry.sha256, head)]
            person = next((each for each in of_head if each.replaces == entry.sha256), None)
            person = person or next(iter(of_head), None)
            if person is not None:
                found.append(Known(person.head, CORRECTED, person))
            else:
                found.append(Known(head, BUNDLE))
        return (*found, *(Known(person.head, DEVICE, person) for person in here))

    def _sha256_by_name(self) -> dict[str, str]:
        """Of the bundle's heads."""
        return {entry.name: entry.sha256 for entry in self.bundle.manifest.heads}

    def _fingerprint(self, persons: Sequence[Person]) -> str:
        """Of everything that thresholds depend on: the bundle's heads, its cohort, who is here."""
        manifest = self.bundle.manifest
        cohort = manifest.members[manifest.cohort].sha256 if manifest.cohort else ""
        here = sorted(person.content for person in persons)
        heads = sorted(entry.sha256 for entry in manifest.heads)
        return sha256_of("\n".join([cohort, *heads, "", *here]).encode())

    def _nobody(self) -> tuple[np.ndarray, np.ndarray]:
        size = self.bundle.embedder.embedding_size
        return np.zeros((0, size), np.float32), np.zeros(0, np.int64)


def _corrects(person: Person, sha256: str, head: Head) -> bool:
    """Whether a correction is of a bundle's head: of its file, or of the same weights, as where the
    bundle was written again with another threshold after somebody else was forgotten."""
    if person.replaces == sha256:
        return True
    pairs = zip(person.head.layers, head.layers, strict=False)
    return (
        (person.name, person.head.kind) == (head.name, head.kind)
        and len(person.head.layers) == len(head.layers)
        and all(np.array_equal(one.weights, other.weights) for one, other in pairs)
    )
