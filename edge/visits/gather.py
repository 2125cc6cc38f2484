"""Gathering: from results, picture by picture, to visits.

A visit is one track. Whoever is lost and found again within `AGAIN_S` before the same camera, and
looks the same, goes on with the visit, so that turning around does not make two strangers of one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

import numpy as np

from edge.heads.decision import Decision, HeadScore
from edge.people.event_pictures import face_jpeg
from edge.recognition.result import FaceResult, FrameResult
from edge.tracking.vote import VoteConfig
from edge.visits.visit import MATCH, UNKNOWN, Looks, Visit, level_of

LEAVE_S = 2.0
"""Who has not been seen for so long has gone, as for events."""

AGAIN_S = 10.0
ALIKE = 0.6
"""Cosine of mean embeddings: of one person in one webcam clip 95 % reach 0.6 after a second, of
different people before one webcam 5 % reach 0.56 (shipped base, see `edge.tracking.track`)."""

FIRST_LOOKS, LAST_LOOKS = 8, 16
"""Looks that are kept of a visit: its first ones, and those around a match or before its end."""

AFTER_MATCH = 4
BETTER = 1.2
"""A face replaces the kept one when its box's area times its detector score is so much larger."""


@dataclass(frozen=True, eq=False)
class _Look:
    time_s: float
    scores: Sequence[HeadScore]
    embedding: np.ndarray | None


@dataclass
class _Draft:
    source: str
    first_s: float
    last_s: float
    at: str
    first: list[_Look] = field(default_factory=list)
    last: deque[_Look] = field(default_factory=lambda: deque(maxlen=LAST_LOOKS))
    after_match: int | None = None
    recent: dict[str, deque[float]] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)
    match: Decision | None = None
    unknown: Decision | None = None
    other: Decision | None = None
    signature: np.ndarray | None = None
    face_jpeg: bytes = b""
    face_worth: float = 0.0

    def decision(self) -> Decision | None:
        return self.match or self.unknown or self.other

    def settle(self, decision: Decision) -> None:
        if decision.state == MATCH:
            self.match = decision
            if self.after_match is None:
                self.after_match = AFTER_MATCH
        elif decision.state == UNKNOWN:
            self.unknown = decision
        else:
            self.other = decision

    def add(self, look: _Look, votes: VoteConfig) -> None:
        for score in look.scores:
            recent = self.recent.setdefault(score.head, deque(maxlen=votes.of))
            recent.append(score.score)
            level = level_of(list(recent), votes.votes, votes.of)
            self.levels[score.head] = max(self.levels.get(score.head, -np.inf), level)
        if look.embedding is not None:
            before = 0.0 if self.signature is None else self.signature
            self.signature = before + look.embedding.astype(np.float64)
        if len(self.first) < FIRST_LOOKS:
            self.first.append(look)
        elif self.after_match is None or self.after_match > 0:
            self.last.append(look)
            if self.after_match is not None:
                self.after_match -= 1


