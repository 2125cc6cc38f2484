"""The wheelhouse: a folder with all wheels that a device needs, for one without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from edge.errors import InputError, ToolkitError
from edge.files.atomic import atomic_folder
from edge.files.model_file import sha256_of
from export.flash.wheel import Wheel, make_wheel

SCHEMA = 1
LISTING = "wheelhouse.json"
CONSTRAINTS = Path(__file__).parents[1] / "templates" / "constraints"
"""What fits beside the picamera2 of a release of Raspberry Pi OS, a file for each."""

Python = Literal["3.10", "3.11", "3.12", "3.13"]
PYTHONS: tuple[Python, ...] = get_args(Python)
Machine = Literal["aarch64", "x86_64"]
MACHINES: tuple[Machine, ...] = get_args(Machine)
RELEASES = {"3.11": "bookworm", "3.13": "trixie"}
"""Releases by their Python."""

_GLIBC = ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_31", "_2_34", "_2_35", "_2_36")
"""manylinux tags up to the glibc of bookworm, 2.36."""


@dataclass(frozen=True)
class Wheelhouse:
    """A folder of wheels. python, machine: whom they fit. files: their names."""

    folder: Path
    python: str
    machine: str
    files: tuple[str, ...]
    wheel: Wheel

    @classmethod
    def open(cls, folder: Path) -> Wheelhouse:
        """Raises `InputError` where it is none, or a file of it was changed."""
        try:
            listing = json.loads((folder / LISTING).read_bytes())
            files = {str(name): str(sha256) for name, sha256 in listing["files"].items()}
            python, machine = str(listing["python"]), str(listing["machine"])
            for name, sha256 in files.items():
                if sha256_of((folder / Path(name).name).read_bytes()) != sha256:
                    raise ValueError(f"{name} was changed")
            ours = next(name for name in files if name.startswith("edge_recognize-"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as problem:
            raise InputError(
                f"{folder} is no whole wheelhouse: {problem}",
                hint="make one: edge-flash wheelhouse -o DIR --python 3.11",
            ) from None
        return cls(folder, python, machine, tuple(sorted(files)), Wheel.open(folder / ours))

    def to_json(self) -> dict[str, Any]:
        size = sum((self.folder / name).stat().st_size for name in self.files)
        return {
            "schema": SCHEMA,
            "folder": str(self.folder),
            "python": self.python,
            "machine": self.machine,
            "version": self.wheel.version,
            "wheels": list(self.files),
            "size_bytes": size,
        }


def constraints_for(release: str | None) -> str:
    """The text of a release's constraint file; "" where it has none."""
    path = CONSTRAINTS / f"{release}.txt"
    return path.read_text("utf-8") if release and path.is_file() else ""


def collect(
    folder: Path, python: Python, machine: Machine = "aarch64", wheel: Path | None = None
) -> Wheelhouse:
    """Gather our wheel and all that it needs, as wheels alone, into a new folder.

    For Python 3.11 these are the versions that fit beside bookworm's picamera2. wheel: in place of
    the one that is made here. Raises `ToolkitError` where the registry lacks one or cannot be
    reached, and `InputError` where the folder exists.
    """
    if folder.exists():
        raise InputError(f"{folder} exists", hint="choose a new folder")
    with atomic_folder(folder) as temporary:
        if wheel is None:
            ours = make_wheel(temporary)
        else:
            ours = Wheel.open(Path(shutil.copy(Wheel.open(wheel).path, temporary)))
        release = RELEASES.get(python)
        constraints = CONSTRAINTS / f"{release}.txt"
        _download(ours, temporary, python, machine, constraints if release else None)
        write_listing(temporary, python, machine)
    return Wheelhouse.open(folder)


def write_listing(folder: Path, python: str, machine: str) -> None:
    """Say in `wheelhouse.json` what the wheels of a folder are, and whom they fit."""
    files = {path.name: sha256_of(path.read_bytes()) for path in sorted(folder.glob("*.whl"))}
    listing = {"schema": SCHEMA, "python": python, "machine": machine, "files": files}
    (folder / LISTING).write_text(json.dumps(listing, indent=1) + "\n", "utf-8")


def platform_words(machine: Machine) -> list[str]:
    """Options of pip for wheels that a device takes."""
    return [f"--platform=manylinux{glibc}_{machine}" for glibc in _GLIBC]


def _download(
    wheel: Wheel, folder: Path, python: Python, machine: Machine, constraints: Path | None
) -> None:
    words = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-input", "--only-binary=:all:", f"--python-version={python}", "--implementation=cp",
        *platform_words(machine), "--dest", str(folder),
        str(wheel.path.with_name(wheel.requirement)),
    ]  # fmt: skip
    if constraints is not None:
        words += ["--constraint", str(constraints)]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ToolkitError(
            f"pip cannot gather the wheels: {said[-1] if said else 'it does not say why'}",
            hint="check the network, or pip's own settings",
        )
