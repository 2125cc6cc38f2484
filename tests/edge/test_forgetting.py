"""Forgetting by the command: wherever somebody was kept, nothing of them stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_factory import a_network
from click.testing import CliRunner, Result
from device_factory import bare_home
from embedding_factory import SIZE, World, unit
from faked import ADA, BEN, picture, result
from register_factory import BASE, a_cohort, album_of, bytes_below, head_of, open_bundle

from edge.bundle.entry import FileEntry
from edge.bundle.locate import (
    PREVIOUS,
    bundles_folder,
    current_link,
    data_folder,
    installed_name,
    locate,
)
from edge.bundle.writer import BundleWriter
from edge.cli.main import main
from edge.files.cache import CACHE_VARIABLE, cached_embeddings
from edge.files.model_file import sha256_of
from edge.heads.head import Head
from edge.heads.threshold import ONE
from edge.models.embedder import Embedder
from edge.people.encryption import KEY_FILE_VARIABLE, Encryption
from edge.people.event_pictures import events_folder, kept_faces
from edge.people.registry import BUNDLE, CORRECTED, Registry
from edge.people.store import people_folder
from edge.sinks.base import Judged
from edge.sinks.event_pictures import EventPictures
from edge.tracking.presence import Event
from trainer.inference.embeddings import embeddings_of
from trainer.inference.source import open_subject

WORLD = World(5)
COHORT = a_cohort(WORLD, people=160)
ANA, BEN_HIMSELF, EVA = (WORLD.person() for _ in range(3))
ANAS, BENS, EVAS = (WORLD.pictures(person, 16) for person in (ANA, BEN_HIMSELF, EVA))
STRANGERS = np.concatenate([WORLD.pictures(WORLD.person(), 1) for _ in range(4)])
HEADS = {"Benedikt": head_of("Benedikt", BENS, COHORT), "Eva": head_of("Eva", EVAS, COHORT)}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device of its own, without bundle and key."""
    bare_home(tmp_path / "home", monkeypatch)
    return tmp_path


