"""Who is known on a device: enrolling, correcting, forgetting, in the open or encrypted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedding_factory import World, unit
from register_factory import (
    a_cohort,
    a_vault,
    album_of,
    bytes_below,
    head_of,
    open_bundle,
    write_bundle,
)

from edge.errors import EncryptionError, InputError, PeopleError, RefusedError
from edge.heads.calibration import recalibrate
from edge.heads.head import Head, linear_layers
from edge.heads.same_face import pictures_of, same_faces_of
from edge.heads.threshold import ONE, POOR, SEVERAL
from edge.people.encryption import Encryption
from edge.people.registry import BUNDLE, CORRECTED, DEVICE, Registry
from edge.people.store import Person, load_people, only_writer, undo_people

WORLD = World(3)
COHORT = a_cohort(WORLD, people=160)
ANA, BEN, EVA = (WORLD.person() for _ in range(3))
ANAS, BENS, EVAS = (WORLD.pictures(person, 16) for person in (ANA, BEN, EVA))
BENS_HEAD = head_of("Ben", BENS, COHORT)
LIVE: dict[str, Any] = {"camera": ONE, "one_sitting": True}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "family.edge", COHORT, (BENS_HEAD,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "device" / "people"


def register(bundle: Path, folder: Path, vault: Encryption | None = None) -> Registry:
    return Registry(open_bundle(bundle), vault, folder)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of people in which Ana is enrolled beside Ben of the bundle."""
    place = tmp_path_factory.mktemp("template")
    made = place / "people"
    register(write_bundle(place / "x.edge", COHORT, (BENS_HEAD,)), made).enrol(
        "Ana", album_of(ANAS), **LIVE
    )
    return made


@pytest.fixture
def ana(template: Path, folder: Path) -> Path:
    """A folder in which Ana is enrolled."""
    shutil.copytree(template, folder)
    return folder


def heads_by_name(found: Registry) -> dict[str, Head]:
    return {head.name: head for head in found.heads}


def test_nobody_is_enrolled_at_first(bundle: Path, folder: Path) -> None:
    found = register(bundle, folder)
    assert [(each.head.name, each.origin) for each in found.known()] == [("Ben", BUNDLE)]
    assert found.heads[0].threshold == BENS_HEAD.threshold
    assert not folder.exists(), "looking writes nothing"


def test_who_is_enrolled_is_known_from_then_on(bundle: Path, folder: Path) -> None:
    before = bundle.read_bytes()
    made = register(bundle, folder).enrol("Ana", album_of(ANAS), **LIVE)
    again = register(bundle, folder)
    assert [(each.head.name, each.origin) for each in again.known()] == [
        ("Ben", BUNDLE),
        ("Ana", DEVICE),
    ]
    ana = heads_by_name(again)["Ana"]
    assert ana.to_bytes() == made.to_bytes()
    assert ana.accepts(WORLD.pictures(ANA, 200)).mean() > 0.9
    strangers = np.concatenate([WORLD.pictures(WORLD.person(), 3) for _ in range(200)])
    assert ana.accepts(strangers).mean() < 0.005
    assert bundle.read_bytes() == before, "bundles are never changed by enrolling"


def test_the_thresholds_of_all_are_set_together(bundle: Path, folder: Path) -> None:
    found = register(bundle, folder)
    found.enrol("Ana", album_of(ANAS), **LIVE)
    both = heads_by_name(found)
    assert both["Ana"].facts.heads == 2
    alone = head_of("Ana", ANAS, COHORT)
    wanted = {h.name: h.threshold for h in recalibrate([BENS_HEAD, both["Ana"]], COHORT)}
    assert {name: head.threshold for name, head in both.items()} == wanted
    assert both["Ana"].threshold > alone.threshold - 1e-9
    assert both["Ben"].threshold != BENS_HEAD.threshold, "the bundle's head is set again too"


