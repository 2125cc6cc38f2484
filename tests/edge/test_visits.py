"""Visits: gathered, kept, decided again, and what the owner's word changes and takes back."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedding_factory import World, unit
from register_factory import a_cohort, a_vault, album_of, head_of, open_bundle, write_bundle
from visit_factory import PICTURE, results_of, visit_of

from edge.errors import InputError, PeopleError, RefusedError
from edge.heads.head import Head
from edge.heads.threshold import ONE
from edge.people.encryption import Encryption
from edge.people.registry import Registry
from edge.recognition.result import FrameResult
from edge.visits.gather import Gatherer
from edge.visits.replay import decided, foresee, says
from edge.visits.rulings import Ruling, apply, propose, take_back
from edge.visits.store import VisitStore
from edge.visits.visit import Visit, level_of

WORLD = World(5)
COHORT = a_cohort(WORLD, people=160)
ANA, BEN, EVA = (WORLD.person() for _ in range(3))
ANAS, BENS = (WORLD.pictures(person, 16) for person in (ANA, BEN))
BENS_HEAD = head_of("Ben", BENS, COHORT)
LIVE: dict[str, Any] = {"camera": ONE, "one_sitting": True}


def lookalike(of: np.ndarray, share: float = 0.85) -> np.ndarray:
    """Somebody so much like a person that their head accepts them."""
    other = unit(WORLD.rng.standard_normal(64) * WORLD.scale)
    return unit(share * of + np.sqrt(1 - share**2) * other).astype(np.float64)


@pytest.fixture
def register(tmp_path: Path) -> Registry:
    """Ben of the bundle and Ana of the device."""
    bundle = open_bundle(write_bundle(tmp_path / "family.edge", COHORT, (BENS_HEAD,)))
    found = Registry(bundle, folder=tmp_path / "device" / "people")
    found.enrol("Ana", album_of(ANAS), **LIVE)
    return found


@pytest.fixture
def store(tmp_path: Path) -> VisitStore:
    return VisitStore(tmp_path / "device" / "visits")


def again(register: Registry) -> Registry:
    """As another process reads it from the disk."""
    return Registry(register.bundle, register.vault, register.folder)


def test_a_level_is_the_threshold_that_the_votes_reach() -> None:
    assert level_of([1.0, 5.0, 4.0, 3.0, 0.0, 2.0], 3, 5) == 3.0
    assert level_of([9.0, 9.0], 3, 5) == -np.inf


def test_one_track_is_one_visit_with_its_face_looks_and_levels(register: Registry) -> None:
    heads = register.heads
    visit = visit_of(WORLD.pictures(ANA, 30), heads)
    assert (visit.state, visit.person, visit.who) == ("match", "Ana", "Ana")
    assert visit.lasted_s == pytest.approx(29 * 0.4)
    assert visit.looks.count == 8 + 4, "the first ones, and those until shortly after the match"
    assert visit.face_jpeg.startswith(b"\xff\xd8")
    ana = next(head for head in heads if head.name == "Ana")
    assert visit.levels[ana.key] >= ana.threshold > visit.levels[BENS_HEAD.key]
    bare = visit_of(WORLD.pictures(ANA, 30), heads, faces=False)
    assert not bare.looks.has_embeddings and not bare.face_jpeg


def test_who_turns_away_and_comes_back_goes_on_with_the_visit(register: Registry) -> None:
    gatherer = Gatherer(BENS_HEAD.embedder_sha256, faces=True)
    quiet = World(6, noise=0.3)
    stranger, other = quiet.person(), quiet.person()
    ended: list[Visit] = []
    for who, track, from_s in ((stranger, 1, 0.0), (stranger, 2, 9.0), (other, 3, 18.0)):
        looks = quiet.pictures(who, 8)
        for result in results_of(looks, register.heads, track=track, from_s=from_s):
            ended += gatherer.add(result, PICTURE)
    ended += gatherer.close()
    assert [round(visit.lasted_s, 1) for visit in ended] == [11.8, 2.8]
    assert gatherer.unjudged == 0


def test_a_visit_is_over_when_nobody_was_there_for_long(register: Registry) -> None:
    gatherer = Gatherer()
    for result in results_of(WORLD.pictures(ANA, 5), register.heads):
        gatherer.add(result, None)
    assert not gatherer.add(FrameResult("camera 0", 9, 8.0), None)
    assert not gatherer.add(FrameResult("another camera", 9, 99.0), None)
    assert len(gatherer.add(FrameResult("camera 0", 10, 16.0), None)) == 1


def test_who_is_to_be_forgotten_makes_no_visit(register: Registry) -> None:
    gatherer = Gatherer()
    for result in results_of(WORLD.pictures(ANA, 8), register.heads):
        gatherer.add(result, None)
    gatherer.keep(["Ben"])
    assert not gatherer.close()


@pytest.mark.parametrize("vault", [Encryption(), a_vault()], ids=["open", "encrypted"])
def test_visits_are_kept_privately_and_the_oldest_go(
    tmp_path: Path, register: Registry, vault: Encryption
) -> None:
    folder = tmp_path / "visits"
    store = VisitStore(folder, vault, keep=3)
    for _ in range(5):
        store.add(visit_of(WORLD.pictures(ANA, 8), register.heads))
    assert [visit.number for visit in store.visits()] == [3, 4, 5]
    assert [visit.number for visit in VisitStore(folder, vault).visits(2)] == [4, 5]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (b"Ana" in path.read_bytes()) is not vault.is_locked
    other = VisitStore(folder, a_vault(2))
    other.visits()
    assert other.unreadable == (3 if vault.is_locked else 0)
    with pytest.raises(InputError, match="no visit 1"):
        store.find(1)


def test_a_damaged_visit_is_counted_and_hides_no_other(
    register: Registry, store: VisitStore
) -> None:
    for _ in range(2):
        store.add(visit_of(WORLD.pictures(ANA, 8), register.heads))
    (store.folder / "00000001.visit").write_bytes(b"x" * 99)
    assert ([visit.number for visit in store.visits()], store.unreadable) == ([2], 1)


def test_a_visit_decided_again_is_decided_as_live(register: Registry) -> None:
    for person in (ANA, BEN, EVA, lookalike(ANA), lookalike(BEN)):
        for _ in range(6):
            visit = visit_of(WORLD.pictures(person, 12), register.heads)
            found = decided(visit, register.heads)
            assert found is not None
            assert (found.state, found.person) == (visit.state, visit.person)


def test_what_cannot_be_told_is_counted(register: Registry) -> None:
    """Another threshold can be told by the scores; another head needs what was seen."""
    visits = [visit_of(WORLD.pictures(ANA, 8), register.heads, faces=False)]
    before = register.heads
    higher = [replace(head, threshold=head.threshold + 50) for head in before]
    told = foresee(visits, before, higher)
    assert (told.checked, told.untold) == (1, 0)
    assert (told.changed[0].before, told.changed[0].after) == ("Ana", "(unknown)")
    untold = foresee(visits, before, [*before, head_of("Eva", WORLD.pictures(EVA, 16), COHORT)])
    assert (untold.checked, untold.untold) == (0, 1)
    assert "1 more cannot be told" in untold.text()


def stored_false_accept(register: Registry, store: VisitStore) -> Visit:
    """A visit of somebody else that was decided to be Ana's."""
    visits = [visit_of(WORLD.pictures(lookalike(ANA, 0.75), 12), register.heads) for _ in range(60)]
    wrong = [visit for visit in visits if visit.person == "Ana"]
    return store.add(min(wrong, key=lambda visit: visit.score or 0.0))


