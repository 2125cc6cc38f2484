"""The one command grammar: how every `edge-…` command takes options, prints, fails and ends.

A command line ends with 0 (done, or stopped by Ctrl-C, SIGTERM or a closed pipe), 1 (refused, or a
gate failed) or 2 (usage). What went wrong is one line on standard error, `error: <what>; <next
step>`, and under `--json` also `{"error": {"type", "message", "hint"}}` on standard output.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import inspect
import logging
import os
import select
import shlex
import signal
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from edge import __version__
from edge.console.display_text import for_terminal, without_secrets_of
from edge.console.json_text import emit_json
from edge.console.verbosity import ForTerminal, verbose_flag
from edge.errors import ToolkitError

DEBUG_VARIABLE = "EDGE_DEBUG"
"""Set to 1, an unexpected failure shows its traceback."""

CONTEXT_SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "show_default": True,
}

PATH = click.Path(path_type=Path)
"""A path as `pathlib.Path`; whether it exists is for the command to say, with a next step."""

_EXTRA_OF_MODULE = {
    "tensorflow": "train",
    "keras": "train",
    "imagehash": "train",
    "PIL": "train",
    "matplotlib": "train",
    "tensorboard": "train",
    "h5py": "train",
    "ai_edge_quantizer": "export",
    "onnx": "export",
    "tf2onnx": "export",
    "onnxruntime": "export",
    "jsonschema": "export",
    "cryptography": "secure",
    "paho": "mqtt",
    "psutil": "bench",
}
"""Which extra of the distribution brings a module that the plain install lacks."""

_HINT_OF_ERRNO = {
    errno.ENOSPC: "free some space or write to another disk",
    errno.EDQUOT: "free some space or write to another disk",
    errno.EACCES: "check the permissions or choose another place",
    errno.EPERM: "check the permissions or choose another place",
    errno.EROFS: "choose a place that can be written to",
    errno.ENOENT: "check the path",
    errno.EADDRINUSE: "choose another port or stop what uses it",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}

__all__ = [
    "CONTEXT_SETTINGS",
    "PATH",
    "Command",
    "Group",
    "bundle_option",
    "command",
    "detector_option",
    "emit_json",
    "group",
    "json_option",
    "out_option",
    "overwrite_option",
    "person_name_option",
    "quiet_option",
    "say",
    "seed_option",
    "threads_option",
]

Callback = TypeVar("Callback", bound=Callable[..., Any])
Decorator = Callable[[Callback], Callback]


class _Quiet(BaseException):
    """The user, the system or the reader of a pipe has had enough: end with 0, say nothing."""


_WORDS = "edge.words"
"""Where a context keeps the words that the command line was called with."""


def command_line(tool: str) -> str:
    """The command line that is being run, as a shell would take it, beginning with `tool`."""
    words = click.get_current_context().meta.get(_WORDS, ())
    return shlex.join([tool, *words])


class _Grammar(click.Command):
    """What commands and groups share: verbatim examples in the help, and the way they end."""

    def __init__(self, *args: Any, examples: str = "", **attrs: Any) -> None:
        attrs["context_settings"] = {**CONTEXT_SETTINGS, **(attrs.get("context_settings") or {})}
        super().__init__(*args, **attrs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.examples.strip():
            text = inspect.cleandoc(self.examples)
            formatter.write("\nExamples:\n" + textwrap.indent(text, "  ") + "\n")

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        words = tuple(args)
        with _quiet_ends():
            made = super().make_context(info_name, args, parent, **extra)
        if parent is None:
            made.meta[_WORDS] = words
        return made

    def invoke(self, ctx: click.Context) -> None:
        """Run; what the callback returns is dropped, so that it never passes for an exit code."""
        with _quiet_ends():
            super().invoke(ctx)

    def main(
        self,
        args: Any = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and leave the process with its exit code."""

        def run() -> Any:
            return super(_Grammar, self).main(args, prog_name, complete_var, False, **extra)

        if not standalone_mode:
            return run()
        words = sys.argv[1:] if args is None else args
        sys.exit(_exit_code(run, as_json="--json" in words))


