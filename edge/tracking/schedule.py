"""The schedule: in which pictures the detector runs, and which tracks are worth another look.

The detector costs several times what a look costs, and both cost far more than following a track.
So neither runs on a picture from which nothing new is to be expected. Everything is counted in the
pictures' own time, so that a file gives the same results however fast it is read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np

from edge.tracking.budget import Budget, BudgetTurn
from edge.tracking.motion import Motion
from edge.tracking.track import Track, size_px

log = logging.getLogger(__name__)

SLACK_S = 0.002
"""Pictures come a little early and late; one that is due by so little is not left out."""

TOO_SELDOM_S = 2.0
"""With more between two searches, a track seldom lives until its votes are cast, see
`edge.tracking.track.TrackConfig`."""


@dataclass(frozen=True)
class ScheduleConfig:
    """Times between two detections and two looks, in seconds.

    quick_s: while somebody is undecided, or has just got out of sight. scan_s: else. still_s: where
    nobody is there and nothing has changed since the last detection. matched_s: to the next look at
    somebody recognized. unknown_s: at somebody unknown. hopeless_s: at what stays
    undecided after `patience` looks. moved_share: a face that has moved by so much, in face sizes,
    is detected anew before `scan_s` is over. grown: and one that has grown or shrunk by so much
    since the last look is worth another.
    """

    quick_s: float = 0.1
    scan_s: float = 0.2
    still_s: float = 1.0
    matched_s: float = 1.0
    unknown_s: float = 0.5
    hopeless_s: float = 0.4
    patience: int = 15
    moved_share: float = 0.35
    grown: float = 1.3

    def at_most(self, fps: float) -> ScheduleConfig:
        """With at most this many detections a second."""
        least_s = 1.0 / fps
        names = ("quick_s", "scan_s", "still_s", "matched_s", "unknown_s", "hopeless_s")
        return replace(self, **{name: max(getattr(self, name), least_s) for name in names})


class Schedule:
    """Decides what is due. With a `budget`, what it does not afford is put off."""

    def __init__(
        self, config: ScheduleConfig | None = None, budget: Budget | BudgetTurn | None = None
    ) -> None:
        self.config = config or ScheduleConfig()
        self.budget = budget
        self._detected_s: float | None = None
        self._missed = False
        self._motion = Motion()
        self._warned = False

    def may_be_due(self, tracks: Sequence[Track], time_s: float) -> bool:
        """Whether the picture of this time is needed to say whether the detector has to run."""
        if self._detected_s is None or time_s < self._detected_s:
            return True
        return time_s - self._detected_s + SLACK_S >= self._interval_s(tracks, time_s)

    def detection_due(self, tracks: Sequence[Track], image_bgr: np.ndarray, time_s: float) -> bool:
        """Whether the detector has to run on the picture of this time, uint8[H, W, 3] BGR."""
        if self._detected_s is None or time_s < self._detected_s:
            return True
        passed_s = time_s - self._detected_s + SLACK_S
        if passed_s < self._interval_s(tracks, time_s):
            return False
        empty = not tracks and not self._missed
        if empty and passed_s < self.config.still_s and not self._motion.differs(image_bgr):
            return False
        return self.budget is None or self.budget.affords("detect")

    def paying(self) -> AbstractContextManager[None]:
        """To be entered while a picture is searched and looked at: the budget learns the cost."""
        return nullcontext() if self.budget is None else self.budget.learning("detect")

    def detected(self, image_bgr: np.ndarray, time_s: float, *, missed: bool) -> None:
        """The detector has run on a picture, uint8[H, W, 3] BGR. missed: whether it did not find a
        track that is still alive."""
        self._detected_s, self._missed = time_s, missed
        self._motion.keep(image_bgr)
        if self.budget is not None and not self._warned:
            self._warned = _warn_if_too_little(self.budget)

    def look_due(self, track: Track, time_s: float) -> bool:
        """Whether a track that has just been detected is worth a look."""
        if track.looked_s is None:
            return True
        if time_s - track.looked_s + SLACK_S >= self._patience_s(track):
            return True
        before, now = track.looked_size_px, size_px(track.face)
        return max(before, now) >= self.config.grown * min(before, now)

    def _interval_s(self, tracks: Sequence[Track], time_s: float) -> float:
        config = self.config
        quick = self._missed or any(
            self._patience_s(track) < config.scan_s
            or track.moved_share(time_s) >= config.moved_share
            for track in tracks
            if track.shown
        )
        return config.quick_s if quick else config.scan_s

    def _patience_s(self, track: Track) -> float:
        """How long after a look the next one is due."""
        config = self.config
        if track.vote.is_confirmed:
            return config.matched_s if track.vote.choice else config.unknown_s
        hopeless = track.vote.looks >= config.patience and not track.vote.settled
        return config.hopeless_s if hopeless else config.quick_s


def _warn_if_too_little(budget: Budget | BudgetTurn) -> bool:
    """Say so where the budget affords searches too seldom to recognize anybody; whether it does."""
    interval_s = budget.interval_s("detect")
    if interval_s <= TOO_SELDOM_S:
        return False
    log.warning(
        "%.0f %% of the processor afford a search for faces every %.0f s at best, too seldom to "
        "recognize who passes by; allow at least %.0f %%",
        100 * budget.share,
        interval_s,
        100 * budget.share * interval_s,
    )
    return True
