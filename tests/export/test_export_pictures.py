"""Pictures for a run on the shipped base: its float model is found, faces become crops."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.bundle.locate import shipped_bundle
from edge.errors import InputError
from edge.faces.detector import Detector
from edge.models.run_record import Run
from edge.models.spec import Network
from export.inputs.crops import (
    FEWEST_CROPS,
    faces,
    halved,
    representative,
    shipped_float_model,
    with_pictures,
)
from export.inputs.run_folder import RunFolder

FACE = Path(edge.__file__ or "").parent / "shipped" / "drawn-face.jpg"


def network() -> Network:
    with shipped_bundle() as bundle:
        return bundle.manifest.base.network


def run(path: Path, described: Network | None = None) -> RunFolder:
    return RunFolder(path, Run("person", "made", 0, described or network()))


def photos(folder: Path, count: int) -> Path:
    """Half of them in a folder of their own."""
    (folder / "somebody").mkdir(parents=True)
    for number in range(count):
        shutil.copy(FACE, folder / ("somebody" if number % 2 else ".") / f"{number}.jpg")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture either")
    return folder


def test_the_shipped_float_model_is_found_for_the_shipped_file_alone() -> None:
    found = shipped_float_model(network())
    assert found is not None
    assert found.name == "base.keras"
    assert shipped_float_model(replace(network(), sha256="0" * 64)) is None


def test_faces_become_crops_of_the_network(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = photos(tmp_path / "photos", 2)
    cv2.imwrite(str(folder / "wall.png"), np.zeros((200, 200, 3), np.uint8))
    size = network().input.size_px
    assert faces([folder], network(), Detector.open()).crops.shape == (2, size, size, 3)
    assert "broken.jpg" in caplog.text
    assert "1 picture without a face left out" in caplog.text


def test_half_of_them_calibrates_and_the_rest_measures(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 2 * FEWEST_CROPS)
    ready = with_pictures(run(tmp_path), [folder])
    crops = ready.representative()
    assert crops is not None
    assert [len(part) for part in crops] == [FEWEST_CROPS + 2, FEWEST_CROPS]  # black, white
    assert ready.keras == shipped_float_model(network())


def test_those_that_calibrate_are_as_various_as_what_the_device_sees() -> None:
    """In the order of light, every second one from a poor camera, and the ends of the range."""
    rng = np.random.default_rng(0)
    light = rng.permutation(np.linspace(40, 200, 40)).astype(np.int64)
    plain = rng.integers(-30, 31, (40, 48, 48, 3)) + light[:, None, None, None]
    plain = plain.astype(np.uint8)
    crops = representative(plain)
    assert [int(crop.mean()) for crop in crops[-2:]] == [0, 255]
    in_order = plain[np.argsort(plain.mean(axis=(1, 2, 3)))]
    np.testing.assert_array_equal(crops[:-2:2], in_order[::2])
    changed = [np.any(a != b) for a, b in zip(crops[1:-2:2], in_order[1::2], strict=True)]
    assert np.mean(changed) > 0.9
    np.testing.assert_array_equal(representative(plain), crops)


def test_nobody_calibrates_and_is_measured_on_where_there_are_enough_people() -> None:
    person = np.repeat(np.arange(12), 5)
    calibrates = halved(person)
    assert set(person[calibrates]) & set(person[~calibrates]) == set()
    assert calibrates.sum() == 30
    few = np.repeat(np.arange(3), 20)
    np.testing.assert_array_equal(halved(few), np.arange(60) % 2 == 0)
    lopsided = np.array([0] * 50 + list(range(1, 12)))
    np.testing.assert_array_equal(halved(lopsided), np.arange(61) % 2 == 0)


def test_pictures_are_taken_of_all_people_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.inputs.crops.MOST", 9)
    for name, count in (("many", 30), ("some", 3), ("one", 1)):
        (tmp_path / name).mkdir()
        for number in range(count):
            shutil.copy(FACE, tmp_path / name / f"{number:02}.jpg")
    found = faces([tmp_path], network(), Detector.open())
    assert np.bincount(found.person).tolist() == [5, 1, 3]


def test_too_few_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 pictures in"):
        with_pictures(run(tmp_path), [photos(tmp_path / "photos", 3)])
    with pytest.raises(InputError, match="there is no file or folder"):
        with_pictures(run(tmp_path), [tmp_path / "nowhere"])


def test_another_base_and_a_run_that_needs_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not here"):
        with_pictures(run(tmp_path, replace(network(), sha256="0" * 64)), [tmp_path])
    (tmp_path / "model.keras").write_bytes(b"")
    with pytest.raises(InputError, match="its own float model"):
        with_pictures(run(tmp_path), [tmp_path])
