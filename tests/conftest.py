"""What all tests share: a quiet environment, and real data where this machine has it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
"""False on the plain install, see `make test-plain`."""

ROOT = Path(__file__).resolve().parent.parent

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "ERROR",
    "CUDA_VISIBLE_DEVICES": "-1",
    "MPLBACKEND": "Agg",
    "OPENCV_LOG_LEVEL": "ERROR",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}
"""Set before anything native is loaded, here and in the processes that tests start."""

for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)
os.environ.pop("EDGE_DEBUG", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that takes the `shared` fixture bears the marker `shared`."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "shared" in names:
            item.add_marker(pytest.mark.shared)
        if "ana" in names and not HAS_TENSORFLOW:
            item.add_marker(pytest.mark.skip(reason="needs the training extra (TensorFlow)"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos, clips and weights; skips where EDGE_SHARED names none."""
    given = os.environ.get("EDGE_SHARED", "")
    if not given:
        pytest.skip("EDGE_SHARED is not set: it names the folder with real data and weights")
    path = ROOT / given
    if not path.is_dir():
        pytest.skip(f"EDGE_SHARED={given} is no folder")
    return path


@pytest.fixture(scope="session")
def ana(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one drawn person as the product makes her, for the whole session.

    `photos/` (12 images), `runs/ana` (enrolled on the shipped base), `ana.edge` (packed), `ana.jpg`
    (an image that she was not enrolled with) and `clip.mkv` (two seconds of her).
    """
    from ana_factory import make_ana

    base = tmp_path_factory.getbasetemp()
    return make_ana(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve photos of one drawn person."""
    from trainer.drawn import DrawnPerson
    from trainer.drawn.dataset import write_photos

    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder, DrawnPerson.draw(7), shots=12, seed=3)
    return folder
