"""What is kept is listed, with its protection, and strangers can be blurred wherever they show."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_factory import answer, bare_home, call
from embedding_factory import World
from faked import ADA, STRANGER, result
from register_factory import a_cohort, a_vault, album_of, open_bundle, write_bundle
from visit_factory import visit_of

from edge.files.image import read_picture
from edge.people.encryption import Encryption
from edge.people.registry import Registry
from edge.recognition.result import FrameResult
from edge.sinks.base import FanOut, Judged
from edge.sinks.event_pictures import EventPictures
from edge.tracking.presence import Event
from edge.visits.camera_book import learn_expected
from edge.visits.store import VisitStore

WORLD = World(5)
COHORT = a_cohort(WORLD, people=120)
ANAS = WORLD.pictures(WORLD.person(), 16)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bare_home(tmp_path / "home", monkeypatch)


def kept() -> dict[str, dict[str, Any]]:
    return {Path(one["place"]).name: one for one in answer("data")["kept"]}


def test_nothing_is_kept_at_first() -> None:
    assert kept() == {}
    assert "nothing of anybody is kept" in call("data").stdout


@pytest.mark.parametrize("vault", [Encryption(), a_vault()], ids=["open", "encrypted"])
def test_all_that_is_kept_is_listed_with_its_protection(
    tmp_path: Path, home: Path, vault: Encryption
) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "family.edge", COHORT, ()))
    register = Registry(bundle, vault)
    register.enrol("Ana", album_of(ANAS), camera="one", one_sitting=True)
    learn_expected(register.heads, COHORT)
    VisitStore(vault=vault).add(visit_of(ANAS[:8], register.heads))
    shown = Judged(noise(), result(ADA), (Event("arrived", "Ada", 0.0, "camera"),))
    events = home / "edge-recognize" / "events"
    with EventPictures(events, 3) as sink:
        sink.write(shown)
    (home / "edge-recognize" / "bundles").mkdir()
    opened = write_bundle(home / "edge-recognize" / "bundles" / "x.edge", COHORT, ())
    opened.chmod(0o644)
    opened.parent.chmod(0o755)
    found = kept()
    assert set(found) == {"people", "visits", "camera-book.json", "events", "bundles"}
    state = "encrypted" if vault.is_locked else "for its owner alone"
    assert {found[name]["protection"] for name in ("people", "visits")} == {state}
    assert found["events"]["protection"] == "for its owner alone"
    assert found["bundles"]["protection"] == "readable by others"
    assert found["visits"]["files"] == 1
    for one in found.values():
        place = Path(one["place"])
        files = [place] if place.is_file() else list(place.iterdir())
        assert one["size_bytes"] == sum(path.stat().st_size for path in files)
        assert re.match(r"\d{4}-\d\d-\d\dT", one["since"])
    assert "removed by edge-recognize forget" in call("data").stdout
    assert call("forget", "--all").exit_code == 0
    assert not set(kept()) & {"people", "visits", "camera-book.json"}


def noise() -> np.ndarray:
    """A picture with detail everywhere."""
    return np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)


def two_faces() -> FrameResult:
    """Ada on the left and somebody unknown on the right."""
    ada, stranger = result(ADA, STRANGER).faces
    left = replace(ada, face=replace(ada.face, box_px=(20.0, 60.0, 80.0, 100.0)))
    right = replace(stranger, face=replace(stranger.face, box_px=(200.0, 60.0, 80.0, 100.0)))
    return replace(result(), faces=(left, right))


def detail(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image.astype(int), axis=1)).mean())


def test_strangers_are_blurred_and_who_is_recognized_is_not() -> None:
    image = noise()
    judged = Judged(image, two_faces(), blurs=True)
    shown = judged.shown_bgr
    assert shown is not None
    assert np.array_equal(shown[60:160, 20:100], image[60:160, 20:100])
    assert detail(shown[60:160, 200:280]) < 0.1 * detail(image[60:160, 200:280])
    assert not np.shares_memory(shown, image)
    drawn = judged.annotated_bgr
    assert drawn is not None
    assert detail(drawn[80:140, 215:265]) < 0.1 * detail(image[80:140, 215:265])
    assert Judged(image, two_faces()).shown_bgr is image


def test_a_face_at_the_edge_and_an_empty_one() -> None:
    found = two_faces()
    ends = ((-50.0, -50.0, 80.0, 80.0), (310.0, 230.0, 90.0, 90.0), (500.0, 500.0, 9.0, 9.0))
    faces = tuple(
        replace(found.faces[1], face=replace(found.faces[1].face, box_px=box)) for box in ends
    )
    shown = Judged(noise(), replace(found, faces=faces), blurs=True).shown_bgr
    assert shown is not None
    assert detail(shown[:25, :25]) < 0.3 * detail(noise()[:25, :25])


def test_kept_events_show_no_stranger(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    come = Event("arrived", "Ada", 0.0, "camera")
    with FanOut([EventPictures(folder, 3)], blurs=True) as fan:
        fan.put(Judged(noise(), two_faces(), (come,)))
    (path,) = folder.glob("*.jpg")
    kept_picture = read_picture(path)
    assert detail(kept_picture[80:140, 215:265]) < 0.2 * detail(noise()[80:140, 215:265])


def test_blurring_and_keeping_strangers_faces_exclude_each_other() -> None:
    words = ("--camera", 0, "--keep-visits", 3, "--visit-faces", "--blur-unknown")
    done = call(*words)
    assert done.exit_code == 2
    assert "--visit-faces keeps strangers' faces" in done.stderr
