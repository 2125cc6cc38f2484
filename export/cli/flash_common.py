"""What the sub-commands of `edge-flash` share: options, several devices, what is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from edge.console.commands import PATH, Command, emit_json, say
from edge.console.display_text import counted, for_terminal

if TYPE_CHECKING:
    from export.flash.device import Outcome, Report, Shelf, Switched
    from export.flash.remote import Ssh

_MIB = 1024 * 1024


WORDS = "edge-flash.words"
"""Where a context keeps the words after `--`."""


class WithWords(Command):
    """A command whose words after `--` are options of something else."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        place = args.index("--") if "--" in args else len(args)
        ctx.meta[WORDS] = tuple(args[place + 1 :])
        return super().parse_args(ctx, args[:place])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- OPTIONS OF edge-recognize]"]


def ssh_options(callback: Callable[..., Any]) -> Callable[..., Any]:
    """How ssh is called: parameters `port`, `identity`, `config` and `options`."""
    options = (
        click.option(
            "--port", "-p", type=click.IntRange(1, 65535), metavar="N", help="Port, as ssh -p."
        ),
        click.option(
            "--identity", "-i", type=PATH, metavar="FILE", help="Identity file, as ssh -i."
        ),
        click.option(
            "--ssh-option",
            "-o",
            "options",
            multiple=True,
            metavar="KEY=VALUE",
            help="Option for ssh, as ssh -o; may be repeated.",
        ),
        click.option(
            "--ssh-config",
            "config",
            type=PATH,
            metavar="FILE",
            help="Configuration file of ssh, as ssh -F.",
        ),
    )
    for option in reversed(options):
        callback = option(callback)
    return callback


reload_option = click.option(
    "--reload",
    is_flag=True,
    help="Ask the edge-recognize that runs there to load the bundle (SIGHUP).",
)
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Look at the device and print what would be done; change nothing.",
)
hosts_argument = click.argument("hosts", nargs=-1, required=True, metavar="USER@HOST...")
jobs_option = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(1, 64),
    default=4,
    metavar="N",
    help="Number of devices at the same time.",
)
canary_option = click.option(
    "--canary",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Start with N devices, and go on with the others only if these stay healthy.",
)


def ssh_of(words: dict[str, Any]) -> Ssh:
    """From the parameters of `ssh_options`."""
    from export.flash.remote import Ssh

    return Ssh(words["port"], words["identity"], words["config"], words["options"])


def run_on(
    hosts: tuple[str, ...],
    action: Callable[[str], Any],
    as_json: bool,
    *,
    bundle: dict[str, Any] | None = None,
    asked: bool = False,
    jobs: int = 1,
    canary: int = 0,
) -> None:
    """Each device, whatever became of the others; ends with 1 where one failed."""
    from export.flash.device import Report
    from export.flash.fleet import each_of

    outcomes = []
    for outcome in each_of(hosts, action, jobs=jobs, canary=canary):
        outcomes.append(outcome)
        if not as_json:
            _show(outcome, asked=asked)
    outcomes.sort(key=lambda outcome: hosts.index(outcome.host))
    report = Report(bundle, tuple(outcomes))
    if as_json:
        emit_json(report.to_json())
    elif len(outcomes) > 1:
        _show_table(report)
    if report.failed:
        raise click.exceptions.Exit(1)


def _show(outcome: Outcome, *, asked: bool) -> None:
    from export.flash.device import Shelf, Switched

    if isinstance(outcome.result, Shelf):
        _show_shelf(outcome.result)
    elif isinstance(outcome.result, Switched):
        _show_switched(outcome.result, asked=asked)
    elif outcome.result is not None:
        say(outcome.result.text())  # type: ignore[attr-defined]
    if outcome.error is not None:
        text = " ".join(str(outcome.error).split())
        say(f"error: {text}", err=True)


def _show_switched(done: Switched, *, asked: bool) -> None:
    say(f"{done.host}: {_sentence(done)}")
    states = {process.state for process in done.processes}
    if "running" in states and done.changed:
        say("  edge-recognize runs there with the old bundle; restart it, or use --reload")
    if "asked" in states:
        numbers = ", ".join(str(p.number) for p in done.processes if p.state == "asked")
        say(f"  asked edge-recognize there to load it (SIGHUP to process {numbers})")
    if done.people:
        say(f"  people of {done.host}: {done.people}")
    if done.bare:
        say(f"  nothing there can run it yet: edge-flash setup {done.host}")
    if asked and not states and not done.dry_run:
        say("  no edge-recognize runs there; it takes this bundle when it starts")


def _sentence(done: Switched) -> str:
    would = "would be " if done.dry_run else ""
    parts = [f"{done.current} {'would be' if done.dry_run else 'is'} current"]
    if done.uploaded_bytes:
        parts.append(f"{done.uploaded_bytes / _MIB:.1f} MiB {would}uploaded")
    else:
        parts.append("nothing to upload" if done.dry_run else "nothing uploaded")
    if done.changed and done.before:
        parts.append(f"before it {done.before}")
    if done.proved:
        parts.append("passed its self-test there")
    if not done.changed:
        parts.append("as before")
    if done.pruned:
        parts.append(f"removed {', '.join(done.pruned)}")
    return ", ".join(parts)


def _show_shelf(shelf: Shelf) -> None:
    from datetime import datetime

    say(f"{shelf.host}: {shelf.folder}")
    for bundle in shelf.bundles:
        when = datetime.fromtimestamp(bundle.written_s).strftime("%Y-%m-%d %H:%M")
        mark = {shelf.current: "current", shelf.previous: "previous"}.get(bundle.name, "")
        damaged = "DAMAGED" if bundle.sound is False else ""
        line = f"  {mark:8} {bundle.name}  {bundle.size_bytes / _MIB:.1f} MiB  {when}  {damaged}"
        say(line.rstrip())
    names = {bundle.name for bundle in shelf.bundles}
    for mark, name in (("current", shelf.current), ("previous", shelf.previous)):
        if name is not None and name not in names:
            say(f"  {mark:8} {name}  (not in this folder)")
    if not shelf.bundles:
        say("  no bundles")


def _show_table(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("device", "state", "what is current", box=None, pad_edge=False)
    for outcome in report.outcomes:
        state = "ok" if outcome.error is None else "failed"
        table.add_row(outcome.host, state, for_terminal(_current(outcome)))
    Console(markup=False, highlight=False).print(table)
    failed = len(report.failed)
    if failed:
        say(f"{failed} of {counted(len(report.outcomes), 'device')} failed")


def _current(outcome: Outcome) -> str:
    """The bundle or software that is current on the device, or why that is not known."""
    from export.flash.device import Shelf, Switched

    result = outcome.result
    if result is None:
        return "" if outcome.error is None else outcome.error.message
    if isinstance(result, Switched) and result.dry_run:
        return f"{result.before or 'none'}, as before"
    if isinstance(result, (Switched, Shelf)):
        return result.current or "none"
    made = result.to_json()
    return str(made.get("environment") or made.get("bundle") or "none")
