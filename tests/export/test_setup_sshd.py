"""Setting devices up through the real OpenSSH, as another user in a home that is thrown away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from light_device import NOBODY, Pi, a_wheel, light_pi, new_pi, write_light_device
from packaging.requirements import Requirement
from sshd_fixture import Sshd, running_sshd

from edge import __version__
from edge.bundle.locate import shipped_bundle
from edge.bundle.writer import BundleWriter
from export.cli.flash import main
from export.flash.push import BundleFile
from export.flash.wheel import EXTRAS, make_wheel, pack_installed
from export.flash.wheelhouse import write_listing

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture
def pi(server: Sshd) -> Iterator[Pi]:
    """A light device, see `light_device`."""
    with light_pi(server) as made:
        yield made


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[Path, Path]:
    """Two versions of the software."""
    return a_wheel(tmp_path / "w", "0.1.0"), a_wheel(tmp_path / "w", "0.2.0")


# The order of things, on light devices


def test_set_up_update_and_back(pi: Pi, wheels: tuple[Path, Path]) -> None:
    old, new = wheels
    text = pi.done("setup", "127.0.0.1", "--wheel", old, "--watch", 1, "--", "--camera", "csi")
    first = pi.current()
    assert first.startswith("env-0.1.0-")
    assert "all is well" in text
    assert (
        "service --install --camera csi" in (pi.home / "units/edge-recognize.service").read_text()
    )
    assert (pi.home / "edge" / "bin" / "edge-recognize").exists()
    assert "as before" in pi.done("setup", "127.0.0.1", "--wheel", old, "--watch", 0)
    assert pi.asked.count("-m venv") == 1
    text = pi.done("setup", "127.0.0.1", "--wheel", new, "--watch", 1)
    assert f"before it {first}" in text
    second = pi.current()
    assert pi.environments() == ["current", first, second, "previous"]
    assert "would" in pi.done("rollback", "127.0.0.1", "--software", "--dry-run")
    assert pi.current() == second
    pi.done("rollback", "127.0.0.1", "--software")
    assert pi.current() == first
    pi.done("rollback", "127.0.0.1", "--software")
    assert pi.current() == second
    assert pi.asked.count("systemctl restart edge-recognize") >= 5


def test_a_dry_run_shows_each_step_and_does_none(pi: Pi, wheels: tuple[Path, Path]) -> None:
    text = pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--dry-run", "--", "--camera", "0")
    for said in ("would", "make ~/.local/lib/", "self-test", "service: --camera 0", "doctor"):
        assert said in text
    assert {path.name for path in pi.home.iterdir()} == {"asked", "units"}


def test_beside_picamera2_the_environment_sees_it(pi: Pi, wheels: tuple[Path, Path]) -> None:
    pi.at_login(PICAMERA2="1")
    pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--watch", 0)
    assert "-m venv --system-site-packages " in pi.asked
    assert "-c " in next(line for line in pi.asked.splitlines() if "-m pip install" in line)


@pytest.mark.parametrize(
    ("variable", "said"),
    [("PIP_FAILS", "no matching distribution"), ("UNFIT", "it does not run here")],
)
def test_an_update_that_fails_changes_nothing(
    pi: Pi, wheels: tuple[Path, Path], variable: str, said: str
) -> None:
    pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--watch", 0)
    first = pi.current()
    pi.at_login(**{variable: "1"})
    result = pi.flash("setup", "127.0.0.1", "--wheel", wheels[1])
    assert result.exit_code == 1
    assert said in result.stderr
    assert "stays current" in result.stderr
    assert pi.environments() == ["current", first]


def test_an_update_whose_service_dies_is_taken_back(pi: Pi, wheels: tuple[Path, Path]) -> None:
    pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--watch", 0)
    first = pi.current()
    (pi.home / "weak").write_text("2")
    result = pi.flash("setup", "127.0.0.1", "--wheel", wheels[1], "--watch", 8)
    assert result.exit_code == 1
    assert "does not live on with the new software" in result.stderr
    assert pi.current() == first
    assert subprocess.run(["kill", "-0", (pi.home / "pid").read_text().strip()]).returncode == 0


def test_what_cannot_run_it_is_told_before_anything_is_done(
    pi: Pi, wheels: tuple[Path, Path]
) -> None:
    pi.at_login(PYTHON_SAYS="3.9")
    result = pi.flash("setup", "127.0.0.1", "--wheel", wheels[0])
    assert "has Python 3.9, which is none of 3.10" in result.stderr
    pi.at_login()
    (pi.programs / "uname").write_text("#!/bin/sh\necho armv7l\n")
    (pi.programs / "uname").chmod(0o755)
    result = pi.flash("setup", "127.0.0.1", "--wheel", wheels[0])
    assert "write the 64-bit Raspberry Pi OS onto its card" in result.stderr
    (pi.programs / "uname").unlink()
    (pi.programs / "date").write_text("#!/bin/sh\necho 1000\n")
    (pi.programs / "date").chmod(0o755)
    result = pi.flash("setup", "127.0.0.1", "--wheel", wheels[0])
    assert "days off, so that it can trust no registry" in result.stderr
    assert not pi.soft.exists()
    result = pi.flash("setup", "127.0.0.1", "--wheel", wheels[0], "--", "--kamera", "0")
    assert result.exit_code == 2


def test_uninstall_leaves_nothing(pi: Pi, wheels: tuple[Path, Path], tmp_path: Path) -> None:
    pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--watch", 0)
    bundle = tmp_path / "base.edge"
    BundleWriter.of(shipped_bundle(), name="base").write(bundle)
    pi.done("push", bundle, "127.0.0.1")
    text = pi.done("setup", "127.0.0.1", "--uninstall", "--dry-run")
    assert "would remove" in text
    assert pi.soft.exists()
    assert "removed" in pi.done("setup", "127.0.0.1", "--uninstall", "--yes")
    pi.stop()
    for name in ("pid", "asked"):
        (pi.home / name).unlink(missing_ok=True)
    (pi.home / "units").rmdir()
    assert not list(pi.home.iterdir())
    assert "nothing of edge-recognize" in pi.done("setup", "127.0.0.1", "--uninstall", "--yes")


def test_status_and_a_push_without_software(
    pi: Pi, tmp_path: Path, wheels: tuple[Path, Path]
) -> None:
    bundle = tmp_path / "base.edge"
    BundleWriter.of(shipped_bundle(), name="base").write(bundle)
    assert "edge-flash setup 127.0.0.1" in pi.done("push", bundle, "127.0.0.1")
    pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--watch", 0)
    (found,) = json.loads(pi.done("status", "127.0.0.1", "--json"))["devices"]
    assert found["software"] == pi.current()
    assert found["bundle"] == BundleFile.check(bundle).installed
    assert found["service"] == "active"
    assert "service active" in pi.done("status", "127.0.0.1")


# Several devices


def several(pi: Pi, tmp_path: Path) -> list[str]:
    """Words for three devices, the last of which nobody answers for."""
    config = tmp_path / "config"
    common = f" HostName 127.0.0.1\n IdentityFile {pi.sshd.folder / 'key'}\n"
    common += f" UserKnownHostsFile {pi.sshd.folder / 'known_hosts'}\n"
    config.write_text(f"Host door gate\n Port {pi.sshd.port}\n{common}Host away\n Port 1\n{common}")
    return ["--ssh-config", str(config)]


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-flash")


def test_several_at_once_and_one_that_fails(
    pi: Pi, tmp_path: Path, wheels: tuple[Path, Path]
) -> None:
    words = several(pi, tmp_path)
    pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--watch", 0)
    result = call("status", "door", "away", "gate", "--jobs", 3, *words)
    assert result.exit_code == 1
    rows = {line.split()[0]: line.split()[1] for line in result.stdout.splitlines() if line}
    assert (rows["door"], rows["gate"], rows["away"]) == ("ok", "ok", "failed")
    assert "1 of 3 devices failed" in result.stdout


def test_a_canary_that_fails_holds_the_others_back(
    pi: Pi, tmp_path: Path, wheels: tuple[Path, Path]
) -> None:
    words = several(pi, tmp_path)
    pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--watch", 0)
    bundle = tmp_path / "base.edge"
    BundleWriter.of(shipped_bundle(), name="base").write(bundle)
    result = call("push", bundle, "away", "door", "--canary", 1, "--watch", 0, *words)
    assert result.exit_code == 1
    assert "door was left as it is, since away failed" in result.stderr
    assert pi.device.bundles == []
    result = call("push", bundle, "door", "away", "--canary", 1, "--watch", 0, *words)
    assert pi.device.link("current") == BundleFile.check(bundle).installed


# Killed after each step


@pytest.mark.parametrize(
    "step",
    [
        *("received", "unpacked", "made", "installed", "tested", "synced", "kept", "switched"),
        *("pruned", "enabled"),
    ],
)
def test_an_update_killed_after_a_step(pi: Pi, wheels: tuple[Path, Path], step: str) -> None:
    pi.done("setup", "127.0.0.1", "--wheel", wheels[0], "--watch", 0)
    pi.at_login(EDGE_FLASH_DIE_AFTER=step)
    result = pi.flash("setup", "127.0.0.1", "--wheel", wheels[1], "--watch", 0)
    assert result.exit_code == 1, step
    version = "0.2.0" if step in ("switched", "pruned", "enabled") else "0.1.0"
    assert pi.current().startswith(f"env-{version}-")
    assert (pi.soft / "current" / ".complete").exists()
    assert (pi.soft / "current" / "bin" / "edge-recognize").exists()
    pi.at_login()
    pi.done("setup", "127.0.0.1", "--wheel", wheels[1], "--watch", 0)
    assert pi.current().startswith("env-0.2.0-")
    assert not [path for path in pi.soft.iterdir() if path.name.startswith(".parts")]
    assert all((env / ".complete").exists() for env in pi.soft.glob("env-*"))


@pytest.mark.parametrize("step", ["switched"])
def test_a_software_rollback_killed_after_a_step(
    pi: Pi, wheels: tuple[Path, Path], step: str
) -> None:
    for wheel in wheels:
        pi.done("setup", "127.0.0.1", "--wheel", wheel, "--watch", 0)
    pi.at_login(EDGE_FLASH_DIE_AFTER=step)
    assert pi.flash("rollback", "127.0.0.1", "--software").exit_code == 1
    assert pi.current().startswith("env-0.1.0-")
    assert (pi.soft / "current" / ".complete").exists()


@pytest.fixture
def bundles(tmp_path: Path) -> tuple[Path, Path]:
    """Two bundles that really run."""
    paths = tmp_path / "one.edge", tmp_path / "two.edge"
    for path in paths:
        BundleWriter.of(shipped_bundle(), name=path.stem).write(path)
    return paths


@pytest.mark.parametrize("step", ["received", "proved", "shelved", "kept", "switched", "pruned"])
def test_a_push_killed_after_a_step(pi: Pi, bundles: tuple[Path, Path], step: str) -> None:
    old, new = (BundleFile.check(path) for path in bundles)
    pi.done("push", old.path, "127.0.0.1")
    pi.at_login(EDGE_FLASH_DIE_AFTER=step)
    assert pi.flash("push", new.path, "127.0.0.1").exit_code == 1
    expected = new if step in ("switched", "pruned") else old
    assert (pi.device.root / "current").read_bytes() == expected.path.read_bytes()
    pi.at_login()
    pi.done("push", new.path, "127.0.0.1")
    assert pi.device.link("current") == new.installed
    assert pi.device.link("previous") == old.installed
    assert pi.device.bundles == sorted([old.installed, new.installed])


@pytest.mark.parametrize("step", ["switched", "settled"])
def test_a_rollback_killed_after_a_step(pi: Pi, bundles: tuple[Path, Path], step: str) -> None:
    old, new = (BundleFile.check(path) for path in bundles)
    for path in bundles:
        pi.done("push", path, "127.0.0.1")
    pi.at_login(EDGE_FLASH_DIE_AFTER=step)
    assert pi.flash("rollback", "127.0.0.1").exit_code == 1
    assert (pi.device.root / "current").read_bytes() == old.path.read_bytes()
    pi.at_login()
    pi.done("push", new.path, "127.0.0.1")
    assert pi.device.link("current") == new.installed


def test_a_service_that_dies_5_s_after_the_switch(pi: Pi, bundles: tuple[Path, Path]) -> None:
    old, new = (BundleFile.check(path) for path in bundles)
    pi.done("push", old.path, "127.0.0.1")
    code = "import signal,time; signal.signal(1, lambda *_: signal.alarm(5)); time.sleep(60)"
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    python = "/usr/bin/python3" if pi.another_user else sys.executable
    process = subprocess.Popen([*(words if pi.another_user else []), python, "-c", code])
    try:
        (pi.home / "pid").write_text(f"{process.pid}\n")
        while not hup_is_caught(process.pid):
            assert process.poll() is None

        threading.Thread(target=process.wait).start()
        result = pi.flash("push", new.path, "127.0.0.1", "--reload", "--watch", 15)
        assert result.exit_code == 1
        assert "the bundle before is current again" in result.stderr
        assert pi.device.link("current") == old.installed
    finally:
        process.kill()
        (pi.home / "pid").unlink()


def hup_is_caught(number: int) -> bool:
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt"))
    return bool(int(caught, 16) & 1 << (signal.SIGHUP - 1))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_keeps_what_was_there(server: Sshd, bundles: tuple[Path, Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = new_pi(server, Path(folder))
        write_light_device(made.programs)
        share = made.home / ".local"
        share.mkdir()
        options = f"size=9m,uid={NOBODY},gid={NOBODY}" if made.another_user else "size=9m"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(share)], capture_output=True
        )
        if mounted.returncode:
            pytest.skip("no file system can be mounted here")
        try:
            old, new = (BundleFile.check(path) for path in bundles)
            made.done("push", old.path, "127.0.0.1")
            result = made.flash("push", new.path, "127.0.0.1")
            assert result.exit_code == 1
            assert "MiB left" in result.stderr
            write_df(made)
            result = made.flash("push", new.path, "127.0.0.1")
            assert "no space left on 127.0.0.1" in result.stderr
            assert made.device.bundles == [old.installed]
            assert made.device.link("current") == old.installed
        finally:
            subprocess.run(["umount", str(share)], check=True)


def write_df(pi: Pi) -> None:
    """A df that promises too much, as where somebody else fills the disk meanwhile."""
    (pi.programs / "df").write_text("#!/bin/sh\necho x; echo x 9 9 99999999 1% /\n")
    (pi.programs / "df").chmod(0o755)


# The real thing


def needed() -> list[str]:
    """Distributions that the plain install and `EXTRAS` need, as they are installed here."""
    waiting, found = ["edge-recognize"], []
    while waiting:
        name = waiting.pop()
        extras = EXTRAS if name == "edge-recognize" else ("",)
        for line in metadata.requires(name) or ():
            wanted = Requirement(line)
            fits = wanted.marker is None or any(
                wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            )
            if fits and wanted.name not in found and wanted.name != "edge-recognize":
                found.append(wanted.name)
                waiting.append(wanted.name)
    return found


def same_python() -> bool:
    """Whether the system's Python, which another user can run, takes this environment's wheels."""
    version = ".".join(map(str, sys.version_info[:2]))
    return Path(f"/usr/bin/python{version}").exists() and Path("/usr/bin/python3").resolve() == (
        Path(f"/usr/bin/python{version}").resolve()
    )


@pytest.mark.long
@pytest.mark.skipif(not same_python(), reason="the system's Python is another version")
def test_a_device_from_nothing_offline(
    server: Sshd, tmp_path: Path, bundles: tuple[Path, Path]
) -> None:
    """Real Python, pip, wheels and self-test; only systemd and sudo are stand-ins."""
    house = tmp_path / "wheels"
    make_wheel(house)
    for name in needed():
        pack_installed(metadata.distribution(name), house)
    write_listing(house, ".".join(map(str, sys.version_info[:2])), os.uname().machine)
    with tempfile.TemporaryDirectory() as folder:
        made = new_pi(server, Path(folder))
        write_light_device(made.programs, python=False)
        words = ("--wheelhouse", house, "--watch", 1, "--", "--camera", "0", "--wait-for-camera")
        text = made.done("setup", "127.0.0.1", *words)
        assert made.current().startswith(f"env-{__version__}-")
        assert "face detector: finds a face" in text
        unit = (made.home / "units" / "edge-recognize.service").read_text()
        assert f'{made.soft}/current/bin/edge-recognize" --camera 0 --wait-for-camera' in unit
        assert "as before" in made.done("setup", "127.0.0.1", *words)
        pushed = json.loads(made.done("push", bundles[0], "127.0.0.1", "--json"))["devices"][0]
        assert pushed["proved"]
        refused = tmp_path / "refused.edge"
        writer = BundleWriter.of(shipped_bundle(), name="refused")
        BundleWriter.write(
            BundleWriter(**{**vars(writer), "detector": ("d.onnx", b"no network" * 99, 0.6)}),
            refused,
        )
        result = made.flash("push", refused, "127.0.0.1")
        assert result.exit_code == 1
        assert "refused the bundle in its self-test" in result.stderr
        assert made.device.link("current") == BundleFile.check(bundles[0]).installed
        made.done("setup", "127.0.0.1", "--uninstall", "--yes")
        assert not made.soft.exists()
        assert not made.device.root.exists()
        made.stop()


def test_a_wheel_is_the_same_software_whenever_it_is_built(tmp_path: Path) -> None:
    one = make_wheel(tmp_path / "one")
    assert one.version == __version__
    with zipfile.ZipFile(one.path) as file:
        names = set(file.namelist())
    assert "edge/shipped/face_detection_yunet_2023mar.onnx" in names
    assert "export/templates/constraints/bookworm.txt" in names
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert make_wheel(tmp_path / "three").fingerprint == one.fingerprint
