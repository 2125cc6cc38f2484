"""Flashing with a stand-in for ssh: the far side, what is said, what ssh is called with."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sshd_fixture import FAKE_SSH, Device, make_bundle, write_program

from edge.errors import InputError, ToolkitError, UsageError
from export.cli.flash import main
from export.flash import remote
from export.flash import remote_script as farside
from export.flash.device import Report
from export.flash.fleet import each_of
from export.flash.push import BundleFile, push, shelf
from export.flash.remote import ConnectionCut, RemoteError, Ssh
from export.flash.remote_script import Answer

HEX = "0123456789ab"
TOOLS = (
    *("cat", "df", "ln", "ls", "mkdir", "mv", "readlink", "rm", "rmdir", "sort", "stat", "sync"),
    *("sleep", "tail", "touch", "wc"),
)
"""All that the far side calls, besides something that computes SHA-256."""


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of devices; `ssh` on the path reaches them."""
    folder = tmp_path / "devices"
    folder.mkdir()
    write_program(tmp_path / "bin" / "ssh", FAKE_SSH)
    path = [
        p for p in os.environ["PATH"].split(os.pathsep) if not Path(p, "edge-recognize").exists()
    ]
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), *path]))
    monkeypatch.setenv("DEVICES", str(folder))
    monkeypatch.delenv("EDGE_PUBLIC_KEY", raising=False)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "anna.edge")