def test_reading_does_not_set_thresholds_again(
    bundle: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = register(bundle, folder)
    made.enrol("Ana", album_of(ANAS), **LIVE)
    expected = {head.name: head.threshold for head in made.heads}
    monkeypatch.setattr("edge.people.registry.recalibrate", None)
    found = register(bundle, folder)
    assert {head.name: head.threshold for head in found.heads} == expected


def test_a_new_bundle_with_other_people_sets_thresholds_again(
    tmp_path: Path, bundle: Path, ana: Path
) -> None:
    eva = head_of("Eva", EVAS, COHORT)
    other = write_bundle(tmp_path / "other.edge", COHORT, (BENS_HEAD, eva))
    found = register(other, ana)
    assert [head.name for head in found.heads] == ["Ben", "Eva", "Ana"]
    assert {head.facts.heads for head in found.heads} == {3}


def test_another_base_is_refused_with_the_reason(tmp_path: Path, bundle: Path, ana: Path) -> None:
    base = b"another base"
    other = write_bundle(tmp_path / "new.edge", a_cohort(WORLD, base), base=base)
    with pytest.raises(PeopleError, match="Ana of this device were enrolled on the base"):
        register(other, ana)
    assert register(bundle, ana).find("Ana").origin == DEVICE, "nothing was lost"


@pytest.mark.parametrize(
    ("name", "add", "said"),
    [
        ("Ben", False, "Ben is known already"),
        ("Ana", False, "Ana is known already"),
        ("Ben", True, "was not enrolled on this device"),
        ("Eva", True, "was not enrolled on this device"),
    ],
)
def test_names_that_are_taken(bundle: Path, ana: Path, name: str, add: bool, said: str) -> None:
    found = register(bundle, ana)
    with pytest.raises(RefusedError, match=said):
        found.enrol(name, album_of(EVAS), add=add, **LIVE)


def test_looks_are_added(bundle: Path, folder: Path) -> None:
    found = register(bundle, folder)
    found.enrol("Ana", album_of(ANAS[:8]), camera=SEVERAL, one_sitting=False)
    found.enrol("Ana", album_of(ANAS[8:]), camera=POOR, one_sitting=True, add=True)
    person = register(bundle, folder).find("Ana").person
    assert person is not None and person.album is not None
    assert len(person.album.embeddings) == 16
    assert len(np.unique(person.album.groups)) == 16
    assert (person.head.facts.camera, person.head.facts.one_sitting) == (
        POOR,
        False,
    )


def test_a_bundle_without_cohort_is_refused(tmp_path: Path, folder: Path) -> None:
    found = register(write_bundle(tmp_path / "none.edge", None), folder)
    with pytest.raises(RefusedError, match="brings no strangers"):
        found.enrol("Ana", album_of(ANAS), **LIVE)


def test_heads_that_do_not_say_how_they_were_set_are_refused(tmp_path: Path, folder: Path) -> None:
    sha256 = COHORT.embedder_sha256
    old = Head("Old", "linear", sha256, linear_layers(np.ones(64), 0.0), 1.0)
    found = register(write_bundle(tmp_path / "old.edge", COHORT, (old,)), folder)
    with pytest.raises(RefusedError, match="Old does not say how it was calibrated"):
        found.enrol("Ana", album_of(ANAS), **LIVE)
    assert not folder.exists()


def lookalike() -> np.ndarray:
    """A person so much like Ana that her head accepts them."""
    other = unit(WORLD.rng.standard_normal(64) * WORLD.scale)
    return unit(0.80 * ANA + 0.60 * other).astype(np.float64)


def test_after_five_pictures_a_lookalike_is_accepted_no_more(bundle: Path, folder: Path) -> None:
    found = register(bundle, folder)
    found.enrol("Ana", album_of(ANAS), **LIVE)
    sister = lookalike()
    fresh = WORLD.pictures(sister, 200)
    before = heads_by_name(found)["Ana"].accepts(fresh).mean()
    assert before > 0.3, "else there is nothing to correct"
    wrong = WORLD.pictures(sister, 60)
    wrong = wrong[heads_by_name(found)["Ana"].accepts(wrong)][:5]
    done = found.correct("Ana", wrong, np.arange(5))
    assert (done.pictures, done.accepted_before, done.accepted_after) == (5, 5, 0)
    ana = heads_by_name(register(bundle, folder))["Ana"]
    assert ana.accepts(fresh).mean() <= 0.05
    assert ana.accepts(WORLD.pictures(ANA, 200)).mean() > 0.8
    assert register(bundle, folder).find("Ana").to_json()["not_me"] == 5


def test_corrections_add_up_and_survive_more_looks(bundle: Path, folder: Path) -> None:
    found = register(bundle, folder)
    found.enrol("Ana", album_of(ANAS[:8]), **LIVE)
    sister = lookalike()
    found.correct("Ana", WORLD.pictures(sister, 3), np.array([0, 0, 1]))
    found.correct("Ana", WORLD.pictures(sister, 2), np.arange(2))
    assert found.find("Ana").to_json()["not_me"] == 4
    found.enrol("Ana", album_of(ANAS[8:]), add=True, **LIVE)
    assert register(bundle, folder).find("Ana").to_json()["not_me"] == 4


def test_the_bundles_people_are_corrected_by_their_threshold(bundle: Path, folder: Path) -> None:
    found = register(bundle, folder)
    other = unit(0.8 * BEN + 0.6 * unit(WORLD.rng.standard_normal(64) * WORLD.scale))
    wrong = WORLD.pictures(other.astype(np.float64), 80)
    wrong = wrong[found.heads[0].accepts(wrong)][:5]
    assert len(wrong) == 5
    done = found.correct("Ben", wrong, np.arange(5))
    assert (done.accepted_before, done.accepted_after) == (5, 0)
    again = register(bundle, folder).find("Ben")
    assert again.origin == CORRECTED
    assert not again.head.accepts(wrong).any()
    register(bundle, folder).correct("Ben", WORLD.pictures(EVA, 1), np.arange(1))
    assert register(bundle, folder).find("Ben").to_json()["not_me"] == 6


def test_own_pictures_are_no_ones_elses(bundle: Path, folder: Path) -> None:
    """`not-me` with the person's own photos once left a head that rejects its person."""
    found = register(bundle, folder)
    found.enrol("Ana", album_of(ANAS), **LIVE)
    before = heads_by_name(found)["Ana"].to_bytes()
    files = bytes_below(folder)
    with pytest.raises(RefusedError, match=r"Ana would be recognized no more: of 16 own looks"):
        found.correct("Ana", ANAS[:12], np.arange(12))
    assert heads_by_name(found)["Ana"].to_bytes() == before
    assert bytes_below(folder) == files, "nothing was changed"


@pytest.mark.parametrize("name", ["Ana", "Ben"])
def test_one_correction_can_be_taken_back(bundle: Path, folder: Path, name: str) -> None:
    found = register(bundle, folder)
    found.enrol("Ana", album_of(ANAS), **LIVE)
    before = {known.head.name: known.head.to_bytes() for known in found.known()}
    found.correct(name, EVAS[:3], np.arange(3))
    assert EVAS[0].tobytes() in bytes_below(folder)
    undo_people(folder, Encryption())
    again = register(bundle, folder)
    assert {known.head.name: known.head.to_bytes() for known in again.known()} == before
    assert EVAS[0].tobytes() not in bytes_below(folder), "nothing of it stays"
    with pytest.raises(PeopleError, match="nothing to undo"):
        undo_people(folder, Encryption())
    again.correct(name, EVAS[:3], np.arange(3))
    again.enrol("Eva", album_of(EVAS), **LIVE)
    with pytest.raises(PeopleError, match="nothing to undo"):
        undo_people(folder, Encryption())


def test_the_first_correction_of_a_bundles_person_is_taken_back(bundle: Path, folder: Path) -> None:
    register(bundle, folder).correct("Ben", EVAS[:3], np.arange(3))
    assert undo_people(folder, Encryption()).persons == ()
    assert register(bundle, folder).find("Ben").origin == BUNDLE
    assert not folder.exists()


def test_corrections_outlive_an_enrolment_under_another_bundle(
    tmp_path: Path, bundle: Path, folder: Path
) -> None:
    register(bundle, folder).correct("Ben", EVAS[:5], np.arange(5))
    other = write_bundle(tmp_path / "other.edge", COHORT)
    register(other, folder).enrol("Ana", album_of(ANAS), **LIVE)
    assert [known.head.name for known in register(other, folder).known()] == ["Ana"]
    again = register(bundle, folder).find("Ben")
    assert (again.origin, again.to_json()["not_me"]) == (CORRECTED, 5)


def test_who_is_not_known_cannot_be_corrected(bundle: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="nobody called Eva is known"):
        register(bundle, folder).correct("Eva", ANAS[:5], np.arange(5))


def test_people_come_back_as_they_were_written() -> None:
    plain = Person(BENS_HEAD, album_of(BENS), ANAS[:2], np.array([0, 1]), "")
    varied = replace(
        plain,
        album=replace(album_of(BENS), varied=EVAS[:4], varied_of=np.array([0, 0, 1, 2])),
        replaces="ab" * 32,
    )
    for person in (plain, varied, replace(plain, album=None)):
        again = Person.from_bytes(person.to_bytes(), "x")
        assert again.to_bytes() == person.to_bytes()
        assert again.replaces == person.replaces


def test_damage_is_found(bundle: Path, ana: Path) -> None:
    (path,) = ana.glob("*.npz")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"x")
    with pytest.raises(PeopleError, match="is not what was written"):
        register(bundle, ana)
    path.unlink()
    with pytest.raises(PeopleError, match="lacks its"):
        register(bundle, ana)
    for text in ("{", "[]", '{"schema": 9}'):
        (ana / "state.json").write_text(text)
        with pytest.raises(PeopleError, match="is damaged"):
            register(bundle, ana)


