"""Reports to share: a Markdown block for an issue, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.device.report import BenchReport
from edge.files.atomic import atomic_file

STAGES = ("detect", "align", "embed", "decide")


def markdown(report: BenchReport) -> str:
    """A block that stands in an issue as it is."""
    device, pictures = report.device, report.pictures
    board = device.get("board") or device.get("processor") or device.get("machine")
    versions = ", ".join(f"{name} {text}" for name, text in device["versions"].items())
    rows = [
        ("device", f"{board}, {device['cores']} cores, {device['memory_mib'] or '?'} MiB"),
        ("system", f"{device['system']}, {device['kernel']}, {device['python']}"),
        ("versions", versions),
        ("bundle", _bundle(report.bundle)),
        ("pictures", f"{pictures['name']}, {pictures['count']} x {report.settings['rounds']}"),
        ("ms a picture", _total(report)),
        ("peak memory", _mib(report.peak_memory_mib)),
        *_thread_rows(report.threads),
        *_sustained_rows(report.sustained),
    ]  # fmt: skip
    lines = [f"<!-- edge-bench {report.when} -->", "| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(text)} |" for name, text in rows if text]
    lines += [f"\n> {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


def draw(report: BenchReport, target: Path) -> None:
    """Stages of a picture and, where measured, threads, as PNG. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = 2 if report.threads else 1
    left = figure.add_subplot(1, panels, 1)
    begin = 0.0
    for stage in STAGES:
        if stage in report.stages_ms:
            width = report.stages_ms[stage].p50
            left.barh([0], [width], left=begin, label=f"{stage} {width:.1f} ms")
            begin += width
    left.set(xlabel="median milliseconds a picture", yticks=[])
    left.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=2)
    if report.threads:
        right = figure.add_subplot(1, panels, 2)
        names = [str(one["threads"]) for one in report.threads]
        middles = [one["milliseconds"]["p50"] for one in report.threads]
        right.bar(names, middles, width=0.5)
        right.set(xlabel="threads", ylabel="ms a picture")
    board = report.device.get("board") or report.device.get("processor") or ""
    figure.suptitle(f"{report.bundle['name']} on {board}", fontsize=10)
    with atomic_file(target) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _bundle(said: dict[str, Any]) -> str:
    heads = f"{said['heads']} head{'' if said['heads'] == 1 else 's'}"
    return f"{said['name']}, {said['embedder_format']}, {heads}"


def _total(report: BenchReport) -> str:
    spread = report.stages_ms.get("total")
    return "" if spread is None else f"median {spread.p50:.2f}, p95 {spread.p95:.2f}"


def _thread_rows(threads: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (
            f"{one['threads']} thread{'' if one['threads'] == 1 else 's'}",
            f"median {one['milliseconds']['p50']:.2f} ms, {one['processor_s_per_1000']:.2f} "
            "processor seconds per 1,000 pictures",
        )
        for one in threads
    ]


def _sustained_rows(said: dict[str, Any] | None) -> list[tuple[str, str]]:
    if said is None:
        return []
    return [
        (
            f"sustained, {said['seconds']:.0f} s",
            f"{said['pictures_per_second']:.1f} pictures per second (recognizing alone: first "
            f"{said['first']:.1f}, last {said['last']:.1f}), {said['processor_s_per_1000']:.2f} "
            "processor seconds per 1,000 pictures",
        ),
        ("before", _state(said["before"])),
        ("after", _state(said["after"])),
    ]


def _state(said: dict[str, Any]) -> str:
    from benchmarks.device.sustained import State

    held = said["throttled_now"]
    state = State(
        said["temperature_c"],
        said["clock_mhz"],
        said["governor"],
        None if held is None else tuple(held),
    )
    return state.text()


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} MiB"
