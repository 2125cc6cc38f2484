"""Power cuts: what a device finds after each of many, while people change and bundles arrive.

python -m benchmarks.studies.power_cuts --cuts 200

A file system lies in an image behind a loop device, and the image behind FUSE, which writes down
what the kernel sends to the disk and when it asks for a flush (as dm-log-writes does; it is not in
every kernel). A cut keeps all that was flushed before it, and of what came later any part, block by
block, in any order: what a disk may have kept (Pillai et al., All File Systems Are Not Created
Equal, OSDI 2014). Each is put together as an image, mounted, and read as a device reads it.

Needs root, FUSE, loop devices, mkfs.ext4, mkfs.xfs, libfuse2 and `pip install fusepy`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click

from edge.console.commands import command, say
from edge.heads.threshold import upper_bound

FILE_SYSTEMS = {
    "ext4": (("mkfs.ext4", "-q", "-F"), "noauto_da_alloc", "noauto_da_alloc"),
    "xfs": (("mkfs.xfs", "-q", "-f"), "defaults", "nouuid"),
}
"""How each is made and mounted, and mounted again as a copy."""

VERBS = ("enrol", "forget", "save", "push")
SIZE_BYTES = 320_000_000
BLOCK_BYTES = 4096
SETTLE_S = 8.0
"""So long the kernel writes on after the command; ext4 commits every 5 s."""

_RECORD = struct.Struct("<cQI")
_WITHOUT_FSYNC = "import os; os.fsync = lambda _: None; "
_MAIN = "import sys; sys.argv[0] = '{name}'; from {module} import main; main()"
_SSH = """#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in -G) exit 0 ;; -o | -F | -p | -i) shift 2 ;; --) shift; break ;; *) shift ;; esac
done
export HOME="$DEVICE"; unset XDG_DATA_HOME
exec sh -c "$2"
"""


@dataclass(frozen=True)
class Log:
    """What went to the disk. writes: place and bytes, None for a flush. ended: how many of them had
    gone when the command had ended."""

    writes: tuple[tuple[int, bytes] | None, ...]
    ended: int


@dataclass(frozen=True)
class Scene:
    """A folder with what the commands need: photos of two people, bundles, a false ssh."""

    folder: Path
    fsync: bool

    def run(self, device: Path, name: str, module: str, *words: str | Path) -> None:
        code = ("" if self.fsync else _WITHOUT_FSYNC) + _MAIN.format(name=name, module=module)
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(self.folder / "home"),
            "XDG_DATA_HOME": str(data_of(device)),
            "DEVICE": str(device / "home"),
        }
        line = [sys.executable, "-c", code, *map(str, words)]
        done = subprocess.run(line, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{name} {words[0]}: {done.stdout}{done.stderr}")

    def recognize(self, device: Path, *words: str | Path) -> None:
        self.run(device, "edge-recognize", "edge.cli.main", *words)

    def enrol(self, device: Path, name: str, *words: str) -> None:
        photos = self.folder / "photos" / (words[0] if words else name)
        self.recognize(device, "enrol", "--name", name, "--photos", photos, "-q", *words[1:])

    def push(self, device: Path, bundle: str) -> None:
        path = self.folder / f"{bundle}.edge"
        self.run(device, "edge-flash", "export.cli.flash", "push", path, "pi@door", "-q")

    def prepare(self, device: Path, verb: str) -> None:
        """What is there before."""
        (device / "home").mkdir()
        if verb == "push":
            self.push(device, "a")
            return
        self.enrol(device, "ana")
        if verb == "forget":
            self.enrol(device, "ben")

    def act(self, device: Path, verb: str) -> None:
        """What the power is cut in."""
        if verb == "enrol":
            self.enrol(device, "ben")
        elif verb == "forget":
            self.recognize(device, "forget", "ben")
        elif verb == "save":
            self.enrol(device, "ana", "more", "--add")
        else:
            self.push(device, "b")

    def found(self, device: Path, verb: str) -> str:
        """What a device finds: "old", "new", or what is wrong."""
        os.environ["XDG_DATA_HOME"] = str(data_of(device))
        return self._found_bundle() if verb == "push" else _found_people(verb)

    def _found_bundle(self) -> str:
        from edge.bundle.locate import current_link
        from edge.bundle.reader import Bundle
        from edge.files.model_file import sha256_of

        with Bundle.open(current_link().resolve(strict=True)) as bundle:
            bundle.verify()
        found = sha256_of(current_link().read_bytes())
        known = {sha256_of((self.folder / f"{n}.edge").read_bytes()): n for n in ("a", "b")}
        return {"a": "old", "b": "new"}.get(known.get(found, ""), "another bundle")


def _found_people(verb: str) -> str:
    from edge.people.encryption import Encryption
    from edge.people.store import load_people, people_folder, tidy_people

    tidy_people(people_folder())
    people = load_people(people_folder(), Encryption())
    names = sorted(person.name for person in people.persons)
    files = len(list(people_folder().glob("*.npz")))
    if "ana" not in names:
        return "somebody lost"
    if files != len(names):
        return "files that nobody names"
    if verb == "save":
        album = people.persons[0].album
        return "new" if album is not None and len(album.embeddings) > 14 else "old"
    return {True: "new", False: "old"}[("ben" in names) is (verb == "enrol")]


def data_of(device: Path) -> Path:
    """Where programs keep their data below a mounted device."""
    return device / "home" / ".local" / "share"


def make_scene(folder: Path, *, fsync: bool) -> Scene:
    """Draw people and pack two bundles."""
    import export
    import trainer
    from trainer.drawn import DrawnPerson, write_photos

    for name, number, seed in (("ana", 1, 0), ("ben", 905, 0), ("more", 1, 9)):
        write_photos(folder / "photos" / name, DrawnPerson.draw(number), shots=14, seed=seed)
    run = folder / "run"
    trainer.enrol_person(folder / "photos" / "ana", name="ana", out=run, camera="several")
    for name in ("a", "b"):
        export.pack(run, folder / f"{name}.edge")
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(_SSH)
    (folder / "bin" / "ssh").chmod(0o755)
    return Scene(folder, fsync)


@contextlib.contextmanager
def mounted(image: Path, folder: Path, options: str) -> Iterator[None]:
    """An image as a file system. Raises `subprocess.CalledProcessError` where it does not mount."""
    folder.mkdir(exist_ok=True)
    line = ["mount", "-o", f"loop,{options}", str(image), str(folder)]
    subprocess.run(line, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def serve(image: Path, folder: Path, log: Path) -> None:
    """Show an image as `folder`/disk.img, and write down all that is written to it."""
    fuse = import_module("fuse")

    class Disk(fuse.Operations):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.disk = os.open(image, os.O_RDWR)
            self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)

        def getattr(self, path: str, handle: int | None = None) -> dict[str, int]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
            size = os.fstat(self.disk).st_size
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size}

        def read(self, path: str, size: int, offset: int, handle: int) -> bytes:
            return os.pread(self.disk, size, offset)

        def write(self, path: str, data: bytes, offset: int, handle: int) -> int:
            os.write(self.log, _RECORD.pack(b"w", offset, len(data)) + data)
            return os.pwrite(self.disk, data, offset)

        def fsync(self, path: str, data_alone: int, handle: int) -> int:
            os.write(self.log, _RECORD.pack(b"f", 0, 0))
            return 0

    fuse.FUSE(Disk(), str(folder), foreground=True, nothreads=True, big_writes=True)


@contextlib.contextmanager
def recorded(image: Path, folder: Path, log: Path) -> Iterator[Path]:
    """The image as a file of FUSE."""
    folder.mkdir(exist_ok=True)
    server = multiprocessing.get_context("fork").Process(target=serve, args=(image, folder, log))
    server.start()
    while not (folder / "disk.img").exists():
        if not server.is_alive():
            raise RuntimeError("FUSE does not start")
        time.sleep(0.05)
    try:
        yield folder / "disk.img"
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        server.join()


def read_log(path: Path, ended_bytes: int) -> Log:
    """Of a file that `serve` wrote, up to where it was `ended_bytes` long and beyond."""
    data, place, writes, ended = path.read_bytes(), 0, list[tuple[int, bytes] | None](), 0
    while place + _RECORD.size <= len(data):
        if place <= ended_bytes:
            ended = len(writes)
        kind, offset, size = _RECORD.unpack_from(data, place)
        place += _RECORD.size
        writes.append((offset, data[place : place + size]) if kind == b"w" else None)
        place += size
    return Log(tuple(writes), ended)


def record(scene: Scene, base: Path, work: Path, verb: str, options: str) -> Log:
    """Do it on a copy of the base, and write down what reaches the disk."""
    image, log, device = work / "live.img", work / "live.log", work / "device"
    shutil.copyfile(base, image)
    with recorded(image, work / "disk", log) as disk, mounted(disk, device, options):
        scene.act(device, verb)
        ended_bytes = log.stat().st_size
        time.sleep(SETTLE_S)
        return read_log(log, ended_bytes)


def cut(base: Path, log: Log, at: int, draw: random.Random, image: Path) -> None:
    """What a cut before write number `at` may leave."""
    flushed = max((n + 1 for n in range(at) if log.writes[n] is None), default=0)
    keep = draw.choice((0.0, 0.5, 0.9, 1.0))
    subprocess.run(["cp", "--sparse=always", str(base), str(image)], check=True)
    with image.open("r+b") as disk:
        for number, write in enumerate(log.writes[:at]):
            if write is None:
                continue
            offset, data = write
            for first in range(0, len(data), BLOCK_BYTES):
                if number < flushed or draw.random() < keep:
                    disk.seek(offset + first)
                    disk.write(data[first : first + BLOCK_BYTES])


def outcome(scene: Scene, image: Path, device: Path, verb: str, options: str) -> str:
    """What is found on an image."""
    try:
        with mounted(image, device, options):
            try:
                return scene.found(device, verb)
            except Exception as problem:
                return f"{type(problem).__name__}: {str(problem)[:100]}"
    except subprocess.CalledProcessError:
        return "does not mount"


def study(
    scene: Scene, kind: str, verb: str, cuts: int, seed: int, work: Path
) -> tuple[Counter[str], Log]:
    """What `cuts` cuts left. After the command has ended there must be the new state alone."""
    make, options, again = FILE_SYSTEMS[kind]
    base, device = work / "base.img", work / "device"
    say(f"{kind}: before {verb}", err=True)
    with base.open("wb") as disk:
        disk.truncate(SIZE_BYTES)
    subprocess.run([*make, str(base)], check=True)
    with mounted(base, device, options):
        scene.prepare(device, verb)
        os.sync()
    say(f"{kind}: {verb}", err=True)
    log = record(scene, base, work, verb, options)
    say(f"{kind}: cutting {verb}", err=True)
    draw, found = random.Random(seed), Counter[str]()
    for _ in range(cuts):
        at = draw.randint(0, len(log.writes))
        cut(base, log, at, draw, work / "cut.img")
        said = outcome(scene, work / "cut.img", device, verb, again)
        if at > log.ended and said == "old":
            said = "old after the command had ended"
        found[said] += 1
    return found, log


@command("power-cuts", examples="python -m benchmarks.studies.power_cuts --cuts 200")
@click.option("--cuts", type=click.IntRange(1), default=200, help="Cuts of each command.")
@click.option("--verb", "verbs", type=click.Choice(VERBS), multiple=True, default=VERBS)
@click.option(
    "--file-system", "kinds", type=click.Choice(tuple(FILE_SYSTEMS)), multiple=True,
    default=tuple(FILE_SYSTEMS), help="File systems to try.",
)  # fmt: skip
@click.option("--without-fsync", is_flag=True, help="Show that the study finds what is lost.")
@click.option("--seed", default=0, help="Seed of the cuts.")
def main(
    cuts: int, verbs: tuple[str, ...], kinds: tuple[str, ...], without_fsync: bool, seed: int
) -> None:
    """Cut the power while people change and bundles arrive, and see what is left."""
    say("| file system | command | writes | flushes | cuts | old | new | anything else |")
    say("|---|---|---|---|---|---|---|---|")
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as place:
        say("people are drawn", err=True)
        scene = make_scene(Path(place), fsync=not without_fsync)
        work = Path(place) / "work"
        work.mkdir()
        for kind in kinds:
            for verb in verbs:
                found, log = study(scene, kind, verb, cuts, seed, work)
                flushes = sum(write is None for write in log.writes)
                other = {what: n for what, n in found.items() if what not in ("old", "new")}
                words = "; ".join(f"{n} {what}" for what, n in other.items())
                bound = upper_bound(sum(other.values()), cuts)
                say(
                    f"| {kind} | {verb} | {len(log.writes) - flushes} | {flushes} | {cuts} "
                    f"| {found['old']} | {found['new']} | {words or 0} (at most {bound:.1%}) |"
                )


if __name__ == "__main__":
    main()
