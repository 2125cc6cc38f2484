"""What docs/architecture.md says against what is there: modules, and fields of JSON."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from faked import ADA, result

import edge
import export
import trainer
from edge.tracking.presence import Event, Presence

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def tables(heading: str) -> list[list[str]]:
    """Of each table under a heading, what stands as code in its first column."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert section, f"no section '{heading}'"
    found: list[list[str]] = [[]]
    for line in section.splitlines():
        if not line.startswith("|"):
            found.append([])
        found[-1] += re.findall(r"`([^`]+)`", line.split("|")[1] if "|" in line else "")
    return [names for names in found if names]


def a_frame() -> dict[str, Any]:
    return result(ADA).to_json()


@pytest.mark.parametrize(
    ("heading", "table", "fields"),
    [
        ("JSON per frame (schema 1)", 0, a_frame),
        ("JSON per frame (schema 1)", 1, lambda: a_frame()["faces"][0]),
        ("JSON per frame (schema 1)", 2, lambda: a_frame()["latency_ms"]),
        ("JSON per event", 0, lambda: Event("left", None, 0.0, "x").to_json()),
    ],
)
def test_fields_are_those_that_are_documented(
    heading: str, table: int, fields: Callable[[], dict[str, Any]]
) -> None:
    assert sorted(tables(heading)[table]) == sorted(fields())


def test_the_event_of_a_run_has_these_fields_too() -> None:
    presence = Presence(alone=True)
    (event,) = presence.update(result(ADA))
    assert sorted(event.to_json()) == sorted(tables("JSON per event")[0])


def listing(package: str) -> str:
    """The rooms of a package and what stands in each, from their own docstrings."""
    rows = ["| room | what it is | modules |", "|---|---|---|"]
    folders = [path for path in (ROOT / package).rglob("__init__.py") if path.parent.name != "data"]
    for path in sorted(folders, key=lambda path: path.parent.relative_to(ROOT).parts):
        first = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").splitlines()[0]
        names = sorted(p.stem for p in path.parent.glob("*.py") if p.stem != "__init__")
        room = path.parent.relative_to(ROOT)
        modules = ", ".join(f"`{name}`" for name in names)
        rows.append(f"| `{room}/` | {first} | {modules} |")
    return "\n".join(rows)


@pytest.mark.parametrize("package", ["edge", "trainer", "export", "benchmarks"])
def test_the_listing_is_that_of_the_folders(package: str) -> None:
    """Where it differs, the text that belongs there is the assertion's right side."""
    begin, end = f"<!-- listing of {package} -->\n", "\n<!-- end of listing -->"
    assert begin in TEXT
    assert TEXT.partition(begin)[2].partition(end)[0] == listing(package)


DOCS = sorted((ROOT / "docs").glob("*.md"))


def words_of_the_source() -> str:
    """All texts of the packages, pieces of f-strings and joined lines among them."""
    found = []
    for package in ("edge", "trainer", "export", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    pieces = [str(getattr(piece, "value", "")) for piece in node.values]
                    found.append("\0".join(pieces))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


def test_the_messages_of_the_troubleshooting_page_are_real() -> None:
    """What stands in quotes there is what a command prints; `…`, N and NAME stand for others."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    source = " ".join(words_of_the_source().split())
    quotes = re.findall(r'\*\*"(.+?)"\*\*', page, re.S)
    assert len(quotes) > 40
    missing = []
    for quote in quotes:
        pieces = re.split(r"…|%s|\b[A-Z]+\b(?!\w)", " ".join(quote.split()))
        pieces = [piece.strip(" .,;:()/") for piece in pieces]
        missing += [piece for piece in pieces if len(piece) > 7 and piece not in source]
    assert not missing


def test_the_api_page_has_every_public_name() -> None:
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    shown = re.findall(r"^::: (\S+)$", page, re.M)
    assert sorted(name.rpartition(".")[2] for name in shown) == sorted(
        [*edge.__all__, *trainer.__all__, *export.__all__]
    )


def test_the_readme_is_short_and_shows_pictures() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 150
    pictures = re.findall(r"^!\[[^]]{10,}\]\((\S+)\)$", text, re.M)
    assert pictures == ["docs/images/demo.jpg", "docs/images/peers.png"]
    assert sum((ROOT / picture).stat().st_size for picture in pictures) < 250_000


def test_links_of_the_readme_lead_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8")):
            assert target.startswith("https://") or (ROOT / target).exists(), target


@pytest.mark.parametrize("document", [ROOT / "README.md", *DOCS], ids=lambda path: path.name)
def test_the_python_of_the_documents_runs(document: Path, ana: Path, tmp_path: Path) -> None:
    """Each block by itself, in a folder with Ana's bundle, image and clip, which is the camera."""
    for block in re.findall(r"^```python\n(.*?)^```", document.read_text("utf-8"), re.M | re.S):
        code = block.replace("camera=0", f"source={str(ana / 'clip.mkv')!r}")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(tmp_path)}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ana, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "ana" in done.stdout


TOOLS = {
    "edge-train": "trainer.cli.main",
    "edge-export": "export.cli.main",
    "edge-flash": "export.cli.flash",
    "edge-bench": "benchmarks.cli",
    "edge-recognize": "edge.cli.main",
}


def commands_of(document: Path) -> list[list[str]]:
    """The words of each command of ours in the shell blocks of a document."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", document.read_text("utf-8"), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and (words[0] == "sudo" or re.match(r"[A-Z_]+=", words[0])):
                words = words[1:]
            if words and Path(words[0]).name in TOOLS:
                found.append([Path(words[0]).name, *words[1:]])
    return found


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS], ids=lambda path: path.name
)
def test_the_commands_of_the_documents_can_be_given(document: Path) -> None:
    """Each with the options and arguments that its command has; it is not run."""
    for tool, *words in commands_of(document):
        command: Any = importlib.import_module(TOOLS[tool]).main
        try:
            while True:
                context = command.make_context(tool, list(words))
                if not isinstance(command, click.Group):
                    break
                of_group = {**vars(context)}  # its name differs between versions of Click
                first = of_group.get("_protected_args") or of_group.get("protected_args") or []
                rest = [*first, *context.args]
                _, command, words = command.resolve_command(context, rest)
                assert command is not None
        except click.exceptions.Exit:  # of -h and --version
            continue
        except click.ClickException as problem:
            pytest.fail(f"{tool} {' '.join(words)}: {problem.format_message()}")


def test_the_documents_show_commands() -> None:
    """Else the test above would look at nothing."""
    tools = {
        words[0] for document in [ROOT / "README.md", *DOCS] for words in commands_of(document)
    }
    assert tools == set(TOOLS)


def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert {f"{path.stem}.html" for path in DOCS} <= {path.name for path in pages}
    for page in pages:
        loaded = re.findall(r"<(?:link|script|img|iframe)\b[^>]*>", page.read_text("utf-8"))
        assert not [tag for tag in loaded if re.search(r"=[\"']?(?:https?:)?//", tag)], page.name
    assert "Recognizer" in (tmp_path / "python.html").read_text("utf-8")
