"""People of this device and a bundle with another base: carried over, refused or let go."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from bundle_factory import other_base
from device_factory import answer, bare_home, call, write_two_people

from edge.bundle.locate import shipped_bundle
from edge.bundle.writer import BundleWriter
from edge.faces.alignment import align
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE
from edge.faces.detector import Detector
from edge.faces.keepsake import LARGEST_PX, keepsake_of
from edge.files.image import read_picture
from edge.heads.cohort import Cohort
from edge.people.registry import open_register
from edge.people.store import people_folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_two_people(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bare_home(tmp_path / "home", monkeypatch)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return other_base(tmp_path_factory.mktemp("new") / "new.edge")


def backwards(cohort: Cohort) -> Cohort:
    return cohort.select(np.arange(len(cohort))[::-1])


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `new`, but nothing tells how its base goes together with the shipped one."""
    return other_base(tmp_path_factory.mktemp("apart") / "apart.edge", of_cohort=backwards)


def times_named(photos: Path, *words: str | Path) -> int:
    said = call("--source", photos, *words, "--json", "--quiet").stdout
    return said.count('"person": "ana"')


def known(bundle: Path | None = None) -> list[str]:
    with open_register(bundle, None) as register:
        return [head.name for head in register.heads]


def test_who_was_enrolled_with_pictures_is_enrolled_again(
    home: Path, photos: Path, new: Path
) -> None:
    assert answer("enrol", "--name", "ana", "--photos", photos / "ana", "--keep", "crops")[
        "pictures_kept"
    ]
    with open_register(None, None) as register:
        native = register.heads[0]
    before = [times_named(photos / name) for name in ("ana", "ben")]
    assert before[0] >= 12 > 2 * before[1]
    state = (people_folder() / "state.json").read_bytes()
    assert answer("self-test", new)["carried_over"] == ["ana"]
    assert (people_folder() / "state.json").read_bytes() == state
    assert "enrolled again on its base: ana" in call("self-test", new, "--carry-over").stdout
    assert known(new) == ["ana"]
    assert known() == ["ana"]
    with open_register(new, None) as register:
        again = register.heads[0]
    assert again.embedder_sha256 != native.embedder_sha256
    assert abs(again.threshold - native.threshold) < 0.2
    assert [times_named(photos / name, "--bundle", new) for name in ("ana", "ben")] == before
    assert "carried_over" not in call("self-test", new, "--carry-over").stdout


def test_a_change_on_the_new_base_leaves_nothing_of_the_old_one(
    home: Path, photos: Path, new: Path
) -> None:
    answer("enrol", "--name", "ana", "--photos", photos / "ana", "--keep", "crops")
    answer("self-test", new, "--carry-over")
    assert len(list(people_folder().glob("*.npz"))) == 2
    answer("enrol", "--name", "ben", "--photos", photos / "ben", "--bundle", new)
    assert len(list(people_folder().glob("*.npz"))) == 2
    assert known(new) == ["ana", "ben"]
    answer("forget", "ana", "--bundle", new)
    assert known(new) == ["ben"]


def test_who_was_enrolled_without_pictures_stops_it_and_is_named(
    home: Path, photos: Path, apart: Path
) -> None:
    answer("enrol", "--name", "ana", "--photos", photos / "ana")
    answer("enrol", "--name", "ben", "--photos", photos / "ben", "--keep", "crops")
    before = {path.name: path.read_bytes() for path in people_folder().iterdir()}
    done = call("self-test", apart, "--carry-over")
    assert done.exit_code == 1
    assert "ana of this device would not be recognized any more" in done.stderr
    assert "cohorts hold different strangers" in done.stderr
    assert {path.name: path.read_bytes() for path in people_folder().iterdir()} == before
    said = answer("self-test", apart, "--carry-over", "--drop-people")
    assert (said["carried_over"], said["dropped"]) == (["ben"], ["ana"])
    assert known(apart) == ["ben"]
    assert known() == ["ana", "ben"]


def test_everybody_may_be_let_go(home: Path, photos: Path, apart: Path) -> None:
    answer("enrol", "--name", "ana", "--photos", photos / "ana")
    assert answer("self-test", apart, "--carry-over", "--drop-people")["dropped"] == ["ana"]
    assert known(apart) == []
    assert known() == ["ana"]


def blurred(cohort: Cohort) -> Cohort:
    noise = np.random.default_rng(1).normal(size=cohort.embeddings.shape) * 0.06
    return dataclasses.replace(cohort, embeddings=(cohort.embeddings + noise).astype(np.float16))


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `new`, but its base seems to see strangers rather otherwise."""
    return other_base(tmp_path_factory.mktemp("poor") / "poor.edge", of_cohort=blurred)


def test_who_was_enrolled_without_pictures_is_mapped_where_that_costs_little(
    home: Path, photos: Path, new: Path, poor: Path
) -> None:
    answer("enrol", "--name", "ana", "--photos", photos / "ana")
    before = [times_named(photos / name) for name in ("ana", "ben")]
    refused = call("self-test", poor)
    assert refused.exit_code == 1
    assert "too poor" in refused.stderr and "--map-people" in refused.stderr
    assert answer("self-test", poor, "--map-people")["mapped"] == ["ana"]
    said = answer("self-test", new, "--carry-over")
    assert (said["carried_over"], said["mapped"], said["dropped"]) == ([], ["ana"], [])
    assert said["likeness"] > 0.999
    assert known(new) == known() == ["ana"]
    assert [times_named(photos / name, "--bundle", new) for name in ("ana", "ben")] == before


def test_the_same_base_and_an_empty_device_need_nothing(
    home: Path, photos: Path, new: Path, tmp_path: Path
) -> None:
    assert answer("self-test", new, "--carry-over")["carried_over"] == []
    assert not people_folder().exists()
    answer("enrol", "--name", "ana", "--photos", photos / "ana")
    with shipped_bundle() as bundle:
        BundleWriter.of(bundle, name="same").write(tmp_path / "same.edge")
    assert answer("self-test", tmp_path / "same.edge", "--carry-over")["carried_over"] == []


def test_with_a_key_pictures_are_kept_and_encrypted(home: Path, photos: Path, new: Path) -> None:
    pytest.importorskip("cryptography")
    key = home / "people.key"
    assert call("keygen", "-o", key).exit_code == 0
    answer("enrol", "--name", "ana", "--photos", photos / "ana", "--key-file", key)
    assert all(b"\xff\xd8\xff" not in path.read_bytes() for path in people_folder().iterdir())
    assert call("self-test", new, "--carry-over").exit_code == 1  # without the key
    said = answer("self-test", new, "--carry-over", "--key-file", key)
    assert said["carried_over"] == ["ana"]
    assert all(b"\xff\xd8\xff" not in path.read_bytes() for path in people_folder().iterdir())


def test_a_keepsake_gives_the_same_aligned_face(photos: Path) -> None:
    detector = Detector.open()
    for path in sorted((photos / "ana").iterdir())[:4]:
        image = read_picture(path)
        for face in detector.detect(image)[:1]:
            kept = keepsake_of(image, face)
            assert max(kept.image_bgr().shape) <= LARGEST_PX
            one = align(image, face, ARCFACE, ARCFACE_WHOLE, 112).astype(float)
            two = align(kept.image_bgr(), kept.face(), ARCFACE, ARCFACE_WHOLE, 112)
            assert np.abs(one - two).mean() < 6
