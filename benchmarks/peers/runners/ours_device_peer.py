"""This toolkit as a device runs it: faces followed over frames, decisions by votes. Clips alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.peers.runners.protocol import VIDEO, Task
from edge.bundle.locate import shipped_bundle
from edge.heads.head import Head
from edge.recognition.recognizer import Recognizer
from edge.tracking.follower import Follower

RATE = 30.0
"""Frames per second of the clips."""


def main() -> None:
    """Each clip once, before the head of the first enrolment; scores say whether it was matched."""
    task = Task.from_command_line()
    heads = [Head.load(Path(task.options["head"]))]
    with shipped_bundle() as bundle:
        recognizer = Recognizer.open(bundle, threads=1, heads=heads, attributes=False)
    follower, of = Follower(), -1
    matched: list[bool] = []
    media: list[int] = []
    for place, image in task.frames():
        if place != of:
            follower, of = Follower(), place
        number = sum(1 for one in media if one == place)
        faces, _ = follower.follow(recognizer, image, number / RATE)
        matched.append(any(face.decision.state == "match" for face in faces))
        media.append(place)
    assert all(path.suffix in VIDEO for path in task.media)
    task.write(np.array([matched], np.float32), np.array(media, np.int32))


if __name__ == "__main__":
    main()
