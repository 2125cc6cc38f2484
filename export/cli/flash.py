"""The command `edge-flash`: bundles onto devices, through the user's own ssh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.console.commands import PATH, emit_json, group, json_option, quiet_option, say
from edge.console.display_text import for_terminal

if TYPE_CHECKING:
    from export.flash.device import Outcome, Report, Shelf, Switched
    from export.flash.remote import Ssh

_MIB = 1024 * 1024


def ssh_options(callback: Callable[..., Any]) -> Callable[..., Any]:
    """How ssh is called: parameters `port`, `identity`, `config` and `options`."""
    options = (
        click.option("--port", "-p", type=click.IntRange(1, 65535), metavar="N", help="As ssh -p."),
        click.option("--identity", "-i", type=PATH, metavar="FILE", help="As ssh -i."),
        click.option(
            "--ssh-option", "-o", "options", multiple=True, metavar="KEY=VALUE",
            help="As ssh -o; may be repeated.",
        ),
        click.option("--ssh-config", "config", type=PATH, metavar="FILE", help="As ssh -F."),
    )  # fmt: skip
    for option in reversed(options):
        callback = option(callback)
    return callback


reload_option = click.option(
    "--reload", is_flag=True, help="Ask an edge-recognize that runs there to load it (SIGHUP)."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Look at the device, say what would be done, do nothing."
)
hosts_argument = click.argument("hosts", nargs=-1, required=True, metavar="USER@HOST...")


@group(
    "edge-flash",
    examples="""
    edge-flash push anna.edge pi@raspberrypi.local
    edge-flash push anna.edge pi@door pi@gate --reload
    edge-flash list pi@door
    edge-flash rollback pi@door --reload
    """,
)
def main() -> None:
    """Put bundles onto devices over ssh, and take them back.

    Uses the OpenSSH client of this machine with its keys, config and known hosts: where
    'ssh USER@HOST' works, this works. Nothing has to be installed on the device to receive a
    bundle.
    """


@main.command(
    "push",
    examples="""
    edge-flash push anna.edge pi@raspberrypi.local
    edge-flash push anna.edge pi@door pi@gate --reload
    edge-flash push anna.edge pi@10.0.0.7 --port 2222 --identity ~/.ssh/pi -o ConnectTimeout=5
    edge-flash push anna.edge door --ssh-config ./ssh_config --dry-run
    """,
)
@click.argument("bundle", type=PATH, metavar="NAME.edge")
@hosts_argument
@click.option(
    "--keep", type=click.IntRange(2), default=3, metavar="N",
    help="How many bundles stay there, the current one and the one before it among them.",
)  # fmt: skip
@reload_option
@click.option(
    "--watch",
    "watch_s",
    type=click.IntRange(0),
    default=20,
    metavar="SECONDS",
    show_default=True,
    help="With --reload: watch what runs there for so long, and take the bundle back if it ends.",
)
@dry_run_option
@ssh_options
@json_option()
@quiet_option()
def push_command(
    bundle: Path, hosts: tuple[str, ...], keep: int, reload: bool, watch_s: int, dry_run: bool,
    as_json: bool, quiet: bool, **ssh_words: Any,
) -> None:  # fmt: skip
    """Check a bundle, upload it, and make it the current one.

    Before anything is switched, the device compares the upload by its SHA-256, and its own software
    runs it once (edge-recognize self-test). The bundle before it stays there for 'rollback'. A
    bundle that is there already is not uploaded again.
    """
    from edge.console.progress import progress_bar
    from export.flash.push import BundleFile, push

    ssh = _ssh(ssh_words)
    checked = BundleFile.check(bundle)

    def action(host: str) -> Switched:
        with progress_bar(f"Uploading to {host} (KiB)", checked.kib, quiet=quiet) as bar:

            def on_sent(count_bytes: int) -> None:
                bar.advance(count_bytes // 1024)

            return push(
                checked, host, ssh, keep=keep, reload=reload, watch_s=watch_s, dry_run=dry_run,
                on_sent=on_sent,
            )  # fmt: skip

    _run(hosts, action, as_json, bundle=checked.to_json(), asked=reload)


@main.command("rollback", examples="edge-flash rollback pi@door --reload")
@hosts_argument
@reload_option
@dry_run_option
@ssh_options
@json_option()
def rollback_command(
    hosts: tuple[str, ...], reload: bool, dry_run: bool, as_json: bool, **ssh_words: Any
) -> None:
    """Make the bundle before the current one current again; a second time, go forward again."""
    from export.flash.push import rollback

    ssh = _ssh(ssh_words)
    _run(
        hosts,
        lambda host: rollback(host, ssh, reload=reload, dry_run=dry_run),
        as_json,
        asked=reload,
    )


@main.command("list", examples="edge-flash list pi@door pi@gate --json")
@hosts_argument
@ssh_options
@json_option()
def list_command(hosts: tuple[str, ...], as_json: bool, **ssh_words: Any) -> None:
    """Show the bundles of a device: the current one, the one before, and which are damaged."""
    from export.flash.push import shelf

    ssh = _ssh(ssh_words)
    _run(hosts, lambda host: shelf(host, ssh), as_json)


def _ssh(words: dict[str, Any]) -> Ssh:
    from export.flash.remote import Ssh

    return Ssh(words["port"], words["identity"], words["config"], words["options"])


def _run(
    hosts: tuple[str, ...],
    action: Callable[[str], Switched | Shelf],
    as_json: bool,
    *,
    bundle: dict[str, Any] | None = None,
    asked: bool = False,
) -> None:
    """One device after the other, whatever became of the last; ends with 1 where one failed."""
    from export.flash.device import Report
    from export.flash.push import each_of

    outcomes = []
    for outcome in each_of(hosts, action):
        outcomes.append(outcome)
        if not as_json:
            _show(outcome, asked=asked)
    report = Report(bundle, tuple(outcomes))
    if as_json:
        emit_json(report.to_json())
    elif len(outcomes) > 1:
        _show_table(report)
    if report.failed:
        raise click.exceptions.Exit(1)


def _show(outcome: Outcome, *, asked: bool) -> None:
    from export.flash.device import Shelf

    if isinstance(outcome.result, Shelf):
        _show_shelf(outcome.result)
    elif outcome.result is not None:
        _show_switched(outcome.result, asked=asked)
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

    table = Table("device", "state", "current bundle", box=None, pad_edge=False)
    for outcome in report.outcomes:
        state = "ok" if outcome.error is None else "failed"
        table.add_row(outcome.host, state, for_terminal(_current(outcome)))
    Console(markup=False, highlight=False).print(table)


def _current(outcome: Outcome) -> str:
    """The bundle that is current on the device, or why that is not known."""
    from export.flash.device import Switched

    result = outcome.result
    if result is None:
        return "" if outcome.error is None else outcome.error.message
    if isinstance(result, Switched) and result.dry_run:
        return f"{result.before or 'none'}, as before"
    return result.current or "none"


if __name__ == "__main__":
    main()