def pack(path: Path, heads: Sequence[Head], name: str = "family", **fields: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    network = replace(a_network(BASE), embedding_size=SIZE)
    BundleWriter(
        name=name, base=(network, BASE), heads=tuple(heads), cohort=COHORT.to_bytes(), **fields
    ).write(path)
    return path


def install(heads: Sequence[Head], name: str = "family", **fields: Any) -> Path:
    """A bundle as edge-flash leaves it."""
    path = pack(bundles_folder() / "new.edge", heads, name, **fields)
    return path.rename(path.with_name(installed_name(name, sha256_of(path.read_bytes()))))


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-recognize")


def forget(name: str, *words: object) -> dict[str, Any]:
    done = call("forget", name, *words, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def traces_of(name: str, pictures: np.ndarray, head: Head | None = None) -> list[bytes]:
    """What would be left of somebody: the name, embeddings, and weights of the head."""
    found = [name.encode(), *(row.tobytes() for row in pictures)]
    return found if head is None else [*found, head.layers[0].weights.tobytes()[:64]]


def enrolled(
    bundle: Path, name: str, pictures: np.ndarray, vault: Encryption | None = None
) -> Registry:
    found = Registry(open_bundle(bundle), vault)
    found.enrol(name, album_of(pictures), camera=ONE, one_sitting=True)
    return found


@pytest.mark.parametrize("sealed", [False, True])
def test_who_was_enrolled_here(home: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool) -> None:
    vault = None
    if sealed:
        assert call("keygen", "-o", home / "key").exit_code == 0
        monkeypatch.setenv(KEY_FILE_VARIABLE, str(home / "key"))
        vault = Encryption.open(home / "key")
    path = install([HEADS["Eva"]])
    known = enrolled(path, "Benedikt", BENS, vault)
    enrolled(path, "Ana", ANAS, vault)
    head = known.find("Benedikt").head
    files = set(people_folder().iterdir())
    assert (b"Benedikt" in bytes_below(data_folder())) is not sealed
    done = forget("Benedikt")
    assert (done["device"], done["bundles"], done["not_me"]) == (True, [], 0)
    left = bytes_below(data_folder())
    assert not [trace for trace in traces_of("Benedikt", BENS, head) if trace in left]
    gone = files - set(people_folder().iterdir())
    assert gone, "sealed or not, the file is another"
    again = Registry(open_bundle(path), vault)
    assert [each.head.name for each in again.known()] == ["Eva", "Ana"]
    assert again.find("Ana").head.facts.heads == 2, "thresholds are set for two again"


def test_the_last_one_takes_the_folder_along() -> None:
    enrolled(install([]), "Benedikt", BENS)
    forget("Benedikt")
    assert not people_folder().exists()


def test_who_is_not_known_changes_nothing() -> None:
    """Thresholds of the device stay set for the bundle in use, whichever would be found now."""
    path = install([HEADS["Eva"]])
    enrolled(path, "Benedikt", BENS)
    before = bytes_below(people_folder())
    install([])
    assert call("forget", "Nobody-here").exit_code == 1
    assert bytes_below(people_folder()) == before


def test_what_was_kept_of_them_against_others() -> None:
    """Benedikt was taken for Ana, and that was taken back: his pictures lie in her file."""
    path = install([])
    register = enrolled(path, "Ana", ANAS)
    seen = np.concatenate([WORLD.pictures(BEN_HIMSELF, 6), STRANGERS])
    register.correct("Ana", seen, np.arange(10))
    before = enrolled(path, "Benedikt", BENS).find("Ana").head
    assert all(row.tobytes() in bytes_below(people_folder()) for row in seen)
    done = forget("Benedikt")
    assert done["not_me"] == 6
    left = bytes_below(data_folder())
    assert not [trace for trace in traces_of("Benedikt", seen[:6]) if trace in left]
    assert all(row.tobytes() in left for row in seen[6:]), "the others' stay"
    ana = Registry(open_bundle(path)).find("Ana")
    assert ana.to_json()["not_me"] == 4
    assert not np.array_equal(ana.head.layers[0].weights, before.layers[0].weights)
    assert ana.head.accepts(WORLD.pictures(ANA, 100)).mean() > 0.8


def test_by_the_head_in_the_bundle_too() -> None:
    path = install([HEADS["Benedikt"], HEADS["Eva"]])
    Registry(open_bundle(path)).correct("Eva", WORLD.pictures(BEN_HIMSELF, 3), np.arange(3))
    assert forget("Benedikt")["not_me"] == 3
    (known,) = Registry(locate().open()).known()
    assert (known.head.name, known.origin) == ("Eva", BUNDLE), "nothing is left to be corrected"
    assert not people_folder().exists()


def test_corrections_of_others_outlive_a_bundle_written_again() -> None:
    path = install([HEADS["Benedikt"], HEADS["Eva"]])
    other = unit(0.8 * EVA + 0.6 * unit(WORLD.rng.standard_normal(SIZE) * WORLD.scale))
    wrong = WORLD.pictures(other.astype(np.float64), 5)
    Registry(open_bundle(path)).correct("Eva", wrong, np.arange(5))
    forget("Benedikt")
    (known,) = Registry(locate().open()).known()
    assert (known.origin, known.to_json()["not_me"]) == (CORRECTED, 5)
    assert not known.head.accepts(wrong).any()


def test_every_bundle_of_the_device_and_its_links(home: Path) -> None:
    old = install([HEADS["Benedikt"]], "Benedikt")
    new = install([HEADS["Benedikt"], HEADS["Eva"]], card="# Benedikt and Eva\n")
    current_link().symlink_to(Path("bundles") / new.name)
    (data_folder() / PREVIOUS).symlink_to(old)
    done = forget("Benedikt")
    assert len(done["bundles"]) == 2
    assert {link.resolve() for link in (current_link(), data_folder() / PREVIOUS)} == {
        Path(path).resolve() for path in done["bundles"]
    }
    assert current_link().readlink().parent == Path("bundles"), "relative as before"
    left = bytes_below(data_folder())
    head = HEADS["Benedikt"]
    assert not [trace for trace in traces_of("Benedikt", BENS, head) if trace in left]
    with locate().open() as bundle:
        assert [head.name for head in bundle.heads] == ["Eva"]
        assert bundle.heads[0].facts.heads == 1


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_link_of_the_services_own(home: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """The service is told of a link, which leads to a link, which leads to the device's bundle."""
    bundle = install([HEADS["Benedikt"], HEADS["Eva"]])
    first, second = home / "door.edge", home / "house.edge"
    first.symlink_to("house.edge")
    second.symlink_to(bundle)
    words: tuple[object, ...] = ("--bundle", first)
    if how == "variable":
        monkeypatch.setenv("EDGE_BUNDLE", str(first))
        words = ()
    forget("Benedikt", *words)
    assert first.readlink() == Path("house.edge")
    assert not bundle.exists()
    with open_bundle(first) as opened:
        assert [head.name for head in opened.heads] == ["Eva"]


def test_a_bundle_elsewhere_is_written_again_in_its_place(home: Path) -> None:
    target = pack(home / "elsewhere" / "benedikt.edge", HEADS.values())
    link = home / "used.edge"
    link.symlink_to(target)
    done = call("forget", "Benedikt", "--bundle", link)
    assert done.exit_code == 0, done.output
    assert f"{link} (written again)" in done.stdout
    assert "SIGHUP" in done.stdout
    assert link.resolve() == target
    assert b"Benedikt" not in target.read_bytes()
    with open_bundle(link) as opened:
        assert [head.name for head in opened.heads] == ["Eva"]
    assert list(target.parent.iterdir()) == [target]
    pack(target, HEADS.values())
    assert "rename it" in call("forget", "Benedikt", "--bundle", target).stdout


def test_graphs_with_the_head_inside_go_along() -> None:
    files = (
        (FileEntry("models/fused.float32.tflite", "fused-tflite-float32"), b"Benedikt's weights"),
        (FileEntry("models/base.keras", "keras"), b"the base alone"),
    )
    install(list(HEADS.values()), files=files, facts={"people": {"Benedikt": {"frr": 0.1}}})
    (path,) = forget("Benedikt")["bundles"]
    data = Path(path).read_bytes()
    assert b"the base alone" in data
    assert b"weights" not in data.replace(b"weights_0", b"")
    with open_bundle(Path(path)) as opened:
        assert [entry.kind for entry in opened.manifest.files] == ["keras"]
        assert opened.manifest.facts == {}


def test_a_name_that_json_spells_otherwise() -> None:
    name = 'Ben "B" Ü\\'
    head = replace(HEADS["Benedikt"], name=name)
    install([head], facts={"heads": [name]}, card=f"# {name}\n")
    (path,) = forget(name)["bundles"]
    with open_bundle(Path(path)) as opened:
        assert (opened.manifest.facts, opened.heads) == ({}, ())
        assert name not in opened.text(opened.manifest.card)


def test_pictures_in_which_they_only_stand_by() -> None:
    """Ada comes while Zoë B. is there: the picture shows both of them."""
    come = Event("arrived", "Ada", 1.0, "camera", 0.9, 0.6)
    with EventPictures(events_folder(), 5) as sink:
        sink.write(Judged(picture(ADA), result(ADA, BEN), (come,)))
        later = replace(come, at="2030-01-01T00:00:00.000+00:00")
        sink.write(Judged(picture(ADA), result(ADA), (later,)))
    install([replace(HEADS["Eva"], name="Zoë B.")])
    assert forget("Zoë B.")["pictures"] == 2
    assert kept_faces(events_folder(), "Zoë B.") == ()
    left = sorted(path.name for path in events_folder().iterdir())
    assert [name.partition("ada")[2] for name in left[-2:]] == [".jpg", "=Ada.face.png"]
    assert "20300101" in left[-1]
    assert not [name for name in left if name.endswith(".jpg") and "2030" not in name]


def test_signed_bundles_stay_and_it_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography", reason="the extra `secure` is not installed")
    from edge.bundle.signature import PrivateKey

    key = PrivateKey.generate()
    path = install([])
    enrolled(path, "Benedikt", BENS)
    monkeypatch.setenv("EDGE_PUBLIC_KEY", key.public.raw.hex())
    signed = bundles_folder() / "signed.edge"
    network = replace(a_network(BASE), embedding_size=SIZE)
    BundleWriter(
        name="x", base=(network, BASE), heads=(HEADS["Benedikt"],), cohort=COHORT.to_bytes()
    ).write(signed, key=key)
    done = call("forget", "Benedikt", "--bundle", signed)
    assert done.exit_code == 1
    assert "cannot write it again" in done.stderr
    assert not people_folder().exists(), "what could be removed is removed"


def test_a_bundle_that_cannot_be_opened_is_named_and_it_ends_with_1() -> None:
    path = install([])
    enrolled(path, "Benedikt", BENS)
    broken = bundles_folder() / "broken.edge"
    broken.write_bytes(path.read_bytes()[:-200])
    done = call("forget", "Benedikt", "--bundle", path)
    assert done.exit_code == 1
    said = " ".join(done.stdout.split())
    assert "who was enrolled here" in said and f"not reached: {broken} cannot be opened" in said
    assert not people_folder().exists()


def test_all_means_event_pictures_with_names_too() -> None:
    path = install([])
    enrolled(path, "Benedikt", BENS)
    come = Event("arrived", "Ada", 1.0, "camera", 0.9, 0.6)
    with EventPictures(events_folder(), 10) as sink:
        sink.write(Judged(picture(ADA), result(ADA), (come,)))
        sink.write(Judged(picture(BEN), result(), (replace(come, person=None),)))
    assert len(list(events_folder().iterdir())) == 3
    done = call("forget", "--all", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pictures"] == 2
    assert [one.name.endswith("unknown.jpg") for one in events_folder().iterdir()] == [True]


def test_all_names_what_still_knows_somebody() -> None:
    path = install([HEADS["Eva"]])
    enrolled(path, "Benedikt", BENS)
    done = call("forget", "--all")
    assert done.exit_code == 1
    assert f"not reached: {path} knows somebody" in " ".join(done.stdout.split())
    assert not people_folder().exists()


def test_embeddings_that_are_kept_for_the_next_run_are_private_and_go(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(home / "cache"))
    deployed = open_subject("shipped").embedder
    embedder = Embedder(deployed.network, deployed.data)
    side_px = deployed.network.input.size_px
    crops = np.random.default_rng(0).integers(0, 256, (1, side_px, side_px, 3), np.uint8)
    embeddings_of(embedder, crops, keep=False)
    assert cached_embeddings() == ()
    embeddings_of(embedder, crops)
    (kept,) = cached_embeddings()
    assert kept.stat().st_mode & 0o077 == 0
    enrolled(install([]), "Benedikt", BENS)
    assert call("forget", "Benedikt").exit_code == 0
    assert cached_embeddings() == ()
