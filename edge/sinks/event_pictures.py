"""Keeping: the annotated pictures of the last events, and the faces that were recognized."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edge.files.atomic import make_folder, remove_files
from edge.files.image import write_picture
from edge.people.event_pictures import (
    FACE,
    LONGEST_WHO,
    NOBODY,
    PICTURE,
    PREFIX,
    event_pictures,
    face_name,
    next_number,
    region_of,
    slug,
)
from edge.sinks.base import Judged, Sink


class EventPictures(Sink):
    """Keeps the last `count` pictures with which somebody arrived, as JPEG files in `folder`.

    Beside each lie the faces of all who are recognized in it, new or not, unannotated, see
    `edge.people.event_pictures`. The folder and the files can be read by their owner alone. Names
    begin with the event's number, by which they sort, and its time (UTC).
    """

    name = "--keep-events"
    wants_images = True
    only_events = True

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count

    def __enter__(self) -> EventPictures:
        make_folder(self._folder, private=True)
        return self

    def write(self, judged: Judged) -> None:
        arrivals = [event for event in judged.events if event.kind == "arrived"]
        image, shown = judged.annotated_bgr, judged.shown_bgr
        if not arrivals or image is None or shown is None:
            return
        time = re.sub(r"[^0-9T.]", "", arrivals[0].at.partition("+")[0])
        who = "-".join(slug(event.person or NOBODY) for event in arrivals)
        stem = f"{PREFIX}{next_number(self._folder):08d}-{time}-{who[:LONGEST_WHO]}"
        for face in judged.result.faces:
            person = face.decision.person
            if person is not None:
                height_px, width_px = shown.shape[:2]
                rows, columns = region_of(face, width_px, height_px)
                self._keep(face_name(stem, person), shown[rows, columns])
        self._keep(stem + PICTURE, image)
        self._prune()

    def _keep(self, name: str, image_bgr: np.ndarray) -> None:
        write_picture(self._folder / name, np.ascontiguousarray(image_bgr), private=True)

    def _prune(self) -> None:
        """Remove the oldest; only files that this sink has named."""
        for path in event_pictures(self._folder)[: -self._count]:
            remove_files([*self._folder.glob(f"{path.stem}=*{FACE}"), path])
