"""Plain English: words that help texts, messages, first lines of docstrings and documents avoid."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("edge", "trainer", "export", "benchmarks")
LEFT_OUT = {"studies", "shipped_base", "drawn"}
"""Folders that only the project's developers read."""

RIDDLES = re.compile(r"\b(?:so many|as by|anew|says? of|said of)\b", re.I)
BRITISH = re.compile(
    r"\b(?:colours?|coloured|grey|neighbours?|neighbouring|labelled|behaviour|centre|favourite"
    r"|organise\w*|recognise\w*|catalogue)\b|\benrol(?=\s+(?:a|an|again|him|her|on|one|somebody|the"
    r"|them|whoever|with)\b)",
    re.I,
)
NAMES = {"grey", "centre", "labelled", "plain,grey,dark", "as in plain,grey,dark"}
"""Whole texts that are a variant's name or a field of a file, and stay."""

COMMANDS = {
    "edge-recognize": "edge.cli.main",
    "edge-train": "trainer.cli.main",
    "edge-export": "export.cli.main",
    "edge-flash": "export.cli.flash",
    "edge-bench": "benchmarks.cli",
}
FRAGMENT = re.compile(r"(?:Of|On|At|In all|By default|Who|Whom|Whose|So|Where|As)\b", re.I)
"""How no help text begins: it says what the option does, or what its value is."""


def odd(text: str) -> list[str]:
    """The words of a text that the house avoids, and names in code are not among."""
    prose = re.sub(r"`[^`]*`|--?[a-z][\w-]*|grey,\w+|\w+, grey\b|plain,grey", " ", text)
    return [found.group(0) for pattern in (RIDDLES, BRITISH) for found in pattern.finditer(prose)]


def texts() -> Iterator[tuple[str, str]]:
    """Place and text: strings of the code, and of docstrings the first line."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if LEFT_OUT & set(path.relative_to(ROOT).parts):
                continue
            tree = ast.parse(path.read_text("utf-8"))
            quiet = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    quiet.add(id(node.value))
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                    first = (ast.get_docstring(node) or "").partition("\n")[0]
                    yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", first
            for node in ast.walk(tree):
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and id(node) not in quiet and text not in NAMES:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def test_no_odd_words_in_code() -> None:
    found = [(place, words) for place, text in texts() if (words := odd(text))]
    assert not found


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_no_odd_words_in_documents(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.S)
    assert not odd(text)


def options(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            yield f"{path} {parameter.opts[0]}", parameter.help or ""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from options(below, f"{path} {name}")


@pytest.mark.parametrize(("name", "module"), COMMANDS.items())
def test_every_option_says_what_it_does(name: str, module: str) -> None:
    for place, text in options(importlib.import_module(module).main, name):
        assert text and text[0].isupper() and text.endswith((".", "…")), f"{place}: {text}"
        assert not FRAGMENT.match(text), f"{place}: {text}"


def test_odd_words_are_found() -> None:
    assert odd("What a head says of so many grey faces, anew") == [
        "says of",
        "so many",
        "anew",
        "grey",
    ]
    assert odd("enrol somebody") and not odd("run `edge-recognize enrol`, --licence, plain,grey")