def test_not_ana_is_shown_first_then_done_then_taken_back(
    register: Registry, store: VisitStore
) -> None:
    own = [store.add(visit_of(WORLD.pictures(ANA, 12), register.heads)) for _ in range(3)]
    wrong = stored_false_accept(register, store)
    before = {head.name: head.to_bytes() for head in register.heads}
    proposal = propose(register, store, Ruling((wrong.number,), "is-not", "Ana"))
    assert (wrong.number, "Ana") in [(c.visit, c.before) for c in proposal.foresight.changed]
    assert {head.name: head.to_bytes() for head in again(register).heads} == before
    assert store.find(wrong.number).denied == ()
    apply(register, store, proposal)
    fresh = again(register)
    new = decided(store.find(wrong.number), fresh.heads)
    assert new is not None and new.person is None
    for visit in own:
        kept = decided(visit, fresh.heads)
        assert kept is not None and kept.person == "Ana"
    assert store.find(wrong.number).denied == ("Ana",)
    assert store.find(wrong.number).who is None
    assert take_back(store, Encryption(), register.folder) == (wrong.number,)
    assert {head.name: head.to_bytes() for head in again(register).heads} == before
    assert store.find(wrong.number).denied == ()
    with pytest.raises(PeopleError, match="nothing to undo"):
        take_back(store, Encryption(), register.folder)


def test_this_is_ana_adds_her_looks_and_denies_who_she_was_taken_for(
    register: Registry, store: VisitStore
) -> None:
    low = [replace(h, threshold=-50.0 if h.name == "Ben" else 99.0) for h in register.heads]
    visit = store.add(visit_of(WORLD.pictures(ANA, 12), low))
    assert visit.person == "Ben"
    looks = again(register).find("Ana").head.facts.pictures
    apply(register, store, propose(register, store, Ruling((visit.number,), "is", "Ana")))
    fresh = again(register)
    assert fresh.find("Ana").head.facts.pictures > looks
    assert fresh.find("Ben").to_json()["not_me"] > 0
    assert (store.find(visit.number).named, store.find(visit.number).who) == ("Ana", "Ana")


