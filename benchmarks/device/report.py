"""Reports: the result of one benchmark, for people, for programs and for comparing later."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.device.spread import Spread
from edge.errors import InputError
from edge.files.atomic import atomic_file

if TYPE_CHECKING:
    from rich.console import RenderableType

SCHEMA, KIND = 1, "edge-bench run"


@dataclass(frozen=True)
class BenchReport:
    """One bundle on one device.

    bundle: name, SHA-256 of its base and embedder, formats. device: as `DeviceFacts.to_json`.
    pictures: name, kind, count per round, share with a judged face, judged faces per picture.
    settings: threads, rounds, warmup. load: milliseconds as `Load.to_json`, and `imports`.
    stages_ms: stage to spread over all pictures of all rounds. rounds: as `Round.to_json`.
    frames_per_second: over rounds, of recognizing alone. peak_memory_mib: of the whole process.
    temperature_c: before and after. formats: as `FormatTime.to_json`. threads: as
    `ThreadTime.to_json`. sustained: as `Sustained.to_json`. processor_s_per_1000: processor seconds
    of all cores for 1,000 pictures, of recognizing alone. plain: time of the plain
    loop divided by ours, per stage (above 1: ours is faster), None where it was not asked for.
    """

    bundle: dict[str, Any]
    device: dict[str, Any]
    pictures: dict[str, Any]
    settings: dict[str, Any]
    load_ms: dict[str, list[float]]
    stages_ms: dict[str, Spread]
    rounds: list[dict[str, Any]]
    frames_per_second: Spread
    peak_memory_mib: float | None
    temperature_c: tuple[float | None, float | None] = (None, None)
    formats: list[dict[str, Any]] = field(default_factory=list)
    plain: dict[str, Spread] | None = None
    threads: list[dict[str, Any]] = field(default_factory=list)
    sustained: dict[str, Any] | None = None
    processor_s_per_1000: float | None = None
    notes: tuple[str, ...] = ()
    when: str = ""

    def to_json(self) -> dict[str, Any]:
        peak = self.peak_memory_mib
        return {
            "schema": SCHEMA,
            "kind": KIND,
            "when": self.when or now(),
            "bundle": self.bundle,
            "device": self.device,
            "pictures": self.pictures,
            "settings": self.settings,
            "load_ms": self.load_ms,
            "stages_ms": {name: spread.to_json() for name, spread in self.stages_ms.items()},
            "rounds": self.rounds,
            "frames_per_second": self.frames_per_second.to_json(),
            "peak_memory_mib": None if peak is None else round(peak, 1),
            "temperature_c": list(self.temperature_c),
            "formats": self.formats,
            "plain": None
            if self.plain is None
            else {name: spread.to_json() for name, spread in self.plain.items()},
            "threads": self.threads,
            "sustained": self.sustained,
            "processor_s_per_1000": self.processor_s_per_1000,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BenchReport:
        """Raises KeyError, TypeError or ValueError where a field is missing or of another kind."""
        if data["schema"] != SCHEMA or data["kind"] != KIND:
            raise ValueError(f"schema {data['schema']}, kind {data['kind']}")
        before, after = data["temperature_c"]
        plain = data["plain"]
        return cls(
            bundle=dict(data["bundle"]),
            device=dict(data["device"]),
            pictures=dict(data["pictures"]),
            settings=dict(data["settings"]),
            load_ms={str(k): [float(x) for x in v] for k, v in data["load_ms"].items()},
            stages_ms={str(k): Spread.from_json(v) for k, v in data["stages_ms"].items()},
            rounds=[dict(entry) for entry in data["rounds"]],
            frames_per_second=Spread.from_json(data["frames_per_second"]),
            peak_memory_mib=data["peak_memory_mib"],
            temperature_c=(before, after),
            formats=[dict(entry) for entry in data["formats"]],
            plain=None if plain is None else {k: Spread.from_json(v) for k, v in plain.items()},
            threads=[dict(entry) for entry in data.get("threads", [])],
            sustained=data.get("sustained"),
            processor_s_per_1000=data.get("processor_s_per_1000"),
            notes=tuple(str(note) for note in data["notes"]),
            when=str(data["when"]),
        )

    def save(self, path: Path) -> None:
        """Write `to_json`, whole or not at all."""
        save_json(self.to_json(), path)

    @classmethod
    def load(cls, path: Path) -> BenchReport:
        """Raises `InputError` where the file is missing or no result of `edge-bench run`."""
        try:
            data = json.loads(Path(path).read_bytes())
            return cls.from_json(data)
        except OSError as problem:
            raise InputError(f"cannot read {path}: {problem.strerror}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise InputError(
                f"{path} is no result of 'edge-bench run' ({type(problem).__name__}: {problem})",
                hint="make one with 'edge-bench run NAME.edge --out FILE'",
            ) from None

    def tables(self) -> list[RenderableType]:
        """For `rich`: facts, stages and, where they were timed, formats."""
        more = [_formats(self)] if self.formats else []
        more += [_threads(self)] if self.threads else []
        return [_facts(self), _stages(self), *more]


def now() -> str:
    """The time in UTC, as ISO 8601."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def save_json(data: dict[str, Any], path: Path) -> None:
    """Write JSON, whole or not at all."""
    with atomic_file(Path(path)) as temporary:
        temporary.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def ratio_rows(ratios: dict[str, Spread]) -> list[tuple[str, str]]:
    """Pairs of stage and `min / median / max`, for a table."""
    return [(stage, spread.text(3)) for stage, spread in ratios.items()]


