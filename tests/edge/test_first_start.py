"""The plain install on a device that has no bundle yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from device_factory import answer, bare_home, call

from edge.bundle.locate import SHIPPED, shipped_bundle
from edge.bundle.writer import BundleWriter
from edge.faces.yunet import SHIPPED_DETECTOR, YUNET_SHA256
from edge.files.model_file import sha256_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bare_home(tmp_path, monkeypatch)


def test_a_face_is_found_and_judged_without_any_bundle() -> None:
    done = call("--source", SHIPPED / "drawn-face.jpg", "--json", "--quiet")
    assert done.exit_code == 0, done.output
    (face,) = json.loads(done.stdout.splitlines()[-1])["faces"]
    assert len(face["attributes"]) == 40
    assert face["person"] is None


def test_somebody_is_enrolled_on_the_shipped_base(photos: Path) -> None:
    assert answer("enrol", "--name", "ana", "--photos", photos, "--quiet")["name"] == "ana"


def test_the_doctor_finds_nothing_wrong_with_the_shipped_base() -> None:
    findings = {f["check"]: f for f in json.loads(call("doctor", "--json").stdout)["findings"]}
    assert findings["face detector"]["state"] == "ok"
    assert findings["bundle"]["state"] == "warning"
    assert "knows nobody" in findings["bundle"]["text"]


def test_the_detector_comes_with_its_licence(tmp_path: Path) -> None:
    assert sha256_of(SHIPPED_DETECTOR.read_bytes()) == YUNET_SHA256
    bundle = shipped_bundle()
    bundle.verify()
    assert "MIT License" in bundle.text(bundle.manifest.licences[0])
    BundleWriter.of(bundle, name="mine").write(tmp_path / "mine.edge")
