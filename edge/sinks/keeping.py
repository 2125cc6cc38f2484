"""Keeping: the annotated pictures of the last events."""

from __future__ import annotations

import re
from pathlib import Path

from edge.annotate import plain_text
from edge.picture import write_picture
from edge.sink import Judged, Sink


class EventPictures(Sink):
    """Keeps the last `count` pictures with which somebody arrived, as JPEG files in `folder`.

    The folder and the files can be read by their owner alone. Names begin with the time (UTC), so
    that they sort by it.
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
        if not arrivals or image is None:
            return
        time = re.sub(r"[^0-9T.]", "", arrivals[0].at.partition("+")[0])
        who = "-".join(_slug(event.person or "unknown") for event in arrivals)
        path = self._folder / f"event-{time}-{who[:80]}.jpg"
        write_picture(path, image)
        path.chmod(0o600)
        self._prune()

    def _prune(self) -> None:
        """Remove the oldest; only files that this sink has named."""
        for path in sorted(self._folder.glob("event-*.jpg"))[: -self._count]:
            path.unlink(missing_ok=True)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", plain_text(name).lower()).strip("_") or "person"
