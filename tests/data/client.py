"""A program of somebody else: the public names alone, checked by `mypy --strict`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

import edge
import export
import trainer


def recognize(image_bgr: np.ndarray, bundle: Path) -> list[str]:
    """Names of the people in an image."""
    with edge.Recognizer.open(bundle) as recognizer:
        result: edge.FrameResult = recognizer.recognize(image_bgr)
    decisions: list[edge.Decision] = [face.decision for face in result.faces]
    return [one.person for one in decisions if one.person is not None]


def count(video: str, bundle: str) -> Counter[str]:
    """In how many frames each person is recognized."""
    seen: Counter[str] = Counter()
    for result in edge.watch(source=video, bundle=bundle):
        seen.update(face.decision.person for face in result.faces if face.decision.person)
    return seen


def enrol(photos: Path, folder: Path) -> tuple[edge.Head, ...]:
    """A person enrolled on the workstation, packed, and read again."""
    done = trainer.enrol_person(photos, name="ana", out=folder / "run")
    packed = export.pack(folder / "run", folder / f"{done.head.name}.edge")
    with edge.Bundle.open(packed.path) as bundle:
        cohort: edge.Cohort | None = bundle.cohort()
        assert cohort is not None
        return bundle.heads


def faces_of(path: str) -> list[edge.Face]:
    """All faces of the images in a folder."""
    detector = edge.Detector.open()
    found: list[edge.Face] = []
    try:
        with edge.open_source(source=path) as source:
            for frame in source:
                if frame.image_bgr is not None:
                    found += detector.detect(frame.image_bgr)
    except edge.ToolkitError as problem:
        print(problem.message, problem.hint)
    return found
