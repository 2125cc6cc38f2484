"""Killed at any moment while people change: there is the old state or the new one, nothing else."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from embedding_factory import World
from register_factory import a_cohort, album_of, bytes_below, head_of, open_bundle, write_bundle

from edge.heads.threshold import ONE
from edge.people.registry import Registry
from edge.people.store import People, people_folder, save_people, tidy_people

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("EDGE_KILLS", "20"))
"""How often each loop is killed; the figures in RESULTS.md are of 200."""

WORLD = World(11)
COHORT = a_cohort(WORLD, people=120)
BENS, ANAS, EVAS, OTHERS = (WORLD.pictures(WORLD.person(), 12) for _ in range(4))

CHILD = """
import sys
sys.path[:0] = [{factories!r}, {root!r}]
from pathlib import Path
import numpy as np
from register_factory import album_of, open_bundle
from edge.cli.forget import run_forget
from edge.heads.threshold import ONE
from edge.people.registry import Registry
from edge.people.store import only_writer, people_folder
bundle, verb = Path(sys.argv[1]), sys.argv[2]
pictures = np.load(sys.argv[3])
def enrol(name):
    with only_writer(people_folder()), open_bundle(bundle) as opened:
        register = Registry(opened)
        if name not in [known.head.name for known in register.known()]:
            register.enrol(name, album_of(pictures[name]), camera=ONE, one_sitting=True)
print("ready", flush=True)
while True:
    if verb == "save":
        with only_writer(people_folder()), open_bundle(bundle) as opened:
            Registry(opened).settle()
    else:
        enrol("Benedikt")
        print("enrolled", flush=True)
        run_forget("Benedikt", bundle=bundle)
    print("done", flush=True)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from device_factory import bare_home

    return bare_home(tmp_path / "home", monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("verb", ["last", "one of two", "save"])
def test_old_or_new(home: Path, tmp_path: Path, verb: str) -> None:
    """Enrolled and forgotten, over and over, and killed at random points, as by power that goes.

    last: nobody else is enrolled, so that the folder comes and goes.
    """
    bundle = write_bundle(tmp_path / "b.edge", COHORT, (head_of("Eva", EVAS, COHORT),))
    with open_bundle(bundle) as opened:
        register = Registry(opened)
        if verb != "last":
            register.enrol("Ana", album_of(ANAS), camera=ONE, one_sitting=True)
            register.correct("Eva", OTHERS[:2], np.arange(2))
    others = {"Eva"} if verb == "last" else {"Eva", "Ana"}
    np.savez(tmp_path / "pictures.npz", Benedikt=BENS)
    factories = str(ROOT / "tests" / "factories")
    code = CHILD.format(factories=factories, root=str(ROOT))
    words = [sys.executable, "-c", code, str(bundle), verb, str(tmp_path / "pictures.npz")]
    draw, seen, left_behind = random.Random(7), set(), 0
    for number in range(KILLS):
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        if number % 2 or verb == "save":
            child.stdout.readline()  # forgetting begins now, and takes milliseconds
            time.sleep(10 ** draw.uniform(-4.0, -1.0) if number > 1 else 0.0)
        else:
            time.sleep(draw.uniform(0.0, 1.0) if number else 0.0)
        child.send_signal(signal.SIGKILL)
        assert b"Error" not in child.communicate()[1]
        left_behind += len(list(home.rglob(".*-*")))
        tidy_people(people_folder())
        with open_bundle(bundle) as opened:
            register = Registry(opened)
            names = {known.head.name for known in register.known()}
            eva = register.find("Eva").to_json()["not_me"]
        assert names - {"Benedikt"} == others, "nobody is lost"
        assert eva == (0 if verb == "last" else 2), "nor what was taken back"
        if "Benedikt" not in names:
            left = bytes_below(home)
            assert not [row for row in BENS if row.tobytes() in left], "nothing stays of them"
        seen.add("Benedikt" in names)
    print(f"{verb}: {KILLS} kills, states seen: {seen}, temporary files found: {left_behind}")
    assert verb == "save" or seen == {True, False}, "else the kills came at one moment"


@pytest.mark.parametrize("cut", range(8))
def test_the_last_one_forgotten_up_to_some_write(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """Stopped before the removal number `cut`: all of them or nobody, and nothing beside."""
    bundle = write_bundle(tmp_path / "b.edge", COHORT)
    with open_bundle(bundle) as opened:
        register = Registry(opened)
        register.enrol("Benedikt", album_of(BENS), camera=ONE, one_sitting=True)
        register.enrol("Ana", album_of(ANAS), camera=ONE, one_sitting=True)
        count, unlink = 0, Path.unlink

        def counted(self: Path, *words: object, **more: object) -> None:
            nonlocal count
            if count == cut:
                raise KeyboardInterrupt
            count += 1
            unlink(self)

        folder = people_folder()
        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", counted)
            with contextlib.suppress(KeyboardInterrupt):
                save_people(folder, People(), register.vault)
        tidy_people(folder)
        names = [known.head.name for known in Registry(opened).known()]
    assert names == (["Ana", "Benedikt"] if cut == 0 else [])
    assert folder.exists() == (cut == 0)
