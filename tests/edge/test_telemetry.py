"""No runtime makes a socket or leaves an id: each runs where the kernel kills whoever tries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from no_sockets import can_forbid

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not can_forbid(), reason="needs Linux on x86-64 or arm64")

OPEN = {
    "onnxruntime": "from edge.models.runtime import OnnxModel\n"
    "from edge.faces.detector import detector_bytes\n"
    "OnnxModel(detector_bytes(), 1).run(np.zeros((1, 3, 640, 640), np.float32))",
    "quantization": "from edge.models.onnx_runtime import onnx_runtime\n"
    "onnx_runtime('quantization')\n"
    "from edge.models.runtime import OnnxModel\n"
    "from edge.faces.detector import detector_bytes\n"
    "OnnxModel(detector_bytes(), 1)",
    "opencv": "from edge.faces.detector import Detector\n"
    "Detector.open().detect(np.zeros((240, 320, 3), np.uint8))",
    "litert": "from edge.bundle.locate import shipped_bundle\n"
    "from edge.models.embedder import Embedder\n"
    "b = shipped_bundle(); e = Embedder(b.embedder, b.embedder_data)\n"
    "e.embed(np.zeros((1, e.network.input.size_px, e.network.input.size_px, 3), np.uint8))",
}


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """`code` after sockets were forbidden, then as long as a queue of events needs to be sent."""
    script = (
        "import sys, time; sys.path.insert(0, 'tests/factories')\n"
        "from no_sockets import forbid_sockets; forbid_sockets()\n"
        f"import numpy as np\n{code}\ntime.sleep(3)"
    )
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_DATA_HOME": str(home)}
    environment = {**os.environ, **places}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("runtime", OPEN)
def test_a_runtime_asks_nobody_and_leaves_nothing(runtime: str, tmp_path: Path) -> None:
    if runtime in ("onnxruntime", "quantization"):
        pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    done = run(OPEN[runtime], tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []


def test_the_trap_works(tmp_path: Path) -> None:
    done = run("import socket; socket.socket()", tmp_path)
    assert done.returncode == -signal.SIGSYS
