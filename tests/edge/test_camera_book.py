"""The bound for my camera: counting, what is advised, and that no stranger lowers a threshold."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_factory import bare_home
from embedding_factory import World
from register_factory import a_cohort, album_of, bytes_below, head_of, open_bundle, write_bundle
from visit_factory import visit_of

from edge.cli.visiting import Visiting, VisitOptions
from edge.doctor.checks.strangers import check_strangers
from edge.doctor.report import Patient
from edge.errors import PeopleError
from edge.heads.calibration import highest_scores
from edge.heads.head import Head
from edge.heads.threshold import upper_bound
from edge.people.registry import Registry
from edge.visits.bound import Expected, Histogram, OwnVisits, bound_of, own_reach
from edge.visits.camera_book import (
    CameraBook,
    book_path,
    changing_book,
    forget_heads,
    is_stranger,
    learn_expected,
    read_book,
)
from edge.visits.rulings import Ruling, apply, propose, take_back
from edge.visits.store import VisitStore
from edge.visits.visit import Visit

WORLD = World(5)
COHORT = a_cohort(WORLD, people=160)
ANA = WORLD.person()
HEAD = head_of("Ana", WORLD.pictures(ANA, 16), COHORT)
CAMERA = "camera 0"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bare_home(tmp_path / "home", monkeypatch)


@pytest.fixture
def book() -> CameraBook:
    """One that knows what the cohort's strangers score."""
    learn_expected([HEAD], COHORT)
    return read_book()


def at(level: float, visit: Visit, **changes: Any) -> Visit:
    """A visit of that level."""
    return replace(visit, levels={HEAD.key: level}, **changes)


@pytest.fixture(scope="module")
def stranger() -> Visit:
    """Somebody who settled as unknown."""
    for _ in range(20):
        visit = visit_of(WORLD.pictures(WORLD.person(), 8), [HEAD])
        if visit.state == "unknown":
            return visit
    raise AssertionError("everybody looks like Ana")


def counted(book: CameraBook, visits: list[Visit]) -> CameraBook:
    for visit in visits:
        book = book.counted(visit, [HEAD])
    return book


def test_a_histogram_counts_and_uncounts() -> None:
    found = Histogram().with_level(2.02).with_level(2.02).with_level(-1.0).with_level(1e9)
    assert (found.count, found.reaching(2.0).events, found.reaching(2.1).events) == (4, 3, 1)
    found = found.with_level(1e9, -1).with_level(7.0, -1)
    assert found.count == 3
    assert found.mean == pytest.approx((2 * 2.025 - 0.975) / 3)


def test_what_43_strangers_prove(book: CameraBook, stranger: Visit) -> None:
    book = counted(book, [at(0.5, stranger) for _ in range(43)])
    (bound,) = book.bounds(HEAD)
    assert (bound.accepted.events, bound.accepted.trials) == (0, 43)
    assert bound.accepted.upper == pytest.approx(1 - 0.05 ** (1 / 43))
    assert bound.lines()[0] == (
        "before camera 0: 0 of 43 strangers' visits accepted, below 6.7 % with 95 % confidence"
    )
    accepted = counted(book, [at(HEAD.threshold + 1, stranger)]).bounds(HEAD)[0].accepted
    assert (accepted.events, accepted.upper) == (1, pytest.approx(upper_bound(1, 44)))


def test_who_counts_as_a_stranger(stranger: Visit) -> None:
    assert is_stranger(stranger, "Ana")
    assert not is_stranger(replace(stranger, named="Ana"), "Ana")
    assert is_stranger(replace(stranger, named="Ben"), "Ana")
    taken = replace(stranger, state="match", person="Ana")
    assert not is_stranger(taken, "Ana"), "what the owner has not judged says nothing"
    assert is_stranger(replace(taken, denied=("Ana",)), "Ana")
    assert not is_stranger(replace(stranger, state="uncertain"), "Ana")


