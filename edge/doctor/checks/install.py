"""The installation: Python, the owners of the packages, and whether they fit together."""

from __future__ import annotations

import platform
import struct
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import edge
from edge.doctor.report import OK, PROBLEM, WARNING, Finding, Patient

DISTRIBUTION = "edge-recognize"
OUR_PACKAGES = ("edge", "trainer", "export", "benchmarks")
PYTHON_FROM, PYTHON_TO = (3, 10), (3, 13)

OPENCV_WHEELS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""Distributions that all bring a package `cv2`, and overwrite each other's files."""


def check_python(patient: Patient) -> Iterator[Finding]:
    """Version, width and architecture of the interpreter."""
    bits, machine = struct.calcsize("P") * 8, platform.machine()
    text = f"{platform.python_version()}, {bits} bit on {machine}"
    if not PYTHON_FROM <= sys.version_info[:2] <= PYTHON_TO:
        remedy = "use Python 3.10 to 3.13"
        yield Finding("Python", PROBLEM, text, remedy)
    elif bits == 32:
        remedy = "install the 64-bit Raspberry Pi OS: LiteRT has no 32-bit packages"
        yield Finding("Python", WARNING, text, remedy)
    else:
        yield Finding("Python", OK, text)


def check_ownership(patient: Patient) -> Iterator[Finding]:
    """Whether `edge` and its siblings are ours: other distributions bear such names, too."""
    others = _other_owners()
    for package, names in others.items():
        yield Finding(
            "package names",
            PROBLEM,
            f"the package '{package}' is also in {', '.join(names)}, which overwrites ours",
            f"pip uninstall {' '.join(names)}, then reinstall {DISTRIBUTION}",
        )
    folder = Path(edge.__file__ or "").parent
    if not others:
        yield Finding("package names", OK, f"edge {edge.__version__} in {folder} is ours")


def check_packages(patient: Patient) -> Iterator[Finding]:
    """Pairs of packages that do not work together although each can be installed."""
    numpy, tflite = version_of("numpy"), version_of("tflite-runtime")
    wheels = [name for name in OPENCV_WHEELS if version_of(name)]
    if len(wheels) > 1:
        keep = "opencv-python-headless"
        yield Finding(
            "OpenCV",
            WARNING,
            f"{' and '.join(wheels)} are in one environment and overwrite each other",
            f"pip uninstall -y {' '.join(wheels)} && pip install {keep}",
        )
    if not version_of("ai-edge-litert") and tflite and numpy and not numpy.startswith("1."):
        yield Finding(
            "runtime",
            PROBLEM,
            f"tflite-runtime {tflite} cannot work with NumPy {numpy}",
            "pip install ai-edge-litert, or pip install 'numpy<2'",
        )
    for name in wheels:
        found = version_of(name) or ""
        if numpy and numpy.startswith("1.") and _numbers(found) >= (4, 12):
            yield Finding(
                "OpenCV",
                PROBLEM,
                f"{name} {found} needs NumPy 2, here is {numpy}",
                f"pip install '{name}<4.12', or pip install 'numpy>=2'",
            )
    names = ("numpy", *wheels, "ai-edge-litert", "tflite-runtime", "onnxruntime")
    found_all = [f"{name} {version_of(name)}" for name in names if version_of(name)]
    yield Finding("packages", OK, ", ".join(found_all))


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution, None where there is none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _other_owners() -> dict[str, list[str]]:
    """Our packages that other distributions have, too, with the names of these."""
    owners = metadata.packages_distributions()
    found = {}
    for package in OUR_PACKAGES:
        others = sorted({name for name in owners.get(package, ()) if name != DISTRIBUTION})
        if others:
            found[package] = others
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
