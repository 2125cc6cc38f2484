"""Augmented pictures as files: what they are of, how far they are changed, and that none passes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge.errors import InputError, UsageError
from edge.files.image import read_picture
from edge.files.model_file import sha256_of
from trainer.cli.main import main as edge_train
from trainer.photos.augmented import source_of
from trainer.training.augmentation import Augmentation, augment_picture, wider
from trainer.training.exported import export_augmented


def call(*arguments: object) -> Result:
    return CliRunner().invoke(edge_train, [str(a) for a in arguments], catch_exceptions=False)


def test_each_picture_bears_the_photo_that_it_is_of(photos: Path, tmp_path: Path) -> None:
    files = sorted(photos.iterdir())[:2]
    count = export_augmented(files, tmp_path / "a", per_photo=3, settings=Augmentation())
    made = sorted((tmp_path / "a").iterdir())
    assert count == len(made) == 6
    assert {source_of(path) for path in made} == {sha256_of(f.read_bytes()) for f in files}
    assert [source_of(path) for path in files] == [None, None]
    shapes = {read_picture(path).shape for path in made}
    assert shapes == {read_picture(path).shape for path in files}


def test_the_same_seed_gives_the_same_files(photos: Path, tmp_path: Path) -> None:
    files = sorted(photos.iterdir())[:1]
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        export_augmented(files, tmp_path / name, per_photo=2, settings=Augmentation(), seed=seed)
    a, b, c = ([p.read_bytes() for p in sorted((tmp_path / n).iterdir())] for n in "abc")
    assert a == b != c
    assert a[0] != a[1]


def test_an_augmented_picture_is_not_augmented_again(photos: Path, tmp_path: Path) -> None:
    export_augmented(
        sorted(photos.iterdir())[:1], tmp_path / "a", per_photo=1, settings=Augmentation()
    )
    with pytest.raises(InputError, match="augmented picture itself"):
        export_augmented(
            list((tmp_path / "a").iterdir()), tmp_path / "b", per_photo=1, settings=Augmentation()
        )
    assert not (tmp_path / "b").exists()


def test_a_range_is_kept(tmp_path: Path) -> None:
    """A cross that is turned by at most 20 degrees: where its upper end lies says by how much."""
    image = np.zeros((201, 201, 3), np.uint8)
    cv2.line(image, (100, 100), (100, 10), (255, 255, 255), 3)
    settings = wider(
        Augmentation(), flip=0.0, rotation=20.0, zoom=0.0, shift=0.0, stretch=0.0, brightness=0.0,
        contrast=0.0,
    )  # fmt: skip
    angles = []
    for seed in range(200):
        turned = augment_picture(image, settings, np.random.default_rng(seed))
        y, x = (c.mean() for c in np.nonzero(turned[..., 0] > 128))
        angles.append(np.degrees(np.arctan2(x - 100, 100 - y)))
    assert max(np.abs(angles)) == pytest.approx(20.0, abs=1.0)
    assert min(angles) < -15 < 15 < max(angles)


def test_wider_ranges_widen_the_margin() -> None:
    plain = Augmentation()
    assert wider(plain) == plain
    assert wider(plain, rotation=20.0, zoom=0.2, shift=0.1, stretch=0.1).margin > plain.margin
    with pytest.raises(UsageError, match="rotation_deg"):
        wider(plain, rotation=91.0)


def test_they_cannot_pass_as_test_pictures(ana: Path, tmp_path: Path) -> None:
    done = call(
        "person", "--photos", ana / "photos", "--name", "ana", "--camera", "several",
        "--export-augmented", tmp_path / "more", "--per-photo", 5, "--rotation", 20, "--zoom", 0.2,
        "--out", tmp_path / "run", "-q", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "more").iterdir())) == 60
    again = call("evaluate-person", tmp_path / "run", "--photos", tmp_path / "more", "-q")
    assert again.exit_code == 1
    assert "an augmented copy of another photo" in again.stderr
    enrolled = call(
        "person", "--photos", ana / "photos", "--photos", tmp_path / "more", "--name", "ana",
        "--camera", "several", "--out", tmp_path / "both", "-q",
    )  # fmt: skip
    assert enrolled.exit_code == 0, enrolled.output
    report = (tmp_path / "both" / "report.html").read_text()
    assert "an augmented copy of another photo, made by --export-augmented (60)" in report


def test_ranges_without_a_folder_are_refused_for_a_person(ana: Path, tmp_path: Path) -> None:
    done = call(
        "person", "--photos", ana / "photos", "--name", "ana", "--rotation", 20,
        "--out", tmp_path / "run", "-q",
    )  # fmt: skip
    assert done.exit_code == 2
    assert "--export-augmented" in done.stderr