def test_somebody_new_is_enrolled_by_visits(register: Registry, store: VisitStore) -> None:
    numbers = []
    for _ in range(2):
        numbers.append(store.add(visit_of(WORLD.pictures(EVA, 10), register.heads)).number)
    short = store.add(visit_of(WORLD.pictures(EVA, 4), register.heads))
    with pytest.raises(RefusedError, match="4 looks are too few to enroll Eva"):
        propose(register, store, Ruling((short.number,), "new", "Eva"))
    proposal = propose(register, store, Ruling(tuple(numbers), "new", "Eva"))
    apply(register, store, proposal)
    eva = again(register).find("Eva").head
    assert eva.accepts(WORLD.pictures(EVA, 100)).mean() > 0.8
    take_back(store, Encryption(), register.folder)
    assert [head.name for head in again(register).heads] == ["Ben", "Ana"]


def test_rulings_that_cannot_be(register: Registry, store: VisitStore) -> None:
    bare = store.add(visit_of(WORLD.pictures(ANA, 12), register.heads, faces=False))
    with pytest.raises(RefusedError, match="no faces were kept of visit 1"):
        propose(register, store, Ruling((bare.number,), "is-not", "Ana"))
    own = store.add(visit_of(WORLD.pictures(ANA, 12), register.heads))
    with pytest.raises(InputError, match="nobody called Eva"):
        propose(register, store, Ruling((own.number,), "is", "Eva"))
    with pytest.raises(RefusedError, match="Ana would be recognized no more"):
        propose(register, store, Ruling((own.number,), "is", "Ben"))
    eva = store.add(visit_of(WORLD.pictures(EVA, 12), register.heads))
    stale = propose(register, store, Ruling((eva.number,), "is", "Ben"))
    assert stale.notes == ("Ben was not enrolled on this device, so no looks are added",)
    register.enrol("Eva", album_of(WORLD.pictures(EVA, 16)), **LIVE)
    with pytest.raises(RefusedError, match="have changed since this was proposed"):
        apply(register, store, stale)


def test_of_who_is_forgotten_no_visit_stays(register: Registry, store: VisitStore) -> None:
    named = store.add(visit_of(WORLD.pictures(ANA, 12), register.heads))
    high = [replace(head, threshold=99.0) for head in register.heads]
    missed = store.add(visit_of(WORLD.pictures(ANA, 12), high))
    other = store.add(replace(visit_of(WORLD.pictures(EVA, 12), register.heads), denied=("Ana",)))
    heads = [head for head in register.heads if head.name == "Ana"]
    assert missed.person is None, "it shows her all the same"
    assert store.forget("Ana", heads) == 2
    assert [visit.number for visit in store.visits()] == [other.number]
    assert store.visits()[0].denied == ()
    assert named.number not in {visit.number for visit in store.visits()}
    assert store.clear() == 1
    assert not store.folder.exists()


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 6])
def test_what_is_foreseen_is_what_happens(tmp_path: Path, seed: int) -> None:
    """Ten generated cases each: visits of many people, a ruling on one, and all decided again."""
    world = World(50 + seed)
    cohort = a_cohort(world, people=120)
    people = [world.person() for _ in range(4)]
    bens = head_of("Ben", world.pictures(people[1], 12), cohort)
    bundle = open_bundle(write_bundle(tmp_path / "x.edge", cohort, (bens,)))
    register = Registry(bundle, folder=tmp_path / "people")
    register.enrol("Ana", album_of(world.pictures(people[0], 12)), **LIVE)
    store = VisitStore(tmp_path / "visits")
    visitors = [*people, *(unit(0.85 * p + 0.5 * world.person()) for p in people)]
    for _ in range(3):
        for person in visitors:
            store.add(visit_of(world.pictures(person, 12), register.heads))
    cases, changed = 0, 0
    for visit in store.visits():
        says_, name = [("is-not", "Ana"), ("is", "Ana"), ("is-not", "Ben")][cases % 3]
        try:
            proposal = propose(register, store, Ruling((visit.number,), says_, name))
        except RefusedError:
            continue
        before = {one.number: _says(one, register.heads) for one in store.visits()}
        apply(register, store, proposal)
        after = {one.number: _says(one, again(register).heads) for one in store.visits()}
        seen = {n: (before[n], after[n]) for n in before if before[n] != after[n]}
        foreseen = {c.visit: (c.before, c.after) for c in proposal.foresight.changed}
        assert foreseen == seen
        take_back(store, Encryption(), register.folder)
        register = again(register)
        cases, changed = cases + 1, changed + len(seen)
        if cases == 10:
            break
    assert cases == 10
    assert changed > 0


def _says(visit: Visit, heads: tuple[Head, ...]) -> str:
    found = decided(visit, heads)
    assert found is not None
    return says(found)
