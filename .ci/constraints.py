"""Write constraints/TARGET.txt: all packages of a device's install, pinned, with SHA-256.

    python .ci/constraints.py [TARGET ...]

pip resolves for the target as it would there (wheels alone) and downloads nothing but metadata; no
name of an index goes into the files.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "secure,mqtt"
AARCH64 = ("manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_27", "manylinux_2_17")
TARGETS = {
    "bookworm-aarch64": ("3.11", "aarch64", ("numpy<2",)),
    "trixie-aarch64": ("3.13", "aarch64", ()),
    "linux-x86_64-py311": ("3.11", "x86_64", ()),
}
"""Python, machine, and what the system's own packages ask for (bookworm's picamera2: NumPy 1)."""

HEAD = """\
# What a device installs, pinned, with SHA-256: {target}
# (Python {python}, {machine}; extras {extras}).
# Made by `make constraints`. Install with
#   pip install --require-hashes --only-binary :all: -r {target}.txt
#   pip install --no-deps edge_recognize-*.whl
"""


def resolved(python: str, machine: str, more: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Name, version and SHA-256 of each wheel that pip would install there, sorted by name.

    Raises `subprocess.CalledProcessError` where pip finds no such set.
    """
    platforms = [f"{tag}_{machine}" for tag in AARCH64] + [f"manylinux2014_{machine}"]
    words = ["install", "--dry-run", "--quiet", "--ignore-installed", "--only-binary", ":all:"]
    words += ["--target", "unused", "--python-version", python, "--implementation", "cp"]
    words += [word for platform in platforms for word in ("--platform", platform)]
    words += ["--report", "-", *more, *wanted(python, machine)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = []
    for item in json.loads(done.stdout)["install"]:
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        found.append((item["metadata"]["name"].lower(), item["metadata"]["version"], digest))
    return sorted(found)


def wanted(python: str, machine: str) -> list[str]:
    """The requirements of the plain install and `EXTRAS` in setup.cfg that hold for the target."""
    import configparser

    from packaging.requirements import Requirement

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [config["options"]["install_requires"]]
    texts += [config["options.extras_require"][extra] for extra in EXTRAS.split(",")]
    at = {"platform_machine": machine, "python_version": python, "sys_platform": "linux"}
    lines = [line.strip() for text in texts for line in text.splitlines()]
    found = []
    for line in lines:
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            if not requirement.marker or requirement.marker.evaluate(at):
                found.append(f"{requirement.name}{requirement.specifier}")
    return found


def main(names: list[str]) -> None:
    """Write the files of the named targets, by default of all."""
    for target in names or TARGETS:
        python, machine, more = TARGETS[target]
        lines = [HEAD.format(target=target, python=python, machine=machine, extras=EXTRAS)]
        for name, version, digest in resolved(python, machine, more):
            lines.append(f"{name}=={version} \\\n    --hash=sha256:{digest}\n")
        path = ROOT / "constraints" / f"{target}.txt"
        path.write_text("".join(lines), encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}: {len(lines) - 1} packages")


if __name__ == "__main__":
    main(sys.argv[1:])
