"""The systemd unit: what it runs, what it may do, and that systemd takes it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli.main import main
from edge.service.systemd_unit import Unit


def call(*words: str) -> Result:
    return CliRunner().invoke(main, ["service", *words], prog_name="edge-recognize")


def unit(*words: str) -> dict[str, str]:
    text = Unit(words, "pi", "/opt/edge/bin/edge-recognize", Path("/data")).text()
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line]
    return {name: value for name, _, value in pairs}


def test_what_it_runs_and_how_it_is_watched() -> None:
    found = unit("--camera", "0")
    assert found["ExecStart"] == "/opt/edge/bin/edge-recognize --camera 0 --systemd --quiet"
    assert (found["Type"], found["Restart"], found["WatchdogSec"]) == ("notify", "always", "30")
    assert (found["User"], found["ReadWritePaths"]) == ("pi", "-/data")
    for name in ("NoNewPrivileges", "PrivateTmp"):
        assert found[name] == "yes"
    assert found["ProtectSystem"] == "strict"


@pytest.mark.parametrize(
    ("words", "network"),
    [
        (("--camera", "0"), False),
        (("--camera", "csi", "--keep-events", "5"), False),
        (("--camera", "0", "--mqtt", "mqtt://localhost"), True),
        (("--camera", "0", "--serve=127.0.0.1:8080"), True),
        (("--camera", "0", "--webhook", "https://example.org"), True),
        (("--camera", "rtsp://10.0.0.2/live"), True),
        (("--source=http://10.0.0.2/x.mjpg",), True),
    ],
)
def test_no_network_unless_something_needs_it(words: tuple[str, ...], network: bool) -> None:
    if words[0].startswith("--source="):
        words = (*words, "--source", "x")
    found = unit(*words)
    assert found["PrivateNetwork"] == ("no" if network else "yes")
    assert ("AF_INET" in found["RestrictAddressFamilies"]) is network


@pytest.mark.parametrize(
    ("words", "libcamera"),
    [
        (("--camera", "csi"), True),
        (("--camera=csi:1",), True),
        (("--camera", "0", "--on-match", "csi"), False),
    ],
)
def test_libcamera_may_listen_to_udev(words: tuple[str, ...], libcamera: bool) -> None:
    words = words if "--camera" in words else (*words, "--camera", "csi:1")
    assert ("AF_NETLINK" in unit(*words)["RestrictAddressFamilies"]) is libcamera


def test_words_are_quoted_as_systemd_wants_it() -> None:
    found = unit("--camera", "0", "--on-match", 'say "hello {person}" at 50% of $5')
    assert '"say \\"hello {person}\\" at 50%% of $$5"' in found["ExecStart"]


def test_the_command_prints_it(tmp_path: Path) -> None:
    done = call("--user", "root", "--key-file", "people.key", "--", "--camera", "0")
    assert done.exit_code == 0, done.output
    assert "User=root" in done.stdout
    assert f"Environment=EDGE_RECOGNIZE_KEY_FILE={Path('people.key').absolute()}" in done.stdout
    assert call("--user", "nobody-here", "--", "--camera", "0").exit_code == 2
    out = tmp_path / "edge-recognize.service"
    found = json.loads(call("-o", str(out), "--json", "--", "--camera", "0").stdout)
    assert found["unit"] == out.read_text()
    assert found["network"] is False


@pytest.mark.parametrize(
    ("words", "said"), [((), "nothing to look at"), (("--camera", "0", "--window"), "no window")]
)
def test_what_cannot_be_a_service(words: tuple[str, ...], said: str) -> None:
    done = call("--", *words)
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("words", [("--camera", "0"), ("--camera", "0", "--serve", "[::1]:80")])
def test_systemd_takes_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "edge-recognize.service"
    path.write_text(Unit(words, "root", sys.executable, tmp_path).text())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "edge-recognize.service" in line]
    assert (done.returncode, ours) == (0, [])
