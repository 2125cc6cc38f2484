"""Renaming: somebody enrolled here under another name, wherever this device keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.errors import PeopleError, RefusedError
from edge.files.atomic import make_folder
from edge.people.event_pictures import events_folder, rename_pictures
from edge.people.registry import DEVICE, Registry
from edge.people.store import state_sha256
from edge.person_name import checked_person_name
from edge.visits.store import VisitStore

WORD = "renamed"
"""Key of the owner's last word under which old and new name stand."""


@dataclass(frozen=True)
class Renamed:
    """What was done. old, new: names. visits: kept visits that say the name. pictures: files of
    event pictures."""

    old: str
    new: str
    visits: int
    pictures: int

    def to_json(self) -> dict[str, Any]:
        return {"schema": 1, **vars(self)}

    def text(self) -> str:
        """A few lines for people."""
        return (
            f"{self.old} is called {self.new} now; renamed in {self.visits} visits and "
            f"{self.pictures} event pictures (what is drawn into these stays)\n"
            "an edge-recognize that runs takes it over at SIGHUP; rename --undo takes it back"
        )


def rename(
    register: Registry, store: VisitStore, old: str, new: str, events: Path | None = None
) -> Renamed:
    """Call somebody enrolled here otherwise. The caller is the only writer, see
    `edge.people.store.only_writer`. events: folder of event pictures.

    Who is known changes last, so that a renaming that was cut off can be done again. Heads and
    thresholds stay as they are. Raises `InputError` for a name that is none or nobody's,
    `RefusedError` for one that is taken, and for somebody whom a bundle brings.
    """
    checked_person_name(new)
    known = register.find(old)
    if known.origin != DEVICE:
        raise RefusedError(
            f"{old} comes with {register.bundle.path}, and names of a bundle are not changed here",
            hint="enroll under the new name on the workstation and flash again",
        )
    register.check_name(new, add=False)
    events = events or events_folder()
    done = _renamed(register, store, old, new, events)
    make_folder(store.folder, private=True)
    state = state_sha256(register.folder)
    store.remember_word({WORD: [old, new], "events": str(events), "people": True, "state": state})
    return done


def take_back_rename(register: Registry, store: VisitStore) -> Renamed | None:
    """Take the last word back, where that was a renaming; None where it was another or there is
    none. The caller is the only writer. Raises `PeopleError` where who is known has changed since.
    """
    word = store.last_word()
    if word is None or WORD not in word:
        return None
    if word["state"] != state_sha256(register.folder):
        raise PeopleError("the people known here have changed since, so it cannot be undone")
    old, new = word[WORD]
    done = _renamed(register, store, new, old, Path(word["events"]))
    store.forget_word()
    return done


def _renamed(register: Registry, store: VisitStore, old: str, new: str, events: Path) -> Renamed:
    pictures = rename_pictures(events, old, new)
    visits = [visit for visit in store.visits() if visit.names(old) or old in visit.denied]
    for visit in visits:
        named = new if visit.named == old else visit.named
        person = new if visit.person == old else visit.person
        denied = tuple(new if name == old else name for name in visit.denied)
        store.write(replace(visit, named=named, person=person, denied=denied))
    register.keep(register.renamed(old, new), can_undo=False)
    return Renamed(old, new, len(visits), pictures)
