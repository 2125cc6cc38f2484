"""Visits while `edge-recognize` runs: kept where the options ask for it, and counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import ToolkitError, UsageError
from edge.visits.camera_book import Adapt, changing_book
from edge.visits.visit import Visit

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
        if options.keep is not None and alone:
            raise UsageError("--keep-visits needs a camera or a video, and these are pictures")
        live = any(source.live for source in sources)
        counting = live and options.track and options.adapt != "off"
        if options.keep is None and not counting:
            return []
        from edge.people.encryption import Encryption
        from edge.sinks.visits import VisitKeeper
        from edge.tracking.vote import VoteConfig
        from edge.visits.gather import Gatherer
        from edge.visits.store import VisitStore

        votes = VoteConfig() if options.votes is None else VoteConfig(*options.votes)
        sha256 = self._recognizer.embedder.network.sha256 if options.faces else ""
        gatherer = Gatherer(sha256, faces=options.faces, votes=votes)
        store = None
        if options.keep is not None:
            store = VisitStore(vault=Encryption.open(options.key_file), keep=options.keep)
        listeners = [self.count] if counting else []
        return [VisitKeeper(gatherer, store, listeners, faces=options.faces)]

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
