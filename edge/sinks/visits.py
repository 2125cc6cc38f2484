"""Keeping visits: the sink that turns results into visits and hands each on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from edge.sinks.base import Judged, Sink
from edge.visits.gather import Gatherer
from edge.visits.store import VisitStore
from edge.visits.visit import Visit


class VisitKeeper(Sink):
    """Gathers visits, keeps them in `store` where there is one, and tells `listeners` of each."""

    name = "--keep-visits"

    def __init__(
        self,
        gatherer: Gatherer,
        store: VisitStore | None = None,
        listeners: Sequence[Callable[[Visit], None]] = (),
        *,
        faces: bool = False,
        trim: Callable[[Visit], Visit | None] = lambda visit: visit,
        forget_unknown_after_s: float | None = None,
    ) -> None:
        """trim: what is kept of a visit, None for nothing."""
        self.wants_images = faces
        self._gatherer = gatherer
        self._store = store
        self._listeners = tuple(listeners)
        self._trim = trim
        self._after_s = forget_unknown_after_s
        self._lock = threading.Lock()

    def __enter__(self) -> VisitKeeper:
        if self._store is not None and self._after_s is not None:
            self._store.forget_unknown(self._after_s)
        return self

    def write(self, judged: Judged) -> None:
        with self._lock:
            visits = self._gatherer.add(judged.result, judged.image_bgr)
        self._hand_on(visits)

    def know(self, people: Sequence[str]) -> None:
        with self._lock:
            self._gatherer.keep(people)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            visits = self._gatherer.close()
        self._hand_on(visits)

    def _hand_on(self, visits: Sequence[Visit]) -> None:
        for visit in visits:
            kept = self._trim(visit)
            if self._store is not None and kept is not None:
                if self._after_s is not None:
                    self._store.forget_unknown(self._after_s)
                self._store.add(kept)
            for listener in self._listeners:
                listener(visit)