def test_the_cameras_effect_is_known_after_ten_visits(book: CameraBook, stranger: Visit) -> None:
    """Strangers before this camera score 1.2 higher than the cohort's; 200 cameras."""
    rng = np.random.default_rng(0)
    highest = highest_scores(HEAD, COHORT)
    expected = book.page(HEAD).expected
    assert expected == Expected(float(highest.mean()), float(highest.std()))
    wrong, errors = [], []
    for _ in range(200):
        levels = rng.choice(highest, 10) + 1.2
        found = Histogram()
        for level in levels:
            found = found.with_level(float(level))
        bound = bound_of(HEAD, CAMERA, found, expected)
        errors.append(bound.effect_error)
        wrong.append(bound.effect - 1.2)
    assert np.mean(errors) < 0.32
    assert np.std(wrong) < 0.35
    assert abs(np.mean(wrong)) < 0.25, "a prior of no effect pulls it towards nought"


def test_near_strangers_raise_a_threshold_and_it_is_said(book: CameraBook, stranger: Visit) -> None:
    rng = np.random.default_rng(1)
    near = HEAD.threshold - 0.4
    visits = [at(near - abs(rng.normal(0, 0.3)), stranger) for _ in range(12)]
    assert counted(book, visits[:7]).bounds(HEAD)[0].advice is None, "too few to say anything"
    book = counted(book, visits)
    (bound,) = book.bounds(HEAD)
    assert bound.advice == "raise"
    assert bound.needed is not None
    assert "raise it by 'edge-recognize adapt Ana'" in bound.lines()[1]
    again, words = book.raised([HEAD])
    raised = again.applied([HEAD])[0].threshold
    assert raised == min(bound.needed, own_reach(HEAD)) > HEAD.threshold
    assert words[0].startswith(f"Ana: threshold raised from {HEAD.threshold:.2f} to")
    assert again.raised([HEAD])[1] == (), "once is enough"


def test_a_thousand_tries_of_an_attacker_lower_nothing(book: CameraBook, stranger: Visit) -> None:
    """Strangers far away would let the threshold be lower; only the owner's word makes it so."""
    book = counted(book, [at(HEAD.threshold - 0.2, stranger) for _ in range(10)])
    book, _ = book.raised([HEAD])
    before = book.applied([HEAD])[0].threshold
    assert before > HEAD.threshold
    rng = np.random.default_rng(3)
    for level in rng.uniform(-5.0, before - 0.1, 1000):
        book, _ = book.counted(at(float(level), stranger), [HEAD]).raised([HEAD])
        assert book.applied([HEAD])[0].threshold >= before
    assert book.applied([HEAD])[0].threshold <= own_reach(HEAD), "nor do they keep Ana out"
    page = replace(book.page(HEAD), strangers={}, raised=None)
    fresh = counted(CameraBook({HEAD.key: page}), [at(-3.0, stranger)] * 1000)
    fresh, words = fresh.raised([HEAD])
    assert (fresh.applied([HEAD])[0].threshold, words) == (HEAD.threshold, ())
    (bound,) = fresh.bounds(HEAD)
    assert bound.needed is None or bound.needed >= (HEAD.facts.stranger_bound or 0.0)


def test_the_owners_word_holds_until_the_head_is_another(book: CameraBook) -> None:
    book = book.with_word(HEAD, 2.0)
    assert book.applied([HEAD])[0].threshold == 2.0
    moved = replace(HEAD, threshold=HEAD.threshold + 0.5)
    assert book.applied([moved])[0].threshold == moved.threshold, "calibrated again since"
    other = head_of("Ana", WORLD.pictures(ANA, 16), COHORT)
    assert book.applied([other])[0].threshold == other.threshold, "fitted again since"
    assert book.with_word(HEAD, None).applied([HEAD])[0].threshold == HEAD.threshold


