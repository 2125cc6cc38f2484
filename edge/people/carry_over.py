"""Carrying over: the people of this device onto a bundle with another base, before it is used.

Who was enrolled with pictures kept is enrolled again from these on the new base. What comes of it
is kept beside what there was (`edge.people.store.stage_people`), and counts from the moment on in
which the new bundle is the current one; going back finds everybody as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle.reader import Bundle
from edge.enrolment.augment import PER_PICTURE, variations
from edge.enrolment.samples import embeddings_of
from edge.errors import PeopleError
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
    """names: who was enrolled again. dropped: who would no longer be known. not_me: pictures of
    others that have to be given again."""

    names: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    not_me: int = 0

    def text(self) -> str:
        """For people, "" where nothing was to be done."""
        parts = [f"enrolled again on its base: {', '.join(self.names)}"] if self.names else []
        parts += [f"no longer known with it: {', '.join(self.dropped)}"] if self.dropped else []
        parts += [f"{self.not_me} not-me pictures are to be given again"] if self.not_me else []
        return "; ".join(parts)


def carry_over(
    bundle: Path,
    vault: Encryption,
    *,
    drop: bool = False,
    dry_run: bool = False,
    folder: Path | None = None,
) -> CarriedOver:
    """Prepare the people enrolled here for a bundle, which may have another base.

    dry_run: only say whether that can be.
    drop: who cannot be carried over is not known under the new bundle. Raises `PeopleError` with
    the names where that is not allowed, and as `load_people` and enrolment do; nothing has changed
    then.
    """
    folder = folder or people_folder()
    with Bundle.open(bundle) as new:
        if not waits_for(folder, new.embedder.sha256):
            return CarriedOver()
        with only_writer(folder):
            known = load_people(folder, vault)
            own = [person for person in known.persons if not person.replaces]
            lost = [person.name for person in own if not _has_pictures(person)]
            if lost and not drop:
                raise PeopleError(
                    f"{', '.join(lost)} of this device would not be recognized any more: they were "
                    f"enrolled on the base {known.embedder_sha256[:12]}, and {bundle} has "
                    f"{new.embedder.sha256[:12]}",
                    hint="push a bundle with that base, enroll them again with --keep crops, or "
                    "let them go with --drop-people",
                )
            kept = [person for person in own if _has_pictures(person)]
            if dry_run:
                return _carried(kept, lost)
            register = Registry(new, vault, folder, people=People())
            embedder = Embedder(new.embedder, new.embedder_data)
            people = register.fitted([(each, _album(embedder, each)) for each in kept])
            people = People(
                people.persons, new.embedder.sha256, people.thresholds, people.calibrated_for
            )
            stage_people(folder, people, vault)
    return _carried(kept, lost)


def _carried(kept: list[Person], lost: list[str]) -> CarriedOver:
    not_me = sum(person.mistaken for person in kept)
    return CarriedOver(tuple(person.name for person in kept), tuple(lost), not_me)


def _has_pictures(person: Person) -> bool:
    return person.album is not None and person.album.pictures is not None


def _album(embedder: Embedder, person: Person) -> Album:
    """Somebody's album once more, as another network sees the pictures that were kept."""
    assert person.album is not None and person.album.pictures is not None
    expects = embedder.network.input
    crops, varied = [], []
    for number, kept in enumerate(person.album.pictures):
        image, face = kept.image_bgr(), kept.face()
        crops.append(embedder.crop(image, face))
        varied.append(variations(image, face, expects, count=PER_PICTURE, seed=number))
    return Album(
        embeddings=embeddings_of(embedder, np.stack(crops)),
        groups=person.album.groups,
        varied=embeddings_of(embedder, np.concatenate(varied)),
        varied_of=np.repeat(np.arange(len(varied)), [len(each) for each in varied]),
        pictures=person.album.pictures,
    )
