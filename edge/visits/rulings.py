"""Rulings: the owner's words about visits: what they would change, applied, and undone.

"This is ana" adds the visit's looks to somebody enrolled here, "not ana" makes them hard negatives,
"somebody new" enrols. Nothing is written before the owner has seen what would be decided otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge.enrolment.samples import SHORTEST_GAP_S
from edge.enrolment.session import FEWEST_GOOD_LOOKS
from edge.errors import InputError, PeopleError, RefusedError
from edge.heads.enrol import Album
from edge.heads.head import Head
from edge.heads.threshold import ONE
from edge.people.corrections import run_undo
from edge.people.encryption import Encryption
from edge.people.registry import DEVICE, Known, Registry, open_register
from edge.people.store import (
    People,
    load_people,
    only_writer,
    people_folder,
    state_sha256,
    undo_people,
)
from edge.person_name import checked_person_name
from edge.visits.camera_book import book_path, changing_book, is_stranger, read_book
from edge.visits.renaming import WORD, take_back_rename
from edge.visits.replay import Foresight, foresee
from edge.visits.store import VisitStore
from edge.visits.visit import Visit

FORESEEN = 120
"""So many of the last visits are decided again to show what a ruling changes."""

MOST_NOT_ME = 8
"""Looks of a visit that become hard negatives: those most alike to the person."""

IS, IS_NOT, NEW = "is", "is-not", "new"
Says = Literal["is", "is-not", "new"]


@dataclass(frozen=True)
class Ruling:
    """visits: their numbers. says: that they are `name`, are not, or are somebody new to be called
    so."""

    visits: tuple[int, ...]
    says: Says
    name: str


@dataclass(frozen=True, eq=False)
class Proposal:
    """A ruling before it is done.

    visits: as they are to be written. people: who is known then, None where that stays. foresight:
    what would be decided otherwise. notes: for the owner. state_sha256: of who was known when it
    was made.
    """

    ruling: Ruling
    visits: tuple[Visit, ...]
    people: People | None
    foresight: Foresight
    notes: tuple[str, ...]
    state_sha256: str

    def text(self) -> str:
        """A few lines for people."""
        return "\n".join([self.foresight.text(), *self.notes])

    def to_json(self) -> dict[str, Any]:
        return {
            "visits": [visit.number for visit in self.visits],
            "says": self.ruling.says,
            "name": self.ruling.name,
            **self.foresight.to_json(),
            "notes": list(self.notes),
        }


def propose(register: Registry, store: VisitStore, ruling: Ruling) -> Proposal:
    """What a ruling would do; nothing is written.

    Raises `InputError` where a visit or a person is not there, `RefusedError` where the ruling
    would lose somebody, or too little is kept of the visits.
    """
    if not ruling.visits:
        raise InputError("no visit is named", hint="edge-recognize visits lists them")
    visits = tuple(store.find(number) for number in dict.fromkeys(ruling.visits))
    notes: list[str] = []
    state = state_sha256(register.folder)
    if ruling.says == IS_NOT:
        people = _denied(register, visits, ruling.name, notes)
        written = tuple(_with_denial(visit, ruling.name) for visit in visits)
    elif ruling.says == NEW:
        people = _enrolled(register, visits, checked_person_name(ruling.name))
        written = tuple(_with_name(visit, ruling.name) for visit in visits)
    else:
        people = _named(register, visits, register.find(ruling.name), notes)
        written = tuple(_with_name(visit, ruling.name) for visit in visits)
    if people is register.people:
        people = None
        notes.append("all of its looks are known already")
    known = register.heads
    then = known if people is None else register.supposing(people).heads
    book = read_book()
    foresight = foresee(store.visits(FORESEEN), book.applied(known), book.applied(then))
    return Proposal(ruling, written, people, foresight, tuple(notes), state)


def apply(register: Registry, store: VisitStore, proposal: Proposal) -> None:
    """Do what was proposed. The caller is the only writer, see `edge.people.store.only_writer`.

    Raises `RefusedError` where somebody has changed who is known since.
    """
    if state_sha256(register.folder) != proposal.state_sha256:
        raise RefusedError(
            "the people known here have changed since this was proposed",
            hint="look again what it changes",
        )
    before = [store.find(visit.number) for visit in proposal.visits]
    _recount(register.heads, before, proposal.visits)
    if proposal.people is not None:
        register.keep(proposal.people)
    for visit in proposal.visits:
        store.write(visit)
    store.remember_word(
        {
            "visits": [[visit.number, visit.named, list(visit.denied)] for visit in before],
            "people": proposal.people is not None,
            "state": state_sha256(register.folder),
        }
    )


def take_back(
    store: VisitStore,
    vault: Encryption,
    folder: Path | None = None,
    heads: Sequence[Head] = (),
) -> tuple[int, ...]:
    """Take the last ruling back; the numbers of its visits. The caller is the only writer.

    heads: of which visits are counted again, see `edge.visits.camera_book`.

    Raises `PeopleError` where there is none, or something else has changed who is known since.
    """
    folder = folder or people_folder()
    word = store.last_word()
    if word is None or WORD in word:
        raise PeopleError("there is nothing to undo: only the last ruling can be undone, once")
    if word["people"]:
        if word["state"] != state_sha256(folder):
            raise PeopleError("the people known here have changed since, so it cannot be undone")
        undo_people(folder, vault)
    kept = {visit.number: visit for visit in store.visits()}
    words = [word for word in word["visits"] if word[0] in kept]
    then = [replace(kept[n], named=named, denied=tuple(denied)) for n, named, denied in words]
    for visit in then:
        store.write(visit)
    _recount(heads, [kept[visit.number] for visit in then], then)
    store.forget_word()
    return tuple(visit.number for visit in then)


def take_back_last(key_file: Path | None, bundle: Path | None = None) -> tuple[str, ...]:
    """Take back the last ruling or renaming, where that was what changed who is known last, else
    the last `not-me`; who is enrolled or corrected here then. Raises `PeopleError`."""
    vault = Encryption.open(key_file)
    store = VisitStore(vault=vault)
    word = store.last_word()
    if word is None or (word["people"] and word["state"] != state_sha256(people_folder())):
        return run_undo(key_file)
    if WORD in word:
        with only_writer(people_folder()), open_register(bundle, key_file) as register:
            take_back_rename(register, store)
            return tuple(person.name for person in register.people.persons)
    with only_writer(people_folder()):
        take_back(store, vault)
        return tuple(person.name for person in load_people(people_folder(), vault).persons)


def _recount(heads: Sequence[Head], before: Sequence[Visit], then: Sequence[Visit]) -> None:
    """Let visits that were counted as strangers' count by the owner's word, in the camera book."""
    if not book_path().exists():
        return
    with changing_book() as held:
        for visit in before:
            held[0] = held[0].counted(visit, heads, -1)
        for visit in then:
            strangers = [head for head in heads if is_stranger(visit, head.name)]
            held[0] = held[0].counted(visit, strangers)


def _named(
    register: Registry, visits: Sequence[Visit], known: Known, notes: list[str]
) -> People | None:
    """With the looks of these visits added to somebody, where they were not taken for them; those
    taken for somebody else become hard negatives of that one."""
    name = known.head.name
    missed = [visit for visit in visits if visit.person != name]
    people: People | None = None
    for other in dict.fromkeys(v.person for v in missed if v.person is not None):
        wrong = [visit for visit in missed if visit.person == other]
        if any(one.name == other for one in register.heads):
            now = register if people is None else register.supposing(people)
            people = _denied(now, wrong, other, notes) or people
    if not missed:
        return people
    if known.origin != DEVICE:
        notes.append(f"{name} was not enrolled on this device, so no looks are added")
        return people
    now = register if people is None else register.supposing(people)
    album = _album(missed)
    return now.with_looks(name, album, camera=ONE, one_sitting=True, add=True)


def _denied(
    register: Registry, visits: Sequence[Visit], name: str, notes: list[str]
) -> People | None:
    """With the looks of these visits as hard negatives of somebody, where one was accepted."""
    head = register.find(name).head
    wrong = [visit for visit in visits if visit.person == name or _accepts(head, visit)]
    if not wrong:
        notes.append(f"none of it was taken for {name}: it is written down, and heads stay")
        return None
    _refuse_without_embeddings(wrong)
    parts = []
    for visit in wrong:
        scores = head.score(visit.looks.embeddings)
        parts.append(visit.looks.embeddings[np.argsort(-scores)[:MOST_NOT_ME]])
    vectors = np.concatenate(parts)
    people, done = register.corrected(name, vectors, np.arange(len(vectors)))
    notes.append(
        f"own looks of {name} rejected: {done.rejected_before} before, {done.rejected_after} then, "
        f"of {done.groups}"
    )
    return people


def _enrolled(register: Registry, visits: Sequence[Visit], name: str) -> People:
    register.check_name(name, add=False)
    album = _album(visits)
    looks = len(np.unique(album.groups))
    if looks < FEWEST_GOOD_LOOKS:
        raise RefusedError(
            f"{looks} looks are too few to enroll {name}, it takes at least {FEWEST_GOOD_LOOKS}",
            hint="name several visits of the same person at once, or enroll before the camera",
        )
    return register.with_looks(name, album, camera=ONE, one_sitting=len(visits) == 1)


def _album(visits: Sequence[Visit]) -> Album:
    """The looks of visits; those closer than `SHORTEST_GAP_S` are not independent."""
    _refuse_without_embeddings(visits)
    groups: list[int] = []
    number = -1
    for visit in visits:
        begun_s: float | None = None
        for time_s in visit.looks.time_s:
            if begun_s is None or time_s - begun_s >= SHORTEST_GAP_S:
                number, begun_s = number + 1, float(time_s)
            groups.append(number)
    return Album(np.concatenate([v.looks.embeddings for v in visits]), np.array(groups))


def _accepts(head: Head, visit: Visit) -> bool:
    return visit.looks.has_embeddings and bool(head.accepts(visit.looks.embeddings).any())


def _refuse_without_embeddings(visits: Sequence[Visit]) -> None:
    bare = [str(visit.number) for visit in visits if not visit.looks.has_embeddings]
    if bare:
        raise RefusedError(
            f"no faces were kept of visit {', '.join(bare)}, so nothing can be learned from it",
            hint="run edge-recognize with --visit-faces",
        )


def _with_name(visit: Visit, name: str) -> Visit:
    return replace(visit, named=name, denied=tuple(d for d in visit.denied if d != name))


def _with_denial(visit: Visit, name: str) -> Visit:
    named = None if visit.named == name else visit.named
    return replace(visit, named=named, denied=tuple(dict.fromkeys((*visit.denied, name))))
