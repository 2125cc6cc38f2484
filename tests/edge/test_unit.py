"""The systemd unit: what it runs, what it may do, and that systemd takes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from device_factory import bare_home
from sshd_fixture import write_program

from edge.bundle.signature import PrivateKey
from edge.cli.main import main
from edge.service import unit_install
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
        (("--camera", "0", "--on-match", "curl -s http://192.0.2.1/hello"), True),
        (("--camera", "0", "--on-left=mosquitto_pub -h door -t x -m y"), True),
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
@pytest.mark.parametrize("words", [("--camera", "csi"), ("--camera", "0", "--serve", "[::1]:80")])
def test_systemd_finds_it_little_exposed(tmp_path: Path, words: tuple[str, ...]) -> None:
    """At most 3.0 of 10, without or with a network."""
    path = tmp_path / "edge-recognize.service"
    path.write_text(Unit(words, "pi", "/bin/true", tmp_path).text())
    asked = ("--offline=true", "--threshold=30", "--no-pager", str(path))
    told = subprocess.run(["systemd-analyze", "security", *asked], capture_output=True, text=True)
    if "unrecognized option" in told.stderr:
        pytest.skip("systemd before 250 looks only at what is installed")
    assert told.returncode == 0, told.stdout[-300:] + told.stderr


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


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of units, and a systemctl, sudo and install that write down what they are asked."""
    bare_home(tmp_path, monkeypatch)
    programs = tmp_path / "bin"
    note = f'echo "${{0##*/}} $*" >> {tmp_path}/asked\n'
    write_program(programs / "systemctl", f"#!/bin/sh\n{note}")
    write_program(programs / "sudo", f'#!/bin/sh\n{note}shift; exec "$@"\n')
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (tmp_path / "units").mkdir()
    monkeypatch.setenv("SYSTEMD_UNIT_PATH", str(tmp_path / "units"))
    return tmp_path


def test_install_enables_and_starts_and_remembers_its_words(machine: Path) -> None:
    done = call("--install", "--", "--camera", "0", "--on-match", "notify $5 at 50%")
    assert done.exit_code == 0, done.output
    path = machine / "units" / "edge-recognize.service"
    assert "enabled and started" in done.stdout
    asked = (machine / "asked").read_text()
    for words in ("daemon-reload", "enable edge-recognize", "restart edge-recognize"):
        assert f"systemctl {words}" in asked
    assert unit_install.installed_words() == ("--camera", "0", "--on-match", "notify $5 at 50%")
    text = path.read_text()
    assert call("--install").exit_code == 0
    assert path.read_text() == text
    assert "is removed" in call("--uninstall").stdout
    assert not path.exists()
    assert "systemctl disable --now edge-recognize" in (machine / "asked").read_text()
    assert "there was no service" in call("--uninstall").stdout


def test_where_sudo_asks_for_a_password_the_unit_waits(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(machine / "bin" / "sudo", "#!/bin/sh\nexit 1\n")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = call("--install", "--", "--camera", "0")
    assert done.exit_code == 1
    kept = machine / "edge-recognize" / "edge-recognize.service"
    assert f"sudo install -m 644 {kept}" in done.stderr
    assert "--camera 0" in kept.read_text()
    assert not list((machine / "units").iterdir())


def test_without_words_it_waits_for_the_camera_of_this_machine(machine: Path) -> None:
    found = json.loads(call("--install", "--json").stdout)
    assert found["words"][0::2] == ["--camera", "--wait-for-camera"]
    assert found["words"][1] in ("0", "csi")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--camera", "0", "--kamera", "1"), "No such option"),
        (("--camera", "webcam"), "webcam"),
        (("--camera", "0", "extra"), "'extra' is no option"),
        (("--camera", "0", "--bundle", "a.edge"), "means another file wherever"),
        (("--camera", "0", "--bundle", "/nowhere/a.edge"), "there is no bundle"),
        (("--source", "clip.mkv"), "means another file wherever"),
        (("--camera", "0", "--serve", "0.0.0.0:8080"), "has no token"),
        (("--camera", "0", "--serve", "8080"), "is no address"),
        (("--camera", "0", "--save", "/x/a.avi"), "would find /x/a.avi there"),
        (("--camera", "0", "--votes", "5"), "is no vote"),
        (("--camera", "0", "--events-folder", "/x"), "alone keeps nothing"),
        (("--camera", "0", "--mqtt", "mqtt://a:b@host"), "EDGE_MQTT=VALUE"),
        (("--camera=rtsp://a:b@host/live",), "EDGE_CAMERA=VALUE"),
        (("--camera", "0", "--webhook", "https://host/?access_token=5"), "EDGE_WEBHOOK=VALUE"),
        (("--camera", "0", "--serve-token", "12345678"), "EDGE_SERVE_TOKEN=VALUE"),
    ],
)
def test_options_that_could_never_start_are_refused(
    machine: Path, words: tuple[str, ...], said: str
) -> None:
    done = call("--", *words)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "b@host" not in done.stderr


def test_secrets_come_from_a_file_of_their_own(machine: Path) -> None:
    file = machine / "edge-recognize" / "service.env"
    file.parent.mkdir()
    file.write_text("EDGE_MQTT=mqtt://ana:pw@broker\nEDGE_SERVE_TOKEN='abcdefgh12'\n")
    done = call("--", "--camera", "0", "--serve", "0.0.0.0:8080")
    assert done.exit_code == 2
    assert f"chmod 600 {file}" in done.stderr
    file.chmod(0o600)
    text = call("--", "--camera", "0", "--serve", "0.0.0.0:8080").stdout
    assert f"EnvironmentFile=-{file}" in text
    assert "PrivateNetwork=no" in text
    assert "pw@" not in text
    assert "abcdefgh12" not in text
    file.write_text("EDGE_CAMERA=rtsp://a:b@10.0.0.2/live\n")
    assert "PrivateNetwork=no" in call("--", "--quiet").stdout


def test_install_makes_the_token_that_is_missing(machine: Path) -> None:
    done = call("--install", "--", "--camera", "0", "--serve", "0.0.0.0:8080")
    assert done.exit_code == 0, done.output
    file = machine / "edge-recognize" / "service.env"
    assert file.stat().st_mode & 0o777 == 0o600
    token = file.read_text().strip().partition("=")[2]
    assert len(token) == 24
    assert token not in done.output


def test_what_a_unit_needs_from_the_environment_goes_with_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = PrivateKey.generate().public
    (machine / "maker.pub").write_bytes(key.to_pem())
    monkeypatch.setenv("EDGE_PUBLIC_KEY", str(machine / "maker.pub"))
    text = call("--", "--camera", "0").stdout
    assert f"Environment=EDGE_PUBLIC_KEY={key.raw.hex()}" in text
    assert f"Environment=XDG_DATA_HOME={machine}" in text


def test_pauses_grow_where_systemd_knows_how_and_wrong_usage_is_no_reason_to_try_again() -> None:
    assert unit("--camera", "0")["RestartPreventExitStatus"] == "2"
    assert "RestartSteps" not in unit("--camera", "0")
    text = Unit(("--camera", "0"), "pi", "/x", Path("/data"), systemd=257).text()
    assert "RestartSteps=8\nRestartMaxDelaySec=300\n" in text
