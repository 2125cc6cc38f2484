"""A bundle whose model ends its runtime is found out in a process of its own, and refused."""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from device_factory import bare_home, call

from edge.bundle.locate import BUNDLES, CURRENT, PREVIOUS, data_folder, locate, shipped_bundle
from edge.bundle.signature import PrivateKey
from edge.bundle.writer import BundleWriter
from edge.errors import ModelError
from edge.faces.detector import detector_bytes
from edge.files.model_file import sha256_of
from edge.recognition.trial import try_bundle
from edge.service.probation import TRIED, proved

onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")


def that_crashes() -> bytes:
    """YuNet whose first convolution has no groups: OpenCV divides by them, SIGFPE."""
    model = onnx.load_from_string(detector_bytes())
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    next(each for each in first.attribute if each.name == "group").i = 0
    return bytes(model.SerializeToString())


def that_is_blind() -> bytes:
    """YuNet whose weights are all zero: it runs and finds nobody."""
    model = onnx.load_from_string(detector_bytes())
    for constant in model.graph.initializer:
        if constant.data_type == onnx.TensorProto.FLOAT and len(constant.dims) == 4:
            constant.raw_data = bytes(len(constant.raw_data))
    return bytes(model.SerializeToString())


def writer_with(detector: bytes | None = None, base: bytes | None = None) -> BundleWriter:
    """The shipped base as a bundle, with another detector or another file for it."""
    writer = replace(BundleWriter.of(shipped_bundle()), name="tried", cohort=b"")
    if base is not None:
        network = replace(writer.base[0], sha256=sha256_of(base))
        writer = replace(writer, base=(network, base))
    return replace(writer, detector=("d.onnx", detector or detector_bytes(), 0.6))


def bundle_with(path: Path, detector: bytes | None = None, base: bytes | None = None) -> Path:
    writer_with(detector, base).write(path)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bare_home(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {
        "sound": bundle_with(folder / "sound.edge"),
        "crashes": bundle_with(folder / "crashes.edge", that_crashes()),
    }


def flash(old: Path, new: Path) -> None:
    """As `edge-flash` leaves it: two bundles, `previous` and `current`."""
    shelf = data_folder() / BUNDLES
    shelf.mkdir(parents=True)
    for link, path in ((PREVIOUS, old), (CURRENT, new)):
        shutil.copy(path, shelf / path.name)
        (data_folder() / link).symlink_to(f"{BUNDLES}/{path.name}")


def test_a_sound_bundle_passes_once_and_is_remembered(home: Path, bundles: dict[str, Path]) -> None:
    waits: list[None] = []
    located = locate(bundles["sound"])
    assert proved(located, on_wait=lambda: waits.append(None)) == located
    assert waits, "whoever feeds a watchdog is called meanwhile"
    assert len((data_folder() / TRIED).read_text().split()) == 1
    waits.clear()
    assert proved(located, on_wait=lambda: waits.append(None)) == located
    assert not waits, "no second trial of the same content"


def test_a_detector_that_crashes_is_named(home: Path, bundles: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="detector: ended its process by SIGFPE"):
        try_bundle(bundles["crashes"])
    with pytest.raises(ModelError, match="SIGFPE"):
        proved(locate(bundles["crashes"]))
    assert not (data_folder() / TRIED).exists()


def test_a_detector_that_finds_nobody_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="detector: it finds no face in a drawn one"):
        try_bundle(bundle_with(tmp_path / "blind.edge", that_is_blind()))


def test_what_hangs_is_ended(bundles: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="did not end within 0 s"):
        try_bundle(bundles["sound"], limit_s=0.0)


def test_a_signed_bundle_is_tried_with_its_own_key(home: Path, tmp_path: Path) -> None:
    key = PrivateKey.generate()
    writer_with().write(tmp_path / "signed.edge", key=key)
    try_bundle(tmp_path / "signed.edge", key.public)
    with pytest.raises(ModelError, match="bundle: the bundle's signature does not verify"):
        try_bundle(tmp_path / "signed.edge", PrivateKey.generate().public)


def test_a_start_falls_back_to_the_bundle_before(
    home: Path, bundles: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    flash(bundles["sound"], bundles["crashes"])
    with caplog.at_level(logging.ERROR, "edge"):
        assert proved(locate()).path == (data_folder() / PREVIOUS).resolve()
    assert "SIGFPE" in caplog.text
    assert "sound.edge" in caplog.text
    with pytest.raises(ModelError, match="SIGFPE"):
        proved(locate(), fall_back=False)


def test_a_camera_goes_on_with_the_bundle_before(home: Path, bundles: dict[str, Path]) -> None:
    flash(bundles["sound"], bundles["crashes"])
    shutil.copy(Path(__file__).parents[2] / "edge/shipped/drawn-face.jpg", home / "shown.jpg")
    script = {"pictures": "shown.jpg", "fps": 20, "steps": [["frames", 3], ["end"]]}
    (home / "script.json").write_text(json.dumps(script))
    done = call("--camera", f"fake:{home / 'script.json'}", "--json", "--threads", 1)
    assert done.exit_code == 0, done.output
    assert "sound.edge (flashed before)" in done.stderr
    assert any(json.loads(line)["faces"] for line in done.stdout.splitlines())


@pytest.mark.parametrize(("name", "part"), [("16-crashes-litert.tflite", "embedder"),
                                            ("17-crashes-detector.onnx", "detector")])  # fmt: skip
def test_files_seen_to_crash(name: str, part: str, shared: Path, tmp_path: Path) -> None:
    file = shared / "faults" / name
    if not file.is_file():
        pytest.skip(f"{os.fspath(file)} is not there")
    data = file.read_bytes()
    made = {"base": data} if name.endswith("tflite") else {"detector": data}
    with pytest.raises(
        ModelError, match=f"{part}: (ended its process by SIG|no installed runtime)"
    ):
        try_bundle(bundle_with(tmp_path / "x.edge", **made))
