"""`edge-recognize --camera` before a real V4L2 device without hardware, for `make test-camera`.

Boots Debian's kernel in qemu, with the kernel's own test camera (`vivid`); the guest sees this
machine's files over 9p, read-only, and runs `benchmarks.studies.camera_guest` with this Python.

python -m benchmarks.studies.on_camera
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from edge.bundle.locate import APPLICATION
from edge.console.commands import PATH, command, say
from edge.errors import ToolkitError

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "modprobe": "kmod",
    "depmod": "kmod", "cpio": "cpio", "v4l2-ctl": "v4l-utils",
}  # fmt: skip
"""What is needed here, and Debian's package of each."""

BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p")
MEMORY_MIB = 2048
OUT = "/mnt"
"""Where the guest finds the folder that it may write to."""

_BUSY_HOST = "no_timer_check rcupdate.rcu_cpu_stall_suppress=1"
"""The kernel shall take no slow host for broken hardware."""

_INIT = """#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
echo 1 > /proc/sys/kernel/printk
for file in /m/*; do insmod "$file"; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose host /host
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /host/mnt
mount --bind /dev /host/dev; mount -t proc proc /host/proc
mount -t sysfs sys /host/sys; mount -t tmpfs tmp /host/run
ip link set lo up
chroot /host /bin/sh /mnt/start.sh > /dev/ttyS0 2>&1
sync; poweroff -f
"""


@command("on-camera", examples="python -m benchmarks.studies.on_camera")
@click.option("--kernel", type=PATH, metavar="FILE", help="Debian's linux-image package.")
@click.option("--limit", "limit_s", type=click.IntRange(60), default=3600, metavar="SECONDS")
def main(kernel: Path | None, limit_s: int) -> None:
    """Boot a guest with the kernel's test camera and look through it."""
    missing = sorted({package for name, package in PROGRAMS.items() if shutil.which(name) is None})
    if missing:
        raise ToolkitError("programs are missing", hint=f"apt install {' '.join(missing)}")
    cache = _cache()
    system = _unpacked(kernel, cache)
    with tempfile.TemporaryDirectory() as folder:
        initrd = _initrd(system, Path(folder))
        out = Path(folder) / "out"
        out.mkdir()
        _prepare(system, out)
        _boot(system, initrd, out, limit_s)
        file = out / "cases.json"
        cases = json.loads(file.read_text("utf-8")) if file.exists() else []
    for case in cases:
        say(f"{'ok  ' if case['ok'] else 'FAIL'}  {case['name']}: {case['said']}")
    failed = [case["name"] for case in cases if not case["ok"]]
    if not cases or failed or cases[-1]["name"] != "end":
        raise ToolkitError(f"failed: {', '.join(failed) or 'the guest did not come to its end'}")


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = (base if base.is_absolute() else Path.home() / ".cache") / APPLICATION / "camera"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _release(system: Path) -> str:
    return next((system / "lib" / "modules").iterdir()).name


def _unpacked(kernel: Path | None, cache: Path) -> Path:
    """Debian's kernel with its modules."""
    from edge.files.atomic import atomic_folder

    system = cache / "kernel"
    if system.exists():
        return system
    with tempfile.TemporaryDirectory() as folder:
        if kernel is None:
            said = _run("apt-cache", "depends", "linux-image-amd64")
            name = next(line.split()[-1] for line in said.splitlines() if "Depends" in line)
            _run("apt-get", "-q", "download", name, cwd=Path(folder))
            kernel = next(Path(folder).glob("*.deb"))
        with atomic_folder(system) as temporary:
            _run("dpkg-deb", "-x", str(kernel.absolute()), str(temporary))
            _run("depmod", "-b", str(temporary), _release(temporary))
    return system


def _modules(system: Path, name: str) -> list[Path]:
    """A module of the kernel and those before it, in the order in which they are loaded."""
    words = ["-d", str(system), "-S", _release(system), "--show-depends", name]
    lines = [line.split() for line in _run("modprobe", *words).splitlines()]
    return [Path(line[1]) for line in lines if line and line[0] == "insmod"]


def _initrd(system: Path, folder: Path) -> Path:
    """What boots: busybox, and the modules that reach this machine's files."""
    root = folder / "initrd"
    for name in ("bin", "m", "proc", "sys", "dev", "host"):
        (root / name).mkdir(parents=True)
    shutil.copy(str(shutil.which("busybox")), root / "bin" / "busybox")
    wanted = dict.fromkeys(path for name in BOOT_MODULES for path in _modules(system, name))
    for number, path in enumerate(wanted):
        shutil.copy(path, root / "m" / f"{number:02d}-{path.name}")
    (root / "init").write_text(_INIT)
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    done = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(),
        capture_output=True, check=True,
    )  # fmt: skip
    made = folder / "initrd.gz"
    made.write_bytes(gzip.compress(done.stdout, 1))
    return made


def _prepare(system: Path, out: Path) -> None:
    """What the guest runs."""
    (out / "home").mkdir()
    root = Path(__file__).resolve().parents[2]
    modules = " ".join(str(path) for path in _modules(system, "vivid"))
    (out / "start.sh").write_text(
        f"export HOME={OUT}/home TMPDIR={OUT} PYTHONDONTWRITEBYTECODE=1\n"
        f'export PATH=/usr/bin:/bin:/usr/sbin:/sbin PYTHONPATH="{root}"\n'
        f'export VIVID_MODULES="{modules}"\n'
        f'"{sys.executable}" -m benchmarks.studies.camera_guest {OUT}\n'
    )


def _boot(system: Path, initrd: Path, out: Path, limit_s: int) -> None:
    release = _release(system)
    say(f"booting Linux {release}", err=True)
    shared = "security_model=none,multidevs=remap"
    words = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "1",
        "-m", str(MEMORY_MIB), "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio",
        "-kernel", str(system / "boot" / f"vmlinuz-{release}"), "-initrd", str(initrd),
        "-append", f"console=ttyS0 quiet panic=-1 mitigations=off {_BUSY_HOST}",
        "-fsdev", f"local,id=h,path=/,readonly=on,{shared}",
        "-device", "virtio-9p-pci,fsdev=h,mount_tag=host",
        "-fsdev", f"local,id=o,path={out},{shared}",
        "-device", "virtio-9p-pci,fsdev=o,mount_tag=out",
    ]  # fmt: skip
    try:
        subprocess.run(words, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=limit_s)
    except subprocess.TimeoutExpired:
        say(f"the guest was ended after {limit_s} s", err=True)


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ToolkitError(f"{words[0]} failed: {said[-1] if said else done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
