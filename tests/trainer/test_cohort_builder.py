"""Cohorts: who is in them, how often, and that nobody can be named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import DataError, ModelError, UsageError
from edge.faces.canonical import CELEBA, WIDE
from edge.heads.cohort import Cohort
from edge.models.embedder import Perception, l2_normalized
from edge.models.spec import Network, NetworkInput
from trainer.cli.cohort import cohort_command, named_groups
from trainer.cohort import build as cohort_builder
from trainer.cohort.build import CohortPlan, build_cohort, distinct_people, strangers
from trainer.inference.source import Deployed

SIDE = 24
SHA256 = "ab" * 32


def embedder(output: str = "embedding") -> Deployed:
    network = Network(
        format="tflite-int8",
        sha256=SHA256,
        input=NetworkInput(frame=CELEBA, window=WIDE, size_px=SIDE),
        outputs={output: "embedding"},
        embedding_size=12,
    )
    return Deployed(network, b"")


@pytest.fixture(autouse=True)
def mean_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a network: the mean colours of a crop's quarters, as its embedding."""

    def perceive(crops: np.ndarray) -> Perception:
        half = SIDE // 2
        quarters = crops.reshape(-1, 2, half, 2, half, 3).mean(axis=(2, 4)).reshape(-1, 12)
        return Perception(l2_normalized(quarters), None)

    monkeypatch.setattr(cohort_builder, "deployed_perceiver", lambda *_, **__: perceive)
    monkeypatch.setenv("EDGE_CACHE_DIR", str(tmp_path / "cache"))


def save(path: Path, seed: int) -> Path:
    """Four blocks of colour in CELEBA's shape, no two pictures alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    picture = cv2.resize(blocks, (89, 109), interpolation=cv2.INTER_NEAREST)
    assert cv2.imwrite(str(path), picture)
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Five people with one to five pictures."""
    for person in range(5):
        for shot in range(person + 1):
            save(tmp_path / "people" / f"name{person}" / f"{shot}.png", 10 * person + shot)
    return tmp_path / "people"


def build(*folders: Path, **options: Any) -> tuple[Cohort, Any]:
    plan = CohortPlan(quiet=True, **options)
    return build_cohort(strangers(folders, plan), embedder(), plan)


def test_everybody_in_every_variant(people: Path) -> None:
    cohort, counts = build(people, variants=("plain", "grey"), source="here", licence="free")
    assert (counts.people, counts.pictures, counts.aligned) == (5, 15, 15)
    assert cohort.embeddings.shape == (30, 12)
    assert cohort.variants == ("plain", "grey")
    assert (cohort.embedder_sha256, cohort.source, cohort.licence) == (SHA256, "here", "free")
    for number in (0, 1):
        rows = cohort.variant == number
        assert sorted(np.bincount(cohort.identity[rows])) == [1, 2, 3, 4, 5]
    grey = np.asarray(cohort.embeddings[cohort.variant == 1], np.float32).reshape(-1, 4, 3)
    assert np.allclose(grey, grey.mean(axis=2, keepdims=True), atol=1e-3)
    assert np.allclose(
        np.linalg.norm(np.asarray(cohort.embeddings, np.float32), axis=1), 1, atol=1e-2
    )


def test_every_folder_is_a_group_and_looks_are_drawn(tmp_path: Path, people: Path) -> None:
    for row in range(40):
        save(tmp_path / "flat" / f"{row}.png", 500 + row)
    groups = (("press", people), ("portraits", tmp_path / "flat"))
    cohort, counts = build(people, tmp_path / "flat", groups=groups, looks=2)
    assert counts.people == 45
    assert cohort.people_of_groups == {"press": 5, "portraits": 40}
    plain = cohort.variant == 0
    assert (plain.sum(), len(cohort)) == (55, 110)
    seen = {(int(i), int(v)) for i, v in zip(cohort.identity, cohort.variant, strict=True)}
    assert len(seen) == 90, "plain and one other look of everybody"
    assert len(np.unique(cohort.variant)) == 4


