"""The doctor: what it finds on machines that are made up, and on this one."""

from __future__ import annotations

import json
import os
import time
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli.main import main
from edge.doctor.checks import bundle as bundles
from edge.doctor.checks import camera as camera_checks
from edge.doctor.checks import install, machine, vision
from edge.doctor.report import (
    CHECKS,
    OK,
    PROBLEM,
    SKIPPED,
    WARNING,
    Finding,
    Patient,
    examine,
    is_healthy,
)
from edge.sources import v4l2 as cameras

PI = "Raspberry Pi 4 Model B Rev 1.4\0"


def patient(root: Path, *, pi: bool = False, **answers: str | None) -> Patient:
    if pi:
        (root / "proc/device-tree").mkdir(parents=True, exist_ok=True)
        (root / "proc/device-tree/model").write_text(PI)
    return Patient(root, answers={"vcgencmd": None, "timedatectl": None, **answers})


def only(findings: object) -> Finding:
    (finding,) = findings  # type: ignore[misc]
    return finding


def test_every_check_exists_and_its_findings_are_whole(tmp_path: Path) -> None:
    findings = list(examine(patient(tmp_path)))
    silent = 4  # no CSI camera, no Pi's power, no memory file, no visits of strangers
    assert len(findings) >= len(CHECKS) - silent
    for finding in findings:
        assert finding.state in (OK, WARNING, PROBLEM, SKIPPED)
        assert finding.text
        if finding.state in (WARNING, PROBLEM):
            assert finding.remedy, f"{finding.check} has no remedy"


def test_a_check_that_fails_is_a_finding() -> None:
    broken = ("edge.doctor.checks.nowhere:check_x", "edge.doctor.checks.install:check_nothing")
    findings = list(examine(Patient(), (*broken, "edge.doctor.checks.install:check_python")))
    assert [finding.state for finding in findings] == [PROBLEM, PROBLEM, OK]
    assert "No module named 'edge.doctor.checks.nowhere'" in findings[0].text
    assert not is_healthy(findings)
    assert is_healthy(findings[2:])


def test_the_detector_really_detects(tmp_path: Path) -> None:
    finding = only(vision.check_detector(patient(tmp_path)))
    assert finding.state == OK
    assert "finds a face with 0.9" in finding.text


def test_a_detector_that_is_none(tmp_path: Path) -> None:
    wrong = tmp_path / "yunet.onnx"
    wrong.write_text("<!doctype html>")
    finding = only(vision.check_detector(Patient(tmp_path, detector_model=wrong)))
    assert finding.state == PROBLEM
    assert "is a web page" in finding.text


def test_opencv_decodes_and_opens(tmp_path: Path) -> None:
    assert only(vision.check_opencv(patient(tmp_path))).state == OK


def test_a_missing_or_broken_bundle(tmp_path: Path) -> None:
    missing = Patient(tmp_path, bundle=tmp_path / "x.edge")
    assert only(bundles.check_bundle(missing)).state == PROBLEM
    assert only(vision.check_inference(missing)).state == SKIPPED
    (tmp_path / "x.edge").write_text("no zip")
    assert only(bundles.check_bundle(missing)).state == PROBLEM


def versions(monkeypatch: pytest.MonkeyPatch, **found: str) -> None:
    named = {name.replace("_", "-"): version for name, version in found.items()}
    monkeypatch.setattr(install, "version_of", named.get)


def states(findings: object) -> list[str]:
    return [finding.state for finding in findings]  # type: ignore[attr-defined]


def test_pairs_of_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    versions(monkeypatch, numpy="2.1.0", opencv_python_headless="4.12.0.88", ai_edge_litert="2.3.0")
    assert states(install.check_packages(Patient())) == [OK]

    versions(monkeypatch, numpy="2.1.0", opencv_python="4.12", opencv_python_headless="4.12")
    two, _ = install.check_packages(Patient())
    assert two.state == WARNING
    assert "opencv-python and opencv-python-headless" in two.text
    assert "pip uninstall -y opencv-python opencv-python-headless" in str(two.remedy)

    versions(monkeypatch, numpy="2.1.0", opencv_python_headless="4.12", tflite_runtime="2.14.0")
    runtime, _ = install.check_packages(Patient())
    assert (runtime.check, runtime.state) == ("runtime", PROBLEM)
    assert "ai-edge-litert" in str(runtime.remedy)

    versions(monkeypatch, numpy="1.26.4", opencv_python_headless="4.12.0.88")
    opencv, _ = install.check_packages(Patient())
    assert (opencv.check, opencv.state) == ("OpenCV", PROBLEM)
    versions(monkeypatch, numpy="1.26.4", opencv_python_headless="4.11.0.86")
    assert states(install.check_packages(Patient())) == [OK]