def flash(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-flash")


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output + result.stderr
    return result.stdout


def installed(path: Path) -> str:
    return BundleFile.check(path).installed


def stub(devices: Path, host: str, name: str, text: str) -> None:
    """A program that the device finds before its own."""
    write_program(devices / f"{host}.bin" / name, f"#!/bin/sh\n{text}\n")


# What happens on a device


def test_push_installs_and_switches(devices: Path, bundle: Path) -> None:
    text = done(flash("push", bundle, "pi@door"))
    device = Device(devices / "door")
    name = installed(bundle)
    assert f"pi@door: {name} is current, 0.0 MiB uploaded" in text
    assert device.bundles == [name]
    assert (device.root / "bundles" / name).read_bytes() == bundle.read_bytes()
    assert (device.root / "current").readlink() == Path(f"bundles/{name}")
    assert device.link("previous") is None
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert name == f"anna-{digest[:12]}.edge"


def test_what_was_flashed_is_what_the_device_finds(
    devices: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.bundle.locate import locate

    done(flash("push", bundle, "door"))
    monkeypatch.setenv("HOME", str(devices / "door"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("EDGE_BUNDLE", raising=False)
    found = locate().path
    assert found is not None
    assert found.name == installed(bundle)


def test_second_push_uploads_nothing(devices: Path, bundle: Path) -> None:
    done(flash("push", bundle, "door"))
    path = Device(devices / "door").root / "bundles" / installed(bundle)
    before = path.stat().st_ino
    again = json.loads(done(flash("push", bundle, "door", "--json")))["devices"][0]
    assert (again["uploaded_bytes"], again["changed"], again["before"]) == (0, False, path.name)
    assert path.stat().st_ino == before
    calls = re.findall(r"^' edge-flash (\w+)", (devices / "ssh.log").read_text(), re.MULTILINE)
    assert calls == ["state", "upload", "state", "switch"]


def test_push_replaces_a_file_that_has_rotted(devices: Path, bundle: Path) -> None:
    done(flash("push", bundle, "door"))
    path = Device(devices / "door").root / "bundles" / installed(bundle)
    path.write_bytes(b"rotten")
    assert "DAMAGED" in done(flash("list", "door"))
    again = json.loads(done(flash("push", bundle, "door", "--json")))["devices"][0]
    assert again["uploaded_bytes"] == bundle.stat().st_size
    assert path.read_bytes() == bundle.read_bytes()
    assert "DAMAGED" not in done(flash("list", "door"))


def test_rollback_goes_back_and_forth(devices: Path, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    device = Device(devices / "door")
    for path in (first, second):
        done(flash("push", path, "door"))
    both = (installed(first), installed(second))
    assert (device.link("previous"), device.link("current")) == both
    text = done(flash("rollback", "door"))
    assert f"{both[0]} is current" in text
    assert f"before it {both[1]}" in text
    assert (device.link("current"), device.link("previous")) == both
    done(flash("rollback", "door"))
    assert (device.link("previous"), device.link("current")) == both


def test_rollback_needs_something_to_go_back_to(devices: Path, bundle: Path) -> None:
    done(flash("push", bundle, "door"))
    result = flash("rollback", "door")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: door has no bundle before the current one; ")
    assert Device(devices / "door").link("current") == installed(bundle)


@pytest.mark.parametrize(("damage", "said"), [("gone", "no longer there"), ("rot", "is damaged")])
def test_rollback_refuses_a_bad_bundle(
    devices: Path, tmp_path: Path, damage: str, said: str
) -> None:
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    for path in (first, second):
        done(flash("push", path, "door"))
    device = Device(devices / "door")
    old = device.root / "bundles" / installed(first)
    old.unlink() if damage == "gone" else old.write_bytes(b"rotten")
    result = flash("rollback", "door")
    assert result.exit_code == 1
    assert said in result.stderr
    assert device.link("current") == installed(second)


def test_old_bundles_are_pruned_but_never_current_or_previous(
    devices: Path, tmp_path: Path
) -> None:
    paths = [make_bundle(tmp_path / f"{n}.edge", fill=n) for n in range(1, 6)]
    device = Device(devices / "door")
    folder = device.root / "bundles"
    done(flash("push", paths[0], "door"))
    for name in ("mine.edge", f"notes-{HEX}.txt"):
        (folder / name).write_text("no bundle of ours")
    for age, path in enumerate(paths[1:4]):
        done(flash("push", path, "door"))
        for file in folder.iterdir():
            os.utime(file, (1000 + age, 1000 + age))
    done(flash("rollback", "door"))
    report = json.loads(done(flash("push", paths[4], "door", "--keep", 2, "--json")))
    names = [installed(path) for path in paths]
    assert set(device.bundles) == {"mine.edge", f"notes-{HEX}.txt", names[2], names[4]}
    assert set(report["devices"][0]["pruned"]) >= {names[3]}


def test_push_keeps_three_by_default(devices: Path, tmp_path: Path) -> None:
    paths = [make_bundle(tmp_path / f"{n}.edge", fill=n) for n in range(1, 5)]
    device = Device(devices / "door")
    for age, path in enumerate(paths):
        done(flash("push", path, "door"))
        file = device.root / "bundles" / installed(path)
        os.utime(file, (1000 + age, 1000 + age))
    assert set(device.bundles) == {installed(path) for path in paths[1:]}


def test_list_shows_what_is_there(devices: Path, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    assert "no bundles" in done(flash("list", "door"))
    assert not (devices / "door").joinpath(".local").exists()
    for path in (first, second):
        done(flash("push", path, "door"))
    text = done(flash("list", "door"))
    lines = {line.split()[1]: line.split()[0] for line in text.splitlines()[1:]}
    assert lines == {installed(second): "current", installed(first): "previous"}
    listed = json.loads(done(flash("list", "door", "--json")))["devices"][0]
    assert listed["current"] == installed(second)
    assert {entry["sound"] for entry in listed["bundles"]} == {True}


def test_a_link_that_the_user_made_is_kept_as_previous(devices: Path, bundle: Path) -> None:
    device = Device(devices / "door")
    own = devices / "own.edge"
    own.write_text("by hand")
    device.root.mkdir(parents=True)
    (device.root / "current").symlink_to(own)
    assert str(own) in done(flash("push", bundle, "door"))
    assert (device.root / "previous").readlink() == Path(str(own))
    assert f"previous {own}" in done(flash("list", "door"))
    done(flash("rollback", "door"))
    assert (device.root / "current").readlink() == Path(str(own))


def test_far_data_folder_is_respected(
    devices: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (devices.parent / "bin" / "ssh").read_text()
    moved = text.replace("unset XDG_DATA_HOME", 'export XDG_DATA_HOME="$HOME/my  data"')
    write_program(devices.parent / "bin" / "ssh", moved)
    done(flash("push", bundle, "door"))
    assert (devices / "door" / "my  data" / "edge-recognize" / "current").is_file()
    relative = text.replace("unset XDG_DATA_HOME", "export XDG_DATA_HOME=relative")
    write_program(devices.parent / "bin" / "ssh", relative)
    done(flash("push", bundle, "gate"))
    assert Device(devices / "gate").link("current") == installed(bundle)


def test_dry_run_changes_nothing(devices: Path, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    text = done(flash("push", first, "door", "--dry-run"))
    assert f"{installed(first)} would be current" in text
    assert list((devices / "door").iterdir()) == []
    for path in (first, second):
        done(flash("push", path, "door"))
    assert f"{installed(first)} would be current" in done(flash("rollback", "door", "--dry-run"))
    assert Device(devices / "door").link("current") == installed(second)


@pytest.mark.parametrize("shell", ["dash", "busybox", "bash", "python"])
def test_far_sides_of_all_kinds(
    shell: str, devices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's shell, BusyBox with nothing else, bash, and a device without sha256sum."""
    folder = tmp_path / "only"
    folder.mkdir()
    if shell == "busybox":
        busybox = needed("busybox")
        subprocess.run([busybox, "--install", "-s", str(folder)], check=True)
    else:
        if shell == "python":
            write_program(folder / "python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        for tool in TOOLS if shell == "python" else (*TOOLS, "sha256sum"):
            (folder / tool).symlink_to(needed(tool))
        (folder / "sh").symlink_to(needed("dash" if shell == "python" else shell))
    text = (devices.parent / "bin" / "ssh").read_text()
    write_program(
        devices.parent / "bin" / "ssh",
        text.replace("exec ", f'PATH="{folder}"; export PATH; exec '),
    )
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    device = Device(devices / "door")
    for path in (first, second, second):
        done(flash("push", path, "door", "--keep", 2))
    assert (device.link("current"), device.link("previous")) == (
        installed(second),
        installed(first),
    )
    done(flash("rollback", "door"))
    assert device.link("current") == installed(first)
    assert installed(second) in done(flash("list", "door"))


def needed(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"there is no {program} here")
    return path


def test_leftovers_of_dead_uploads_are_removed(devices: Path, bundle: Path) -> None:
    folder = Device(devices / "door").root / "bundles"
    folder.mkdir(parents=True)
    (folder / ".upload-99999999").write_text("from a power cut")
    (folder / f".upload-{os.getpid()}").write_text("of somebody who is still at it")
    done(flash("push", bundle, "door"))
    hidden = [name for name in Device(devices / "door").bundles if name.startswith(".")]
    assert hidden == [f".upload-{os.getpid()}"]


# What is refused


def refused(devices: Path, bundle: Path, *, said: str, kind: str) -> None:
    """A push to `door` fails with one line and leaves what there was before."""
    device = Device(devices / "door")
    before = (device.bundles, device.link("current"))
    result = flash("push", bundle, "door", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["error"]["type"] == kind, report
    assert said in report["error"]["message"]
    assert (device.bundles, device.link("current")) == before
    plain = flash("push", bundle, "door")
    assert plain.exit_code == 1
    assert plain.stderr.startswith("error: ")
    assert plain.stderr.count("\n") == 1


def test_damaged_upload_is_refused_and_leaves_nothing(devices: Path, bundle: Path) -> None:
    cat = needed("cat")
    stub(devices, "door", "cat", f"{cat} | tr '\\007' '\\010'")
    refused(devices, bundle, said="SHA-256 differs", kind="UploadDamaged")
    assert not Device(devices / "door").root.exists()
    stub(devices, "door", "cat", "head -c 100")
    refused(devices, bundle, said="100 bytes arrived", kind="UploadDamaged")
    (devices / "door.bin" / "cat").unlink()
    done(flash("push", bundle, "door"))
    other = make_bundle(bundle.parent / "other.edge")
    stub(devices, "door", "cat", f"{cat} | tr '\\007' '\\010'")
    refused(devices, make_bundle(other, name="bea"), said="differs", kind="UploadDamaged")


def test_no_space_left(devices: Path, bundle: Path) -> None:
    stub(devices, "door", "df", "echo 'Filesystem 1024-blocks'; echo '/dev/root 9 9 900 99% /'")
    refused(devices, bundle, said="door has 0.9 MiB left", kind="NoSpaceLeft")
    (devices / "door.bin" / "df").unlink()
    stub(devices, "door", "cat", "head -c 10; echo 'cat: No space left on device' >&2; exit 1")
    refused(devices, bundle, said="no space left on door", kind="NoSpaceLeft")
    assert Device(devices / "door").bundles == []


def test_space_is_counted_before_a_large_upload_fails(devices: Path, tmp_path: Path) -> None:
    """The device reads nothing: the upload ends early and its reason is still heard."""
    large = make_bundle(tmp_path / "large.edge", size_bytes=3_000_000)
    stub(devices, "door", "cat", "echo 'cat: write error: No space left on device' >&2; exit 1")
    refused(devices, large, said="no space left on door", kind="NoSpaceLeft")


def test_no_write_permission(devices: Path, bundle: Path) -> None:
    stub(devices, "door", "mkdir", "echo 'mkdir: Permission denied' >&2; exit 1")
    refused(devices, bundle, said="cannot write to", kind="NotWritable")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_of_somebody_else(devices: Path, bundle: Path) -> None:
    home = devices / "door"
    home.mkdir()
    home.chmod(0o555)
    try:
        refused(devices, bundle, said="cannot write to", kind="NotWritable")
    finally:
        home.chmod(0o755)


def test_a_file_where_the_folder_should_be(devices: Path, bundle: Path) -> None:
    home = devices / "door"
    home.mkdir()
    (home / ".local").write_text("no folder")
    refused(devices, bundle, said=f"cannot write to {home}/.local", kind="NotWritable")


def test_a_folder_where_the_link_should_be(devices: Path, bundle: Path) -> None:
    root = Device(devices / "door").root
    (root / "current" / "kept").mkdir(parents=True)
    result = flash("push", bundle, "door")
    assert result.exit_code == 1
    assert f"cannot write to {root}/current on door" in result.stderr
    assert (root / "current" / "kept").is_dir()
    hidden = [path.name for path in root.iterdir() if path.name.startswith(".")]
    assert hidden in ([], [".lock"]), "no half-made link"


def test_device_without_any_digest(devices: Path, bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "only"
    folder.mkdir()
    for tool in ("sh", "df", "tail", "readlink"):
        (folder / tool).symlink_to(needed(tool))
    text = (devices.parent / "bin" / "ssh").read_text()
    changed = text.replace("exec ", f'PATH="{folder}"; export PATH; exec ')
    write_program(devices.parent / "bin" / "ssh", changed)
    refused(devices, bundle, said="neither sha256sum nor python3", kind="DeviceError")


def test_bundle_is_checked_before_any_connection(devices: Path, bundle: Path) -> None:
    data = bytearray(bundle.read_bytes())
    data[data.index(bytes([7]) * 100) + 50] = 8
    bundle.write_bytes(bytes(data))
    result = flash("push", bundle, "door")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert not (devices / "ssh.log").exists()
    assert flash("push", bundle.parent / "absent.edge", "door").exit_code == 1


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "two words", "pi@door\n", ""])
def test_what_is_no_host_reaches_no_ssh(devices: Path, bundle: Path, host: str) -> None:
    result = flash("push", bundle, "--", host)
    assert result.exit_code == 2, result.output
    assert not (devices / "ssh.log").exists()


def test_missing_words_are_usage(devices: Path, bundle: Path, tmp_path: Path) -> None:
    assert flash("push", bundle).exit_code == 2
    assert flash("push", bundle, "door", "--keep", 1).exit_code == 2
    result = flash("list", "door", "--identity", tmp_path / "absent")
    assert result.exit_code == 1
    assert "there is no identity file" in result.stderr


# Several devices


def test_a_bad_host_does_not_stop_the_others(devices: Path, bundle: Path) -> None:
    (devices / "gone.says").write_text("ssh: connect to host gone port 22: No route to host\n")
    result = flash("push", bundle, "door", "gone", "pi@gate", "door")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: gone cannot be reached; check that it is switched on and in the same network\n"
    )
    for name in ("door", "gate"):
        assert Device(devices / name).link("current") == installed(bundle)
    table = result.stdout[result.stdout.index("device ") :].splitlines()
    rows = [row.split()[:2] for row in table[1:4]]
    assert rows == [["door", "ok"], ["gone", "failed"], ["pi@gate", "ok"]]
    assert table[4] == "1 of 3 devices failed"
    report = json.loads(flash("list", "door", "gone", "--json").stdout)
    assert [d["error"] and d["error"]["type"] for d in report["devices"]] == [None, "RemoteError"]
    assert report["error"]["message"] == "1 of 2 devices failed: gone"


def test_report_saves_itself(devices: Path, bundle: Path, tmp_path: Path) -> None:
    outcomes = tuple(each_of(("door",), lambda host: push(BundleFile.check(bundle), host, Ssh())))
    Report({"name": "anna"}, outcomes).save(tmp_path / "deep" / "report.json")
    saved = json.loads((tmp_path / "deep" / "report.json").read_text())
    assert saved["devices"][0]["current"] == installed(bundle)
    assert "error" not in saved


# The device's own software


def software(devices: Path, text: str) -> None:
    """An `edge-recognize` on the device."""
    stub(devices, "door", "edge-recognize", text)


def test_the_device_tries_a_bundle_before_it_switches(devices: Path, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    software(devices, f'echo "$*" >>"{devices}/asked"; exit 0')
    assert "passed its self-test there" in done(flash("push", first, "door"))
    device = Device(devices / "door")
    asked = (devices / "asked").read_text()
    pattern = r"self-test \S+/bundles/\.upload-\d+ --carry-over\n"
    assert re.fullmatch(pattern, asked), "before it has its name"
    software(devices, 'echo "error: 2 decisions differ * here; run doctor" >&2; exit 1')
    result = flash("push", second, "door")
    assert result.exit_code == 1
    assert "refused the bundle in its self-test: 2 decisions differ * here" in result.stderr
    assert device.bundles == [installed(first)]
    assert device.link("current") == installed(first)


def test_the_real_software_refuses_a_base_that_does_not_run(devices: Path, bundle: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    run = f'PYTHONPATH="{root}" exec "{sys.executable}" -m edge.cli.main "$@"'
    software(devices, run)
    result = flash("push", bundle, "door")
    assert result.exit_code == 1
    assert "refused the bundle in its self-test" in result.stderr
    assert Device(devices / "door").bundles == []


def test_software_that_knows_no_self_test_is_no_hindrance(devices: Path, bundle: Path) -> None:
    software(devices, "exit 2")
    report = json.loads(done(flash("push", bundle, "door", "--json")))
    assert report["devices"][0]["proved"] is False
    assert Device(devices / "door").link("current") == installed(bundle)


def test_a_bundle_that_is_there_is_tried_before_it_becomes_current_again(
    devices: Path, tmp_path: Path
) -> None:
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    for path in (first, second):
        done(flash("push", path, "door"))
    software(devices, "exit 1")
    assert flash("push", first, "door").exit_code == 1
    device = Device(devices / "door")
    assert device.link("current") == installed(second)
    assert installed(first) in device.bundles
    assert flash("push", second, "door").exit_code == 0, "what is current stays current"


def test_two_pushes_at_once_leave_one_of_them_current(devices: Path, tmp_path: Path) -> None:
    needed("flock")
    bundles = [make_bundle(tmp_path / f"{n}.edge", fill=n) for n in range(1, 5)]
    root = Path(__file__).resolve().parents[2]
    words = [sys.executable, "-m", "export.cli.flash", "push"]
    for _ in range(3):
        pushes = [
            subprocess.Popen([*words, str(path), "door", "--keep", "5"], cwd=root,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for path in bundles
        ]  # fmt: skip
        for push_ in pushes:
            assert push_.communicate(timeout=60)[1] == b""
            assert push_.returncode == 0
        device = Device(devices / "door")
        current = device.link("current")
        assert current in [installed(path) for path in bundles]
        assert current in device.bundles, "it points to a bundle that is there"
        assert device.link("previous") in device.bundles


# A running edge-recognize


def fake_service(devices: Path, trap: str) -> subprocess.Popen[bytes]:
    """A process that the device's systemctl calls the service's main process."""
    code = f"import signal, time; {trap}; print(flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert process.stdout is not None
    process.stdout.readline()
    stub(devices, "door", "systemctl", f'[ "$1" = --user ] && echo {process.pid}')
    stub(devices, "door", "pgrep", "exit 1")
    return process


def test_reload_asks_a_process_that_listens(devices: Path, bundle: Path) -> None:
    heard = devices / "heard"
    trap = f"signal.signal(1, lambda *_: open({str(heard)!r}, 'w').close())"
    process = fake_service(devices, trap)
    try:
        text = done(flash("push", bundle, "door"))
        assert "edge-recognize runs there with the old bundle" in text
        assert not heard.exists()
        text = done(flash("push", bundle, "door", "--reload", "--watch", 0))
        assert f"SIGHUP to process {process.pid}" in text
        subprocess.run(["sh", "-c", f"while [ ! -e {heard} ]; do sleep 0.02; done"], timeout=5)
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def test_reload_never_kills_a_process_that_does_not_listen(devices: Path, bundle: Path) -> None:
    process = fake_service(devices, "pass")
    try:
        result = flash("push", bundle, "door", "--reload")
        assert result.exit_code == 1
        assert "does not reload on SIGHUP" in result.stderr
        assert Device(devices / "door").link("current") == installed(bundle)
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def test_a_service_that_ends_gets_the_bundle_before(devices: Path, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / f"{n}.edge", fill=n) for n in (1, 2))
    done(flash("push", first, "door"))
    process = fake_service(devices, "import os; signal.signal(1, lambda *_: os._exit(7))")
    waiting = threading.Thread(target=process.wait)  # so that it is gone when it has ended
    waiting.start()
    try:
        result = flash("push", second, "door", "--reload", "--watch", 10)
    finally:
        process.kill()
        waiting.join()
        process.communicate()
    assert result.exit_code == 1
    assert "the bundle before is current again" in result.stderr
    device = Device(devices / "door")
    assert device.link("current") == installed(first)


def test_a_service_that_lives_on_is_watched(devices: Path, bundle: Path) -> None:
    process = fake_service(devices, "signal.signal(1, lambda *_: None)")
    try:
        done(flash("push", bundle, "door", "--reload", "--watch", 1))
    finally:
        process.kill()
        process.communicate()


def test_reload_says_so_where_nothing_runs(devices: Path, bundle: Path) -> None:
    for name in ("systemctl", "pgrep"):
        stub(devices, "door", name, "exit 1")
    text = done(flash("push", bundle, "door", "--reload", "--watch", 0))
    assert "no edge-recognize runs there" in text
    assert "runs there" not in done(flash("push", bundle, "door"))


# ssh itself


def test_options_reach_ssh(devices: Path, bundle: Path, tmp_path: Path) -> None:
    for name in ("key", "config"):
        (tmp_path / name).write_text("")
    words = ["--port", 2222, "--identity", tmp_path / "key", "--ssh-config", tmp_path / "config"]
    done(flash("list", "pi@door", *words, "-o", "A=1", "--ssh-option", "B=two words"))
    log = (devices / "ssh.log").read_text()
    given = f"-o A=1 -o B=two words -F {tmp_path}/config -p 2222 -i {tmp_path}/key"
    looked, called = (line for line in log.splitlines() if line.startswith("-o A=1"))
    assert looked == f"{given} -G -- pi@door"
    assert called.startswith(f"{given} -o RemoteCommand=none")
    assert "-o BatchMode=yes -T -- pi@door exec sh -c" in called


def test_the_users_own_timeouts_count(monkeypatch: pytest.MonkeyPatch, devices: Path) -> None:
    text = "#!/bin/sh\necho connecttimeout 3\necho serveraliveinterval 0\n"
    write_program(devices.parent / "bin" / "ssh", text)
    words = " ".join(Ssh().command("door", "true"))
    assert "ConnectTimeout" not in words
    assert "ServerAliveInterval=15" in words


def test_no_ssh_client(
    devices: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    result = flash("push", bundle, "door")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: there is no ssh client on this machine; "
        "install OpenSSH's (Debian, Ubuntu: apt install openssh-client)\n"
    )


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("Host key verification failed.", "the host key of pi@door is unknown; run 'ssh pi@door'"),
        ("No ED25519 host key is known for door and …", "the host key of pi@door is unknown"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
         "another host key than before"),
        ("pi@door: Permission denied (publickey,password).", "pi@door refused the login"),
        ("ssh: Could not resolve hostname door: Name or service not known", "no host called door"),
        ("ssh: connect to host door port 22: Connection refused", "runs no ssh server"),
        ("ssh: connect to host door port 22: Connection timed out", "pi@door cannot be reached"),
        ("ssh: connect to host door port 22: Network is unreachable", "cannot be reached"),
        ("kex_exchange_identification: Connection closed by remote host", "is no ssh server"),
        ("command-line: line 0: Bad configuration option: foo", "Bad configuration option: foo"),
        ("Something new\nUnheard of", "ssh to pi@door failed: Unheard of; try 'ssh pi@door'"),
    ],
)  # fmt: skip
def test_complaints_of_ssh_in_one_line(devices: Path, said: str, meaning: str) -> None:
    (devices / "door.says").write_text(said + "\n")
    result = flash("list", "pi@door")
    assert result.exit_code == 1
    assert meaning in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Connection to door closed by remote host.",
        "client_loop: send disconnect: Broken pipe",
        "Read from remote host door: Connection timed out",
        "Timeout, server door not responding.",
    ],
)
def test_lost_connections_are_told_from_refused_ones(devices: Path, said: str) -> None:
    (devices / "door.says").write_text(said)
    with pytest.raises(ConnectionCut, match="was cut"):
        shelf("door", Ssh())


def test_cut_before_and_after_the_last_byte(devices: Path, tmp_path: Path) -> None:
    large = BundleFile.check(make_bundle(tmp_path / "large.edge", size_bytes=3_000_000))
    small = BundleFile.check(make_bundle(tmp_path / "small.edge"))
    stub(devices, "door", "cat", "kill -9 $PPID")
    for bundle, words in ((large, "in mid-upload; the device keeps"), (small, "after the upload")):
        with pytest.raises(ConnectionCut, match=words):
            push(bundle, "door", Ssh())
    assert Device(devices / "door").link("current") is None


def test_far_side_without_a_shell(devices: Path, bundle: Path) -> None:
    text = "#!/bin/sh\necho 'sh: not found' >&2\nexit 127\n"
    write_program(devices.parent / "bin" / "ssh", text)
    with pytest.raises(RemoteError, match="runs no commands for this user: sh: not found"):
        shelf("door", Ssh())


def test_far_side_that_says_nothing(devices: Path) -> None:
    write_program(devices.parent / "bin" / "ssh", "#!/bin/sh\necho This account is closed\n")
    with pytest.raises(ConnectionCut, match="did not finish"):
        shelf("door", Ssh())


# Parts


def test_script_passes_through_any_login_shell() -> None:
    script = farside.script()
    assert "'" not in script
    assert "\\" not in script
    command = farside.command("state", "it's", "$HOME")
    assert command.endswith(" edge-flash state 'it'\"'\"'s' '$HOME'")


def test_answers_are_read_through_noise() -> None:
    answer = Answer.parse("Welcome\nedge-flash bundle 3 4 a b.edge\nedge-flash\nedge-flash done\n")
    assert answer.first("bundle") == "3 4 a b.edge"
    assert answer.first("absent") is None
    assert answer.complete
    assert not Answer.parse("edge-flash done-ish\n").complete


def test_host_checks() -> None:
    for good in ("door", "pi@door.local", "ssh://pi@door:22", "pi@[fe80::1%eth0]"):
        assert remote.checked_host(good) == good
    with pytest.raises(UsageError):
        remote.checked_host("-v")
    with pytest.raises(InputError):
        Ssh(config=Path("absent"))


def test_each_device_once_and_errors_are_outcomes() -> None:
    def action(host: str) -> None:
        raise ToolkitError(host)

    call: Callable[..., object] = action
    outcomes = list(each_of(("b", "a", "b"), call))  # type: ignore[arg-type]
    assert [str(outcome.error) for outcome in outcomes] == ["b", "a"]


def test_what_is_no_answer_is_an_error_and_the_next_device_has_its_turn(
    devices: Path, bundle: Path, tmp_path: Path
) -> None:
    write_program(tmp_path / "bin" / "the-other-ssh", FAKE_SSH)
    text = """#!/bin/sh
case "$*" in
*"-G -- "*) ;;
*odd*) echo "edge-flash free many"; echo "edge-flash done" ;;
*loud*) yes edge-flash bundle | head -c 3000000 ;;
*) exec the-other-ssh "$@" ;;
esac
"""
    write_program(tmp_path / "bin" / "ssh", text)
    result = flash("push", bundle, "odd", "loud", "door", "--json")
    assert result.exit_code == 1
    odd, loud, door = json.loads(result.stdout)["devices"]
    assert odd["error"]["type"] == "DeviceError"
    assert "odd gave an answer that cannot be read" in odd["error"]["message"]
    assert "loud says more than 1024 KiB" in loud["error"]["message"]
    assert door["error"] is None
    assert Device(devices / "door").bundles == [installed(bundle)]


def test_a_device_that_does_not_answer_is_given_up(
    devices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ANSWER_LIMIT_S", 0.3)
    text = '#!/bin/sh\ncase "$*" in *"-G -- "*) ;; *) exec sleep 30 ;; esac\n'
    write_program(tmp_path / "bin" / "ssh", text)
    with pytest.raises(RemoteError, match=r"door has not answered for 0\.3 s"):
        shelf("door", Ssh())
