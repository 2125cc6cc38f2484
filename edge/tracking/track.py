"""Tracks: faces followed from one picture to the next, by where they are and what they look like.

A detected face belongs to the track whose predicted box it overlaps (as in SORT of Bewley et al.,
ICIP 2016). Where that leaves a choice (two people who cross), or a face was away for a moment or
has jumped, its embedding has to say so (as in Deep SORT of Wojke et al., ICIP 2017). Pairs are
taken greedily, the likeliest first: the handful of faces before a camera needs no assignment of
least cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from edge.faces.face import Face
from edge.recognition.observation import Observation
from edge.tracking.vote import Vote, VoteConfig

Recall = Callable[[int], Observation]
"""Looks at the face of that number; called only where an embedding is needed."""


@dataclass(frozen=True)
class TrackConfig:
    """overlap: least IoU of the predicted and the found box; where another face or track overlaps
    by `doubtful`, too, that does not tell whose it is. reach: how far, in face sizes, a face can be
    from where it should be; reach_per_s: and how much farther for each second that it was not seen
    (walking past, 1.5 m/s, are ten faces of 15 cm); farthest: at most. growth: most ratio of its
    sizes. likeness: least cosine of the embedding with those of the track, where one is needed; of
    one person in one webcam clip 95 % reach 0.6 after a second, of different people before one
    webcam 5 % reach 0.56 (shipped base). unseen_s: away for longer,
    a face has to be known by its embedding. lost_s: and after so long its track has ended.
    unwatched_s: the same where no picture was searched since. Tuned on webcam clips.
    """

    overlap: float = 0.3
    doubtful: float = 0.1
    reach: float = 0.5
    reach_per_s: float = 10.0
    farthest: float = 3.0
    growth: float = 2.0
    likeness: float = 0.5
    unseen_s: float = 0.5
    lost_s: float = 1.0
    unwatched_s: float = 4.0


class Track:
    """One face over time.

    number: never used again. face: as found last. seen_s: when. shown: whether the last detection
    found it. speed_px_s: float64[2], of the box's centre. signature: sum of its looks' embeddings,
    float64[D]. looked_s: when it was looked at last.
    """

    def __init__(self, number: int, face: Face, time_s: float, votes: VoteConfig) -> None:
        self.number = number
        self.face = face
        self.seen_s = time_s
        self.shown = True
        self.speed_px_s = np.zeros(2)
        self.vote = Vote(votes)
        self.looked_s: float | None = None
        self.looked_size_px = 0.0
        self.signature: np.ndarray | None = None

    def predicted(self, time_s: float) -> Face:
        """The face where it should be by now, moved as a whole."""
        shift = self.speed_px_s * (time_s - self.seen_s)
        return moved(self.face, float(shift[0]), float(shift[1]))

    def moved_share(self, time_s: float) -> float:
        """How far it has moved since it was found, in face sizes."""
        shift = self.speed_px_s * (time_s - self.seen_s)
        return float(np.hypot(*shift)) / max(size_px(self.face), 1.0)

    def found(self, face: Face, time_s: float) -> None:
        """The detector has found it again."""
        passed_s = time_s - self.seen_s
        if passed_s > 0:
            speed = (centre_px(face) - centre_px(self.face)) / passed_s
            self.speed_px_s = 0.5 * self.speed_px_s + 0.5 * speed
        self.face, self.seen_s, self.shown = face, time_s, True

    def add(self, look: Observation, time_s: float) -> None:
        """It has been looked at."""
        self.looked_s, self.looked_size_px = time_s, size_px(look.face)
        self.vote.add(look, time_s)
        if look.embedding is not None:
            before = 0.0 if self.signature is None else self.signature
            self.signature = before + look.embedding.astype(np.float64)

    def likeness(self, embedding: np.ndarray | None) -> float | None:
        """Cosine of an embedding, float32[D] of length 1, with the mean of its own; None without
        one of them."""
        if embedding is None or self.signature is None:
            return None
        return float(embedding @ self.signature / max(np.linalg.norm(self.signature), 1e-12))


class Tracks:
    """All tracks that have not ended."""

    def __init__(
        self,
        config: TrackConfig | None = None,
        votes: VoteConfig | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        """numbers: of new tracks; shared by the streams of a run, so that none is used twice."""
        self.config = config or TrackConfig()
        self.votes = votes or VoteConfig()
        self.living: list[Track] = []
        self._numbers = numbers or count(1)

    @property
    def shown(self) -> list[Track]:
        """Those that the last detection found."""
        return [track for track in self.living if track.shown]

    def expire(self, time_s: float) -> None:
        """End the tracks that have not been seen for too long; all, where time has jumped back."""
        self.living = [t for t in self.living if 0 <= time_s - t.seen_s <= self._patience_s(t)]

    def _patience_s(self, track: Track) -> float:
        return self.config.unwatched_s if track.shown else self.config.lost_s

    def forget_votes(self) -> None:
        """Start a new vote, because another recognizer with other embeddings decides now."""
        for track in self.living:
            track.vote, track.looked_s, track.signature = Vote(self.votes), None, None

    def assign(self, faces: Sequence[Face], time_s: float, recall: Recall) -> list[Track]:
        """The track of each detected face, in their order; new ones for faces that have none."""
        pairs = self._pairs(faces, time_s, recall)
        found: dict[int, Track] = {}
        for track, index in pairs:
            found[index] = track
        for track in self.living:
            track.shown = False
        self.living = [t for t in self.living if self._lasts(t, found, time_s)]
        for index, face in enumerate(faces):
            if index in found:
                found[index].found(face, time_s)
            else:
                found[index] = Track(next(self._numbers), face, time_s, self.votes)
                self.living.append(found[index])
        return [found[index] for index in range(len(faces))]

    def _lasts(self, track: Track, found: dict[int, Track], time_s: float) -> bool:
        return track in found.values() or time_s - track.seen_s <= self.config.lost_s

    def _pairs(
        self, faces: Sequence[Face], time_s: float, recall: Recall
    ) -> list[tuple[Track, int]]:
        """Which track has which face: first where places leave no doubt, then by likeness."""
        near = [
            _Pair(track, index, overlap)
            for track in self.living
            for index, face in enumerate(faces)
            if (overlap := self._nearness(track, face, time_s)) is not None
        ]
        found = [pair for pair in near if self._is_sure(pair, near, time_s)]
        taken = [(pair.track, pair.index) for pair in found]
        rated = []
        for pair in near:
            if all(pair.track is not track and pair.index != index for track, index in taken):
                affinity = self._affinity(pair, time_s, recall)
                rated += [] if affinity is None else [(affinity, pair)]
        for _, pair in sorted(rated, key=lambda one: -one[0]):
            if all(pair.track is not track and pair.index != index for track, index in taken):
                taken.append((pair.track, pair.index))
        return taken

    def _nearness(self, track: Track, face: Face, time_s: float) -> float | None:
        """IoU with where the track should be, which may be 0; None where it is out of reach."""
        config = self.config
        expected = track.predicted(time_s)
        overlap = iou(expected.box_px, face.box_px)
        if overlap >= config.overlap:
            return overlap
        size, other = size_px(expected), size_px(face)
        if max(size, other) > config.growth * min(size, other):
            return None
        away_s = time_s - track.seen_s
        reach_px = size * min(config.reach + config.reach_per_s * away_s, config.farthest)
        near_px = min(
            float(np.hypot(*(centre_px(face) - centre_px(one)))) for one in (expected, track.face)
        )
        return overlap if near_px <= reach_px else None

    def _fits(self, pair: _Pair, time_s: float) -> bool:
        """Whether the place alone may tell."""
        recent = time_s - pair.track.seen_s <= self.config.unseen_s
        return recent and pair.overlap >= self.config.overlap

    def _is_sure(self, pair: _Pair, near: list[_Pair], time_s: float) -> bool:
        """Whether the place tells, and neither the track nor the face overlaps another."""
        rivals = [
            one
            for one in near
            if (one.track is pair.track) != (one.index == pair.index)
            and one.overlap >= self.config.doubtful
        ]
        return self._fits(pair, time_s) and not rivals

    def _affinity(self, pair: _Pair, time_s: float, recall: Recall) -> float | None:
        """How likely the pair is; None where it cannot be."""
        likeness = pair.track.likeness(recall(pair.index).embedding)
        if likeness is None:
            return pair.overlap if self._fits(pair, time_s) else None
        if likeness < self.config.likeness:
            return None
        return pair.overlap + 2.0 * likeness


@dataclass(frozen=True, eq=False)
class _Pair:
    """A track and a face that may be its own. overlap: IoU."""

    track: Track
    index: int
    overlap: float


def iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes (x, y, width, height)."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    common = across * down
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def size_px(face: Face) -> float:
    """The side of a square as large as the face's box."""
    return float(np.sqrt(max(face.area_px2, 0.0)))


def centre_px(face: Face) -> np.ndarray:
    """The center of the face's box, float64[2]."""
    x, y, width, height = face.box_px
    return np.array([x + width / 2, y + height / 2])


def moved(face: Face, dx_px: float, dy_px: float) -> Face:
    """The face with its landmarks at another place."""
    x, y, width, height = face.box_px
    points = tuple((px + dx_px, py + dy_px) for px, py in face.landmarks_px)
    return replace(face, box_px=(x + dx_px, y + dy_px, width, height), landmarks_px=points)
