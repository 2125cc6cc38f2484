"""The command grammar: help, options, exit codes, errors, and how a command ends."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import errno
import importlib
import importlib.util
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge import __version__
from edge.console import commands as grammar
from edge.console import progress
from edge.console.json_text import json_text
from edge.errors import GateFailed, InputError, ToolkitError, UsageError

ENTRY_POINTS = {
    "edge-train": "trainer.cli.main",
    "edge-export": "export.cli.main",
    "edge-flash": "export.cli.flash",
    "edge-bench": "benchmarks.cli",
    "edge-recognize": "edge.cli.main",
}


def tool(action: Callable[[], object] = lambda: None) -> grammar.Group:
    """A group with one command `do` that runs `action`."""

    @grammar.group("edge-tool", examples="edge-tool do --seed 3")
    def main() -> None:
        """A tool."""

    @main.command(
        "do",
        examples="""
        edge-tool do --out 'a   b' \\
            --seed 3  # twice   as good
        """,
    )
    @grammar.json_option()
    @grammar.seed_option()
    @grammar.out_option()
    @grammar.detector_option()
    @grammar.threads_option(default=2)
    @grammar.bundle_option(multiple=True)
    @grammar.quiet_option()
    def do(**options: object) -> object:
        """Do it."""
        if action() == "options":
            click.echo(repr(options))
        return 7

    return main


def call(action: Callable[[], object], *words: str) -> Result:
    return CliRunner().invoke(tool(action), ["do", *words], prog_name="edge-tool")


def failing(problem: BaseException) -> Callable[[], object]:
    def action() -> None:
        raise problem

    return action


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_keeps_the_examples_verbatim(flag: str) -> None:
    shown = call(lambda: None, flag)
    assert shown.exit_code == 0
    assert shown.output.endswith(
        "\nExamples:\n  edge-tool do --out 'a   b' \\\n      --seed 3  # twice   as good\n"
    )


def test_group_has_help_examples_and_version() -> None:
    runner = CliRunner()
    shown = runner.invoke(tool(), ["-h"]).output
    assert "do  Do it." in shown
    assert "Examples:\n  edge-tool do --seed 3\n" in shown
    version = runner.invoke(tool(), ["--version"], prog_name="edge-tool")
    assert (version.exit_code, version.output) == (0, f"edge-tool {__version__}\n")


def test_nested_groups_share_the_grammar() -> None:
    main = tool()

    @main.group("more", examples="edge-tool more less")
    def more() -> None:
        """More."""

    @more.command("less", examples="edge-tool more less")
    def less() -> None:
        raise InputError("no", hint="so")

    result = CliRunner().invoke(main, ["more", "less"])
    assert (result.exit_code, result.stderr) == (1, "error: no; so\n")


def test_shared_options() -> None:
    plain = call(lambda: "options")
    assert plain.exit_code == 0, "what a callback returns is no exit code"
    assert "'seed': 0" in plain.output
    assert "'out': None" in plain.output
    assert "'threads': 2" in plain.output
    words = "--json --seed 4 -o x --detector-model y --bundle a.edge --bundle b.edge -q"
    full = call(lambda: "options", *words.split()).output
    for piece in (
        "'as_json': True",
        "'seed': 4",
        f"'out': {Path('x')!r}",
        f"'detector_model': {Path('y')!r}",
        f"'bundle': ({Path('a.edge')!r}, {Path('b.edge')!r})",
        "'quiet': True",
    ):
        assert piece in full


@pytest.mark.parametrize(
    ("problem", "code", "line"),
    [
        (InputError("a\n  b", hint="do c"), 1, "error: a b; do c\n"),
        (GateFailed("missed"), 1, "error: missed\n"),
        (UsageError("both"), 2, "error: both\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "a.edge"),
            1,
            "error: a.edge: No space left on device; free some space or write to another disk\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "runs"),
            1,
            "error: runs: Permission denied; check the permissions or choose another place\n",
        ),
        (TimeoutError("timed out"), 1, "error: timed out\n"),
        (
            ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow.lite"),
            1,
            "error: tensorflow is not installed; install edge-recognize's wheel or checkout again "
            "with [train]\n",
        ),
        (
            ZeroDivisionError("division by zero"),
            1,
            "error: unexpected ZeroDivisionError: division by zero; "
            "rerun with EDGE_DEBUG=1 for the traceback\n",
        ),
        (
            ModuleNotFoundError("No module named 'nose'", name="nose"),
            1,
            "error: unexpected ModuleNotFoundError: No module named 'nose'; "
            "rerun with EDGE_DEBUG=1 for the traceback\n",
        ),
    ],
)
def test_a_failure_is_one_line(problem: Exception, code: int, line: str) -> None:
    result = call(failing(problem))
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line)


def test_a_failure_under_json_is_also_an_object() -> None:
    result = call(failing(GateFailed("missed", hint="train longer")), "--json")
    assert result.exit_code == 1
    assert result.stderr == "error: missed; train longer\n"
    error = {"type": "GateFailed", "message": "missed", "hint": "train longer"}
    assert json.loads(result.stdout) == {"error": error}


def test_every_error_of_the_tree_leaves_with_its_code() -> None:
    kinds = [ToolkitError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert len(kinds) > 10
    for kind in kinds:
        problem = kind.__new__(kind)  # some are made from other things than a message
        ToolkitError.__init__(problem, "x")
        assert call(failing(problem)).exit_code == kind.exit_code


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["do", "--seed", "-1"], "'--seed'"),
        (["do", "--sead", "1"], "'--sead'"),
        (["do", "x"], "unexpected extra argument"),
        (["dont"], "'dont'"),
    ],
)
def test_usage_errors(words: list[str], part: str) -> None:
    result = CliRunner().invoke(tool(), words, prog_name="edge-tool")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert part in result.stderr
    assert result.stderr.endswith(" -h'\n")
    assert result.stderr.count("\n") == 1


def test_usage_error_under_json() -> None:
    result = call(lambda: None, "--json", "--nope")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["hint"] == "see 'edge-tool do -h'"


def test_a_group_without_words_shows_its_help() -> None:
    result = CliRunner().invoke(tool(), [])
    assert "Examples:" in result.output
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_DEBUG", "1")
    shown = call(failing(ZeroDivisionError())).stderr
    assert "Traceback (most recent call last)" in shown
    assert "Traceback" not in call(failing(InputError("x"))).stderr


def test_interrupt_is_a_quiet_end() -> None:
    result = call(failing(KeyboardInterrupt()))
    assert (result.exit_code, result.output) == (0, "")


def test_another_broken_pipe_is_an_error() -> None:
    result = call(failing(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    assert (result.exit_code, result.stderr) == (
        1,
        "error: the other end of a connection has gone\n",
    )


def test_an_explicit_exit_code_is_kept() -> None:
    result = call(lambda: click.get_current_context().exit(1))
    assert result.exit_code == 1


def test_the_handler_of_sigterm_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    call(lambda: seen.append(signal.getsignal(signal.SIGTERM)))
    assert seen[0] is not before
    assert signal.getsignal(signal.SIGTERM) is before


SCRIPT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored
from edge.console import commands

@commands.group(examples="x")
def main(): "Help."

@main.command(examples="x")
def wait():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("unwound", flush=True)

@main.command(examples="x")
def flood():
    while True:
        print("x" * 100)

@main.command(examples="x")
def line(): print("a line")

main()
"""