def test_names_of_groups(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    words = ("old people=/faces/x", f"{tmp_path}/a=b", "/faces/y")
    names = dict(named_groups(words))
    assert list(names) == ["old people", "a=b", "y"]
    assert names["old people"] == Path("/faces/x")
    for wrong in (("/one/x", "/two/x"), ("=/faces/x",), (f"{'n' * 99}=/faces/x",)):
        with pytest.raises(UsageError):
            named_groups(wrong)


def test_rows_of_a_variant_are_the_same_people_in_the_same_order(people: Path) -> None:
    cohort, _ = build(people, variants=("plain", "dark"))
    half = len(cohort.identity) // 2
    assert np.array_equal(cohort.identity[:half], cohort.identity[half:])


def test_neither_numbers_nor_order_tell_who_somebody_is(people: Path) -> None:
    cohort, _ = build(people, variants=("plain",), seed=1)
    other, _ = build(people, variants=("plain",), seed=2)
    assert sorted(np.unique(cohort.identity)) == [0, 1, 2, 3, 4]
    assert not np.array_equal(cohort.identity, np.sort(cohort.identity))
    assert not np.array_equal(cohort.identity, other.identity)
    again, _ = build(people, variants=("plain",), seed=1)
    assert np.array_equal(cohort.embeddings, again.embeddings)


def test_one_person_under_two_names_is_one(people: Path) -> None:
    save(people / "alias/0.png", 40)  # the first picture of name4
    save(people / "alias/1.png", 999)
    cohort, counts = build(people, variants=("plain",))
    assert (counts.people, counts.repeated, counts.merged) == (5, 1, 1)
    assert sorted(np.bincount(cohort.identity)) == [1, 2, 3, 4, 6]


def test_chains_of_names_are_one_person() -> None:
    crops = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    crops[3], crops[5] = crops[0], crops[2]  # 7 is 8 by one picture, and 9 is 8 by another
    keep, person, merged = distinct_people(crops, np.array([7, 8, 8, 8, 9, 9]))
    assert keep.tolist() == [0, 1, 2, 4]
    assert len(set(person.tolist())) == 1
    assert merged == 2


def test_celeba_numbers_are_one_person_across_folders(tmp_path: Path) -> None:
    for root in ("one", "two"):
        folder = tmp_path / root / "img_align_celeba"
        for row in range(3):
            save(folder / f"{root}{row}.png", 10 * len(root) * ord(root[0]) + row)
        rows = "".join(f"{root}{row}.png {row + 1}\n" for row in range(3))
        (tmp_path / root / "identity_CelebA.txt").write_text(rows)
    _, counts = build(tmp_path / "one", tmp_path / "two", variants=("plain",))
    assert (counts.people, counts.pictures) == (3, 6)


def test_flat_folders_hold_a_person_a_picture(tmp_path: Path) -> None:
    for row in range(4):
        save(tmp_path / "flat" / f"{row}.png", row)
    cohort, counts = build(tmp_path / "flat", variants=("plain",))
    assert counts.people == 4
    assert sorted(cohort.identity) == [0, 1, 2, 3]


def test_at_most_so_many_of_one_person(people: Path) -> None:
    cohort, counts = build(people, variants=("plain",), per_person=2)
    assert counts.pictures == 9
    assert sorted(np.bincount(cohort.identity)) == [1, 2, 2, 2, 2]


def test_pictures_without_a_face_are_left_out(people: Path) -> None:
    wide = cv2.imread(str(people / "name4/0.png"))
    cv2.imwrite(str(people / "name4/wide.png"), cv2.resize(wide, (300, 150)))
    _, counts = build(people, variants=("plain",))
    assert (counts.pictures, counts.unusable) == (15, 1)


def test_refusals(people: Path, tmp_path: Path) -> None:
    save(tmp_path / "alone/me/0.png", 1)
    with pytest.raises(DataError, match="at least 2 people, here are 1"):
        build(tmp_path / "alone", variants=("plain",))
    with pytest.raises(UsageError, match="unknown variant 'foggy'"):
        build(people, variants=("foggy",))
    plan = CohortPlan(quiet=True)
    with pytest.raises(ModelError, match="no embedding"):
        build_cohort(strangers([people], plan), embedder(output="attributes"), plan)


def test_command_with_a_real_embedding(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("EDGE_CACHE_DIR", str(tmp_path / "cache"))
    sources = sorted((shared / "data/lfw-crops").iterdir())
    names = [s.name for s in sources if len(list(s.iterdir())) >= 4][:4]
    for name in names:
        (tmp_path / "faces" / name).mkdir(parents=True)
        for path in sorted((shared / "data/lfw-crops" / name).iterdir())[:4]:
            (tmp_path / "faces" / name / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "cohort.npz"
    words = [str(tmp_path / "faces"), "--embedding", str(shared / "weights/MobileFaceNet.tflite")]
    words += ["-o", str(out), "--variants", "plain,low-resolution", "--json", "-q"]
    done = CliRunner().invoke(cohort_command, words)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["people"], said["pictures"], said["embeddings"]) == (4, 16, 32)
    cohort = Cohort.load(out)
    embeddings = np.asarray(cohort.embeddings, np.float32)
    plain = cohort.variant == 0
    cosine = embeddings[plain] @ embeddings[plain].T
    same = cohort.identity[plain][:, None] == cohort.identity[plain]
    np.fill_diagonal(same, False)
    other = cohort.identity[plain][:, None] != cohort.identity[plain]
    assert cosine[same].mean() > cosine[other].mean() + 0.3
    assert not any(name.encode() in out.read_bytes() for name in names)
