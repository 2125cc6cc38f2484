"""Flashing through the real OpenSSH, client and server, on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sshd_fixture import Device, Sshd, make_bundle, running_sshd, write_program

from export.cli.flash import main
from export.flash.push import BundleFile

pytestmark = pytest.mark.server

LARGE_BYTES = 6_000_000
"""More than ssh, sshd and the sockets between them hold on their way."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture
def sshd(server: Sshd, tmp_path: Path) -> Sshd:
    """The server with an empty home of its own for each test."""
    home = tmp_path / "home of pi"
    home.mkdir()
    server.at_login(f'HOME="{home}"\n')
    return server


@pytest.fixture
def device(sshd: Sshd, tmp_path: Path) -> Device:
    return Device(tmp_path / "home of pi")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "anna.edge")


def flash(sshd: Sshd, *words: object, **changes: str) -> Result:
    full = [*(str(word) for word in words), *sshd.words(**changes)]
    return CliRunner().invoke(main, full, prog_name="edge-flash")


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output + result.stderr
    return result.stdout


def installed(path: Path) -> str:
    return BundleFile.check(path).installed


def wait_until(true: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline_s, f"waited too long for {what}"
        time.sleep(0.02)


def test_push_list_and_rollback(sshd: Sshd, device: Device, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    text = done(flash(sshd, "push", first, "127.0.0.1"))
    assert f"127.0.0.1: {installed(first)} is current, 0.0 MiB uploaded" in text
    assert device.bundles == [installed(first)]
    done(flash(sshd, "push", second, "127.0.0.1"))
    assert (device.root / "current").read_bytes() == second.read_bytes()
    assert device.link("previous") == installed(first)
    done(flash(sshd, "rollback", "127.0.0.1"))
    assert (device.root / "current").read_bytes() == first.read_bytes()
    listed = json.loads(done(flash(sshd, "list", "127.0.0.1", "--json")))["devices"][0]
    assert (listed["current"], listed["previous"]) == (installed(first), installed(second))
    assert {entry["sound"] for entry in listed["bundles"]} == {True}


def test_second_push_uploads_nothing(sshd: Sshd, device: Device, bundle: Path) -> None:
    done(flash(sshd, "push", bundle, "127.0.0.1"))
    file = device.root / "bundles" / installed(bundle)
    number = file.stat().st_ino
    programs = device.home.parent / "watched"
    write_program(programs / "cat", '#!/bin/sh\ntouch "$HOME/read"\n')
    sshd.at_login(f'HOME="{device.home}"\nPATH="{programs}:$PATH"\n')
    report = json.loads(done(flash(sshd, "push", bundle, "127.0.0.1", "--json")))
    assert report["devices"][0]["uploaded_bytes"] == 0
    assert file.stat().st_ino == number
    assert not (device.home / "read").exists()


def test_large_bundle_arrives_whole(sshd: Sshd, device: Device, tmp_path: Path) -> None:
    large = make_bundle(tmp_path / "large.edge", size_bytes=LARGE_BYTES)
    report = json.loads(done(flash(sshd, "push", large, "127.0.0.1", "--json")))
    assert report["devices"][0]["uploaded_bytes"] == large.stat().st_size
    assert (device.root / "current").read_bytes() == large.read_bytes()


def test_damaged_upload_is_refused(sshd: Sshd, device: Device, bundle: Path) -> None:
    programs = device.home.parent / "bad"
    write_program(programs / "cat", "#!/bin/sh\nexec tr '\\007' '\\010'\n")
    sshd.at_login(f'HOME="{device.home}"\nPATH="{programs}:$PATH"\n')
    result = flash(sshd, "push", bundle, "127.0.0.1")
    assert result.exit_code == 1
    assert "SHA-256 differs" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not device.root.exists()


def slow_reader(sshd: Sshd, device: Device) -> tuple[Path, Path]:
    """The device reads a part, says so by the first file, and goes on when the second is there."""
    started, go = device.home / "started", device.home / "go"
    write_program(
        device.home.parent / "slow" / "cat",
        f'#!/bin/sh\ndd bs=65536 count=1 2>/dev/null\ntouch "{started}"\n'
        f'while [ ! -e "{go}" ]; do sleep 0.02; done\nexec {cat_program()}\n',
    )
    sshd.at_login(f'HOME="{device.home}"\nPATH="{device.home.parent / "slow"}:$PATH"\n')
    return started, go


def cat_program() -> str:
    return next(path for path in ("/bin/cat", "/usr/bin/cat") if Path(path).exists())


def start_push(sshd: Sshd, bundle: Path) -> subprocess.Popen[str]:
    """`edge-flash push` as a process, with the ssh that it starts in one group."""
    words = [sys.executable, "-m", "export.cli.flash", "push", str(bundle), "127.0.0.1"]
    return subprocess.Popen(
        [*words, *sshd.words()],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("how", ["killed", "terminated", "cut"])
def test_upload_that_stops_midway_leaves_nothing(
    how: str, sshd: Sshd, device: Device, bundle: Path, tmp_path: Path
) -> None:
    done(flash(sshd, "push", bundle, "127.0.0.1"))
    large = make_bundle(tmp_path / "large.edge", size_bytes=LARGE_BYTES)
    started, go = slow_reader(sshd, device)
    process = start_push(sshd, large)
    try:
        wait_until(started.exists, "the upload")
        assert [name for name in device.bundles if name.startswith(".upload-")]
        if how == "killed":
            os.killpg(process.pid, signal.SIGKILL)
        elif how == "terminated":
            process.terminate()
        else:
            for session in sshd.sessions():
                os.kill(session, signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        go.touch()
    assert process.returncode == {"killed": -signal.SIGKILL, "terminated": 0, "cut": 1}[how]
    if how == "cut":
        assert errors.startswith("error: the connection to 127.0.0.1 was cut")
        assert "in mid-upload; the device keeps the bundle it had; run it again" in errors
        assert errors.count("\n") == 1
    wait_until(lambda: device.bundles == [installed(bundle)], "the device to clean up")
    assert device.link("current") == installed(bundle)
    done(flash(sshd, "push", large, "127.0.0.1"))
    assert device.link("current") == installed(large)
    assert device.link("previous") == installed(bundle)


def test_two_pushes_at_once_leave_one_of_them_current(
    sshd: Sshd, device: Device, tmp_path: Path
) -> None:
    bundles = [make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2)]
    pushes = [start_push(sshd, bundle) for bundle in bundles]
    for push in pushes:
        errors = push.communicate()[1]
        assert push.returncode == 0, errors
    names = sorted(installed(bundle) for bundle in bundles)
    assert device.bundles == names
    assert sorted([device.link("current"), device.link("previous")]) == names


def test_unknown_and_changed_host_key(
    sshd: Sshd, device: Device, bundle: Path, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    known.write_text("")
    result = flash(sshd, "push", bundle, "127.0.0.1", known_hosts=str(known))
    assert result.exit_code == 1
    assert result.stderr == (
        "error: the host key of 127.0.0.1 is unknown; "
        "run 'ssh 127.0.0.1' once and compare the fingerprint\n"
    )
    other = (sshd.folder / "other_key.pub").read_text()
    known.write_text(f"[127.0.0.1]:{sshd.port} {other}")
    result = flash(sshd, "push", bundle, "127.0.0.1", known_hosts=str(known))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: 127.0.0.1 shows another host key than before")
    assert not device.root.exists()


def test_wrong_key(sshd: Sshd, device: Device, bundle: Path) -> None:
    identity = str(sshd.folder / "other_key")
    result = flash(sshd, "push", bundle, "127.0.0.1", identity=identity)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: 127.0.0.1 refused the login; check the user, or")
    assert not device.root.exists()


def test_nobody_listens_and_wrong_options(sshd: Sshd, bundle: Path) -> None:
    words = ["push", str(bundle), "127.0.0.1", "--port", "1"]
    result = CliRunner().invoke(main, words)
    assert "127.0.0.1 is there but runs no ssh server on this port" in result.stderr
    result = flash(sshd, "list", "127.0.0.1", "-o", "NoSuchOption=1")
    assert result.exit_code == 1
    assert "ssh refuses its configuration: command-line" in result.stderr
    assert result.stderr.count("\n") == 1


def test_several_hosts_through_a_users_config(
    sshd: Sshd, device: Device, bundle: Path, tmp_path: Path
) -> None:
    """Aliases, a command and a forwarding in the user's config do not get in the way."""
    config = tmp_path / "config"
    config.write_text(
        f"Host door\n HostName 127.0.0.1\n Port {sshd.port}\n IdentityFile {sshd.folder / 'key'}\n"
        f" UserKnownHostsFile {sshd.folder / 'known_hosts'}\n RemoteCommand tmux attach\n"
        f" RequestTTY force\n LocalForward {sshd.port} localhost:9\n"
        "Host gate\n HostName 127.0.0.1\n Port 1\n"
    )
    words = ["push", str(bundle), "gate", "door", "--ssh-config", str(config)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: gate is there but runs no ssh server")
    assert device.link("current") == installed(bundle)
    rows = [line.split()[:2] for line in result.stdout.splitlines()]
    assert ["gate", "failed"] in rows
    assert ["door", "ok"] in rows
