"""The direction: which way is up in the pictures of a camera or a video, found at its start.

YuNet finds no face that lies on its side, and takes one upside down for an upright one, with the
eyes where the mouth is. In the picture turned right it finds the same face and is surer: in 100
frames of 12 upright clips the other directions never scored more, in 9 frames of a clip upside down
they scored 0.04 to 0.16 more. Most faces tell without a search, by a score that hardly any reaches
upside down. Around one that does not, every direction is searched at once, which costs little; the
whole picture is searched so only where no such face has been found for a while and something moves.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.faces.face import Face
from edge.faces.quality import face_pose
from edge.faces.roll import Find
from edge.sources.files import Frame
from edge.sources.turn import QUARTERS_DEG, Turn
from edge.tracking.motion import Motion

log = logging.getLogger(__name__)

REGION_PX = 192
"""Side of the picture around an uncertain face that is searched in every direction."""

REACH = 2.2
"""Side of that region in the longer sides of the face's box."""


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
    misfit: most, see `edge.faces.quality.Quality`. patience_s: from the first frame to the first
    search of a whole one, so that upright pictures with faces never pay for it. first_pause_s,
    longest_pause_s: between searches that found nothing, doubled from the one to the other; none
    comes while nothing has moved since the last.
    """

    votes: int = 3
    upright_votes: int = 3
    certain_score: float = 0.92
    sure_score: float = 0.9
    lead: float = 0.02
    roll_deg: float = 30.0
    misfit: float = 0.1
    patience_s: float = 1.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 3.2


EAGER = DirectionConfig(patience_s=0.0)
"""For enrolment, where each picture may count: the first one is searched in every direction."""


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
        self._had_faces = False
        self._doubtful: Face | None = None
        self._motion = Motion()

    def needs(self, time_s: float) -> bool:
        """Whether the picture of this time may be searched."""
        return self.searching and (self._next_s is None or self._is_due or self._has_waited(time_s))

    def turned(self, frame: Frame, find: Find) -> Frame:
        """The frame as it is to be judged; `find` searches it where that is due."""
        image = frame.image_bgr
        if image is None:
            return frame
        if self.searching:
            if self._next_s is None:
                self._next_s = frame.time_s + self.config.patience_s
            if self._is_due or (self._has_waited(frame.time_s) and self._motion.differs(image)):
                self._search(image, frame, find)
        turn = self._leading()
        return frame if turn.is_none else replace(frame, image_bgr=turn.applied(image))

    def saw(self, faces: Sequence[Face]) -> None:
        """What was found in the last frame that was searched: the first with faces of which none is
        certain lets the next one be searched around the largest.
        """
        if not self.searching:
            return
        certain = any(map(self._is_certain, faces))
        if certain and self._leading() == self.turn:
            self._add(0)
        elif faces:
            self._is_due |= not self._had_faces
            if not self._votes.total() or not self._leading().rotation_deg:
                self._doubtful = max(faces, key=lambda face: face.area_px2)
        self._had_faces = bool(faces)

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
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is None:
            self._motion.keep(image_bgr)
            vote = self._vote(image_bgr, find)
        else:
            vote = self._vote(self._around(image_bgr, doubtful), find, least=self.config.sure_score)
        if vote is not None:
            self._add(vote)
        self._is_due = vote is not None and len(self._votes) == 1
        if not self._is_due:
            self._next_s = frame.time_s + self._pause_s
            self._pause_s = min(2 * self._pause_s, self.config.longest_pause_s)
            return
        self._pause_s = self.config.first_pause_s
        if vote and self._votes[vote] >= self.config.votes:
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

    def _around(self, image_bgr: np.ndarray, face: Face) -> np.ndarray:
        """The part of a picture around a face that was found in it, uint8[P, P, 3] BGR."""
        x, y, width, height = face.box_px
        middle_x = x + width / 2
        if self.turn.mirror:
            middle_x = image_bgr.shape[1] - middle_x
        reach = REACH * max(width, height) / 2
        left, top = max(0, int(middle_x - reach)), max(0, int(y + height / 2 - reach))
        part = image_bgr[
            top : max(top + 2, int(y + height / 2 + reach)),
            left : max(left + 2, int(middle_x + reach)),
        ]
        if not part.size:
            return image_bgr
        zoom = REGION_PX / max(part.shape[:2])
        method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        return cv2.resize(part, None, fx=zoom, fy=zoom, interpolation=method)

    def _is_certain(self, face: Face) -> bool:
        return self._is_plausible(face) and face.detector_score >= self.config.certain_score

    def _vote(self, image_bgr: np.ndarray, find: Find, least: float = 0.0) -> int | None:
        """The rotation that a frame speaks for, None where it says nothing. least: score of a face
        that says upright."""
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
        if scores[0] > 0 and scores[0] >= max(least, others[best]):
            return 0
        ahead = others[best] >= max(config.sure_score, scores[0] + config.lead)
        return best if ahead and any(map(self._is_plausible, found[best])) else None

    def _is_plausible(self, face: Face) -> bool:
        """Whether its landmarks lie as an upright face's."""
        config = self.config
        pose = face_pose(face.landmarks())
        sure = face.detector_score >= config.sure_score
        return sure and pose.misfit <= config.misfit and abs(pose.roll_deg) <= config.roll_deg
