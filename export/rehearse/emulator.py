"""The emulator: a Raspberry Pi's processor and its Python on this machine, by qemu-user.

Debian's arm64 packages of Python are unpacked beside a static qemu, both fetched by
`apt-get download`, and kept in the cache folder. Nothing is installed, no root, container or binfmt
is needed. Emulation tells nothing about speed, and a program in it cannot start another one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edge.bundle.locate import APPLICATION
from edge.errors import ToolkitError
from edge.files.atomic import atomic_folder
from export.flash.wheel import make_wheel
from export.flash.wheelhouse import Wheelhouse, collect
from export.rehearse.counter import Counter, open_counter

Model = Literal["pi4", "pi5"]
MODELS: tuple[Model, ...] = get_args(Model)
Release = Literal["bookworm", "trixie"]
RELEASES: tuple[Release, ...] = get_args(Release)
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}

_PACKAGES = (
    "python{v}-minimal", "libpython{v}-minimal", "libpython{v}-stdlib", "libc6", "libgcc-s1",
    "libstdc++6", "zlib1g", "libffi8", "libssl3{t64}", "libbz2-1.0", "liblzma5", "libexpat1",
    "libsqlite3-0", "libuuid1", "libcrypt1",
)  # fmt: skip
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Processor:
    """What qemu calls it, and what Linux calls it in /proc/cpuinfo, which XNNPACK reads."""

    qemu: str
    board: str
    features: str
    variant: str
    part: str
    revision: int

    def cpuinfo(self) -> str:
        """Of a board with four cores."""
        cores = "".join(
            f"processor\t: {core}\nBogoMIPS\t: 108.00\nFeatures\t: {self.features}\n"
            f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: {self.variant}\n"
            f"CPU part\t: {self.part}\nCPU revision\t: {self.revision}\n\n"
            for core in range(4)
        )
        return f"{cores}Model\t\t: {self.board}\n"


PROCESSORS: dict[Model, Processor] = {
    "pi4": Processor(
        "cortex-a72", "Raspberry Pi 4 Model B Rev 1.4", "fp asimd evtstrm crc32 cpuid", "0x0",
        "0xd08", 3,
    ),
    "pi5": Processor(
        "cortex-a76", "Raspberry Pi 5 Model B Rev 1.0",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc "
        "dcpop asimddp", "0x4", "0xd0b", 1,
    ),
}  # fmt: skip
"""As the boards say it."""


@dataclass(frozen=True)
class Emulator:
    """A Pi's Python with edge-recognize. root: of its system. site: unpacked wheels. counter: a
    qemu that counts instructions, None where that cannot be; uncounted: why not."""

    model: Model
    release: Release
    qemu: Path
    root: Path
    site: Path
    counter: Counter | None = None
    uncounted: str = ""

    def command(self, *words: str, count_into: Path | None = None) -> list[str]:
        """The command line of its Python."""
        python = self.root / "usr" / "bin" / f"python{PYTHON[self.release]}"
        qemu = [str(self.qemu)]
        if self.counter is not None and count_into is not None:
            qemu = self.counter.words(count_into)
        return [*qemu, "-L", str(self.root), str(python), *words]

    def run(
        self, *words: str, home: Path, count_into: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python in a home folder, whatever it ends with. count_into: a file for the number
        of instructions, see `export.rehearse.counter`."""
        variables = {
            "HOME": str(home), "PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8",
            "QEMU_CPU": PROCESSORS[self.model].qemu, "PYTHONHOME": str(self.root / "usr"),
            "PYTHONPATH": str(self.site), "PYTHONDONTWRITEBYTECODE": "1",
            **({} if self.counter is None or count_into is None else self.counter.variables),
        }  # fmt: skip
        return subprocess.run(
            self.command(*words, count_into=count_into), env=variables, cwd=home,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False,
        )  # fmt: skip


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/edge-recognize/rehearse`, by default below `~/.cache`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / APPLICATION / "rehearse"


def open_emulator(
    model: Model, release: Release, *, mirror: str | None = None, cache: Path | None = None
) -> Emulator:
    """The emulated Pi, fetched where the cache lacks a part.

    mirror: of Debian; by default the one that this machine's apt uses. Raises `ToolkitError` where
    something cannot be fetched.
    """
    folder = cache or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    qemu = _qemu(folder)
    root = _root(folder, release, mirror)
    site = _site(folder, PYTHON[release])
    processor = PROCESSORS[model]
    (root / "proc" / "device-tree").mkdir(parents=True, exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(processor.cpuinfo(), "utf-8")
    (root / "proc" / "device-tree" / "model").write_text(processor.board, "utf-8")
    counter, uncounted = None, ""
    try:
        counter = open_counter(folder, _fetch)
    except ToolkitError as problem:
        uncounted = problem.message
    return Emulator(model, release, qemu, root, site, counter, uncounted)


def _fetch(names: tuple[str, ...], folder: Path) -> None:
    _apt("download", *names, cwd=folder)
    _unpack(folder, folder)


def _qemu(folder: Path) -> Path:
    program = folder / "qemu" / "usr" / "bin" / "qemu-aarch64-static"
    if not program.exists():
        with atomic_folder(folder / "qemu") as temporary:
            _fetch(("qemu-user-static",), temporary)
    return program


def _root(folder: Path, release: Release, mirror: str | None) -> Path:
    target = folder / f"root-{release}"
    if target.exists():
        return target
    apt = folder / f"apt-{release}"
    shutil.rmtree(apt, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial", "preferences"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    source = mirror or _mirror()
    signed = f" signed-by={_KEYS}" if _KEYS.exists() else ""
    (apt / "sources.list").write_text(f"deb [arch=arm64{signed}] {source} {release} main\n")
    (apt / "apt.conf").write_text(
        'APT::Architecture "arm64"; APT::Architectures { "arm64"; }; APT::Sandbox::User "root";\n'
        'Acquire::Languages "none"; Dir::Etc::sourceparts "-";\n'
        f'Dir::Etc::sourcelist "{apt}/sources.list"; Dir::State "{apt}"; '
        f'Dir::State::lists "{apt}/lists"; Dir::State::status "{apt}/status"; '
        f'Dir::Etc::preferencesparts "{apt}/preferences"; Dir::Cache "{apt}/cache";\n'
    )
    _apt("update", settings=apt / "apt.conf", cwd=apt)
    with atomic_folder(target) as temporary:
        debs = apt / "debs"
        debs.mkdir()
        t64 = "" if release == "bookworm" else "t64"
        names = [name.format(v=PYTHON[release], t64=t64) for name in _PACKAGES]
        _apt("download", *names, settings=apt / "apt.conf", cwd=debs)
        _unpack(debs, temporary)
        if not (temporary / "lib").exists():
            (temporary / "lib").symlink_to("usr/lib")
        cores = temporary / "sys" / "devices" / "system" / "cpu"
        cores.mkdir(parents=True)
        for name in ("possible", "present"):
            (cores / name).write_text("0-3\n")
    return target


def _site(folder: Path, python: str) -> Path:
    """Our wheel as it is now and all that it needs, unpacked, for aarch64."""
    build = folder / "wheel"
    shutil.rmtree(build, ignore_errors=True)
    wheel = make_wheel(build)
    house_folder = folder / f"wheels-{python}-{wheel.fingerprint[:12]}"
    if not house_folder.exists():
        for old in (*folder.glob(f"wheels-{python}-*"), *folder.glob(f"site-{python}-*")):
            shutil.rmtree(old)
        collect(house_folder, python, wheel=wheel.path)  # type: ignore[arg-type]
    house = Wheelhouse.open(house_folder)
    target = folder / f"site-{python}-{wheel.fingerprint[:12]}"
    if not target.exists():
        with atomic_folder(target) as temporary:
            _install(house, python, temporary)
    return target


def _install(house: Wheelhouse, python: str, target: Path) -> None:
    from export.flash.wheelhouse import platform_words

    words = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-compile", "--no-index", "--no-deps", "--upgrade", "--ignore-requires-python",
        "--target", str(target), f"--python-version={python}", "--implementation=cp",
        "--only-binary=:all:", *platform_words("aarch64"),
        *(str(house.folder / name) for name in house.files),
    ]  # fmt: skip
    _checked(words, "the wheels cannot be unpacked")


def _mirror() -> str:
    """The Debian mirror of this machine's own apt."""
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)", "Created-By: Packages"]
    for line in _checked(words, "apt does not say its mirror").splitlines():
        found = re.fullmatch(r"(\S+)(?<!security/) Debian", line.strip())
        if found is not None:
            return found[1]
    raise ToolkitError("this machine's apt uses no Debian mirror", hint="name one with --mirror")


def _apt(*words: str, cwd: Path, settings: Path | None = None) -> None:
    own = {} if settings is None else {"APT_CONFIG": str(settings)}
    _checked(["apt-get", "-q", *words], f"apt-get {words[0]} failed", cwd=cwd, more=own)


def _unpack(debs: Path, target: Path) -> None:
    for deb in sorted(debs.glob("*.deb")):
        _checked(["dpkg-deb", "-x", str(deb), str(target)], f"{deb.name} cannot be unpacked")


def _checked(
    words: list[str], what: str, *, cwd: Path | None = None, more: dict[str, str] | None = None
) -> str:
    try:
        done = subprocess.run(
            words, cwd=cwd, env={**os.environ, **(more or {})}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise ToolkitError(
            f"there is no {words[0]} here", hint="rehearse on Debian or Ubuntu"
        ) from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ToolkitError(f"{what}: {said[-1] if said else done.returncode}")
    return done.stdout