def test_another_owner_of_our_names(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {"edge": ["edge-recognize", "edge-of-another"], "export": ["edge-recognize"]}
    monkeypatch.setattr(metadata, "packages_distributions", lambda: owners)
    finding = only(install.check_ownership(Patient()))
    assert finding.state == PROBLEM
    assert "'edge' is also in edge-of-another" in finding.text
    monkeypatch.setattr(metadata, "packages_distributions", lambda: {"edge": ["edge-recognize"]})
    assert only(install.check_ownership(Patient())).state == OK


@pytest.mark.parametrize(
    ("version", "state"), [((3, 9), PROBLEM), ((3, 10), OK), ((3, 13), OK), ((3, 14), PROBLEM)]
)
def test_python(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], state: str) -> None:
    monkeypatch.setattr(install.sys, "version_info", (*version, 1))
    assert only(install.check_python(Patient())).state == state


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ("temp=48.3'C", OK, "48 °C"),
        ("temp=72.0'C", WARNING, "72 °C"),
        ("temp=84.9'C", PROBLEM, "slows down"),
        (None, SKIPPED, "does not tell"),
        ("VCHI initialization failed", SKIPPED, "does not tell"),
    ],
)
def test_temperature(tmp_path: Path, answer: str | None, state: str, words: str) -> None:
    finding = only(machine.check_temperature(patient(tmp_path, vcgencmd=answer)))
    assert finding.state == state
    assert words in finding.text


def test_temperature_of_another_machine(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("55123\n")
    assert only(machine.check_temperature(patient(tmp_path))).text == "55 °C"


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ("throttled=0x0", OK, "never throttled"),
        ("throttled=0x50005", PROBLEM, "the voltage is too low and the processor is throttled"),
        ("throttled=0x50000", WARNING, "since the start: the voltage is too low and the processor"),
    ],
)
def test_power(tmp_path: Path, answer: str, state: str, words: str) -> None:
    finding = only(machine.check_power(patient(tmp_path, pi=True, vcgencmd=answer)))
    assert finding.state == state
    assert words in finding.text


def test_power_of_a_pi_that_does_not_answer(tmp_path: Path) -> None:
    assert only(machine.check_power(patient(tmp_path, pi=True))).state == SKIPPED
    assert list(machine.check_power(patient(tmp_path / "elsewhere"))) == []


def test_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(machine.check_clock(patient(tmp_path))).state == OK
    assert only(machine.check_clock(patient(tmp_path, timedatectl="no"))).state == WARNING
    synchronized = only(machine.check_clock(patient(tmp_path, timedatectl="yes")))
    assert synchronized.text.endswith(", synchronized")
    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    (tmp_path / "run/systemd/timesync/synchronized").touch()
    assert only(machine.check_clock(patient(tmp_path, timedatectl="no"))).state == OK
    monkeypatch.setattr(machine, "THIS_PROJECT_S", time.time() + 1000)
    assert only(machine.check_clock(patient(tmp_path))).state == PROBLEM


@pytest.mark.parametrize(
    ("free", "state"), [(50_000_000, PROBLEM), (300_000_000, WARNING), (9_000_000_000, OK)]
)
def test_disk(tmp_path: Path, free: int, state: str) -> None:
    assert machine.disk_finding(tmp_path, free).state == state


def test_memory(tmp_path: Path) -> None:
    assert list(machine.check_memory(patient(tmp_path))) == []
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 500000 kB\nMemAvailable:   90000 kB\n")
    assert only(machine.check_memory(patient(tmp_path))).state == WARNING


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, cameras.Node]:
    """Nodes by name; `describe_node` answers with them."""
    (tmp_path / "dev").mkdir()
    nodes: dict[str, cameras.Node] = {}
    monkeypatch.setattr(cameras, "describe_node", lambda path: nodes[path.name])
    return nodes


