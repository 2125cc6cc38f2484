"""The shipped detector for LiteRT, made of its ONNX file, and both compared.

python -m benchmarks.shipped_base.eye ../shared
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import click
import numpy as np

from edge.console.commands import PATH, command
from edge.errors import GateFailed
from edge.faces.detector import Detector, detector_bytes, furthest_px
from edge.faces.yunet import SHIPPED_DETECTOR, TWIN, TWIN_SHA256
from edge.files.atomic import atomic_file
from edge.files.model_file import sha256_of
from edge.sources.files import file_source

MOST_APART_PX = 0.01


@command("eye", examples="python -m benchmarks.shipped_base.eye ../shared")
@click.argument("shared", type=PATH, envvar="EDGE_SHARED")
@click.option("--convert", "again", is_flag=True, help="Write the file again, with TensorFlow.")
def main(shared: Path, again: bool) -> None:
    """Compare the detector in LiteRT with the one in OpenCV on the clips in SHARED."""
    if again:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from export.convert.yunet import convert

        made = convert(SHIPPED_DETECTOR.read_bytes())
        with atomic_file(TWIN) as temporary:
            temporary.write_bytes(made)
        click.echo(f"TWIN_SHA256 = {sha256_of(made)!r}")
        if sha256_of(made) != TWIN_SHA256:
            click.echo("write that into edge/faces/yunet.py, and run again")
            return
    click.echo(compared(sorted((shared / "data/video").glob("*.mkv"))))


def compared(clips: list[Path]) -> str:
    """In a line. Raises `GateFailed` where one finds another face than the other."""
    import cv2

    cv2.setNumThreads(1)
    data = detector_bytes()
    one, other = Detector(data, runtime="litert"), Detector(data, runtime="opencv")
    frames = faces = 0
    worst_px = scores = 0.0
    spent_s = np.zeros(2)
    for clip in clips:
        with file_source(clip) as source:
            for frame in source:
                assert frame.image_bgr is not None
                began = time.process_time()
                found = one.detect(frame.image_bgr)
                between = time.process_time()
                wanted = other.detect(frame.image_bgr)
                spent_s += (between - began, time.process_time() - between)
                apart_px = furthest_px(found, wanted)
                if apart_px > MOST_APART_PX:
                    raise GateFailed(f"{clip.name}, frame {frame.number}: {apart_px:.4f} px apart")
                frames, faces = frames + 1, faces + len(found)
                worst_px = max(worst_px, apart_px)
                for a, b in zip(found, wanted, strict=True):
                    scores = max(scores, abs(a.detector_score - b.detector_score))
    return (
        f"{frames} frames, {faces} faces, the same; boxes and landmarks at most {worst_px:.5f} "
        f"px apart, scores {scores:.6f}; processor ms a frame: LiteRT "
        f"{1000 * spent_s[0] / frames:.2f}, OpenCV {1000 * spent_s[1] / frames:.2f}"
    )


if __name__ == "__main__":
    main()
