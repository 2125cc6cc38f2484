"""Visits while `edge-recognize` runs: kept where the options ask for it, and counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import ToolkitError, UsageError
from edge.visits.camera_book import Adapt, changing_book
from edge.visits.groups import without_faces
from edge.visits.visit import UNKNOWN, Visit

if TYPE_CHECKING:
    from edge.heads.head import Head
    from edge.recognition.recognizer import Recognizer
    from edge.sinks.base import Sink
    from edge.sources.files import Source

log = logging.getLogger(__name__)

Tell = Callable[[str, Any], None]
"""Says facts under a topic, as `edge.sinks.mqtt.Mqtt.tell` does."""


@dataclass(frozen=True)
class VisitOptions:
    """keep: number of visits, None for none. faces: with the best face and the embeddings. adapt:
    see `--adapt`. votes: see `--votes`. track: whether faces are followed.
    key_file: of the people."""

    keep: int | None = None
    faces: bool = False
    remember_unknown_s: float | None = None
    adapt: Adapt = "report"
    votes: tuple[int, int] | None = None
    track: bool = True
    key_file: Path | None = None


class Visiting:
    """Gathers and counts visits. heads: of the recognizer that judges now; to be set again when
    another one does. tell: whom to tell what the counts say."""

    def __init__(
        self, options: VisitOptions, recognizer: Recognizer, ask_reload: Callable[[], None]
    ) -> None:
        self.heads: Sequence[Head] = recognizer.heads
        self.tell: list[Tell] = []
        self._options = options
        self._recognizer = recognizer
        self._ask_reload = ask_reload

    def sinks(self, sources: Sequence[Source]) -> list[Sink]:
        """The sink that gathers, where there is something to do. Raises `UsageError` for
        pictures."""
        options = self._options
        alone = any(source.kind in ("picture", "folder") for source in sources)
        if (options.keep is not None or options.remember_unknown_s is not None) and alone:
            raise UsageError("--keep-visits needs a camera or a video, and these are pictures")
        live = any(source.live for source in sources)
        counting = live and options.track and options.adapt != "off"
        remember_s = options.remember_unknown_s
        if options.keep is None and remember_s is None and not counting:
            return []
        from edge.people.encryption import Encryption
        from edge.sinks.visits import VisitKeeper
        from edge.tracking.vote import VoteConfig
        from edge.visits.gather import Gatherer
        from edge.visits.store import MOST_VISITS, VisitStore

        votes = VoteConfig() if options.votes is None else VoteConfig(*options.votes)
        faces = options.faces or remember_s is not None
        sha256 = self._recognizer.embedder.network.sha256 if faces else ""
        gatherer = Gatherer(sha256, faces=faces, votes=votes)
        store = None
        if options.keep is not None or remember_s is not None:
            most = MOST_VISITS if options.keep is None else options.keep
            store = VisitStore(vault=Encryption.open(options.key_file), keep=most)
        listeners = [self.count] if counting else []
        return [
            VisitKeeper(
                gatherer,
                store,
                listeners,
                faces=faces,
                trim=self._kept,
                forget_unknown_after_s=remember_s,
            )
        ]

    def _kept(self, visit: Visit) -> Visit | None:
        """What the options let be kept of a visit."""
        options = self._options
        if visit.state == UNKNOWN and options.remember_unknown_s is not None:
            return visit
        if options.keep is None:
            return None
        return visit if options.faces else without_faces(visit)

    def count(self, visit: Visit) -> None:
        """Count a visit in the camera book, and raise thresholds where the options say so."""
        heads = list(self.heads)
        try:
            with changing_book() as held:
                held[0] = held[0].counted(visit, heads)
                if self._options.adapt == "on":
                    held[0], words = held[0].raised(heads)
                    for word in words:
                        log.warning("%s", word)
                    if words:
                        self._ask_reload()
                book = held[0]
        except ToolkitError as problem:
            log.warning("a visit was not counted: %s", problem)
            return
        facts = {head.name: [b.to_json() for b in book.bounds(head)] for head in heads}
        for tell in self.tell:
            tell("bounds", facts)