class Gatherer:
    """Turns results into visits. Not thread-safe.

    embedder_sha256: of the network that the results' embeddings are of. faces: whether the owner
    keeps faces: the best picture of each visitor, and embeddings. unjudged: visitors of whom no
    look passed the quality gate, who are counted and not kept.
    """

    def __init__(
        self, embedder_sha256: str = "", *, faces: bool = False, votes: VoteConfig | None = None
    ) -> None:
        self.unjudged = 0
        self._embedder_sha256 = embedder_sha256
        self._faces = faces
        self._votes = votes or VoteConfig()
        self._there: dict[tuple[str, int], _Draft] = {}
        self._resting: list[_Draft] = []

    def add(self, result: FrameResult, image_bgr: np.ndarray | None) -> tuple[Visit, ...]:
        """The visits that are over with this result; image_bgr: uint8[H, W, 3], its picture."""
        self._let_rest(result)
        for face in result.faces:
            if face.track is not None:
                self._see(face, result, image_bgr)
        return tuple(self._ended(result.source, result.time_s))

    def keep(self, people: Collection[str]) -> None:
        """Drop who was taken for somebody called otherwise: they are to be forgotten."""

        def stays(draft: _Draft) -> bool:
            return draft.match is None or draft.match.person in people

        self._there = {key: draft for key, draft in self._there.items() if stays(draft)}
        self._resting = [draft for draft in self._resting if stays(draft)]

    def close(self) -> tuple[Visit, ...]:
        """All others, at the end."""
        drafts = [*self._resting, *self._there.values()]
        self._resting, self._there = [], {}
        return tuple(visit for draft in drafts if (visit := self._visit(draft)) is not None)

    def _see(self, face: FaceResult, result: FrameResult, image_bgr: np.ndarray | None) -> None:
        assert face.track is not None
        key = (result.source, face.track)
        draft = self._there.get(key)
        if draft is None:
            at = datetime.now(timezone.utc).isoformat(timespec="seconds")
            draft = self._there[key] = _Draft(result.source, result.time_s, result.time_s, at)
        draft.last_s = result.time_s
        draft.settle(face.decision)
        if not face.scores and face.embedding is None:
            return
        if draft.signature is None and face.embedding is not None:
            draft = self._there[key] = self._continued(draft, face.embedding)
        draft.add(_Look(result.time_s, face.scores, face.embedding), self._votes)
        if self._faces and image_bgr is not None:
            _keep_best(draft, face, image_bgr)

    def _continued(self, draft: _Draft, embedding: np.ndarray) -> _Draft:
        """The visit that goes on with this look; `draft` where it is a new one."""
        for before in self._resting:
            if before.source == draft.source and before.signature is not None:
                likeness = embedding @ before.signature / np.linalg.norm(before.signature)
                if likeness >= ALIKE and draft.first_s - before.last_s <= AGAIN_S:
                    self._resting.remove(before)
                    before.last_s = draft.last_s
                    before.match = draft.match or before.match
                    before.unknown = draft.unknown or before.unknown
                    return before
        return draft

    def _let_rest(self, result: FrameResult) -> None:
        """Who has not been seen for long has left, and may come back; who is seen has not."""
        seen = {(result.source, face.track) for face in result.faces}
        for key, draft in list(self._there.items()):
            gone = not 0 <= result.time_s - draft.last_s <= LEAVE_S
            if draft.source == result.source and gone and key not in seen:
                self._resting.append(self._there.pop(key))

    def _ended(self, source: str, time_s: float) -> Iterator[Visit]:
        for draft in list(self._resting):
            if draft.source == source and not 0 <= time_s - draft.last_s <= LEAVE_S + AGAIN_S:
                self._resting.remove(draft)
                visit = self._visit(draft)
                if visit is not None:
                    yield visit

    def _visit(self, draft: _Draft) -> Visit | None:
        decision = draft.decision()
        kept = [*draft.first, *draft.last]
        if decision is None or not kept:
            self.unjudged += 1
            return None
        return Visit(
            number=0,
            source=draft.source,
            at=draft.at,
            lasted_s=draft.last_s - draft.first_s,
            state=decision.state,
            person=decision.person,
            score=decision.score,
            threshold=decision.threshold,
            levels={head: level for head, level in draft.levels.items() if np.isfinite(level)},
            looks=self._looks(kept),
            face_jpeg=draft.face_jpeg,
        )

    def _looks(self, kept: list[_Look]) -> Looks:
        heads = tuple(dict.fromkeys(score.head for look in kept for score in look.scores))
        places = {head: place for place, head in enumerate(heads)}
        scores = np.full((len(kept), len(heads)), np.nan, np.float32)
        for row, look in enumerate(kept):
            for score in look.scores:
                scores[row, places[score.head]] = score.score
        embeddings = np.zeros((0, 0), np.float32)
        if self._faces and all(look.embedding is not None for look in kept):
            embeddings = np.stack([np.asarray(look.embedding, np.float32) for look in kept])
        times = np.array([look.time_s for look in kept])
        return Looks(times, heads, scores, embeddings, self._embedder_sha256)


def _keep_best(draft: _Draft, face: FaceResult, image_bgr: np.ndarray) -> None:
    worth = face.face.area_px2 * face.face.detector_score
    if worth < BETTER * draft.face_worth:
        return
    jpeg = face_jpeg(face, image_bgr)
    if jpeg:
        draft.face_jpeg, draft.face_worth = jpeg, worth
