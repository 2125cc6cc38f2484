"""A card for the first start: what is written, and what the Pi then does with it by itself."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from light_device import write_light_device
from sshd_fixture import Device, write_program

from edge.bundle.locate import shipped_bundle
from edge.bundle.writer import BundleWriter
from export.cli.flash import main
from export.flash.card import wifi_key
from export.flash.push import BundleFile
from export.flash.wheelhouse import write_listing


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    """A boot partition as Trixie's image has it."""
    folder = tmp_path / "boot fs"
    folder.mkdir()
    for name in ("config.txt", "cmdline.txt", "user-data", "meta-data"):
        (folder / name).write_text("")
    return folder


@pytest.fixture
def house(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "edge_recognize-0.1.0-py3-none-any.whl", "w") as file:
        file.writestr("edge/__init__.py", "")
    write_listing(folder, "3.13", "aarch64")
    return folder


def card(boot: Path, house: Path, *words: object) -> Result:
    key = boot.parent / "id.pub"
    key.write_text("ssh-ed25519 AAAA me@here\n")
    full = ["card", boot, "--wheelhouse", house, "--ssh-key", key, *words]
    return CliRunner().invoke(main, [str(word) for word in full], prog_name="edge-flash")


def test_the_password_is_hashed_as_wpa_supplicant_does() -> None:
    # IEEE 802.11i-2004, annex H.4, test case 1
    assert wifi_key("IEEE", "password") == (
        "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
    )


def test_what_is_written_is_shown_first_and_holds_no_password(boot: Path, house: Path) -> None:
    secret = boot.parent / "secret"
    secret.write_text("correct horse\n")
    words = ("--wifi", "Our net", "--wifi-password-file", secret, "--country", "de")
    done = card(boot, house, *words, "--hostname", "door")
    assert done.exit_code == 0  # nobody answered: nothing is written
    assert "Wi-Fi Our net" in done.stdout
    assert (boot / "user-data").read_text() == ""
    done = card(boot, house, *words, "--hostname", "door", "--yes", "--", "--camera", "csi")
    assert done.exit_code == 0, done.output
    data = yaml.safe_load((boot / "user-data").read_text())
    assert (boot / "user-data").read_text().startswith("#cloud-config\n")
    assert data["hostname"] == "door"
    assert data["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 AAAA me@here"]
    assert data["users"][0]["lock_passwd"] is True
    network = yaml.safe_load((boot / "network-config").read_text())["network"]
    assert len(network["wifis"]["wlan0"]["access-points"]["Our net"]["password"]) == 64
    assert network["wifis"]["wlan0"]["regulatory-domain"] == "DE"
    written = b"".join(path.read_bytes() for path in boot.rglob("*") if path.is_file())
    assert b"correct horse" not in written
    assert b"correct horse" not in done.output.encode()


def test_the_first_start_ends_in_a_running_service(boot: Path, house: Path) -> None:
    bundle = boot.parent / "base.edge"
    BundleWriter.of(shipped_bundle(), name="base").write(bundle)
    done = card(boot, house, "--bundle", bundle, "--yes", "--", "--camera", "csi")
    assert done.exit_code == 0, done.output
    programs, home = boot.parent / "programs", boot.parent / "home"
    (home / "units").mkdir(parents=True)
    write_light_device(programs)
    write_program(programs / "su", '#!/bin/sh\nexec sh -c "$4"\n')
    path = f"{programs}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", str(boot / "edge-recognize" / "first-boot.sh")],
        env={"HOME": str(home), "PATH": path, "SYSTEMD_UNIT_PATH": str(home / "units")},
        check=True, timeout=60,
    )  # fmt: skip
    try:
        log = (boot / "edge-recognize" / "first-boot.log").read_text()
        assert "edge-flash error" not in log, log
        assert (home / ".local/lib/edge-recognize/current/.complete").exists()
        assert Device(home).link("current") == BundleFile.check(bundle).installed
        unit = (home / "units" / "edge-recognize.service").read_text()
        assert "--install --camera csi" in unit
    finally:
        subprocess.run(["kill", (home / "pid").read_text().strip()], check=False)


def test_what_is_no_such_card_is_refused(boot: Path, house: Path) -> None:
    (boot / "user-data").unlink()
    (boot / "meta-data").unlink()
    assert "older than Trixie" in card(boot, house, "--yes").stderr
    (boot / "config.txt").unlink()
    assert "no boot partition" in card(boot, house, "--yes").stderr


def test_names_and_passwords_that_cannot_be(boot: Path, house: Path) -> None:
    assert card(boot, house, "--yes", "--user", "a b").exit_code == 2
    secret = boot.parent / "secret"
    secret.write_text("short")
    words = ("--wifi", "x", "--wifi-password-file", secret, "--country", "DE", "--yes")
    assert "8 to 63" in card(boot, house, *words).stderr
