"""Cameras: which there are, whether they may be used, and by which option."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.doctor.report import OK, PROBLEM, SKIPPED, WARNING, Finding, Patient
from edge.files.platform import group_of

SENSOR_WORDS = ("imx", "ov5647", "ov64", "ov9281", "arducam")
"""Sensors of the Pi's cameras, as the device tree and the kernel call them."""

IMPORT_S = 30
"""Longest import of picamera2 that is waited for; on a Pi 4 it takes about 3 s."""


def check_cameras(patient: Patient) -> Iterator[Finding]:
    """USB cameras, and the permission to use them."""
    from edge.sources.v4l2 import list_nodes

    devices = patient.root / "dev"
    paths = sorted(path for path in devices.glob("video*") if path.name[5:].isdigit())
    if not paths:
        text = "no camera that V4L2 knows"
        yield Finding("USB camera", SKIPPED, text, "plug one in, then look again")
        return
    closed = [path for path in paths if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        group = _group(closed[0])
        names = ", ".join(str(path) for path in closed)
        yield Finding(
            "USB camera",
            PROBLEM,
            f"no permission to use {names}, which belongs to the group {group}",
            f"sudo usermod -aG {group} $USER, then log in again",
        )
        return
    nodes = [node for node in list_nodes(devices) if not node.is_csi]
    for node in nodes:
        number = node.path.name.removeprefix("video")
        yield Finding("USB camera", OK, f"--camera {number} is {node.card} ({node.driver})")
    if not nodes:
        text = f"none of {', '.join(path.name for path in paths)} is a USB camera"
        yield Finding("USB camera", SKIPPED, text)


def check_csi(patient: Patient) -> Iterator[Finding]:
    """A camera on the Pi's connector, and picamera2, which reads it."""
    from edge.sources.v4l2 import list_nodes

    nodes = [node for node in list_nodes(patient.root / "dev") if node.is_sensor]
    sensors = list(_sensors(patient.root))
    if not nodes and not sensors:
        if patient.is_pi:
            text = "no camera on the connector"
            yield Finding("CSI camera", SKIPPED, text, "check with 'rpicam-hello --list-cameras'")
        return
    what = ", ".join(sensors) or nodes[0].card
    problem = _picamera2_problem()
    if problem is None:
        yield Finding("CSI camera", OK, f"--camera csi is {what}")
        return
    remedy = "sudo apt install python3-picamera2"
    if sys.prefix != sys.base_prefix:
        remedy += ", and make the environment with 'python3 -m venv --system-site-packages'"
    if "numpy" in problem.lower():
        remedy = "on bookworm picamera2 needs NumPy 1: pip install 'numpy<2' in this environment"
    yield Finding("CSI camera", WARNING, f"{what} is there, but not picamera2: {problem}", remedy)


def _picamera2_problem() -> str | None:
    """Why picamera2 cannot be imported, None where it can.

    It is tried in a process of its own: beside a NumPy that it was not built for, the package is
    found and its import fails, sometimes without an exception.
    """
    words = [sys.executable, "-c", "import picamera2"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=IMPORT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"its import takes longer than {IMPORT_S} s"
    except OSError as problem:
        return str(problem)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"its import ended with status {done.returncode}"


def _sensors(root: Path) -> Iterator[str]:
    """Names of camera sensors that the kernel has found."""
    for path in sorted(root.glob("sys/class/video4linux/v4l-subdev*/name")):
        name = path.read_text("utf-8", "replace").strip()
        if name.lower().startswith(SENSOR_WORDS):
            yield name.split()[0]


def _group(path: Path) -> str:
    try:
        return group_of(path)
    except (KeyError, OSError):
        return "video"
