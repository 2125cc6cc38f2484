"""Keeping: the annotated pictures of the last events, and the faces that were recognized."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edge.files.image import write_picture
from edge.people.event_pictures import FACE, PICTURE, PREFIX, face_name, region_of, slug
from edge.sinks.base import Judged, Sink


class EventPictures(Sink):
    """Keeps the last `count` pictures with which somebody arrived, as JPEG files in `folder`.

    Beside each lie the faces of all who are recognized in it, new or not, unannotated, see
    `edge.people.event_pictures`. The folder and the files can be read by their owner alone. Names
    begin with the
    time (UTC), so that they sort by it.
    """

    name = "--keep-events"
    wants_images = True
    only_events = True

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count

    def __enter__(self) -> EventPictures:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def write(self, judged: Judged) -> None:
        arrivals = [event for event in judged.events if event.kind == "arrived"]
        image = judged.annotated_bgr
        if not arrivals or image is None or judged.image_bgr is None:
            return
        time = re.sub(r"[^0-9T.]", "", arrivals[0].at.partition("+")[0])
        who = "-".join(slug(event.person or "unknown") for event in arrivals)
        stem = f"{PREFIX}{time}-{who[:80]}"
        for face in judged.result.faces:
            person = face.decision.person
            if person is not None:
                height_px, width_px = judged.image_bgr.shape[:2]
                rows, columns = region_of(face, width_px, height_px)
                self._keep(face_name(stem, person), judged.image_bgr[rows, columns])
        self._keep(stem + PICTURE, image)
        self._prune()

    def _keep(self, name: str, image_bgr: np.ndarray) -> None:
        path = self._folder / name
        write_picture(path, np.ascontiguousarray(image_bgr))
        path.chmod(0o600)

    def _prune(self) -> None:
        """Remove the oldest; only files that this sink has named."""
        for path in sorted(self._folder.glob(f"{PREFIX}*{PICTURE}"))[: -self._count]:
            for face in self._folder.glob(f"{path.stem}=*{FACE}"):
                face.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