def test_own_visits_that_score_lower_are_told_and_chance_is_not() -> None:
    rng = np.random.default_rng(2)
    alarms, found_after = 0, []
    for _ in range(100):
        own = OwnVisits()
        for _ in range(200):
            own = own.with_score(float(rng.normal(6.0, 0.7)), "2026-05-02T10:00:00+00:00")
            alarms += own.fall is not None
        for number in range(1, 31):
            own = own.with_score(float(rng.normal(4.6, 0.7)), "2026-11-02T10:00:00+00:00")
            if own.fall is not None:
                found_after.append(number)
                break
    assert alarms <= 0.001 * 100 * 200
    assert len(found_after) >= 98
    assert np.quantile(found_after, 0.9) <= 10
    assert own.since.startswith("2026-05")


def test_the_book_is_private_and_holds_no_name_and_no_face(
    book: CameraBook, stranger: Visit, home: Path
) -> None:
    with changing_book() as held:
        held[0] = counted(held[0], [replace(stranger, face_jpeg=b"\xff\xd8 a face")] * 3)
    data = book_path().read_bytes()
    assert stat.S_IMODE(book_path().stat().st_mode) == 0o600
    assert b"Ana" not in data
    assert b"face" not in data
    assert len(data) < 600
    assert read_book().bounds(HEAD)[0].accepted.trials == 3
    forget_heads([HEAD])
    assert not read_book().pages
    book_path().write_text("{}")
    with pytest.raises(PeopleError, match=r"camera-book\.json is damaged"):
        read_book()


def test_the_owners_word_on_visits_is_counted(tmp_path: Path, home: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "family.edge", COHORT, ()))
    register = Registry(bundle)
    register.enrol("Ana", album_of(WORLD.pictures(ANA, 16)), camera="one", one_sitting=True)
    (ana,) = register.heads
    learn_expected([ana], COHORT)
    store = VisitStore()
    high = [replace(ana, threshold=99.0)]
    missed = store.add(visit_of(WORLD.pictures(ANA, 12), high))
    other = store.add(visit_of(WORLD.pictures(WORLD.person(), 12), high))
    with changing_book() as held:
        for visit in (missed, other):
            held[0] = held[0].counted(visit, [ana])
    assert trials(ana) == 2
    apply(register, store, propose(register, store, Ruling((missed.number,), "is", "Ana")))
    assert trials(ana) == 1, "she was no stranger"
    take_back(store, register.vault, register.folder, [ana])
    assert trials(ana) == 2


def trials(head: Head) -> int:
    return sum(bound.accepted.trials for bound in read_book().bounds(head))


def test_a_running_device_counts_raises_and_asks_for_a_reload(
    book: CameraBook, stranger: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    class Judge:
        heads = (HEAD,)

    told: list[Any] = []
    asked: list[bool] = []
    visiting = Visiting(VisitOptions(adapt="on"), Judge(), lambda: asked.append(True))  # type: ignore[arg-type]
    visiting.tell.append(lambda topic, facts: told.append((topic, facts)))
    for _ in range(12):
        visiting.count(at(HEAD.threshold - 0.2, stranger))
    assert asked
    assert "Ana: threshold raised" in caplog.text
    assert told[-1][0] == "bounds"
    assert told[-1][1]["Ana"][0]["strangers"]["trials"] == 12
    assert read_book().applied([HEAD])[0].threshold > HEAD.threshold
    report = Visiting(VisitOptions(adapt="report"), Judge(), lambda: None)  # type: ignore[arg-type]
    before = read_book().applied([HEAD])[0].threshold
    for _ in range(12):
        report.count(at(before - 0.1, stranger))
    assert read_book().applied([HEAD])[0].threshold == before


def test_the_doctor_says_what_strangers_prove(
    tmp_path: Path, book: CameraBook, stranger: Visit, home: Path
) -> None:
    bundle = write_bundle(tmp_path / "ana.edge", COHORT, (HEAD,))
    assert bytes_below(home)
    with changing_book() as held:
        held[0] = counted(held[0], [at(HEAD.threshold - 0.2, stranger)] * 12)
    (found,) = check_strangers(Patient(bundle=bundle))
    assert (found.state, found.remedy) == ("warning", "edge-recognize adapt Ana --preview")
    assert "0 of 12 strangers' visits accepted" in found.text
