"""Drawn people: faces with a stable identity, true labels and no privacy to lose.

No photo may be shipped with this project, so its demo, its tests and its golden crops use people
that are drawn from a seed: one height map and one albedo per person, posed and lit per shot.
They exercise the whole chain; figures measured on them say nothing about real faces.
"""

from __future__ import annotations

from trainer.drawn.attributes import CELEBA_ATTRIBUTES, person_attributes, shot_attributes
from trainer.drawn.dataset import golden_crops, write_celeba, write_photos
from trainer.drawn.person import DrawnPerson
from trainer.drawn.render import render
from trainer.drawn.shot import Expression, Light, Shot
from trainer.drawn.video import VideoTruth, Visit, write_video

__all__ = [
    "CELEBA_ATTRIBUTES",
    "DrawnPerson",
    "Expression",
    "Light",
    "Shot",
    "VideoTruth",
    "Visit",
    "golden_crops",
    "person_attributes",
    "render",
    "shot_attributes",
    "write_celeba",
    "write_photos",
    "write_video",
]
