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
MAX_LINES = 500
MAX_MODULES = 25
MAX_BYTES = 8_000_000

FORBIDDEN = {
    "edge": {"tensorflow", "keras", "trainer", "export", "benchmarks"},
    "trainer": {"export", "benchmarks"},
    "export": {"trainer", "benchmarks"},
    "benchmarks": set(),
}

ROOMS = {
    "edge": (
        *(
            "errors",
            "person_name",
            "console",
            "files",
            "faces",
            "models",
            "heads",
            "bundle",
            "recognition",
        ),
        *(
            "sources",
            "tracking",
            "enrolment",
            "people",
            "visits",
            "sinks",
            "doctor",
            "web",
            "service",
            "cli",
        ),
    ),
    "trainer": (
        *("drawn", "console", "photos", "data", "run_folder", "report", "networks", "inference"),
        *(
            "cohort",
            "evaluation",
            "training",
            "finetune",
            "person",
            "task",
            "direct",
            "base",
            "cli",
        ),
    ),
    "export": (
        *(
            "console",
            "verify",
            "flash",
            "rehearse",
            "inputs",
            "convert",
            "gate",
            "options",
            "heads",
            "packing",
        ),
        "cli",
    ),
    "benchmarks": (
        *("device", "shipped_base", "studies", "scaling", "peers", "seeds", "demo_visits"),
        *("demo", "cli"),
    ),
}
"""The rooms of each package from the ground up: one imports only those before it."""

EDGE_AT_THE_TOP = {"edge", "numpy", "cv2", "click", "rich"}
"""What a module of `edge` may import outside functions, beside the standard library."""

EDGE_WHEN_NEEDED = {
    "ai_edge_litert",
    "cryptography",
    "libcamera",
    "onnxruntime",
    "paho",
    "PIL",
    "pillow_heif",
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


def module_of(path: Path) -> str:
    """Its dotted name; of `__init__.py` the package's."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_imported(path: Path) -> set[str]:
    """The modules of this project that a module imports, anywhere in it."""
    known = {module_of(one) for one in MODULES}
    found = set(imports_of(tree_of(path)))
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return (found & known) - {module_of(path)}


def room_of(module: str) -> tuple[str, str]:
    """Package and room; ("edge", "") is the package itself."""
    package, _, rest = module.partition(".")
    return package, rest.partition(".")[0]


def back_arrows(imports: dict[str, set[str]]) -> list[str]:
    """Imports of a room that stands at or above the importer's own place, within a package."""
    found = []
    for module, imported in imports.items():
        package, room = room_of(module)
        for other in imported:
            their_package, their_room = room_of(other)
            if package != their_package or room == their_room or not (room and their_room):
                continue
            if ROOMS[package].index(their_room) > ROOMS[package].index(room):
                found.append(f"{module} -> {other}")
    return sorted(found)


def circles(imports: dict[str, set[str]]) -> list[str]:
    """Modules that reach themselves through what they import."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(imports[start])
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += imports.get(module, ())
        return seen

    return sorted(module for module in imports if module in reached(module))


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """By module what it imports; the packages' own `__init__.py`, the public doors, left out."""
    return {
        module_of(path): {one for one in modules_imported(path) if one not in PACKAGES}
        for path in MODULES
        if module_of(path) not in PACKAGES
    }


def test_every_room_has_its_place() -> None:
    for package in PACKAGES:
        paths = [path for path in MODULES if path.relative_to(ROOT).parts[0] == package]
        assert {room_of(module_of(path))[1] for path in paths} - {""} == set(ROOMS[package])


def test_no_arrow_runs_back_up(imports: dict[str, set[str]]) -> None:
    assert not back_arrows(imports)
    assert back_arrows({"edge.faces.detector": {"edge.cli.run"}}) == [
        "edge.faces.detector -> edge.cli.run"
    ]


def test_no_circle_of_imports(imports: dict[str, set[str]]) -> None:
    assert not circles(imports)
    closed = {**imports, "edge.errors": {"edge.cli.run"}}
    assert "edge.errors" in circles(closed)


@pytest.mark.parametrize("path", sorted((ROOT / "edge").rglob("*.py")), ids=name_of)
def test_edge_stands_on_the_plain_install(path: Path) -> None:
    tree = tree_of(path)
    allowed = EDGE_AT_THE_TOP | set(sys.stdlib_module_names)
    assert roots(imports_at_the_top(tree)) <= allowed
    assert roots(imports_of(tree)) <= allowed | EDGE_WHEN_NEEDED


def test_onnx_runtime_has_one_door() -> None:
    """Its telemetry is switched off there, see `edge.models.onnx_runtime`."""
    for path in MODULES:
        assert "onnxruntime" not in roots(imports_of(tree_of(path))), name_of(path)
    assert '"onnxruntime"' in (ROOT / "edge/models/onnx_runtime.py").read_text("utf-8")


def test_what_is_printed_goes_through_one_door() -> None:
    """`say` spells out what a terminal would obey, in names of files, bundles and devices."""
    doors = ("edge/console/", "edge/cli/doctor.py")
    for path in MODULES:
        name = name_of(path)
        tools = not name.startswith("benchmarks/") or name == "benchmarks/cli.py"
        if not tools or name.startswith(doors):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("click.echo", "print"):
                words = ast.unparse(node)
                assert "for_terminal" in words or "json" in words or "…'" in words, (name, words)


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


def test_folders_are_small() -> None:
    folders = {path.parent for path in MODULES}
    counts = {name_of(folder): len(list(folder.glob("*.py"))) for folder in folders}
    assert {name: count for name, count in counts.items() if count > MAX_MODULES} == {}


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


TUNED = re.compile(r"\bMeasured\b|(?<!-)\b[Tt]uned on\b|was chosen on|measured, see|\(measured on")
"""What marks a constant's docstring: it was chosen while looking at data."""


def tuned_constants() -> dict[str, ast.stmt]:
    """By dotted name: constants, records of defaults and functions with such a docstring."""
    found: dict[str, ast.stmt] = {}
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] == "benchmarks":
            continue
        body = tree_of(path).body
        for node, after in zip(body, [*body[1:], None], strict=True):
            said = name = ""
            if isinstance(node, ast.Assign) and isinstance(after, ast.Expr):
                name = ast.unparse(node.targets[0])
                value = after.value
                said = value.value if isinstance(value, ast.Constant) else ""  # type: ignore
            elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                name, said = node.name, ast.get_docstring(node) or ""
            if TUNED.search(str(said)) and (name.isupper() or not name.startswith("_")):
                found[f"{module_of(path)}.{name}"] = node
    return found


def test_every_tuned_constant_is_in_the_table() -> None:
    """docs/constants.md names it, with the value that the code has, data, date and command."""
    text = (ROOT / "docs" / "constants.md").read_text("utf-8")
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            assert len(cells) == 6 and all(cells), line
            rows[cells[0].strip("`")] = cells[1]
    constants = tuned_constants()
    assert set(constants) == set(rows)
    for name, node in constants.items():
        shown = re.findall(r"`([^`]+)`", rows[name])
        if isinstance(node, ast.Assign):
            assert shown == [ast.unparse(node.value)], name
        elif isinstance(node, ast.ClassDef):
            fields = {ast.unparse(field) for field in node.body}
            written = {re.sub(r": [^=]+=", " =", field) for field in fields}
            assert shown and set(shown) <= written, name
