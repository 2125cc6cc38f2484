"""One peer on all sets: installed, run, its figures and what it costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.environment import Environment, install, run
from benchmarks.peers.figures import figures_of
from benchmarks.peers.kinds import AS_DEVICE, EVERY_FRAME, OURS, RUNNERS, PeerKind
from benchmarks.peers.pictures import PictureSet
from benchmarks.peers.runners.protocol import VIDEO
from benchmarks.peers.table import PeerResult
from edge.errors import ToolkitError

ROOT = Path(__file__).resolve().parents[2]

STANDS_ON = (
    *("numpy", "opencv-python-headless", "click", "rich", "ai-edge-litert"),
    *("markdown-it-py", "mdurl", "Pygments", "flatbuffers", "backports.strenum", "tqdm"),
    *("protobuf", "typing_extensions"),
)
"""What pip brings for the plain install."""

OUR_LINES = 4
"""The loop of README, `edge.watch`."""

BY_ENROLMENT = "set for each person at enrolment"


def measure_peer(
    kind: PeerKind, chosen: Sequence[PictureSet], weights: Path, folder: Path, every: int
) -> PeerResult:
    """Raises `ToolkitError` with the reason where a peer cannot be had or fails."""
    options: dict[str, Any] = {"every": every}
    for option, name in kind.needs:
        path = weights / name
        if not path.is_file():
            raise ToolkitError(f"there is no {name} in {weights}")
        options[option] = str(path.absolute())
    environment = install(kind, folder / "environments")
    found = []
    facts: dict[str, Any] = {}
    first_s: float | None = None
    runs = folder / "runs" / kind.name
    for one in chosen:
        media = [medium.path for medium in one.media]
        enrolments = [list(enrolment.media) for enrolment in one.enrolments]
        out = runs / one.name.replace(" ", "-")
        ran = run(environment, kind.runner, media, enrolments, options, out)
        limits = np.full(len(enrolments), kind.threshold)
        found.append(figures_of(one, ran.scores, ran.media, limits))
        if ran.facts["clip_frames"]:
            facts = ran.facts
            alone = {**options, "frames": 1}
            first_s = run(environment, kind.runner, media[:1], [[0]], alone, runs / "first").cpu_s
    return PeerResult(
        kind.title,
        tuple(found),
        threshold=kind.source,
        judge_ms=facts.get("judge_ms"),
        decode_ms=facts.get("decode_ms"),
        peak_mib=facts.get("peak_mib"),
        first_s=first_s,
        size_mb=environment.size_mb,
        lines=kind.lines,
    )


def measure_ours(
    chosen: Sequence[PictureSet], folder: Path, every: int, quiet: bool
) -> list[PeerResult]:
    """Each frame alone, for what is accepted; and clips as the device runs them, for the cost."""
    from benchmarks.peers.ours import Ours, each_frame_ms

    ours = Ours(every, quiet)
    found = []
    each_ms: float | None = None
    facts: dict[str, Any] = {}
    first_s: float | None = None
    for one in chosen:
        scores, media, limits, heads = ours.judge(one)
        found.append(figures_of(one, scores, media, limits))
        head = next((made for made in heads if made is not None), None)
        clips = [medium.path for medium in one.media if medium.path.suffix in VIDEO]
        if not clips or head is None:
            continue
        head.save(folder / "head.npz")
        options = {"head": str((folder / "head.npz").absolute())}
        here = Environment.of_python(Path(sys.executable))
        runner = RUNNERS / "ours_device_peer.py"
        facts = run(here, runner, clips, [[0]], options, folder / "runs" / OURS).facts
        first_s = run(here, runner, clips[:1], [[0]], {**options, "frames": 1},
                      folder / "runs" / "ours-first").cpu_s  # fmt: skip
        each_ms = each_frame_ms(head, clips[0])
    size = _own_size_mb()
    return [
        PeerResult(
            EVERY_FRAME,
            tuple(found),
            threshold=BY_ENROLMENT,
            judge_ms=each_ms,
            decode_ms=facts.get("decode_ms"),
            size_mb=size,
            lines=OUR_LINES,
        ),
        PeerResult(
            AS_DEVICE,
            threshold=BY_ENROLMENT,
            judge_ms=facts.get("judge_ms"),
            decode_ms=facts.get("decode_ms"),
            peak_mib=facts.get("peak_mib"),
            first_s=first_s,
            size_mb=size,
            lines=OUR_LINES,
        ),
    ]


def _own_size_mb() -> float:
    """Of the plain install on this machine, without the workstation's extras: what it stands on."""
    from importlib.metadata import PackageNotFoundError, distribution

    total = sum(p.stat().st_size for p in (ROOT / "edge").rglob("*") if p.is_file())
    for name in STANDS_ON:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue
        paths = [Path(str(one.locate())) for one in files]
        total += sum(p.stat().st_size for p in paths if p.is_file())
    return total / 1e6
