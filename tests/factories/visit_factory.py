"""Made-up visits: looks of made-up people before real heads, as the gatherer makes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from look_factory import a_face

from edge.heads.decision import HeadScore
from edge.heads.head import Head
from edge.recognition.observation import Observation
from edge.recognition.result import FaceResult, FrameResult
from edge.tracking.vote import Vote
from edge.visits.gather import Gatherer
from edge.visits.visit import Visit

PICTURE = np.full((240, 320, 3), 90, np.uint8)


def results_of(
    embeddings: np.ndarray,
    heads: Sequence[Head],
    *,
    track: int = 1,
    from_s: float = 0.0,
    every_s: float = 0.4,
    source: str = "camera 0",
) -> list[FrameResult]:
    """One frame for each row of float32[N, D], looked at and voted on as live."""
    vote, found = Vote(), []
    for row, embedding in enumerate(embeddings):
        time_s = from_s + row * every_s
        scores = tuple(
            HeadScore(h.name, float(h.score(embedding[None])[0]), h.threshold, h.margin, h.key)
            for h in heads
        )
        vote.add(Observation(a_face(), scores=scores, embedding=embedding), time_s)
        face = FaceResult(a_face(), vote.decision(), track, scores=scores, embedding=embedding)
        found.append(FrameResult(source, row, time_s, (face,)))
    return found


def visit_of(
    embeddings: np.ndarray, heads: Sequence[Head], *, faces: bool = True, source: str = "camera 0"
) -> Visit:
    """The visit that these looks make."""
    gatherer = Gatherer(heads[0].embedder_sha256, faces=faces)
    for result in results_of(embeddings, heads, source=source):
        assert not gatherer.add(result, PICTURE)
    (visit,) = gatherer.close()
    return visit
