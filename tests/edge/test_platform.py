"""Where modules of Linux are missing, a picture is judged all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BLOCKED = """
import signal, sys
sys.path[:0] = [{root!r}, {factories!r}]
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
del signal.SIGHUP
import edge.people.store, edge.sources.v4l2, edge.service.systemd_unit, edge.doctor.checks.camera
import benchmarks.device.startup, benchmarks.device.measure
import cv2
from faked import ADA, install, picture
from edge.cli.main import main
cv2.imwrite({path!r}, picture(ADA))
install()
main(["--source", {path!r}])
"""


def test_a_picture_is_judged_without_them(tmp_path: Path) -> None:
    factories = str(ROOT / "tests" / "factories")
    code = BLOCKED.format(root=str(ROOT), factories=factories, path=str(tmp_path / "a.png"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Ada" in done.stdout
