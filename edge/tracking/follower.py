"""The follower: pictures in their order to faces with tracks and decisions that have settled."""

from __future__ import annotations

import logging
from time import perf_counter

import numpy as np

from edge.faces.face import Face
from edge.recognition.observation import Observation, Observer, latency_of
from edge.recognition.result import FaceResult, Latency
from edge.tracking.schedule import Schedule
from edge.tracking.track import Track, Tracks

log = logging.getLogger(__name__)


class Follower:
    """Follows the faces of one camera or video. Not thread-safe.

    Only pictures for which it is due are given to the detector, and only tracks for which it is due
    are looked at; in between, boxes are where the faces should be by now.
    """

    def __init__(
        self,
        tracks: Tracks | None = None,
        schedule: Schedule | None = None,
        *,
        every_landmark: bool = False,
    ) -> None:
        """every_landmark: whether the landmarks of each detection are needed, not of looks alone;
        tilted faces cost a second look then."""
        self._settles_all = every_landmark
        self.tracks = tracks or Tracks()
        self.schedule = schedule or Schedule()
        self._looker: Observer | None = None
        self._unsearched = 0

    @property
    def living(self) -> list[int]:
        """Numbers of the tracks that have not ended."""
        return [track.number for track in self.tracks.living]

    def needs(self, time_s: float) -> bool:
        """Whether the picture of this time may be searched."""
        return self.schedule.may_be_due(self.tracks.living, time_s)

    def follow(
        self, looker: Observer, image_bgr: np.ndarray | None, time_s: float
    ) -> tuple[tuple[FaceResult, ...], Latency]:
        """The faces of the next picture, uint8[H, W, 3] BGR, largest first, and the time they took;
        without a picture those that should be there by now.

        time_s: the picture's time in seconds. When another looker comes, tracks go on and their
        votes begin anew.
        """
        started = perf_counter()
        if self._looker is not None and looker is not self._looker:
            self.tracks.forget_votes()
        self._looker = looker
        self.tracks.expire(time_s)
        looks: dict[int, Observation] = {}
        detect_s, predicted = 0.0, True
        if image_bgr is not None and self.schedule.detection_due(
            self.tracks.living, image_bgr, time_s
        ):
            with self.schedule.paying():
                detect_s, looks = self._detect(looker, image_bgr, time_s)
            predicted, self._unsearched = False, 0
        else:
            self._unsearched += 1
        results = [self._result(t, time_s, looks, predicted) for t in self.tracks.shown]
        results.sort(key=lambda result: -result.face.area_px2)
        total_s = perf_counter() - started
        spent_s = detect_s + sum(k.align_s + k.embed_s + k.decide_s for k in looks.values())
        return tuple(results), latency_of(
            looks.values(), detect_s=detect_s, total_s=total_s, track_s=total_s - spent_s
        )

    def _detect(
        self, looker: Observer, image_bgr: np.ndarray, time_s: float
    ) -> tuple[float, dict[int, Observation]]:
        """Find all faces and look at those for which it is due: the detector's seconds, and the
        looks by number of track."""
        started = perf_counter()
        faces = list(looker.detect(image_bgr))
        detect_s = perf_counter() - started
        settled = set[int]()

        def settle(index: int) -> None:
            nonlocal detect_s
            if index in settled:
                return
            began = perf_counter()
            faces[index] = looker.settled(image_bgr, faces[index])
            settled.add(index)
            detect_s += perf_counter() - began

        if self._settles_all:
            for index in range(len(faces)):
                settle(index)
        seen: dict[int, Observation] = {}

        def recall(index: int) -> Observation:
            if index not in seen:
                settle(index)
                seen[index] = looker.look(image_bgr, faces[index])
            return seen[index]

        assigned = self.tracks.assign(faces, time_s, recall)
        for index, track in enumerate(assigned):
            if index in seen or self.schedule.look_due(track, time_s):
                track.add(recall(index), time_s)
                track.face = faces[index]
        self._tell(assigned, seen, time_s)
        missed = len(self.tracks.shown) < len(self.tracks.living)
        self.schedule.detected(image_bgr, time_s, missed=missed)
        return detect_s, {assigned[index].number: look for index, look in seen.items()}

    def _tell(self, assigned: list[Track], seen: dict[int, Observation], time_s: float) -> None:
        """Why a track is not settled, and how many frames passed without a search."""
        if not log.isEnabledFor(logging.DEBUG):
            return
        log.debug(
            "at %.2f s: %d faces, %d looked at; %d frames before were not searched",
            time_s, len(assigned), len(seen), self._unsearched,
        )  # fmt: skip
        for index in seen:
            decision = assigned[index].vote.decision()
            if decision.state not in ("match", "unknown"):
                number, reason = assigned[index].number, decision.reason or "no reason"
                log.debug("track %d is %s: %s", number, decision.state, reason)

    def _result(
        self, track: Track, time_s: float, looks: dict[int, Observation], predicted: bool
    ) -> FaceResult:
        look = looks.get(track.number)
        face: Face = track.predicted(time_s) if predicted else track.face
        return FaceResult(
            face,
            track.vote.decision(),
            track=track.number,
            attributes=track.vote.attributes,
            predicted=predicted,
            look=None if look is None else look.decision,
            tasks=track.vote.tasks,
            scores=() if look is None else look.scores,
            embedding=None if look is None else look.embedding,
        )
