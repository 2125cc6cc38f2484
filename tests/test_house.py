"""The house rules: who may import whom, what starts fast, how long a module is, what it says."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("edge", "trainer", "export", "benchmarks")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_LINES = 400
MAX_BYTES = 8_000_000

FORBIDDEN = {
    "edge": {"tensorflow", "keras", "trainer", "export", "benchmarks"},
    "trainer": {"export", "benchmarks"},
    "export": {"trainer", "benchmarks"},
    "benchmarks": set(),
}

EDGE_AT_THE_TOP = {"edge", "numpy", "cv2", "click", "rich"}
"""What a module of `edge` may import outside functions, beside the standard library."""

EDGE_WHEN_NEEDED = {
    "ai_edge_litert",
    "cryptography",
    "libcamera",
    "onnxruntime",
    "paho",
    "picamera2",
    "psutil",
    "tflite_runtime",
}
"""What it may import inside a function: one runtime of several, extras, the system's camera."""

SLOW = {"ai_edge_litert", "cv2", "keras", "matplotlib", "onnxruntime", "rich", "tensorflow"}
"""What no help text waits for."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it, also by `import_module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield node.module or ""
        elif isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func)
            argument = node.args[0]
            if function.endswith(("import_module", "__import__")) and isinstance(
                argument, ast.Constant
            ):
                yield str(argument.value)


def imports_at_the_top(tree: ast.Module) -> Iterator[str]:
    """As `imports_of`, of what runs when the module is imported, type checking left out."""
    for node in tree.body:
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not typing_only and not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from imports_of(node)


def roots(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert not roots(imports_of(tree_of(path))) & FORBIDDEN[package]


@pytest.mark.parametrize("path", sorted((ROOT / "edge").rglob("*.py")), ids=name_of)
def test_edge_stands_on_the_plain_install(path: Path) -> None:
    tree = tree_of(path)
    allowed = EDGE_AT_THE_TOP | set(sys.stdlib_module_names)
    assert roots(imports_at_the_top(tree)) <= allowed
    assert roots(imports_of(tree)) <= allowed | EDGE_WHEN_NEEDED


def loaded_by(code: str) -> set[str]:
    """Root names of the modules that a fresh interpreter has loaded after `code`."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return roots(iter(json.loads(done.stdout.splitlines()[-1])))


def test_edge_loads_nothing_heavy() -> None:
    names = [
        name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in sorted((ROOT / "edge").rglob("*.py"))
        if path.name != "__main__.py"
    ]
    loaded = loaded_by("\n".join(f"import {name}" for name in names))
    assert not loaded & (FORBIDDEN["edge"] | {"matplotlib", "onnx", "scipy", "jsonschema"})
    assert not loaded & EDGE_WHEN_NEEDED


@pytest.mark.parametrize(
    "module",
    ["edge.cli.main", "trainer.cli.main", "export.cli.main", "export.cli.flash", "benchmarks.cli"],
)
def test_help_waits_for_nothing_slow(module: str) -> None:
    loaded = loaded_by(
        f"from {module} import main\n"
        "try:\n    main(['--help'], prog_name='x')\nexcept SystemExit:\n    pass"
    )
    assert not loaded & SLOW


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def test_modules_and_public_names_are_described() -> None:
    silent = []
    for path in MODULES:
        tree = tree_of(path)
        if not ast.get_docstring(tree):
            silent.append(name_of(path))
        silent += [
            f"{name_of(path)}: {node.name}"
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert not silent


def files_of_the_checkout() -> list[Path]:
    """Files that git tracks or would track."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_path_of_one_machine() -> None:
    common = {Path(name) for name in ("/", "/home", "/opt", "/srv", "/tmp", "/usr", "/var")}
    here = {path for path in (ROOT, ROOT.parent, Path.home()) if path not in common}
    known = "|".join([*(re.escape(str(path)) for path in sorted(here)), "/Users", "/home/(?!pi/)"])
    pattern = re.compile(rf"(?<![\w.}}$-])(?:{known})(?:\b|/)")
    found = []
    for path in files_of_the_checkout():
        data = path.read_bytes()
        if b"\0" in data[:4096] or path == Path(__file__):
            continue
        for line in data.decode("utf-8", errors="replace").splitlines():
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}: {line.strip()[:80]}")
    assert not found


def test_nothing_large_is_tracked() -> None:
    sizes = {name_of(path): path.stat().st_size for path in files_of_the_checkout()}
    assert {name for name, size in sizes.items() if size > MAX_BYTES} == set()
