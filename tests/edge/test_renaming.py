"""Renaming: the new name everywhere, the old one nowhere, thresholds as they were, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from device_factory import answer, bare_home, call
from embedding_factory import World
from faked import ADA, BEN, picture, result
from register_factory import a_cohort, album_of, bytes_below, head_of, open_bundle, write_bundle
from visit_factory import visit_of

from edge.bundle.locate import data_folder
from edge.heads.decision import Decision
from edge.people.event_pictures import events_folder, kept_faces
from edge.people.registry import Registry
from edge.people.store import only_writer, people_folder
from edge.sinks.base import Judged
from edge.sinks.event_pictures import EventPictures
from edge.tracking.presence import Event
from edge.visits.store import VisitStore

WORLD = World(5)
COHORT = a_cohort(WORLD, people=160)
ANA, BEN_HIMSELF = WORLD.person(), WORLD.person()
BENS_HEAD = head_of("Ben", WORLD.pictures(BEN_HIMSELF, 16), COHORT)
OLD, NEW = "Benedikta", "Zoë"


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle that knows Ben; Benedikta is enrolled on this device, has visits and an event."""
    bare_home(tmp_path / "home", monkeypatch)
    path = write_bundle(tmp_path / "family.edge", COHORT, (BENS_HEAD,))
    register = Registry(open_bundle(path))
    looks = WORLD.pictures(ANA, 16)
    register.enrol(OLD, album_of(looks), camera="one", one_sitting=True)
    store = VisitStore()
    own = store.add(visit_of(WORLD.pictures(ANA, 12), register.heads))
    assert own.person == OLD
    store.add(replace(visit_of(WORLD.pictures(BEN_HIMSELF, 12), register.heads), denied=(OLD,)))
    seen = result(ADA, BEN)
    faces = (replace(seen.faces[0], decision=Decision("match", OLD, 0.9, 0.6)), seen.faces[1])
    events = (Event("arrived", OLD, 0.0, "camera"), Event("arrived", "Zoë B.", 0.0, "camera"))
    with EventPictures(events_folder(), 5) as sink:
        sink.write(Judged(picture(ADA), replace(seen, faces=faces), events))
    return path


def test_the_new_name_is_everywhere_and_the_old_one_comes_back(bundle: Path) -> None:
    before = {head.name: head.threshold for head in Registry(open_bundle(bundle)).heads}
    kept = bytes_below(data_folder())
    assert kept.count(OLD.encode()) + kept.count(OLD.lower().encode()) > 4
    done = answer("rename", OLD, NEW, "--bundle", bundle)
    assert (done["visits"], done["pictures"]) == (2, 3)
    after = {head.name: head.threshold for head in Registry(open_bundle(bundle)).heads}
    assert after == {"Ben": before["Ben"], NEW: before[OLD]}
    word = (VisitStore().folder / "last-word.json").read_bytes()
    assert OLD.encode() in word, "so that it can be taken back"
    left = bytes_below(data_folder()).replace(word, b"")
    assert OLD.encode() not in left
    assert OLD.lower().encode() not in left
    first, second = VisitStore().visits()
    assert (first.person, second.denied) == (NEW, (NEW,))
    assert len(kept_faces(events_folder(), NEW)) == 1
    assert len(kept_faces(events_folder(), "Zoë B.")) == 1
    assert answer("rename", "--undo", "--bundle", bundle)["new"] == OLD
    back = {head.name: head.threshold for head in Registry(open_bundle(bundle)).heads}
    assert back == before
    assert VisitStore().visits()[0].person == OLD
    assert len(kept_faces(events_folder(), OLD)) == 1
    again = call("rename", "--undo", "--bundle", bundle)
    assert (again.exit_code, "no renaming to undo" in again.stderr) == (1, True)


def test_not_me_undo_takes_a_renaming_back_too_unless_somebody_else_has_changed(
    bundle: Path,
) -> None:
    answer("rename", OLD, NEW, "--bundle", bundle)
    assert answer("not-me", "--undo", "--bundle", bundle)["people"] == [OLD]
    answer("rename", OLD, NEW, "--bundle", bundle)
    register = Registry(open_bundle(bundle))
    eva = album_of(WORLD.pictures(WORLD.person(), 16))
    register.enrol("Eva", eva, camera="one", one_sitting=True)
    done = call("rename", "--undo", "--bundle", bundle)
    assert (done.exit_code, "have changed since" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((OLD, "Ben"), 1, "Ben is known already"),
        ((OLD, OLD), 1, f"{OLD} is known already"),
        (("Nobody", NEW), 1, "nobody called Nobody"),
        (("Ben", NEW), 1, "names of a bundle are not changed here"),
        ((OLD, "a/b"), 2, ""),
        ((OLD,), 2, "give the OLD and the NEW name"),
        ((OLD, NEW, "--undo"), 2, "--undo takes the last renaming back"),
    ],
)
def test_what_cannot_be_changes_nothing(
    bundle: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    with only_writer(people_folder()):
        before = bytes_below(data_folder())
    done = call("rename", *words, "--bundle", bundle)
    assert (done.exit_code, said in done.stderr) == (code, True), done.output
    assert bytes_below(data_folder()) == before
