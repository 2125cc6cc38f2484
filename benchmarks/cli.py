"""The command `edge-bench`: what recognizing costs on the device that it runs on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.console.commands import (
    PATH,
    detector_option,
    emit_json,
    group,
    json_option,
    out_option,
    overwrite_option,
    quiet_option,
    say,
    threads_option,
)
from edge.console.display_text import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from benchmarks.device.compare import Comparison
    from benchmarks.device.report import BenchReport


@group(
    "edge-bench",
    examples="""
    edge-bench run anna.edge
    edge-bench run anna.edge --source clip.mkv --out pi4.json
    edge-bench compare pi4.json pi5.json
    """,
)
def main() -> None:
    """Measure latency, memory and formats of bundles on this device."""
    from edge.service.libraries import set_library_settings

    set_library_settings()


source_option = click.option(
    "--source", type=PATH, metavar="CLIP",
    help="Measure on a video or a folder of images; by default on the " "bundle's golden crops.",
)  # fmt: skip
frames_option = click.option(
    "--frames", type=click.IntRange(1), default=60, metavar="N", help="Images per round."
)
warmup_option = click.option(
    "--warmup", type=click.IntRange(1), default=5, metavar="N",
    help="Images before the measurement, not counted.",
)  # fmt: skip


def rounds_option(default: int) -> Any:
    """`--rounds N`: parameter `rounds`."""
    text = "Number of rounds through all images."
    kind = click.IntRange(1, 1000)
    return click.option("--rounds", type=kind, default=default, metavar="N", help=text)


@main.command(
    "run",
    examples="""
    edge-bench run anna.edge
    edge-bench run anna.edge --source clip.mkv --frames 90 --threads 1 --out pi5.json
    edge-bench run anna.edge --pick
    edge-bench run anna.edge --pick --sustained 60 --markdown pi5.md --plot pi5.png
    edge-bench run anna.edge --source clip.mkv --plain --json
    """,
)
@click.argument("bundle", type=PATH, required=False, metavar="[NAME.edge]")
@source_option
@frames_option
@rounds_option(3)
@warmup_option
@threads_option()
@click.option(
    "--pick",
    is_flag=True,
    help="Time every format with 1, 2 and 4 threads, and note the best "
    "number of threads beside the bundle, where edge-recognize finds "
    "it.",
)
@click.option(
    "--sustained",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="Also measure for this time, and report what heat does to the speed.",
)
@click.option("--plain", is_flag=True, help="Compare with a plain loop over the same images.")
@detector_option()
@click.option(
    "--markdown", type=PATH, metavar="FILE", help="Save the result as Markdown, for an issue."
)
@click.option("--plot", type=PATH, metavar="PNG", help="Save the result as an image.")
@out_option(help="Save the result as JSON, for 'compare'.")
@overwrite_option("out", "markdown", "plot")
@json_option()
@quiet_option()
def run_command(
    bundle: Path | None,
    out: Path | None,
    as_json: bool,
    markdown: Path | None,
    plot: Path | None,
    **settings: Any,
) -> None:
    """Time one bundle, stage by stage; by default the one that edge-recognize uses.

    The times leave out reading and decoding images. Stages per face count only images with a face.
    """
    from benchmarks.device.measure import Settings, measure

    report = measure(bundle, Settings(**settings))
    if out is not None:
        report.save(out)
    if markdown is not None or plot is not None:
        _share(report, markdown, plot)
    if as_json:
        emit_json(report.to_json())
    else:
        _show_report(report, out)


@main.command(
    "compare",
    examples="""
    edge-bench compare old.edge new.edge --source clip.mkv
    edge-bench compare pi4.json pi5.json --json
    """,
)
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@source_option
@frames_option
@rounds_option(7)
@warmup_option
@threads_option()
@detector_option()
@out_option(help="Save the comparison as JSON.")
@overwrite_option("out")
@json_option()
@quiet_option()
def compare_command(a: Path, b: Path, out: Path | None, as_json: bool, **settings: Any) -> None:
    """Compare two bundles, measured here in turns, or two results that 'run' saved.

    A ratio is a time of A divided by the time of B: below 1, A is faster.
    """
    comparison = _compare(a, b, settings)
    if out is not None:
        comparison.save(out)
    if as_json:
        emit_json(comparison.to_json())
    else:
        _show_comparison(comparison, out)


def _compare(a: Path, b: Path, settings: dict[str, Any]) -> Comparison:
    from edge.errors import UsageError

    saved = [path.suffix.lower() == ".json" for path in (a, b)]
    if saved[0] != saved[1]:
        raise UsageError(
            "a saved result and a bundle cannot be compared", hint="give two of a kind"
        )
    if saved[0]:
        from benchmarks.device.compare import compare_reports
        from benchmarks.device.report import BenchReport

        names = (a.name, b.name) if a.name != b.name else (str(a), str(b))
        return compare_reports(BenchReport.load(a), BenchReport.load(b), *names)
    from benchmarks.device.measure import Settings, compare_bundles

    return compare_bundles(a, b, Settings(**settings))


def _share(report: BenchReport, block: Path | None, plot: Path | None) -> None:
    from benchmarks.device.shared_report import draw, markdown
    from edge.files.atomic import atomic_file

    if block is not None:
        with atomic_file(block) as temporary:
            temporary.write_text(markdown(report), "utf-8")
    if plot is not None:
        draw(report, plot)


def _show_report(report: BenchReport, out: Path | None) -> None:
    for table in report.tables():
        _print(table)
        say()
    _show_notes(report.notes, out)


def _show_comparison(comparison: Comparison, out: Path | None) -> None:
    _print(comparison.table())
    how = "in turns" if comparison.alternated else "from saved results"
    say(f"\n{comparison.verdict} ({how}, {counted(comparison.rounds, 'round')})")
    _show_notes(comparison.notes, out)


def _print(table: RenderableType) -> None:
    """By click: rich ends the process with 1 where whoever reads has gone."""
    from rich.console import Console

    console = Console(markup=False, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(table)
    say(captured.get(), nl=False)


def _show_notes(notes: tuple[str, ...], out: Path | None) -> None:
    for note in notes:
        say(f"note: {note}")
    if out is not None:
        say(f"saved to {os.fspath(out)}")


if __name__ == "__main__":
    main()
