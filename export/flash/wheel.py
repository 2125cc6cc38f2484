"""The wheel: our own software as a device installs it, made from the checkout or the install."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import edge
from edge.errors import InputError, ToolkitError

DISTRIBUTION = "edge-recognize"
EXTRAS = ("secure", "mqtt")
"""Extras that a device gets besides the plain install: about 16 MB."""

_PACKAGES = ("edge", "trainer", "export", "benchmarks")
_FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE")


@dataclass(frozen=True)
class Wheel:
    """A wheel of edge-recognize. fingerprint: of its content, whenever it was built."""

    path: Path
    version: str
    fingerprint: str

    @classmethod
    def open(cls, path: Path) -> Wheel:
        """Raises `InputError` for a file that is no wheel of edge-recognize."""
        words = Path(path).name.removesuffix(".whl").split("-")
        if len(words) < 5 or words[0] != DISTRIBUTION.replace("-", "_"):
            raise InputError(f"{path} is no wheel of edge-recognize", hint="make one: pip wheel .")
        try:
            with zipfile.ZipFile(path) as file:
                members = sorted(
                    f"{info.filename} {info.CRC}"
                    for info in file.infolist()
                    if not info.filename.endswith("/RECORD")
                )
        except (OSError, zipfile.BadZipFile) as problem:
            raise InputError(f"{path} cannot be read: {problem}", hint="make it again") from None
        return cls(Path(path), words[1], fingerprint_of(members))

    @property
    def requirement(self) -> str:
        """File name and extras, as pip takes it in the wheel's folder."""
        return f"{self.path.name}[{','.join(EXTRAS)}]"


def fingerprint_of(words: Iterable[str]) -> str:
    """SHA-256 over lines."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def make_wheel(folder: Path) -> Wheel:
    """The wheel of what is running here, written into a folder.

    Out of a clean copy of the checkout, by pip; of an installed wheel, out of its own files. Raises
    `ToolkitError` where neither is possible.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(edge.__file__ or "").resolve().parents[1]
    checkout = all((root / name).exists() for name in _FILES)
    path = _built(root, folder) if checkout else _packed_again(folder)
    return Wheel.open(path)


def _built(root: Path, folder: Path) -> Path:
    """By pip; a `build` folder that was left in the checkout is not taken along."""
    with tempfile.TemporaryDirectory() as place:
        copy, made = Path(place) / "checkout", Path(place) / "made"
        copy.mkdir()
        for name in _FILES:
            shutil.copy(root / name, copy)
        for name in _PACKAGES:
            leave = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(root / name, copy / name, ignore=leave)
        tools = all(importlib.util.find_spec(name) for name in ("setuptools", "wheel"))
        words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        words += ["--no-deps", *(["--no-build-isolation"] if tools else [])]
        done = subprocess.run(
            [*words, "--wheel-dir", str(made), str(copy)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = sorted(made.glob("*.whl")) if made.is_dir() else []
        if done.returncode or not found:
            said = " ".join(done.stderr.split()[-40:])
            raise ToolkitError(f"pip cannot make the wheel: {said}", hint="try 'pip wheel .'")
        return Path(shutil.move(found[0], folder / found[0].name))


def _packed_again(folder: Path) -> Path:
    """Of an installed distribution, by its RECORD; scripts are made again by pip."""
    try:
        ours = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise ToolkitError(
            "neither a checkout nor an installed edge-recognize is here", hint="give --wheel FILE"
        ) from None
    return pack_installed(ours, folder)


def pack_installed(distribution: metadata.Distribution, folder: Path) -> Path:
    """A wheel of a distribution that is installed here, from the files that its RECORD names."""
    text = distribution.read_text("WHEEL") or ""
    tags = [line.partition(":")[2].strip() for line in text.splitlines() if line[:4] == "Tag:"]
    name = distribution.metadata["Name"].replace("-", "_")
    parts = [sorted({tag.split("-")[place] for tag in tags}) for place in range(3)]
    tag = "-".join(".".join(part) for part in parts)
    path = folder / f"{name}-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for member in distribution.files or ():
            own = ".." not in member.parts and member.suffix != ".pyc"
            if own and member.name not in ("INSTALLER", "REQUESTED", "direct_url.json"):
                source = Path(str(distribution.locate_file(member)))
                if source.is_file():
                    file.write(source, str(member))
    return path