def test_what_a_crash_left_is_removed_by_the_next_change(bundle: Path, ana: Path) -> None:
    found = register(bundle, ana)
    (ana / "0123.npz").write_bytes(b"half")
    assert register(bundle, ana).find("Ana")
    found.enrol("Eva", album_of(EVAS), **LIVE)
    state = json.loads((ana / "state.json").read_text())
    listed = {**state["members"], **state["together"]}
    assert {path.name for path in ana.iterdir()} == {"state.json", *listed}


def test_files_of_others_are_not_written_again(bundle: Path, ana: Path) -> None:
    before = {path.name: path.read_bytes() for path in ana.glob("*.npz")}
    alone = register(bundle, ana).find("Ana").head
    register(bundle, ana).enrol("Eva", album_of(EVAS), **LIVE)
    after = {path.name: path.read_bytes() for path in ana.glob("*.npz")}
    assert len(after) == 2
    assert before.items() < after.items()
    found = register(bundle, ana)
    wanted = {head.name: head for head in recalibrate(found.heads, COHORT)}
    here = {known.head.name: known.head for known in found.known() if known.origin == DEVICE}
    assert {name: head.to_bytes() for name, head in here.items()} == {
        name: wanted[name].to_bytes() for name in ("Ana", "Eva")
    }
    assert here["Ana"].threshold > alone.threshold
    assert (here["Ana"].facts.heads, alone.facts.heads) == (3, 2)
    found.correct("Ana", EVAS[:2], np.arange(2))
    assert len({path.name for path in ana.glob("*.npz")} & set(after)) == 2, "one to take back"


