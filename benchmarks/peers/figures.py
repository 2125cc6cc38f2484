"""Figures of a peer on a set: accepted of the person and of strangers, at two thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peers.pictures import PictureSet
from edge.heads.threshold import Rate


@dataclass(frozen=True)
class Figures:
    """tar, far: means over enrolments of the shares of own and of strangers' frames accepted at
    the default threshold; a frame without a face is not accepted. pairs: enrolments and strangers
    of whom any frame passed. people: strangers of whom any passed before any enrolment, of all.
    tar_at_none: the same at the threshold of the set at which no stranger passes. frames: judged,
    own and strangers'. enrolments: that could be made.
    """

    set_name: str
    tuned: bool
    tar: float
    far: float
    tar_at_none: float
    pairs: Rate
    people: Rate
    frames: tuple[int, int]
    enrolments: int
    refused: int

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "pairs": vars(self.pairs), "people": vars(self.people)}

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> Figures:
        """What `to_json` gave."""
        rates = {name: Rate(**said[name]) for name in ("pairs", "people")}
        return cls(**{**said, **rates, "frames": tuple(said["frames"])})


def figures_of(
    pictures: PictureSet,
    scores: np.ndarray,
    media: np.ndarray,
    thresholds: np.ndarray,
) -> Figures:
    """scores: float32[E, F], see `benchmarks.peers.runners.protocol`. media: int32[F]. thresholds:
    float[E], NaN of an enrolment that was refused.
    """
    whose = np.array([pictures.media[k].whose for k in media])
    sitting = np.array([pictures.media[k].sitting for k in media])
    place = np.asarray(media)
    tars, fars, margins, own_margins = [], [], [], []
    pairs: dict[tuple[int, str], bool] = {}
    through: dict[str, bool] = {}
    own_frames = other_frames = 0
    for number, one in enumerate(pictures.enrolments):
        limit = thresholds[number]
        known = ~np.isnan(scores[number])
        if not np.isfinite(limit):
            continue
        enrolled = {pictures.media[k].sitting for k in one.media}
        seen = np.isin(place, one.media) | np.isin(sitting, sorted(enrolled))
        own, others = (whose == one.whose) & ~seen, whose != one.whose
        if not own.any():
            continue
        distance = np.where(known, scores[number] - limit, -np.inf)
        accepted = distance >= 0
        tars.append(float(accepted[own].mean()))
        fars.append(float(accepted[others].mean()))
        own_margins.append(distance[own])
        margins.append(distance[others])
        own_frames, other_frames = own_frames + int(own.sum()), other_frames + int(others.sum())
        for name in np.unique(whose[others]).tolist():
            passed = bool(accepted[others & (whose == name)].any())
            pairs[number, name] = passed
            through[name] = through.get(name, False) or passed
    shift = float(np.max(np.concatenate(margins))) if margins else float("nan")
    none = [float((own > max(shift, -np.inf)).mean()) for own in own_margins]
    return Figures(
        set_name=pictures.name,
        tuned=pictures.tuned,
        tar=float(np.mean(tars)),
        far=float(np.mean(fars)),
        tar_at_none=float(np.mean(none)),
        pairs=Rate(sum(pairs.values()), len(pairs)),
        people=Rate(sum(through.values()), len(through)),
        frames=(own_frames, other_frames),
        enrolments=len(tars),
        refused=int(np.isnan(thresholds).sum()),
    )