def start(*words: str, **streams: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, *words]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **streams}
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(command, cwd=root, **settings)  # type: ignore[call-overload]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_unwind_and_end_with_0(number: signal.Signals) -> None:
    with start("wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err.strip()) == (0, "unwound\n", "")


def test_a_reader_that_leaves_ends_it_with_0() -> None:
    with start("flood") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("word", ["line", "-h"])
def test_a_reader_that_has_left_ends_it_with_0(word: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with start(word, stdout=writing) as process:
            assert process.wait(20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
    finally:
        os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said() -> None:
    with open("/dev/full", "w") as full, start("line", stdout=full) as process:
        assert process.wait(20) == 1
        assert process.stderr is not None
        assert process.stderr.read().startswith("error: No space left on device; free some space")


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    name: str


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": float("nan"), "b": [float("inf"), 1.5]}, '{"a": null, "b": [null, 1.5]}'),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (np.bool_(True), "true"),
        (np.float64("nan"), "null"),
        (np.array([[1, 2]], np.uint8), "[[1, 2]]"),
        (np.array([np.nan, 1.0]), "[null, 1.0]"),
        (Point(1.0, "p"), '{"x": 1.0, "name": "p"}'),
        (Path("a") / "b", '"a/b"'),
        (Colour.RED, '"red"'),
        ({np.int64(3): 1, Colour.RED: 2}, '{"3": 1, "red": 2}'),
        ({"b", "a"}, '["a", "b"]'),
        (datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),) * 2,
        ("ü\udcff", '"\\u00fc\\udcff"'),
        (None, "null"),
    ],
)
def test_json_is_strict(value: object, text: object) -> None:
    expected = text if isinstance(text, str) else f'"{text.isoformat()}"'  # type: ignore[attr-defined]
    assert json_text(value) == expected