def test_what_an_earlier_version_wrote_is_read(bundle: Path, ana: Path) -> None:
    expected = register(bundle, ana).find("Ana").head
    state = json.loads((ana / "state.json").read_text())
    (together,) = state.pop("together")
    (ana / together).unlink()
    (ana / "state.json").write_text(json.dumps({**state, "calibrated_for": "as it was then"}))
    found = register(bundle, ana)
    assert found.find("Ana").head.to_bytes() == expected.to_bytes()
    found.settle()
    assert register(bundle, ana).find("Ana").head.to_bytes() == expected.to_bytes()
    assert "together" in json.loads((ana / "state.json").read_text())


def test_one_command_at_a_time_changes_people(folder: Path) -> None:
    with (
        only_writer(folder),
        pytest.raises(PeopleError, match="another command"),
        only_writer(folder),
    ):
        pass
    with only_writer(folder):
        pass


# encrypted


def vectors_in(person: Person) -> list[bytes]:
    """Pieces of what must not lie on the disk in the open."""
    assert person.album is not None
    layer = person.head.layers[0].weights
    return [person.name.encode(), person.album.embeddings[0].tobytes(), layer.tobytes()[:64]]


def test_files_are_for_their_owner_alone(bundle: Path, ana: Path) -> None:
    assert ana.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in ana.iterdir())