class Command(_Grammar):
    """A command; `examples` are command lines, one a line, shown verbatim by `-h`.

    sections: heading to names of parameters, for the help of a command with many options.
    """

    def __init__(
        self, *args: Any, sections: Mapping[str, Sequence[str]] | None = None, **attrs: Any
    ) -> None:
        super().__init__(*args, **attrs)
        self.params.append(verbose_flag())
        self.sections = sections or {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under their headings, all others under "Options"."""
        rows: dict[str, list[tuple[str, str]]] = {name: [] for name in (*self.sections, "Options")}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                place = (h for h, names in self.sections.items() if param.name in names)
                rows[next(place, "Options")].append(record)
        for heading, records in rows.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class Group(_Grammar, click.Group):
    """A command with sub-commands, each a `Command` or a `Group` of this grammar.

    default: the sub-command that is meant where none is named.
    """

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, default: str = "", **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.default = default

    def with_default(self, args: Sequence[str]) -> list[str]:
        """The words of a command line with the default sub-command where none is named."""
        own = {"-h", "--help", "--version"}
        named = bool(args) and (not args[0].startswith("-") or args[0] in own)
        return list(args) if named or not self.default else [self.default, *args]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.with_default(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Sub-commands first, then the options of the group."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)


def group(name: str | None = None, *, examples: str, **attrs: Any) -> Callable[..., Group]:
    """Decorator for the `main` of an entry point: a `Group` with `--version`.

    `attrs` go to `click.group`; `default` names the sub-command that is meant where none is.
    """

    def decorate(callback: Callable[..., Any]) -> Group:
        made = click.group(name, cls=Group, examples=examples, **attrs)(callback)
        version = click.version_option(__version__, message="%(prog)s %(version)s")
        return version(made)

    return decorate


def command(name: str | None = None, *, examples: str, **attrs: Any) -> Callable[..., Command]:
    """Decorator for a command that stands alone; add it to a group with `group.add_command`."""
    return click.command(name, cls=Command, examples=examples, **attrs)


def json_option(**attrs: Any) -> Decorator[Any]:
    """`--json`, a flag: parameter `as_json`."""
    return _option("--json", "as_json", attrs, is_flag=True, help="Print JSON on standard output.")


def seed_option(**attrs: Any) -> Decorator[Any]:
    """`--seed N`, 0 by default: parameter `seed`."""
    kind = click.IntRange(0, 2**32 - 1)
    text = "Seed of everything random."
    return _option("--seed", attrs, type=kind, default=0, metavar="N", help=text)


def out_option(**attrs: Any) -> Decorator[Any]:
    """`--out PATH`, `-o PATH`: parameter `out`, a `Path`, or None where it is not required."""
    text = "Write the result here."
    return _option("--out", "-o", "out", attrs, type=PATH, metavar="PATH", help=text)


def detector_option(**attrs: Any) -> Decorator[Any]:
    """`--detector-model FILE`: parameter `detector_model`, a `Path`, or None for the default."""
    text = "Face detector to use, YuNet 2023mar as ONNX; by default the bundle's own."
    return _option("--detector-model", attrs, type=PATH, metavar="FILE", help=text)


def threads_option(**attrs: Any) -> Decorator[Any]:
    """`--threads N`: parameter `threads`, or None for the machine's number of cores."""
    text = "Threads of the model's runtime; by default one per core."
    return _option("--threads", attrs, type=click.IntRange(1, 256), metavar="N", help=text)


def bundle_option(**attrs: Any) -> Decorator[Any]:
    """`--bundle NAME.edge`: parameter `bundle`, a `Path`, or None where it is not required."""
    text = "A bundle made by edge-export pack."
    return _option("--bundle", attrs, type=PATH, metavar="NAME.edge", help=text)


def names_option(*flags: str, **attrs: Any) -> Decorator[Any]:
    """Names, as tuple[str, ...]: the option may be repeated, and each value may name several,
    separated by commas."""

    def joined(context: click.Context, param: click.Parameter, value: Any) -> tuple[str, ...]:
        return tuple(name.strip() for text in value for name in text.split(",") if name.strip())

    settings = {"multiple": True, "metavar": "NAME[,NAME…]", "callback": joined, **attrs}
    return click.option(*flags, **settings)


def overwrite_option(*targets: str) -> Decorator[Any]:
    """`--overwrite`, a flag. targets: parameters of the command that name what it writes; what is
    there already is refused before any work, see `edge.console.overwriting`. Without any the
    command gets the parameter `overwrite` and refuses by itself.
    """
    flag = _option("--overwrite", {}, is_flag=True, help="Replace what is there already.")

    def decorate(callback: Callable[..., Any]) -> Callable[..., Any]:
        if not targets:
            return flag(callback)

        @functools.wraps(callback)
        def checked(*args: Any, overwrite: bool, **given: Any) -> Any:
            from edge.console.overwriting import refuse_existing

            for name in targets:
                refuse_existing(given[name], overwrite=overwrite)
            return callback(*args, **given)

        return flag(checked)

    return decorate


def person_name_option(**attrs: Any) -> Decorator[Any]:
    """`--name NAME` of a person who is to be enrolled, refused before any work where nobody can be
    called so (`edge.person_name`): parameter `name`."""

    def checked(context: click.Context, param: click.Parameter, value: str) -> str:
        from edge.person_name import checked_person_name

        return checked_person_name(value)

    text = "Name of the person in results."
    return _option("--name", attrs, required=True, callback=checked, help=text)


def quiet_option(**attrs: Any) -> Decorator[Any]:
    """`--quiet`, `-q`, a flag: parameter `quiet`."""
    return _option("--quiet", "-q", "quiet", attrs, is_flag=True, help="Show no progress.")


def _option(*names_and_attrs: Any, **defaults: Any) -> Decorator[Any]:
    """A click option; the last positional argument is what the command says about it itself."""
    *names, attrs = names_and_attrs
    return click.option(*names, **{**defaults, **attrs})


def _exit_code(run: Callable[[], Any], *, as_json: bool) -> int:
    """Run a command line to its end and say with which code the process should leave."""
    if logging.lastResort is not None:  # prints warnings where a command has no handler of its own
        logging.lastResort.setFormatter(ForTerminal("%(message)s"))
    try:
        with _terminable():
            code = run() or 0
            with _quiet_ends():
                sys.stdout.flush()
            return int(code)
    except (_Quiet, KeyboardInterrupt, click.Abort):
        _drop_stdout()
        return 0
    except ToolkitError as problem:
        return _report(problem, problem.message, problem.hint, problem.exit_code, as_json)
    except click.ClickException as problem:
        return _report_usage(problem, as_json)
    except OSError as problem:
        _show_traceback()
        return _report(problem, *_words_of_os_error(problem), 1, as_json)
    except ModuleNotFoundError as problem:
        _show_traceback()
        return _report(problem, *_words_of_missing_module(problem), 1, as_json)
    except Exception as problem:
        _show_traceback()
        return _report(problem, *_words_of_bug(problem), 1, as_json)


def _report(
    problem: BaseException, message: str, hint: str | None, code: int, as_json: bool
) -> int:
    message = _one_line(without_secrets_of(message))
    hint = _one_line(hint) if hint else None
    if as_json:
        kind = type(problem).__name__
        try:
            emit_json({"error": {"type": kind, "message": message, "hint": hint}})
            sys.stdout.flush()
        except OSError:  # nobody is left to read it, or the disk is full
            _close_stdout()
    with contextlib.suppress(OSError):
        click.echo(f"error: {message}; {hint}" if hint else f"error: {message}", err=True)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        return code
    _close_stdout()
    return code


def _report_usage(problem: click.ClickException, as_json: bool) -> int:
    no_arguments = getattr(click.exceptions, "NoArgsIsHelpError", ())  # click >= 8.2
    if isinstance(problem, no_arguments):
        problem.show()
        return problem.exit_code
    context = getattr(problem, "ctx", None)
    hint = f"see '{context.command_path} -h'" if context else None
    message = problem.format_message().strip().rstrip(".")
    return _report(problem, message, hint, problem.exit_code, as_json)


def _one_line(text: str) -> str:
    return for_terminal(" ".join(str(text).split()))


def say(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text for people, on standard error with `err`; what a terminal would obey in it, as
    in the names of a bundle, of a file or in the words of a device, is spelt out
    (`for_terminal`). Every command prints by it. nl: with a new line after it."""
    click.echo(for_terminal(text), err=err, nl=nl)


def _words_of_os_error(problem: OSError) -> tuple[str, str | None]:
    what = problem.strerror or str(problem) or type(problem).__name__
    where = [str(name) for name in (problem.filename, problem.filename2) if name is not None]
    message = without_secrets_of(f"{' -> '.join(where)}: {what}" if where else what)
    return message, _HINT_OF_ERRNO.get(problem.errno or 0)


def _words_of_missing_module(problem: ModuleNotFoundError) -> tuple[str, str]:
    module = (problem.name or "").partition(".")[0]
    if module not in _EXTRA_OF_MODULE:
        return _words_of_bug(problem)
    extra = _EXTRA_OF_MODULE[module]
    return (
        f"{module} is not installed",
        f"install edge-recognize's wheel or checkout again with [{extra}]",
    )


def _words_of_bug(problem: Exception) -> tuple[str, str]:
    return (
        without_secrets_of(f"unexpected {type(problem).__name__}: {problem}"),
        f"rerun with {DEBUG_VARIABLE}=1 for the traceback",
    )


def _show_traceback() -> None:
    if os.environ.get(DEBUG_VARIABLE) == "1":
        traceback.print_exc()


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM unwinds the stack, so that files are closed and half-written ones removed."""

    def stop(*_: object) -> None:
        raise _Quiet

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _quiet_ends() -> Iterator[None]:
    """Ctrl-C and a closed standard output are an end; another broken pipe stays an error."""
    try:
        yield
    except KeyboardInterrupt:
        raise _Quiet from None
    except BrokenPipeError:
        if _stdout_gone():
            raise _Quiet from None
        raise ConnectionError("the other end of a connection has gone") from None


def _stdout_gone() -> bool:
    try:
        sys.stdout.flush()
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except BrokenPipeError:
        return True
    except (OSError, ValueError, AttributeError):  # a stream without a descriptor
        return False


def _drop_stdout() -> None:
    """Let the interpreter's last flush go nowhere where the reader has gone."""
    if _stdout_gone():
        _close_stdout()


def _close_stdout() -> None:
    """Let all that is still to be written to standard output go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