def test_json_refuses_what_has_no_form() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        json_text({"a": object()})


def test_emit_json_prints_one_line_or_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    grammar.emit_json({"a": [1]})
    grammar.emit_json({"a": [1]}, indent=2)
    assert capsys.readouterr().out == '{"a": [1]}\n{\n  "a": [\n    1\n  ]\n}\n'


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """One number, the time in seconds that the progress display sees."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def slow(clock: list[float], count: int, step_s: float) -> Iterator[int]:
    for number in range(count):
        clock[0] += step_s
        yield number


def test_progress_passes_the_items_and_is_silent_when_quick(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(progress.progress([1, 2], label="photos")) == [1, 2]
    assert capsys.readouterr().err == ""


def test_progress_off_a_terminal_is_a_sparse_line(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    list(progress.progress(slow(clock, 25, 1.0), label="photos", total=25))
    out, err = capsys.readouterr()
    lines = ["photos: 10/25, about 15 s left", "photos: 20/25, about 5 s left"]
    assert (out, err.splitlines()) == ("", lines)


def test_progress_without_a_total_and_with_a_note(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.progress_bar("epochs") as bar:
        clock[0] = 11
        bar.advance(note="loss 0.5")
    assert capsys.readouterr().err == "epochs: 1, loss 0.5\n"


def test_quiet_progress(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert len(list(progress.progress(slow(clock, 30, 1.0), label="x", quiet=True))) == 30
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("seconds", "drawn"), [("0.001", False), ("0.8", True)])
def test_progress_on_a_terminal(seconds: str, drawn: bool, root: Path) -> None:
    code = (
        "import time; from edge.console.progress import progress\n"
        f"for _ in progress(range(4), label='photos'): time.sleep({seconds})"
    )
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, stderr=slave, env=environment, timeout=30
    )
    os.write(slave, b".")
    os.close(slave)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert done.returncode == 0
    assert ("photos" in shown) is drawn


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from walk(child, f"{path} {name}")


@pytest.mark.parametrize(("name", "module"), ENTRY_POINTS.items())
def test_every_command_speaks_the_grammar(name: str, module: str) -> None:
    main = importlib.import_module(module).main
    assert isinstance(main, grammar.Group)
    for path, command in walk(main, name):
        assert isinstance(command, (grammar.Group, grammar.Command)), path
        assert (command.help or "").strip(), f"{path} has no help"
        assert command.examples.strip(), f"{path} has no examples"
        assert name in command.examples, f"the examples of {path} do not use {name}"
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{path} {option.opts[0]} has no help"
                assert option.nargs == 1, f"{path} {option.opts[0]}: repeat it instead"
                assert not isinstance(option.type, click.File), f"{path}: take a Path"


@pytest.mark.parametrize(("name", "module"), ENTRY_POINTS.items())
def test_every_help_can_be_shown(name: str, module: str) -> None:
    main = importlib.import_module(module).main
    for path, _ in walk(main, name):
        shown = CliRunner().invoke(main, [*path.split()[1:], "-h"], prog_name=name)
        assert shown.exit_code == 0, shown.output
        assert shown.output.startswith(f"Usage: {path} ")
        assert "Examples:" in shown.output


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of each `edge-…` command in shell text, up to a pipe or a redirection."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.commenters = "#"
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if not word or set(word) - set("|&;<>"):
                words.append(word)
                continue
            while words and re.fullmatch(r"sudo|\$|[A-Z_]+=.*", words[0]):
                del words[0]  # a prompt, or variables set for the command
            if words and words[0] in ENTRY_POINTS:
                yield words
            words = []


def parse(words: list[str]) -> None:
    """Parse a command line as its command would, without running it. Raises what click raises."""
    name, *rest = words
    command: click.Command = importlib.import_module(ENTRY_POINTS[name]).main
    context = None
    if isinstance(command, grammar.Group):
        rest = command.with_default(rest)
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        context = click.Context(command, info_name=name, parent=context)
        command, name, rest = command.commands[rest[0]], rest[0], rest[1:]
    if isinstance(command, click.Group):
        assert set(rest) & {"-h", "--help", "--version"}, f"{' '.join(words)}: no such command"
    with contextlib.suppress(click.exceptions.Exit):  # -h and --version end here
        parsed = command.make_context(name, rest, parent=context)
        left = [*getattr(parsed, "_protected_args", ()), *parsed.args]
        assert not left, f"{' '.join(words)}: what is {left[0]}?"


def test_command_lines_are_found() -> None:
    text = (
        "$ edge-a\nEDGE_BUNDLE=x edge-train a \\\n  --b 'c  d' # e\n"
        "ls | edge-bench run x > y; edge-b"
    )
    assert list(command_lines(text)) == [
        ["edge-train", "a", "--b", "c  d"],
        ["edge-bench", "run", "x"],
    ]


@pytest.mark.parametrize(("name", "module"), ENTRY_POINTS.items())
def test_every_example_parses(name: str, module: str) -> None:
    main = importlib.import_module(module).main
    for path, command in walk(main, name):
        assert isinstance(command, (grammar.Group, grammar.Command)), path
        examples = list(command_lines(command.examples))
        assert any(" ".join(words).startswith(path) for words in examples), path
        for words in examples:
            parse(words)


ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [path.relative_to(ROOT) for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))]


def shell_of(document: str) -> str:
    """What a Markdown text shows as shell commands."""
    return "\n".join(re.findall(r"^```(?:sh|console)\n(.*?)^```", document, re.M | re.S))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_command_line_of_the_documents_parses(document: Path, root: Path) -> None:
    for words in command_lines(shell_of((root / document).read_text("utf-8"))):
        parse(words)


@pytest.mark.parametrize(("name", "module"), ENTRY_POINTS.items())
def test_the_documents_name_every_command(name: str, module: str, root: Path) -> None:
    text = "\n".join((root / document).read_text("utf-8") for document in DOCUMENTS)
    shown = {" ".join(words[:2]) for words in command_lines(shell_of(text))}
    main = importlib.import_module(module).main
    assert {f"{name} {word}" for word in main.commands} <= shown
    assert any(line.partition(" ")[0] == name for line in shown)


def test_the_readme_names_only_real_targets(root: Path) -> None:
    text = (root / "README.md").read_text("utf-8")
    makefile = (root / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M))
    assert {"demo", "test"} <= named <= targets


def test_names_may_be_repeated_and_joined_by_commas() -> None:
    @grammar.command("paint", examples="paint --colours red,green --colours blue")
    @grammar.names_option("--colours")
    def paint(colours: tuple[str, ...]) -> None:
        click.echo("|".join(colours))

    run = CliRunner().invoke(paint, ["--colours", "red, green", "--colours", "blue,"])
    assert run.output == "red|green|blue\n"
    assert CliRunner().invoke(paint, []).output == "\n"
