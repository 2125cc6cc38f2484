"""The direction: which way is up in the pictures of a camera or a video, found at its start.

YuNet finds no face that lies on its side, and takes one upside down for an upright one, with the
eyes where the mouth is. In the picture turned right it finds the same face and is surer: in 100
frames of 12 upright clips the other directions never scored more, in 9 frames of a clip upside down
they scored 0.04 to 0.16 more. So at the start every direction is searched until faces have told;
most do without a search, by a score that hardly any face reaches upside down.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.faces.face import Face
from edge.faces.quality import face_pose
from edge.faces.roll import Find
from edge.sources.files import Frame
from edge.sources.turn import QUARTERS_DEG, Turn

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DirectionConfig:
    """Tuned on the clips of Intel and on head poses (see above); 176 photographs and stills of
    other people gave no upright picture another direction.

    votes: frames that have to agree on another direction, and none may say upright. upright_votes:
    frames that end the search where the picture is upright already. certain_score: of a face that
    alone says that its picture is upright; of 427 faces of photographs, stills and webcams 70 %
    reach it, of 250 in a wrong direction 1. sure_score: least score of a
    face in another direction. lead: how much more it has to score than in the picture as it is.
    roll_deg: most lean of such a face; heads that lean by 40 degrees are found in two directions.
    misfit: most, see `edge.faces.quality.Quality`. first_pause_s, longest_pause_s: between searches
    that found nothing, doubled from the one to the other.
    """

    votes: int = 3
    upright_votes: int = 3
    certain_score: float = 0.92
    sure_score: float = 0.9
    lead: float = 0.02
    roll_deg: float = 30.0
    misfit: float = 0.1
    first_pause_s: float = 0.1
    longest_pause_s: float = 3.2


class Direction:
    """Turns the frames of one camera or video.

    turn: what is known from the start. search: whether to find out by itself which way is up; the
    answer is logged, and holds for good. While all faces so far say that the picture lies
    otherwise, frames are turned so already.
    """

    def __init__(
        self,
        turn: Turn | None = None,
        *,
        search: bool = True,
        config: DirectionConfig | None = None,
    ) -> None:
        self.config = config or DirectionConfig()
        self.turn = turn or Turn()
        self.searching = search
        self._votes: Counter[int] = Counter()
        self._next_s: float | None = None
        self._pause_s = self.config.first_pause_s
        self._is_due = False
        self._faces: bool | None = None

    def turned(self, frame: Frame, find: Find) -> Frame:
        """The frame as it is to be judged; `find` searches it where that is due."""
        image = frame.image_bgr
        if image is None:
            return frame
        if self.searching and (self._is_due or self._has_waited(frame.time_s)):
            self._search(image, frame, find)
        turn = self._leading()
        return frame if turn.is_none else replace(frame, image_bgr=turn.applied(image))

    def saw(self, faces: Sequence[Face]) -> None:
        """What was found in the last frame that was searched: the first frame without a face, and
        the first with faces that are not certain, let the next one be searched in all directions.
        """
        if not self.searching:
            return
        certain = any(map(self._is_certain, faces))
        if certain and self._leading() == self.turn:
            self._add(0)
        elif bool(faces) != self._faces and (faces or self._faces is None):
            self._is_due = True
        self._faces = bool(faces)

    def _has_waited(self, time_s: float) -> bool:
        next_s = self._next_s
        if next_s is None:
            return False
        return time_s >= next_s or time_s < next_s - self.config.longest_pause_s

    def _leading(self) -> Turn:
        """The turn that holds, or the one that all votes so far are for."""
        if not self.searching or len(self._votes) != 1:
            return self.turn
        (rotation_deg,) = self._votes
        return replace(self.turn, rotation_deg=rotation_deg)

    def _search(self, image_bgr: np.ndarray, frame: Frame, find: Find) -> None:
        vote = self._vote(image_bgr, find)
        self._is_due = vote is not None
        if vote is None:
            self._next_s = frame.time_s + self._pause_s
            self._pause_s = min(2 * self._pause_s, self.config.longest_pause_s)
            return
        self._pause_s = self.config.first_pause_s
        self._add(vote)
        if vote and len(self._votes) == 1 and self._votes[vote] >= self.config.votes:
            self.turn = replace(self.turn, rotation_deg=vote)
            self.searching = False
            log.warning(
                "the picture of %s is %s: it is turned by %d degrees from here on; "
                "--rotate %d turns it from the start",
                frame.source,
                "upside down" if vote == 180 else "on its side",
                vote,
                vote,
            )

    def _add(self, vote: int) -> None:
        self._votes[vote] += 1
        if self._votes[0] >= self.config.upright_votes:
            self.searching = False

    def _is_certain(self, face: Face) -> bool:
        return self._is_plausible(face) and face.detector_score >= self.config.certain_score

    def _vote(self, image_bgr: np.ndarray, find: Find) -> int | None:
        """The rotation that a frame speaks for, None where it says nothing."""
        config = self.config
        found = {
            angle: find(replace(self.turn, rotation_deg=angle).applied(image_bgr))
            for angle in QUARTERS_DEG
        }
        scores = {
            angle: max((face.detector_score for face in faces), default=0.0)
            for angle, faces in found.items()
        }
        others = {angle: score for angle, score in scores.items() if angle}
        best = max(others, key=lambda angle: others[angle])
        if scores[0] > 0 and scores[0] >= others[best]:
            return 0
        ahead = others[best] >= max(config.sure_score, scores[0] + config.lead)
        return best if ahead and any(map(self._is_plausible, found[best])) else None

    def _is_plausible(self, face: Face) -> bool:
        """Whether its landmarks lie as an upright face's."""
        config = self.config
        pose = face_pose(face.landmarks())
        sure = face.detector_score >= config.sure_score
        return sure and pose.misfit <= config.misfit and abs(pose.roll_deg) <= config.roll_deg
