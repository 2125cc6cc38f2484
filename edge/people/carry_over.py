"""Carrying over: the people of this device onto a bundle with another base, before it is used.

Who was enrolled with pictures kept is enrolled again from these on the new base. For the others a
map between the two bases stands in, where it is good enough (`edge.heads.base_map`). What comes of
it is kept beside what there was (`edge.people.store.stage_people`), and counts from the moment on
in which the new bundle is the current one; going back finds everybody as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.bundle.locate import Located
from edge.bundle.reader import Bundle
from edge.enrolment.augment import PER_PICTURE, variations
from edge.enrolment.samples import embeddings_of
from edge.errors import PeopleError, RefusedError, ToolkitError
from edge.faces.keepsake import Keepsake
from edge.heads.base_map import LEAST_LIKENESS, BaseMap, fit_map
from edge.heads.cohort import Cohort
from edge.heads.enrol import Album
from edge.models.embedder import Embedder
from edge.people.encryption import Encryption
from edge.people.registry import Registry
from edge.people.store import (
    People,
    Person,
    load_people,
    only_writer,
    people_folder,
    stage_people,
    waits_for,
)


@dataclass(frozen=True)
class CarriedOver:
    """names: who was enrolled again. mapped: whose embeddings were mapped. dropped: who would no
    longer be known. not_me: pictures of others that have to be given again. likeness: of the map,
    None without one.
    """

    names: tuple[str, ...] = ()
    mapped: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    not_me: int = 0
    likeness: float | None = None

    def text(self) -> str:
        """For people, "" where nothing was to be done."""
        parts = [f"enrolled again on its base: {', '.join(self.names)}"] if self.names else []
        if self.mapped:
            parts.append(
                f"mapped to its base (likeness {self.likeness:.2f}; enroll them again when you "
                f"can): {', '.join(self.mapped)}"
            )
        parts += [f"no longer known with it: {', '.join(self.dropped)}"] if self.dropped else []
        parts += [f"{self.not_me} not-me pictures are to be given again"] if self.not_me else []
        return "; ".join(parts)


def carry_over(
    bundle: Path | None,
    vault: Encryption,
    *,
    current: Path | None = None,
    drop: bool = False,
    map_people: bool = False,
    dry_run: bool = False,
    folder: Path | None = None,
) -> CarriedOver:
    """Prepare the people enrolled here for a bundle, which may have another base.

    bundle: None for the shipped base. current: the bundle in use, None for the shipped base, too;
    a new version of this software may ship another one than the people were enrolled on.
    dry_run: only say whether that can be. drop: who cannot be carried over is not known under the
    new bundle. map_people: take also a map that is not good. Raises `PeopleError` with the names
    where somebody would be lost, and as `load_people` and enrolment do; nothing has changed then.
    """
    folder = folder or people_folder()
    with Located(bundle, "").open() as new:
        if not waits_for(folder, new.embedder.sha256):
            return CarriedOver()
        with only_writer(folder):
            before = _strangers_of(current)
            known = load_people(folder, vault, "" if before is None else before.embedder_sha256)
            own = [person for person in known.persons if not person.replaces]
            kept = [person for person in own if _has_pictures(person)]
            bare = [person for person in own if not _has_pictures(person)]
            try:
                map_ = _map_between(before, new, bare, any_map=map_people)
            except PeopleError:
                if not drop:
                    raise
                map_ = None
            done = _carried(kept, bare, map_)
            if dry_run:
                return done
            register = Registry(new, vault, folder, people=People())
            embedder = Embedder(new.embedder, new.embedder_data)
            again = [(_without_not_me(each), _seen_again(embedder, each)) for each in kept]
            if map_ is not None:
                again += [_mapped(each, map_) for each in bare]
            people = register.fitted(again)
            people = People(
                people.persons, new.embedder.sha256, people.thresholds, people.calibrated_for
            )
            stage_people(folder, people, vault)
    return done


def _carried(kept: list[Person], bare: list[Person], map_: BaseMap | None) -> CarriedOver:
    named = tuple(person.name for person in bare)
    return CarriedOver(
        names=tuple(person.name for person in kept),
        mapped=() if map_ is None else named,
        dropped=named if map_ is None else (),
        not_me=sum(person.mistaken for person in kept),
        likeness=None if map_ is None else map_.likeness,
    )


def _strangers_of(current: Path | None) -> Cohort | None:
    """The cohort of the bundle in use; None where it has none, or cannot be read any more."""
    try:
        with Located(current, "").open() as old:
            return old.cohort()
    except ToolkitError:
        return None


def _map_between(
    before: Cohort | None, new: Bundle, bare: list[Person], *, any_map: bool
) -> BaseMap | None:
    """The map for people without pictures, None where there are none of them. Raises `PeopleError`
    where there is no map that may be used."""
    if not bare:
        return None
    names = ", ".join(person.name for person in bare)
    sha256 = bare[0].head.embedder_sha256
    why, insist = "no map leads from there", ""
    after = new.cohort()
    if before is not None and after is not None and before.embedder_sha256 == sha256:
        map_: BaseMap | None = None
        try:
            map_ = fit_map(before, after)
        except RefusedError as problem:
            why = problem.message
        if map_ is not None and (map_.is_good or any_map):
            return map_
        if map_ is not None:
            insist = ", take the map with --map-people"
            why = (
                f"a map between the two would be too poor (likeness {map_.likeness:.2f}, "
                f"{LEAST_LIKENESS} is needed)"
            )
    raise PeopleError(
        f"{names} of this device would not be recognized any more: they were enrolled on the base "
        f"{sha256[:12]}, {new.path} has {new.embedder.sha256[:12]}, and {why}",
        hint="push a bundle with that base, enroll them again with --keep crops"
        f"{insist}, or let them go with --drop-people",
    )


def _without_not_me(person: Person) -> Person:
    """Of hard negatives no pictures are kept."""
    nothing = np.zeros((0, person.not_me.shape[1]), np.float32)
    return replace(person, not_me=nothing, not_me_of=np.zeros(0, np.int64))


def _mapped(person: Person, map_: BaseMap) -> tuple[Person, Album]:
    """Somebody's album and hard negatives on the new base, as far as a map tells."""
    album = person.album
    assert album is not None
    varied = None if album.varied is None else map_.mapped(album.varied)
    mapped = replace(album, embeddings=map_.mapped(album.embeddings), varied=varied)
    return replace(person, not_me=map_.mapped(person.not_me)), mapped


def _has_pictures(person: Person) -> bool:
    return person.album is not None and person.album.pictures is not None


def _seen_again(embedder: Embedder, person: Person) -> Album:
    assert person.album is not None and person.album.pictures is not None
    return album_of(embedder, person.album.pictures, person.album.groups)


def album_of(embedder: Embedder, pictures: Sequence[Keepsake], groups: np.ndarray) -> Album:
    """An album once more, as another network sees the pictures that were kept."""
    expects = embedder.network.input
    crops, varied = [], []
    for number, kept in enumerate(pictures):
        image, face = kept.image_bgr(), kept.face()
        crops.append(embedder.crop(image, face))
        varied.append(variations(image, face, expects, count=PER_PICTURE, seed=number))
    return Album(
        embeddings=embeddings_of(embedder, np.stack(crops)),
        groups=groups,
        varied=embeddings_of(embedder, np.concatenate(varied)),
        varied_of=np.repeat(np.arange(len(varied)), [len(each) for each in varied]),
        pictures=tuple(pictures),
    )