def test_with_a_key_neither_names_nor_vectors_lie_open(bundle: Path, folder: Path) -> None:
    name = "Annabella Zwölf"
    open_folder = folder.with_name("open")
    register(bundle, open_folder).enrol(name, album_of(ANAS), **LIVE)
    (person,) = load_people(open_folder, Encryption()).persons
    pieces = vectors_in(person)
    without_key = bytes_below(open_folder)
    assert all(piece in without_key for piece in pieces[1:]), "else the search finds nothing ever"
    assert b"Annabella" in without_key
    assert b"nearest_group" in without_key
    found = register(bundle, folder, a_vault())
    found.enrol(name, album_of(ANAS), **LIVE)
    found.correct(name, EVAS[:2], np.arange(2))
    sealed = bytes_below(folder)
    for piece in (*pieces, b"Annabella", b"nearest_group", EVAS[0].tobytes()):
        assert piece not in sealed
    assert register(bundle, folder, a_vault()).find(name).origin == DEVICE


def test_a_key_that_is_missing_or_wrong_is_said(bundle: Path, folder: Path) -> None:
    register(bundle, folder, a_vault(1)).enrol("Ana", album_of(ANAS), **LIVE)
    with pytest.raises(EncryptionError, match=r"encrypted, and no key is set; give --key-file"):
        register(bundle, folder)
    with pytest.raises(EncryptionError, match=r"encrypted with the key .*, and this is the key"):
        register(bundle, folder, a_vault(2))


def test_sealed_files_cannot_be_exchanged(bundle: Path, folder: Path) -> None:
    vault = a_vault()
    data = vault.seal(b"secret", "a.npz")
    assert vault.unseal(data, "a.npz") == b"secret"
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    for changed, name in ((data, "b.npz"), (flipped, "a.npz"), (data[:20], "a.npz")):
        with pytest.raises(EncryptionError, match="cannot be decrypted"):
            vault.unseal(changed, name)
    assert vault.seal(b"secret", "a.npz") != data, "a nonce of its own each time"


@pytest.mark.parametrize(
    "text", ["00" * 32, "A" * 43 + "=", "-_" * 21 + "A=", b"\x80" * 32], ids=str
)
def test_keys_are_read(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(text.encode() + b"\n" if isinstance(text, str) else text)
    path.chmod(0o600)
    assert len(Encryption.open(path).key_id) == 16
    assert "x80" not in repr(Encryption.open(path))


def test_keys_that_are_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EncryptionError, match="cannot read the key file"):
        Encryption.open(tmp_path / "missing")
    path = tmp_path / "key"
    for text in ("", "short", "00" * 31):
        path.write_text(text)
        with pytest.raises(EncryptionError, match="holds no key of 32 bytes"):
            Encryption.open(path)
    path.write_text("00" * 32)
    path.chmod(0o644)
    Encryption.open(path)
    assert "can be read by others" in caplog.text


def test_the_same_face_under_another_name_is_said(bundle: Path, folder: Path) -> None:
    again = album_of(WORLD.pictures(BEN, 15))
    found = register(bundle, folder)
    (said,) = found.known_as("ben2", again)
    assert str(said).startswith(f"this is Ben already ({said.accepted} of 15 looks)")
    assert said.accepted >= 13
    assert found.known_as("Ana", album_of(ANAS)) == ()
    assert found.known_as("Ben", again) == (), "adding looks to the same name is no second name"


def test_heads_of_one_face_are_told_without_its_pictures() -> None:
    """As `edge-export pack` does, which has heads alone."""
    second = head_of("ben2", WORLD.pictures(BEN, 15), COHORT)
    kept = pictures_of(BENS_HEAD, COHORT)
    assert (kept * BENS).sum(axis=1).min() > 0.97
    anas = head_of("Ana", ANAS, COHORT)
    (said,) = same_faces_of([BENS_HEAD, anas, second], COHORT)
    assert said.startswith("ben2: this is Ben already (")