def plug(root: Path, nodes: dict[str, cameras.Node], name: str, driver: str, card: str) -> Path:
    path = root / "dev" / name
    path.touch()
    nodes[name] = cameras.Node(path, driver, card, "bus", True)
    return path


def test_no_camera(tmp_path: Path, devices: dict[str, cameras.Node]) -> None:
    assert only(camera_checks.check_cameras(patient(tmp_path))).state == SKIPPED
    assert list(camera_checks.check_csi(patient(tmp_path))) == []
    assert only(camera_checks.check_csi(patient(tmp_path, pi=True))).state == SKIPPED


def test_a_usb_camera(tmp_path: Path, devices: dict[str, cameras.Node]) -> None:
    plug(tmp_path, devices, "video2", "uvcvideo", "HD Webcam")
    finding = only(camera_checks.check_cameras(patient(tmp_path)))
    assert (finding.state, finding.text) == (OK, "--camera 2 is HD Webcam (uvcvideo)")


def test_a_camera_without_permission(
    tmp_path: Path, devices: dict[str, cameras.Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    plug(tmp_path, devices, "video0", "uvcvideo", "HD Webcam")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    finding = only(camera_checks.check_cameras(patient(tmp_path)))
    assert finding.state == PROBLEM
    assert "sudo usermod -aG" in str(finding.remedy)


@pytest.mark.parametrize("has_picamera2", [True, False])
def test_a_csi_camera(
    tmp_path: Path,
    devices: dict[str, cameras.Node],
    monkeypatch: pytest.MonkeyPatch,
    has_picamera2: bool,
) -> None:
    plug(tmp_path, devices, "video0", "rp1-cfe", "rp1-cfe")
    subdevice = tmp_path / "sys/class/video4linux/v4l-subdev0"
    subdevice.mkdir(parents=True)
    (subdevice / "name").write_text("imx708 10-001a\n")
    package = tmp_path / "packages" / "picamera2.py"
    package.parent.mkdir()
    package.write_text("" if has_picamera2 else "raise ImportError('numpy.dtype size changed')")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    finding = only(camera_checks.check_csi(patient(tmp_path, pi=True)))
    if has_picamera2:
        assert (finding.state, finding.text) == (OK, "--camera csi is imx708")
    else:
        assert finding.state == WARNING
        assert "numpy.dtype size changed" in finding.text
        assert "numpy<2" in str(finding.remedy)
    assert only(camera_checks.check_cameras(patient(tmp_path))).state == SKIPPED


def test_nodes_of_the_image_processor_are_no_camera(
    tmp_path: Path, devices: dict[str, cameras.Node]
) -> None:
    """They are on every Pi, also on one without a camera."""
    plug(tmp_path, devices, "video13", "bcm2835-isp", "bcm2835-isp")
    plug(tmp_path, devices, "video20", "pispbe", "pispbe")
    finding = only(camera_checks.check_csi(patient(tmp_path, pi=True)))
    assert (finding.state, finding.text) == (SKIPPED, "no camera on the connector")


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["doctor", *words], prog_name="edge-recognize")
    return done.exit_code, done.output


@pytest.mark.parametrize("state", [OK, WARNING, PROBLEM])
def test_the_command(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    found = [Finding("disk", OK, "fine"), Finding("clock", state, "a text", "a remedy")]
    monkeypatch.setattr("edge.doctor.report.examine", lambda patient: iter(found))
    code, text = call()
    assert code == (1 if state == PROBLEM else 0)
    assert "✓ disk: fine\n" in text
    assert "clock: a text\n    → a remedy\n" in text
    code, text = call("--json")
    assert code == (1 if state == PROBLEM else 0)
    report = json.loads(text)
    assert (report["schema"], report["healthy"]) == (1, state != PROBLEM)
    assert report["findings"][1] == {
        "check": "clock",
        "state": state,
        "text": "a text",
        "remedy": "a remedy",
    }
