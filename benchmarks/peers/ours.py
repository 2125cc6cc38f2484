"""Our own rows: the same pictures through detector, gate and the shipped base, heads as
`edge-train person` makes them with the strangers that are shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.peers.pictures import PictureSet
from benchmarks.peers.runners.protocol import VIDEO
from benchmarks.studies.person_data import Bench, Judged, Shown, Trial, frames_of
from benchmarks.studies.person_figures import given
from benchmarks.studies.person_strategies import STRATEGIES
from edge.errors import InputError, PictureError, RefusedError
from edge.files.image import read_picture
from edge.heads.head import Head
from trainer.cohort.choose import find_cohort
from trainer.inference.source import open_subject


class Ours:
    """The shipped base and its strangers."""

    def __init__(self, every: int, quiet: bool) -> None:
        """every: of a clip one frame in that many is judged."""
        self._every = every
        self.bench = Bench(open_subject("shipped").embedder, quiet=quiet)
        self._cohort = find_cohort(self.bench.deployed)
        self._enrol = list(STRATEGIES.values())[-1]

    def judge(
        self, pictures: PictureSet
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Head | None]]:
        """Scores float32[E, F], media int32[F], thresholds float64[E] (NaN where an enrolment is
        refused), and the heads.
        """
        places: list[int] = []

        def shown() -> Iterator[Shown]:
            for place, one in enumerate(pictures.media):
                for picture in _pictures(one.path, one.whose, self._every):
                    places.append(place)
                    yield picture

        total, name = len(pictures.media), pictures.name
        judged = self.bench.judge(shown(), one_face=False, total=total, label=name)
        heads = [self._head(pictures, place) for place in range(len(pictures.enrolments))]
        scores = np.full((len(heads), len(places)), np.nan, np.float32)
        for number, head in enumerate(heads):
            if head is not None:
                highest = judged.highest(head.score(judged.embeddings))
                scores[number] = np.where(np.isfinite(highest), highest, np.nan)
        limits = np.array([np.nan if head is None else head.threshold for head in heads])
        return scores, np.array(places, np.int32), limits, heads

    def _head(self, pictures: PictureSet, place: int) -> Head | None:
        one = pictures.enrolments[place]
        try:
            looks = self.bench.looks([pictures.media[k].path for k in one.media], one.whose)
            trial = Trial(one.whose, looks, _NOBODY, np.zeros(0), np.zeros(0))
            return self._enrol(given(trial, self.bench), self._cohort)
        except (RefusedError, InputError):
            return None


def each_frame_ms(head: Head, clip: Path) -> float:
    """Processor milliseconds of recognizing a frame where nothing is remembered of those before."""
    import time

    from edge.bundle.locate import shipped_bundle
    from edge.recognition.recognizer import Recognizer

    with shipped_bundle() as bundle:
        recognizer = Recognizer.open(bundle, threads=1, heads=[head], attributes=False)
    images = [shown.image_bgr for shown in frames_of(clip, "")]
    recognizer.recognize(images[0])
    began = time.process_time()
    for image in images:
        recognizer.recognize(image)
    return 1000 * (time.process_time() - began) / len(images)


_NOBODY = Judged(np.empty((0, 1)), np.empty(0, int), (), (), np.empty(0, bool), ())


def _pictures(path: Path, whose: str, every: int) -> Iterator[Shown]:
    if path.suffix in VIDEO:
        yield from islice(frames_of(path, whose), 0, None, every)
        return
    try:
        yield Shown(whose, read_picture(path), path.name)
    except PictureError:
        return
