"""The counter: how many instructions the emulated processor executes, by a plugin of qemu.

Counts do not depend on how fast or how busy this machine is, so that a change of cost is seen
without a Pi. They are no times: instructions differ in how long they take, and memory counts, too.
Debian 12's dynamically linked qemu takes plugins, its static one does not; a C compiler is needed.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ToolkitError
from edge.files.atomic import atomic_folder

SOURCE = Path(__file__).parents[1] / "templates" / "rehearse" / "count_instructions.c"
PACKAGES = ("qemu-user", "libcapstone4", "liburing2")
"""Of Debian 12; whatever else this qemu needs is usually there."""

NUMBER_BYTES = 8
"""At the start of the file: a little-endian number."""


@dataclass(frozen=True)
class Counter:
    """A qemu that counts. libraries: a folder of shared libraries that it needs."""

    qemu: Path
    libraries: Path
    plugin: Path

    def words(self, into: Path) -> list[str]:
        """The start of a command line that counts into a file."""
        return [str(self.qemu), "-plugin", f"{self.plugin},into={into}"]

    @property
    def variables(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self.libraries)}


def open_counter(folder: Path, fetch: Callable[[tuple[str, ...], Path], None]) -> Counter:
    """The counter, made in a folder where it is not there yet.

    fetch: unpacks Debian packages into a folder. Raises `ToolkitError` with the reason where this
    machine cannot count.
    """
    home = folder / "counter"
    if not _counter(home).plugin.exists():
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise ToolkitError("there is no C compiler", hint="apt install gcc")
        with atomic_folder(home) as temporary:
            fetch(PACKAGES, temporary)
            words = [compiler, "-shared", "-fPIC", "-O2", "-o", str(_counter(temporary).plugin)]
            _run([*words, str(SOURCE)], {}, "the plugin cannot be compiled")
    made = _counter(home)
    trial = [*made.words(home / "trial"), "-version"]
    _run(trial, made.variables, "qemu takes no plugin here")
    return made


def _counter(home: Path) -> Counter:
    libraries = next(iter(sorted((home / "usr" / "lib").glob("*-linux-gnu"))), home)
    return Counter(home / "usr" / "bin" / "qemu-aarch64", libraries, home / "count.so")


def _run(words: list[str], more: dict[str, str], what: str) -> None:
    try:
        done = subprocess.run(
            words, env={**os.environ, **more}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", check=False,
        )  # fmt: skip
    except OSError as problem:
        raise ToolkitError(f"{what}: {problem.strerror}") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ToolkitError(f"{what}: {said[-1] if said else done.returncode}")


def reader(path: Path) -> Callable[[], float]:
    """What tells, inside the emulator, how many instructions were executed so far, in billions:
    a clock by which a million instructions take a millisecond."""
    with path.open("rb") as file:
        memory = mmap.mmap(file.fileno(), NUMBER_BYTES, access=mmap.ACCESS_READ)
    return lambda: int.from_bytes(memory[:NUMBER_BYTES], "little") / 1e9
