"""Unknown people who come again: kept for a time where asked for, grouped, named at once."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from device_factory import bare_home, call
from embedding_factory import World
from faked import ADA, STRANGER, result
from register_factory import a_cohort, head_of, open_bundle, write_bundle
from visit_factory import PICTURE, results_of, visit_of

from edge.cli.visiting import Visiting, VisitOptions
from edge.people.registry import Registry
from edge.sinks.base import Judged
from edge.sinks.command import MatchCommand
from edge.sinks.visits import VisitKeeper
from edge.tracking.presence import Event
from edge.visits.gather import Gatherer
from edge.visits.groups import grouped, without_faces
from edge.visits.rulings import Ruling, apply, propose
from edge.visits.store import VisitStore
from edge.visits.visit import Visit

WORLD = World(5, noise=0.45)
COHORT = a_cohort(WORLD, people=160)
ANA, EVA, MAX = (WORLD.person() for _ in range(3))
HEAD = head_of("Ana", WORLD.pictures(ANA, 16), COHORT)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bare_home(tmp_path / "home", monkeypatch)


def unknown(person: np.ndarray, number: int) -> Visit:
    return replace(visit_of(WORLD.pictures(person, 8), [HEAD]), number=number)


def test_who_comes_again_is_one_group_and_the_last_one_seen_is_first() -> None:
    visits = [unknown(EVA, 1), unknown(MAX, 2), unknown(EVA, 3), unknown(MAX, 4), unknown(EVA, 5)]
    visits += [replace(unknown(EVA, 6), named="Eva"), without_faces(unknown(EVA, 7))]
    found = [[visit.number for visit in group.visits] for group in grouped(visits)]
    assert found == [[7], [1, 3, 5], [2, 4]]
    assert grouped(visits)[1].to_json()["face"] == 5
    assert grouped([]) == ()


def test_strangers_of_strangers_are_not_joined() -> None:
    visits = [unknown(WORLD.person(), k + 1) for k in range(30)]
    assert len(grouped(visits)) == 30


def test_a_group_is_named_and_enrolled(tmp_path: Path) -> None:
    register = Registry(open_bundle(write_bundle(tmp_path / "a.edge", COHORT, (HEAD,))))
    store = VisitStore()
    for number in (1, 2, 3):
        store.add(unknown(EVA, number))
    (group,) = grouped(store.visits())
    numbers = tuple(visit.number for visit in group.visits)
    apply(register, store, propose(register, store, Ruling(numbers, "new", "Eva")))
    fresh = Registry(register.bundle, folder=register.folder)
    assert fresh.find("Eva").head.accepts(WORLD.pictures(EVA, 100)).mean() > 0.9
    assert grouped(store.visits()) == ()


def test_unknown_visits_go_after_their_time_and_others_stay() -> None:
    store = VisitStore()
    at = (datetime.now(timezone.utc) - timedelta(days=15)).isoformat(timespec="seconds")
    store.add(replace(unknown(EVA, 0), at=at))
    store.add(replace(unknown(EVA, 0), at=at, named="Eva"))
    store.add(unknown(EVA, 0))
    with VisitKeeper(Gatherer(), store, forget_unknown_after_s=14 * 86_400):
        assert [visit.number for visit in store.visits()] == [2, 3]


@pytest.mark.parametrize(
    ("options", "faces"),
    [
        (VisitOptions(remember_unknown_s=9e9), {None: True}),
        (VisitOptions(keep=9, remember_unknown_s=9e9), {None: True, "Ana": False}),
        (VisitOptions(keep=9), {None: False, "Ana": False}),
        (VisitOptions(keep=9, faces=True), {None: True, "Ana": True}),
    ],
)
def test_what_is_kept_is_what_was_asked_for(
    options: VisitOptions, faces: dict[str | None, bool]
) -> None:
    class Source:
        kind, live = "video", False

    class Judge:
        heads = (HEAD,)

        class embedder:
            class network:
                sha256 = HEAD.embedder_sha256

    (sink,) = Visiting(options, Judge(), lambda: None).sinks([Source()])  # type: ignore[arg-type, list-item]
    with sink:
        for track, person in ((1, EVA), (2, ANA)):
            looks = WORLD.pictures(person, 8)
            for found in results_of(looks, [HEAD], track=track, from_s=100.0 * track):
                sink.write(Judged(PICTURE, found))
    kept = VisitStore().visits()
    assert {v.person: bool(v.face_jpeg) for v in kept} == faces
    assert {v.person: v.looks.has_embeddings for v in kept} == faces


def test_commands_for_who_comes_unknown_and_who_leaves(tmp_path: Path) -> None:
    come = Event("arrived", None, 0.0, "camera")
    events = (come, replace(come, person="Ada"), replace(come, kind="left", person="Ada"))
    script = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + ';')"
    for on, wanted in (("match", "Ada;"), ("unknown", ";"), ("left", "Ada;")):
        path = tmp_path / on
        line = f"{sys.executable} -c \"{script}\" {path} '{{person}}'"
        MatchCommand(line, on=on).write(Judged(None, result(ADA, STRANGER), events))
        assert path.read_text() == wanted
    done = call("--camera", 0, "--on-left", "no-such-program-here")
    assert done.exit_code == 2
    assert "--on-left: there is no program" in done.stderr


def test_times_that_are_none() -> None:
    for text in ("14", "0d", "x", "-1d"):
        assert call("--camera", 0, "--remember-unknown", text).exit_code == 2
    done = call("--camera", 0, "--remember-unknown", "14d", "--blur-unknown")
    assert "--remember-unknown keeps strangers' faces" in done.stderr
