"""Visits: every webcam clip before every head, as the device would judge it, beside a plain loop.

    python -m benchmarks.studies.visits ../shared

Somebody enrols with one clip; each of the other clips is a visit. Ours follows faces, votes, and
leaves out what adds nothing; the plain loop runs the detector and the base on every frame and takes
the first frame that passes the threshold for a match. Processor time is counted without decoding,
one thread each, in turns within one process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from edge.console.commands import PATH, command, emit_json, json_option

if TYPE_CHECKING:
    from benchmarks.studies.person_data import Bench
    from edge.heads.head import Head
    from edge.recognition.recognizer import Recognizer


@dataclass(frozen=True, eq=False)
class Clip:
    """A decoded clip. person: whose it is. images_bgr: uint8[H, W, 3] each, at times_s."""

    name: str
    person: str
    images_bgr: tuple[np.ndarray, ...]
    times_s: tuple[float, ...]

    @property
    def duration_s(self) -> float:
        return self.times_s[-1] - self.times_s[0] if self.times_s else 0.0


@dataclass(frozen=True)
class Visit:
    """One clip before one head.

    own: whether the person is in it. matched: whether ours decided for them, plain: whether any
    frame of the plain loop did. decided_s: from the first frame with a face to the first settled
    decision, None without any. tracks: how many were decided, match or unknown. detect_ms, look_ms,
    own_ms: per frame, of detector, of alignment and model, and of all the rest.
    """

    head: str
    clip: str
    own: bool
    matched: bool
    plain: bool
    decided_s: float | None
    tracks: int
    cpu_s: float
    plain_cpu_s: float
    detect_ms: tuple[float, ...]
    look_ms: tuple[float, ...]
    own_ms: tuple[float, ...]


def read_clips(shared: Path) -> list[Clip]:
    """All clips of people."""
    from edge.sources.files import file_source

    clips = []
    for path in sorted((shared / "data" / "video").glob("person-*.mkv")):
        with file_source(path) as source:
            grabs = [grab for grab in source if grab.image_bgr is not None]
        images = tuple(g.image_bgr for g in grabs if g.image_bgr is not None)
        clips.append(
            Clip(path.stem, path.stem.split("-")[1], images, tuple(g.time_s for g in grabs))
        )
    return clips


def heads_of(bench: Bench, clips: list[Clip], shared: Path) -> Iterator[tuple[Clip, Head]]:
    """A head by each clip that has looks enough."""
    from benchmarks.studies.person_data import Trial
    from benchmarks.studies.person_figures import given
    from benchmarks.studies.person_strategies import STRATEGIES
    from edge.errors import RefusedError
    from trainer.cohort.choose import find_cohort

    cohort = find_cohort(bench.deployed)
    strategy = list(STRATEGIES.values())[-1]
    for clip in clips:
        looks = bench.looks([shared / "data" / "video" / f"{clip.name}.mkv"], clip.name)
        trial = Trial(clip.name, looks, None, np.zeros(0), np.zeros(0))  # type: ignore[arg-type]
        try:
            yield clip, replace(strategy(given(trial, bench), cohort), name=clip.name)
        except RefusedError as problem:
            click.echo(f"{clip.name} enrols nobody: {problem}", err=True)


def visit(recognizer: Recognizer, clip: Clip, head: Head, own: bool, plain: Plain) -> Visit:
    """Judge a clip as the device does."""
    from edge.tracking.follower import Follower

    follower = Follower()
    first_s = decided_s = None
    decided: set[int] = set()
    matched = False
    detect, look, rest = [], [], []
    began = time.process_time()
    for image, time_s in zip(clip.images_bgr, clip.times_s, strict=True):
        faces, latency = follower.follow(recognizer, image, time_s)
        detect.append(latency.detect_ms)
        look.append(latency.align_ms + latency.embed_ms)
        rest.append(latency.total_ms - detect[-1] - look[-1])
        if faces and first_s is None:
            first_s = time_s
        for face in faces:
            if face.decision.state in ("match", "unknown") and face.track is not None:
                decided.add(face.track)
                decided_s = decided_s if decided_s is not None else time_s - (first_s or 0.0)
            matched = matched or face.decision.state == "match"
    return Visit(
        head=head.name,
        clip=clip.name,
        own=own,
        matched=matched,
        plain=plain.accepts(head),
        decided_s=decided_s,
        tracks=len(decided),
        cpu_s=time.process_time() - began,
        plain_cpu_s=plain.cpu_s,
        detect_ms=tuple(detect),
        look_ms=tuple(look),
        own_ms=tuple(rest),
    )


@dataclass(frozen=True, eq=False)
class Plain:
    """What the plain loop saw of a clip. embeddings: float32[N, D] of all faces of all frames."""

    embeddings: np.ndarray
    cpu_s: float

    def accepts(self, head: Head) -> bool:
        if not len(self.embeddings):
            return False
        return bool((head.score(self.embeddings) >= head.threshold).any())


def plain_loop(bench: Bench, clip: Clip) -> Plain:
    """YuNet on every whole frame, the base on every face: no gate, nothing remembered."""
    from benchmarks.device.plain_loop import PlainDetector
    from edge.faces.detector import detector_bytes

    detect = PlainDetector(detector_bytes(None))
    rows = []
    began = time.process_time()
    for image in clip.images_bgr:
        for face in detect(image):
            crop = bench.embedder.crop(image, face)
            embedding = bench.embedder.embed(crop[None]).embeddings
            assert embedding is not None
            rows.append(embedding[0])
    cpu_s = time.process_time() - began
    size = bench.deployed.network.embedding_size
    return Plain(np.array(rows, np.float32).reshape(-1, size), cpu_s)


def summary(visits: list[Visit], clips: dict[str, Clip]) -> dict[str, Any]:
    """The figures."""
    own, others = [v for v in visits if v.own], [v for v in visits if not v.own]
    waits = [v.decided_s for v in own if v.decided_s is not None]
    video_s = sum(clips[v.clip].duration_s for v in visits)
    cpu_s, plain_s = sum(v.cpu_s for v in visits), sum(v.plain_cpu_s for v in visits)
    stages = {
        name: np.concatenate([getattr(v, f"{name}_ms") for v in visits])
        for name in ("detect", "look", "own")
    }
    total_ms = sum(float(values.sum()) for values in stages.values())
    return {
        "heads": len({v.head for v in visits}),
        "own_visits": len(own),
        "recognized": sum(v.matched for v in own),
        "recognized_plain": sum(v.plain for v in own),
        "missed": [f"{v.clip} by the head of {v.head}" for v in own if not v.matched],
        "stranger_visits": len(others),
        "accepted": sum(v.matched for v in others),
        "accepted_plain": sum(v.plain for v in others),
        "decision_s_median": float(np.median(waits)),
        "decision_s_worst": float(max(waits)),
        "most_decided_tracks": max(v.tracks for v in visits),
        "cpu_per_video_second": cpu_s / video_s,
        "plain_cpu_per_video_second": plain_s / video_s,
        "times_less_cpu": plain_s / cpu_s,
        "own_share": float(stages["own"].sum()) / total_ms,
        "stages_ms": {
            name: {"p50": float(np.median(v)), "p95": float(np.quantile(v, 0.95))}
            for name, v in stages.items()
        },
    }


@command("visits", examples="python -m benchmarks.studies.visits ../shared")
@click.argument("shared", type=PATH)
@json_option()
def main(shared: Path, as_json: bool) -> None:
    """Judge every clip before every head, as visits."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)
    from benchmarks.studies.person_data import Bench
    from edge.recognition.recognizer import Recognizer
    from trainer.inference.source import open_subject

    bench = Bench(open_subject("shipped").embedder, quiet=True)
    clips = read_clips(shared)
    seen = {clip.name: plain_loop(bench, clip) for clip in clips}
    visits = []
    for enrolled, head in heads_of(bench, clips, shared):
        recognizer = Recognizer(bench.detector, bench.embedder, [head])
        for clip in clips:
            if clip is not enrolled:
                own = clip.person == enrolled.person
                visits.append(visit(recognizer, clip, head, own, seen[clip.name]))
    found = summary(visits, {clip.name: clip for clip in clips})
    if as_json:
        emit_json(found)
        return
    for name, value in found.items():
        click.echo(f"{name}: {round(value, 3) if isinstance(value, float) else value}")


if __name__ == "__main__":
    main()
