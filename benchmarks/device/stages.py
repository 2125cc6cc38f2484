"""Stages: how long each part of recognizing takes, picture by picture.

Whatever is measured side by side takes turns every few pictures (A B B A …), so that a machine that
slows down slows all of them alike. Pictures before the measurement, to warm up, are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.device.pictures import Pictures
from benchmarks.device.spread import Spread
from edge.bundle.reader import Bundle
from edge.errors import InputError
from edge.faces.face import Face
from edge.recognition.recognizer import Recognizer
from edge.recognition.result import Latency

STAGES = ("detect", "align", "embed", "decide", "total")
BLOCK = 8
"""Pictures that one contender judges before it is the next one's turn."""

PER_FACE = ("align", "embed", "decide")
"""Stages that pictures without a face do not have."""

Judge = Callable[[np.ndarray], tuple[int, Latency]]
"""From a picture, uint8[H, W, 3] BGR, to the number of faces that were embedded, and the times."""


@dataclass(frozen=True)
class Contender:
    """What is measured: a name for people and what judges a picture."""

    name: str
    judge: Judge


@dataclass(frozen=True)
class Round:
    """All pictures once: times and embedded faces, one per picture."""

    latencies: tuple[Latency, ...]
    faces: tuple[int, ...]

    def values_ms(self, stage: str) -> list[float]:
        """Milliseconds per picture; of stages per face, only pictures with one."""
        values = [float(getattr(latency, f"{stage}_ms")) for latency in self.latencies]
        if stage not in PER_FACE:
            return values
        return [value for value, count in zip(values, self.faces, strict=True) if count]

    def median_ms(self, stage: str) -> float | None:
        values = self.values_ms(stage)
        return float(np.median(values)) if values else None

    @property
    def frames_per_second(self) -> float:
        """Of recognizing alone; decoding the pictures is not in it."""
        total_s = sum(latency.total_ms for latency in self.latencies) / 1000
        return len(self.latencies) / total_s if total_s else 0.0

    def to_json(self) -> dict[str, Any]:
        medians = {stage: self.median_ms(stage) for stage in STAGES}
        return {
            "frames_per_second": round(self.frames_per_second, 3),
            "median_ms": {k: None if v is None else round(v, 4) for k, v in medians.items()},
        }


@dataclass(frozen=True)
class Load:
    """Times of getting ready in milliseconds, in their order: the first one is cold.

    open: reading the manifest. create: reading the members, loading the runtime, making the models
    and proving each by one inference. first: the first picture after that.
    """

    open_ms: tuple[float, ...]
    create_ms: tuple[float, ...]
    first_ms: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        rows = {"open": self.open_ms, "create": self.create_ms, "first_picture": self.first_ms}
        return {name: [round(value, 3) for value in values] for name, values in rows.items()}


def recognizer_judge(recognizer: Recognizer, face: Face | None = None) -> Judge:
    """All of recognizing. With `face`, the detector runs but its answer is replaced, and the face
    is embedded whatever the quality gate says of it.
    """

    def judge(image_bgr: np.ndarray) -> tuple[int, Latency]:
        result = recognizer.recognize(image_bgr)
        usable = sum(face.decision.state != "rejected" for face in result.faces)
        return usable, result.latency

    def judge_given(image_bgr: np.ndarray) -> tuple[int, Latency]:
        assert face is not None
        started = perf_counter()
        recognizer.detector.detect(image_bgr)
        detected = perf_counter()
        recognizer.gate.check(image_bgr, face)
        gated = perf_counter()
        crops = [network.crop(image_bgr, face) for network in networks]
        aligned = perf_counter()
        seen = [network.embed(crop[None]) for network, crop in zip(networks, crops, strict=True)]
        embedded = perf_counter()
        recognizer.decide(seen[0])
        done = perf_counter()
        decide_s = done - embedded + gated - detected
        parts = (detected - started, aligned - gated, embedded - aligned, decide_s, done - started)
        return 1, Latency(*(1000 * part for part in parts))

    base = recognizer.base
    networks = [recognizer.embedder]
    networks += [] if base is None or base is recognizer.embedder else [base]
    return judge if face is None else judge_given


def alternate(
    contenders: Sequence[Contender],
    pictures: Pictures,
    *,
    rounds: int,
    warmup: int,
    on_picture: Callable[[], object] = lambda: None,
) -> list[list[Round]]:
    """Each contender's rounds. warmup: pictures that each sees before the measurement.

    Raises `InputError` where there are no pictures.
    """
    for contender in contenders:
        for _, image in zip(range(warmup), pictures, strict=False):
            contender.judge(image)
    rounds_of: list[list[Round]] = [[] for _ in contenders]
    for number in range(rounds):
        for own, one in zip(
            rounds_of, _round(contenders, pictures, number, on_picture), strict=True
        ):
            own.append(one)
    return rounds_of


def _round(
    contenders: Sequence[Contender],
    pictures: Pictures,
    number: int,
    on_picture: Callable[[], object],
) -> list[Round]:
    """All pictures once, block by block; who comes first changes from block to block."""
    seen: list[list[tuple[int, Latency]]] = [[] for _ in contenders]
    images = iter(pictures)
    for turn in count(number):
        block = list(islice(images, BLOCK))
        if not block:
            break
        pairs = list(zip(contenders, seen, strict=True))
        for contender, own in pairs if turn % 2 == 0 else reversed(pairs):
            for image in block:
                own.append(contender.judge(image))
                on_picture()
    if not seen[0]:
        raise InputError(f"{pictures.name} holds no picture that can be decoded")
    return [Round(tuple(t for _, t in own), tuple(n for n, _ in own)) for own in seen]


def spreads(rounds: Iterable[Round]) -> dict[str, Spread]:
    """All pictures of all rounds together, per stage; stages that never ran are left out."""
    kept = list(rounds)
    found = {
        stage: Spread.of(value for one in kept for value in one.values_ms(stage))
        for stage in STAGES
    }
    return {stage: spread for stage, spread in found.items() if spread is not None}


def measure_load(
    open_bundle: Callable[[], Bundle],
    pictures: Pictures,
    *,
    threads: int,
    repeats: int,
    detector_model: Path | None = None,
) -> Load:
    """Open a bundle, make its models and judge one picture, `repeats` times from the start."""
    image_bgr, rows = pictures.first(), []
    for _ in range(repeats):
        started = perf_counter()
        with open_bundle() as bundle:
            opened = perf_counter()
            recognizer = Recognizer.open(bundle, detector_model=detector_model, threads=threads)
        created = perf_counter()
        recognizer_judge(recognizer, pictures.face)(image_bgr)
        rows.append((opened - started, created - opened, perf_counter() - created))
    opens, creates, firsts = (
        tuple(1000 * value for value in row) for row in zip(*rows, strict=True)
    )
    return Load(opens, creates, firsts)
