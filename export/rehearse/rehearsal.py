"""The rehearsal itself: the same bundle and frames here and on the emulated Pi, side by side."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ToolkitError
from edge.recognition.self_test import UNDECIDED
from export.rehearse.emulator import Emulator

MOST_BOX_PX = 1.0
FRAMES = 8
"""Frames of a clip that are run; an emulated core takes a few seconds for each."""


@dataclass(frozen=True)
class Rehearsal:
    """What was found. site_mb: of unpacked wheels. golden_identical: the golden embeddings are
    those of this machine, bit for bit; None without golden crops. differing: frames on which faces
    or decisions differ by more than scores move between machines. worst_box_px, worst_score: over
    all faces. healthy: what doctor says there. instructions: millions a frame, by stage, None where
    they were not counted; uncounted: why not.
    """

    model: str
    release: str
    python: str
    runtime: str
    site_mb: float
    golden_identical: bool | None
    golden_cosine: float | None
    frames: int
    faces: int
    differing: tuple[int, ...]
    worst_box_px: float
    worst_score: float
    healthy: bool
    doctor: tuple[str, ...]
    instructions: dict[str, float] | None = None
    uncounted: str = ""

    @property
    def passed(self) -> bool:
        """Whether it installs, runs and decides there as here."""
        return (
            self.golden_identical is not False
            and not self.differing
            and self.worst_box_px <= MOST_BOX_PX
            and self.healthy
        )

    def to_json(self) -> dict[str, Any]:
        lists = {"differing": list(self.differing), "doctor": list(self.doctor)}
        return {**vars(self), **lists, "passed": self.passed}

    def text(self) -> str:
        """A few lines for people."""
        golden = {
            None: "no golden crops",
            True: "golden embeddings bit for bit as here",
            False: f"golden embeddings differ (cosine {self.golden_cosine})",
        }[self.golden_identical]
        same = f"{self.frames - len(self.differing)} of {self.frames} frames decided alike"
        return "\n".join(
            [
                f"{self.model}, {self.release}, Python {self.python}: "
                + ("as on this machine" if self.passed else "NOT as on this machine"),
                f"  wheels alone, {self.site_mb:.0f} MB unpacked; {self.runtime}",
                f"  {golden}; {same}, {self.faces} faces, boxes within "
                f"{self.worst_box_px:.2g} px, scores within {self.worst_score:.2g}",
                f"  {self._cost()}",
                *(f"  {line}" for line in self.doctor if line[:1] in ("✗", "!")),
            ]
        )

    def _cost(self) -> str:
        if self.instructions is None:
            return f"instructions were not counted: {self.uncounted}"
        stages = ", ".join(f"{name} {count:.1f}" for name, count in self.instructions.items())
        return f"millions of instructions a frame: {stages}"


def rehearse(
    bundle: Path,
    clip: Path | None,
    pi: Emulator,
    on_note: Callable[[str], None] = lambda text: None,
) -> Rehearsal:
    """Run the bundle here and there. clip: a video; without one the drawn face is looked at.

    Raises `ToolkitError` where it does not run at all.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        frames = home / "frames.npz"
        np.savez(frames, frames=_frames(clip))
        words = ("-m", "export.rehearse.probe", str(bundle.absolute()), str(frames))
        on_note("running it here")
        here = _probed(
            subprocess.run(
                [sys.executable, *words], cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            ),
            "this machine",
        )  # fmt: skip
        on_note(f"running it on the emulated {pi.model}")
        counted = None if pi.counter is None else home / "instructions"
        more = () if counted is None else (str(counted),)
        there = _probed(
            pi.run(*words, *more, home=home, count_into=counted), f"the emulated {pi.model}"
        )
        on_note("doctor")
        said = pi.run(
            "-m", "edge.cli.main", "doctor", "--bundle", str(bundle.absolute()), home=home
        )
    differing, box_px, score, faces = _compared(here["frames"], there["frames"])
    mine, theirs = here["golden"], there["golden"]
    size = sum(path.stat().st_size for path in pi.site.rglob("*") if path.is_file())
    return Rehearsal(
        pi.model, pi.release, pi.site.name.split("-")[1], there["runtime"], size / 1e6,
        None if theirs is None else mine["embeddings"] == theirs["embeddings"],
        None if theirs is None else float(theirs["cosine_worst"]),
        len(there["frames"]), faces, differing, box_px, score, said.returncode == 0,
        tuple(said.stdout.splitlines()), there.get("instructions"), pi.uncounted,
    )  # fmt: skip


def _frames(clip: Path | None) -> np.ndarray:
    """uint8[N, H, W, 3] BGR: evenly spaced frames of a clip, or the drawn face."""
    from edge.bundle.locate import SHIPPED
    from edge.files.image import read_picture
    from edge.sources.files import file_source

    if clip is None:
        return read_picture(SHIPPED / "drawn-face.jpg")[None]
    with file_source(clip) as source:
        images = [grab.image_bgr for grab in source if grab.image_bgr is not None]
    if not images:
        raise ToolkitError(f"{clip} has no frames", hint="give a video")
    chosen = np.linspace(0, len(images) - 1, min(FRAMES, len(images))).round().astype(int)
    return np.stack([images[place] for place in chosen])


def _probed(done: subprocess.CompletedProcess[str], where: str) -> dict[str, Any]:
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ToolkitError(f"the bundle does not run on {where}: {said[-1] if said else 'killed'}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _compared(
    here: list[list[dict[str, Any]]], there: list[list[dict[str, Any]]]
) -> tuple[tuple[int, ...], float, float, int]:
    """Frames that differ, the worst box and score, and how many faces there were."""
    differing, box_px, score, count = [], 0.0, 0.0, 0
    for number, (mine, theirs) in enumerate(zip(here, there, strict=True)):
        count += len(mine)
        other = len(mine) != len(theirs)
        for one, two in zip(mine, theirs, strict=False):
            pairs = zip(one["box_px"], two["box_px"], strict=True)
            box_px = max([box_px, *(abs(a - b) for a, b in pairs)])
            apart = abs((one["score"] or 0.0) - (two["score"] or 0.0))
            score = max(score, apart)
            same = (one["decision"], one["person"]) == (two["decision"], two["person"])
            other |= not same and apart > UNDECIDED
        differing += [number] if other else []
    return tuple(differing), box_px, score, count