def _facts(report: BenchReport) -> RenderableType:
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _fact_rows(report):
        table.add_row(name, value)
    return table


def _fact_rows(report: BenchReport) -> list[tuple[str, str]]:
    device, pictures, settings = report.device, report.pictures, report.settings
    load = {name: _cold_and_warm(values) for name, values in report.load_ms.items()}
    board = device.get("board") or device.get("processor") or device.get("machine")
    versions = ", ".join(f"{name} {text}" for name, text in device["versions"].items())
    rows = [
        ("bundle", f"{report.bundle['name']}, {report.bundle['embedder_format']}"),
        ("runtime", str(report.bundle["runtime"])),
        ("device", f"{board}, {device['cores']} cores"),
        ("clock", _clock(device)),
        ("temperature", _degrees(report.temperature_c)),
        ("system", f"{device['system']}, {device['kernel']}, {device['python']}"),
        ("versions", versions),
        ("pictures", f"{pictures['name']}: {pictures['count']} x {settings['rounds']} rounds"),
        ("faces", f"{pictures['faces_per_picture']:.2f} judged per picture"),
        ("threads", str(settings["threads"])),
        *((f"load: {name.replace('_', ' ')}", text) for name, text in load.items()),
        ("frames per second", f"{report.frames_per_second.text(1)} (min / median / max)"),
        ("processor", _processor(report.processor_s_per_1000)),
        ("sustained", _sustained(report.sustained)),
        ("peak memory", _mib(report.peak_memory_mib)),
    ]
    return [row for row in rows if row[1]]


def _stages(report: BenchReport) -> RenderableType:
    from rich.table import Table

    ours = "ms per picture"
    table = Table(ours, "p50", "p95", "min", "max", "pictures", box=None, pad_edge=False)
    if report.plain is not None:
        table.add_column("plain loop / ours")
    for stage, spread in report.stages_ms.items():
        numbers = (spread.p50, spread.p95, spread.minimum, spread.maximum)
        row = [stage, *(f"{number:.2f}" for number in numbers), str(spread.count)]
        if report.plain is not None:
            row.append(report.plain[stage].text() if stage in report.plain else "")
        table.add_row(*row)
    return table


def _formats(report: BenchReport) -> RenderableType:
    from rich.table import Table

    table = Table("format", "ms (min / median / max)", "MiB", "runtime", box=None, pad_edge=False)
    for entry in report.formats:
        spread = entry["milliseconds"]
        text = "-" if spread is None else Spread.from_json(spread).text()
        name = f"{entry['format']}{' (deployed)' if entry['deployed'] else ''}"
        size = f"{entry['size_bytes'] / 2**20:.2f}"
        table.add_row(name, text, size, entry["runtime"] or entry["problem"])
    return table


def _threads(report: BenchReport) -> RenderableType:
    from rich.table import Table

    heads = ("threads", "ms (min / median / max)", "processor s per 1,000 pictures")
    table = Table(*heads, box=None, pad_edge=False)
    for entry in report.threads:
        spread = Spread.from_json(entry["milliseconds"])
        processor = f"{entry['processor_s_per_1000']:.2f}"
        table.add_row(str(entry["threads"]), spread.text(), processor)
    return table


def _processor(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s of all cores for 1,000 pictures"


def _sustained(said: dict[str, Any] | None) -> str:
    if said is None:
        return ""
    return (
        f"{said['pictures_per_second']:.1f} pictures per second over {said['seconds']:.0f} s "
        f"(recognizing alone: first {said['first']:.1f}, last {said['last']:.1f})"
    )


def _cold_and_warm(values: list[float]) -> str:
    """The first time and, where there are more, the median of the others."""
    if not values:
        return ""
    first = f"{values[0]:.1f} ms"
    warm = Spread.of(values[1:])
    return first if warm is None else f"{first} first, then {warm.p50:.1f} ms"


def _clock(device: dict[str, Any]) -> str:
    parts = [device["governor"] or ""]
    if device["clock_mhz"] and device["max_clock_mhz"]:
        parts.append(f"{device['clock_mhz']:.0f} of {device['max_clock_mhz']:.0f} MHz")
    return ", ".join(part for part in parts if part)


def _degrees(temperatures: tuple[float | None, float | None]) -> str:
    return " to ".join(f"{value:.1f} °C" for value in temperatures if value is not None)


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} MiB"
