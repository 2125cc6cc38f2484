"""Pushes and set-ups killed at random times, with people enrolled on the device.

`EDGE_KILLS=50 pytest -n0 -m server tests/export/test_killed_push.py` is the long way. When a kill
comes is a matter of chance and of the machine; what has to hold is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bundle_factory import fewer, other_base
from click.testing import CliRunner
from device_factory import answer, bare_home, write_two_people
from light_device import Pi, a_wheel, light_pi
from sshd_fixture import Device, Sshd, running_sshd, write_program

from edge.bundle.locate import shipped_bundle
from edge.bundle.writer import BundleWriter
from export.cli.flash import main
from export.flash.push import BundleFile

pytestmark = pytest.mark.server

KILLS = int(os.environ.get("EDGE_KILLS", "1"))
SOON_S = 1.0
STRANGERS = 300
"""Of the cohort, so that enrolling is quick."""

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


def stopped_tree(process: int) -> list[int]:
    """A process and all below it, each held before its children are looked for."""
    try:
        os.kill(process, signal.SIGSTOP)
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (ProcessLookupError, FileNotFoundError):
        return []
    return [process, *(one for child in children for one in stopped_tree(int(child)))]


def kill_far_side(sshd: Sshd) -> int:
    """As if the device lost its power: how many processes were killed."""
    found = [one for session in sshd.sessions() for one in stopped_tree(session)]
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return len(found)


def killed_at(
    sshd: Sshd,
    after_s: float,
    action: Callable[[], object],
    since: Callable[[], bool] = lambda: True,
) -> bool:
    """Do something with the device, which dies so long after something was done there; whether it
    did before the end."""
    thread = threading.Thread(target=action)
    thread.start()
    while thread.is_alive() and not since():
        time.sleep(0.005)
    time.sleep(after_s)
    killed = kill_far_side(sshd)
    thread.join()
    return killed > 0


def flash(sshd: Sshd, *words: object) -> int:
    full = [*(str(word) for word in words), *sshd.words()]
    return CliRunner().invoke(main, full, prog_name="edge-flash").exit_code


def seconds_of(action: Callable[[], int]) -> float:
    before_s = time.monotonic()
    assert action() == 0
    return time.monotonic() - before_s


def test_a_push_killed_at_random_times(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards the software starts with the whole old or the whole new bundle and its people."""
    photos = tmp_path / "photos"
    photos.mkdir()
    write_two_people(photos)
    old, new = tmp_path / "old.edge", tmp_path / "new.edge"
    with shipped_bundle() as bundle:
        cohort = bundle.cohort()
        assert cohort is not None
        BundleWriter.of(bundle, name="old", cohort=fewer(cohort, STRANGERS)).write(old)
    other_base(new, people=STRANGERS)
    home, programs = tmp_path / "home of pi", tmp_path / "programs"
    home.mkdir()
    run = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m edge.cli.main "$@"'
    tool = write_program(programs / "edge-recognize", f"#!/bin/sh\n{run}\n")
    server.at_login(f'HOME="{home}"\nPATH="{programs}:$PATH"\n')
    assert flash(server, "push", old, "127.0.0.1") == 0
    with monkeypatch.context() as inside:
        bare_home(home / ".local" / "share", inside)
        answer("enrol", "--name", "ana", "--photos", photos / "ana", "--keep", "crops")
    whole = tmp_path / "whole"
    shutil.copytree(home, whole, symlinks=True)

    def put_back() -> None:
        shutil.rmtree(home)
        shutil.copytree(whole, home, symlinks=True)

    def push() -> int:
        return flash(server, "push", new, "127.0.0.1")

    longest_s = seconds_of(push)
    chance, device = random.Random(16), Device(home)
    contents = {path.read_bytes(): path.stem for path in (old, new)}
    found = {"old": 0, "new": 0, "killed": 0}
    state = device.root / "people" / "state.json"
    enrolled = (whole / state.relative_to(home)).read_bytes()
    for number in range(KILLS):
        put_back()
        if number % 2:  # at any time, most of which goes into the self-test
            found["killed"] += killed_at(server, chance.uniform(0.0, longest_s), push)
        else:  # around the switch, which comes soon after people are enrolled again
            soon_s = chance.uniform(0.0, SOON_S)
            found["killed"] += killed_at(
                server, soon_s, push, lambda: state.read_bytes() != enrolled
            )
        found[contents[(device.root / "current").read_bytes()]] += 1
        variables = {**os.environ, "HOME": str(home)}
        variables.pop("XDG_DATA_HOME", None)
        words = [str(tool), "--source", str(photos / "ana"), "--json", "--quiet"]
        done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        faces = [face for line in done.stdout.splitlines() for face in json.loads(line)["faces"]]
        assert sum(face["person"] == "ana" for face in faces) >= 12
    print(f"push: {found} within {longest_s:.1f} s")
    assert push() == 0
    assert device.link("current") == BundleFile.check(new).installed


@pytest.fixture
def pi(server: Sshd) -> Iterator[Pi]:
    with light_pi(server) as made:
        yield made


def test_an_update_killed_at_random_times(pi: Pi, tmp_path: Path) -> None:
    """Afterwards a whole environment is current, and bundle and people are untouched."""
    old, new = (a_wheel(tmp_path / "w", version) for version in ("0.1.0", "0.2.0"))
    people = pi.home / ".local" / "share" / "edge-recognize" / "people" / "somebody.npz"

    def set_up(wheel: Path) -> int:
        return pi.flash("setup", "127.0.0.1", "--wheel", wheel, "--watch", 0).exit_code

    assert set_up(old) == 0
    people.parent.mkdir(parents=True)
    people.write_text("somebody")
    longest_s = seconds_of(lambda: set_up(new))
    chance, found = random.Random(16), {"0.1.0": 0, "0.2.0": 0, "killed": 0}
    for _ in range(KILLS):
        assert set_up(old) == 0
        found["killed"] += killed_at(pi.sshd, chance.uniform(0.0, longest_s), lambda: set_up(new))
        found[pi.current().split("-")[1]] += 1
        assert (pi.soft / "current" / ".complete").exists()
        assert (pi.soft / "current" / "bin" / "edge-recognize").exists()
        assert people.read_text() == "somebody"
    print(f"setup: {found} within {longest_s:.1f} s")
    assert set_up(new) == 0
    assert all((env / ".complete").exists() for env in pi.soft.glob("env-*"))
    assert not list(pi.soft.glob(".parts*"))
