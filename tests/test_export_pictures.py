"""Pictures for a run on the shipped base: its float model is found, faces become crops."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.detector import Detector
from edge.errors import InputError
from edge.locate import shipped_bundle
from edge.network import Network
from export.parity import FEWEST_CROPS
from export.pictures import faces, shipped_float_model, with_pictures
from export.runfolder import RunFolder

FACE = Path(edge.__file__ or "").parent / "shipped" / "drawn-face.jpg"


def network() -> Network:
    with shipped_bundle() as bundle:
        return bundle.manifest.base.network


def run(path: Path, described: Network | None = None) -> RunFolder:
    return RunFolder(path, "person", described or network(), None, {})


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


def test_faces_become_crops_of_the_network(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 2)
    cv2.imwrite(str(folder / "wall.png"), np.zeros((200, 200, 3), np.uint8))
    size = network().input.size_px
    assert faces([folder], network(), Detector.open()).shape == (2, size, size, 3)


def test_half_of_them_calibrates_and_the_rest_measures(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 2 * FEWEST_CROPS)
    ready = with_pictures(run(tmp_path), [folder])
    crops = ready.representative()
    assert crops is not None
    assert [len(part) for part in crops] == [FEWEST_CROPS, FEWEST_CROPS]
    assert ready.keras == shipped_float_model(network())


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
