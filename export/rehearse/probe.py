"""The probe: what a bundle says on the machine that runs it, as one line of JSON.

    python -m export.rehearse.probe BUNDLE FRAMES.npz [COUNTED]

It runs in the emulated Pi's Python and in the workstation's, and needs the plain install alone.
Frames come as pixels, uint8[N, H, W, 3] BGR under `frames`, so that decoding is no question.
COUNTED: the file that `export.rehearse.counter` counts into.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.rehearse.counter import reader

if TYPE_CHECKING:
    from edge.recognition.recognizer import Recognizer


STAGES = ("detect", "align", "embed", "decide", "total")


def probe(bundle_path: Path, frames_path: Path, counted: Path | None = None) -> dict[str, Any]:
    """Golden crops and frames through the bundle. Raises `ToolkitError` for what cannot run."""
    from edge.bundle.reader import Bundle
    from edge.recognition.recognizer import Recognizer
    from edge.recognition.self_test import rerun

    with Bundle.open(bundle_path) as bundle:
        bundle.verify()
        said: dict[str, Any] = {"golden": None}
        golden = bundle.golden
        if golden is not None:
            found = rerun(bundle, golden)
            said["golden"] = {
                "embeddings": hashlib.sha256(found.embeddings.astype("<f4").tobytes()).hexdigest(),
                "as_recorded": bool(np.array_equal(found.embeddings, golden.embeddings)),
                "cosine_worst": golden.compare(found).cosine_worst,
                "crops": len(golden.crops),
            }
        with np.load(frames_path) as file:
            frames = file["frames"]
        with Recognizer.open(bundle) as recognizer:
            said["runtime"] = recognizer.embedder.model.runtime
            results = [recognizer.recognize(frame).to_json() for frame in frames]
            said["frames"] = [[_face(face) for face in result["faces"]] for result in results]
            if counted is not None:
                said["instructions"] = _counted(recognizer, frames, counted)
    return said


def _counted(recognizer: Recognizer, frames: np.ndarray, counted: Path) -> dict[str, float]:
    """Millions of instructions a frame, by stage: the mean over frames, each of which was
    recognized before. The recognizer's own clock counts them."""
    from edge.recognition import recognizer as module

    before = module.perf_counter
    module.perf_counter = reader(counted)
    try:
        spent = [vars(recognizer.recognize(frame).latency) for frame in frames]
    finally:
        module.perf_counter = before
    return {
        stage: round(float(np.mean([each[f"{stage}_ms"] for each in spent])), 3) for stage in STAGES
    }


def _face(face: dict[str, Any]) -> dict[str, Any]:
    return {name: face[name] for name in ("box_px", "decision", "person", "score")}


def main() -> None:
    """Bundle and frames from the command line."""
    from edge.service.libraries import set_library_settings

    set_library_settings()
    if len(sys.argv) > 3:  # the counter adds without a lock, and waiting threads would count, too
        import cv2

        cv2.setNumThreads(1)
    print(json.dumps(probe(*map(Path, sys.argv[1:]))), flush=True)


if __name__ == "__main__":
    main()
