"""Measurements: from bundles and settings to a report or a comparison."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.device.compare import Comparison, compare_rounds
from benchmarks.device.device_facts import DeviceFacts, device_facts, peak_memory_mib, temperature_c
from benchmarks.device.eyes import EyeTime, eyes_note, fastest_eye, time_eyes
from benchmarks.device.formats import FormatTime, fastest, time_formats
from benchmarks.device.pictures import Pictures, open_pictures
from benchmarks.device.plain_loop import PlainLoop
from benchmarks.device.report import BenchReport, now
from benchmarks.device.spread import Spread
from benchmarks.device.stages import (
    Contender,
    Round,
    alternate,
    measure_load,
    recognizer_judge,
    spreads,
)
from benchmarks.device.sustained import Sustained, sustain
from benchmarks.device.threads import ThreadTime, best_threads, time_threads
from edge.bundle.choice import Choice, bundle_sha256
from edge.bundle.locate import locate
from edge.bundle.reader import Bundle
from edge.console.progress import progress_bar
from edge.errors import UsageError
from edge.recognition.recognizer import Recognizer
from edge.recognition.result import Latency


@dataclass(frozen=True)
class Settings:
    """How to measure; see the options of `edge-bench`. frames: per round. threads: None for one
    per core, as `edge-recognize` has it where nothing was picked. sustained: seconds, 0 for none.
    """

    source: Path | None = None
    frames: int = 60
    rounds: int = 3
    warmup: int = 5
    threads: int | None = None
    detector_model: Path | None = None
    pick: bool = False
    sustained: float = 0.0
    plain: bool = False
    quiet: bool = True

    @property
    def used_threads(self) -> int:
        return self.threads or os.cpu_count() or 1

    def to_json(self) -> dict[str, Any]:
        return {"threads": self.used_threads, "rounds": self.rounds, "warmup": self.warmup}


def measure(path: Path | None, settings: Settings) -> BenchReport:
    """Time one bundle, by default the one that `edge-recognize` would use.

    Raises `BundleError`, `ModelError`, `SourceError` or `InputError` where something cannot be
    opened, `UsageError` where the settings contradict each other.
    """
    if settings.plain and settings.source is None:
        raise UsageError(
            "--plain needs pictures in which faces are found", hint="give --source CLIP"
        )
    located = locate(path)
    facts = device_facts()
    with located.open() as bundle:
        pictures = open_pictures(settings.source, bundle, settings.frames)
        load = measure_load(
            located.open,
            pictures,
            threads=settings.used_threads,
            repeats=settings.rounds,
            detector_model=settings.detector_model,
        )
        recognizer = _recognizer(bundle, settings)
        ours = Contender("edge", recognizer_judge(recognizer, pictures.face))
        rounds, plain_rounds, peak_mib, processor_s = _rounds(ours, bundle, pictures, settings)
        lasting = _sustained(ours, pictures, settings)
        formats: tuple[FormatTime, ...] = ()
        threads: tuple[ThreadTime, ...] = ()
        eyes: tuple[EyeTime, ...] = ()
        if settings.pick:
            eyes = time_eyes(bundle, pictures, rounds=settings.rounds)
            formats = time_formats(bundle, threads=settings.used_threads)
            threads = _threads(bundle, pictures, settings)
    plain = None
    if plain_rounds:
        plain = compare_rounds("plain loop", "edge", plain_rounds, rounds).ratios
    fps = Spread.of(one.frames_per_second for one in rounds)
    assert fps is not None
    return BenchReport(
        bundle=_bundle_facts(bundle, recognizer),
        device=facts.to_json(),
        pictures=_picture_facts(pictures, rounds),
        settings=settings.to_json(),
        load_ms=load.to_json(),
        stages_ms=spreads(rounds),
        rounds=[one.to_json() for one in rounds],
        frames_per_second=fps,
        peak_memory_mib=peak_mib,
        temperature_c=(facts.temperature_c, temperature_c()),
        formats=[time.to_json() for time in formats],
        plain=plain,
        threads=[time.to_json() for time in threads],
        sustained=None if lasting is None else lasting.to_json(),
        processor_s_per_1000=processor_s,
        notes=(
            *_notes(facts, pictures, rounds, formats),
            *eyes_note(eyes),
            *_choice_note(located.path, threads, eyes, facts),
        ),
        when=now(),
    )


def compare_bundles(a: Path, b: Path, settings: Settings) -> Comparison:
    """Time two bundles in turns on the same pictures, by default the golden crops of the first.

    Raises as `measure`.
    """
    with ExitStack() as stack:
        bundles = [stack.enter_context(Bundle.open(path)) for path in (a, b)]
        pictures = open_pictures(settings.source, bundles[0], settings.frames)
        judges = [
            recognizer_judge(_recognizer(bundle, settings), pictures.face) for bundle in bundles
        ]
        names = (a.name, b.name) if a.name != b.name else (str(a), str(b))
        contenders = [Contender(*pair) for pair in zip(names, judges, strict=True)]
        first, second = _alternate(contenders, pictures, settings)
    notes = device_facts().warnings
    if not any(sum(one.faces) for one in (*first, *second)):
        notes = (*notes, _NO_FACES)
    return compare_rounds(*names, first, second, notes)


_NO_FACES = "no face was judged, so only the detector was timed"


def _recognizer(bundle: Bundle, settings: Settings) -> Recognizer:
    return Recognizer.open(
        bundle, detector_model=settings.detector_model, threads=settings.used_threads
    )


def _rounds(
    ours: Contender, bundle: Bundle, pictures: Pictures, settings: Settings
) -> tuple[list[Round], list[Round], float | None, float]:
    """Our rounds, the plain loop's, our peak memory, read before the plain loop's is added, and our
    processor seconds for 1,000 pictures."""
    spent = _Processor(ours)
    ours = Contender(ours.name, spent.judge)
    if not settings.plain:
        rounds = _alternate([ours], pictures, settings)[0]
        return rounds, [], peak_memory_mib(), spent.per_1000
    alternate([ours], pictures, rounds=1, warmup=0)
    peak_mib = peak_memory_mib()
    plain = PlainLoop(bundle, detector_model=settings.detector_model, threads=settings.used_threads)
    both = [Contender("plain loop", plain.judge), ours]
    plain_rounds, rounds = _alternate(both, pictures, settings)
    return rounds, plain_rounds, peak_mib, spent.per_1000


class _Processor:
    """Counts the processor time that a contender takes."""

    def __init__(self, contender: Contender) -> None:
        self._judge = contender.judge
        self._pictures, self._spent_s = 0, 0.0

    def judge(self, image_bgr: np.ndarray) -> tuple[int, Latency]:
        began = time.process_time()
        result = self._judge(image_bgr)
        self._spent_s += time.process_time() - began
        self._pictures += 1
        return result

    @property
    def per_1000(self) -> float:
        return round(1000 * self._spent_s / max(1, self._pictures), 4)


def _sustained(ours: Contender, pictures: Pictures, settings: Settings) -> Sustained | None:
    if not settings.sustained:
        return None
    with progress_bar("Sustaining", int(settings.sustained), quiet=settings.quiet) as bar:
        return sustain(ours.judge, pictures, settings.sustained, on_second=bar.advance)


def _threads(bundle: Bundle, pictures: Pictures, settings: Settings) -> tuple[ThreadTime, ...]:
    cores = os.cpu_count() or 1
    return time_threads(
        lambda count: Recognizer.open(
            bundle, detector_model=settings.detector_model, threads=count
        ),
        lambda recognizer: recognizer_judge(recognizer, pictures.face),
        pictures,
        cores=cores,
        rounds=settings.rounds,
        warmup=settings.warmup,
    )


def _choice_note(
    path: Path | None,
    threads: tuple[ThreadTime, ...],
    eyes: tuple[EyeTime, ...],
    facts: DeviceFacts,
) -> tuple[str, ...]:
    """Write down what was found best, beside the bundle."""
    if path is None or not threads:
        return ()
    best = best_threads(threads)
    choice = Choice(bundle_sha256(path), best.threads, best.milliseconds.p50, facts.name,
                    fastest_eye(eyes))  # fmt: skip
    plural = "" if best.threads == 1 else "s"
    try:
        written = choice.save(path)
    except OSError as problem:
        return (f"best here: {best.threads} thread{plural}; it could not be noted: {problem}",)
    return (
        f"best here: {best.threads} thread{plural}; edge-recognize takes them from {written.name}",
    )


def _alternate(
    contenders: list[Contender], pictures: Pictures, settings: Settings
) -> list[list[Round]]:
    total = len(contenders) * settings.rounds * settings.frames
    with progress_bar("Measuring", total, quiet=settings.quiet) as bar:
        return alternate(
            contenders,
            pictures,
            rounds=settings.rounds,
            warmup=settings.warmup,
            on_picture=bar.advance,
        )


def _bundle_facts(bundle: Bundle, recognizer: Recognizer) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "base_sha256": bundle.base.sha256,
        "base_format": bundle.base.format,
        "embedder_sha256": bundle.embedder.sha256,
        "embedder_format": bundle.embedder.format,
        "heads": len(recognizer.heads),
        "runtime": recognizer.embedder.model.runtime,
    }


def _picture_facts(pictures: Pictures, rounds: list[Round]) -> dict[str, Any]:
    count = len(rounds[0].faces)
    return {
        "name": pictures.name,
        "kind": pictures.kind,
        "count": count,
        "with_face": sum(n > 0 for n in rounds[0].faces) / count,
        "faces_per_picture": sum(rounds[0].faces) / count,
    }


def _notes(
    facts: DeviceFacts,
    pictures: Pictures,
    rounds: list[Round],
    formats: tuple[FormatTime, ...],
) -> tuple[str, ...]:
    notes = list(facts.warnings)
    if not any(sum(one.faces) for one in rounds):
        notes.append(_NO_FACES)
    if pictures.kind == "golden":
        notes.append("one drawn face per picture; give --source CLIP for pictures of your camera")
    best = fastest(formats)
    if best is not None:
        notes.append(_pick_note(best, formats))
    return tuple(notes)


def _pick_note(best: FormatTime, formats: tuple[FormatTime, ...]) -> str:
    """Which format is the fastest here, and what that means for the bundle."""
    deployed = next(time for time in formats if time.deployed)
    if best.deployed:
        return f"fastest here: {best.format}, the one that this bundle uses"
    if deployed.milliseconds is None or best.milliseconds is None:
        return f"fastest here: {best.format}; {deployed.format}, which this bundle uses, fails"
    gain = deployed.milliseconds.p50 / best.milliseconds.p50
    return (
        f"fastest here: {best.format}, {gain:.2f} times as fast as {deployed.format}, which this "
        f"bundle uses; heads and strangers belong to one file: pack the base alone with --format "
        f"{best.format}, then make a cohort and enroll on that bundle (docs/bundle.md)"
    )
