"""A sitting: somebody before a camera, or in photos and videos, until there are looks enough."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.console.display_text import counted, for_terminal
from edge.console.progress import progress_bar
from edge.enrolment.guide import Guide
from edge.enrolment.samples import SEEN_ALREADY, Offer, SampleSet
from edge.errors import RefusedError
from edge.sources.files import Frame, Source, file_source
from edge.tracking.direction import Direction

FEWEST_GOOD_LOOKS = 10
"""Looks below which nobody is enrolled on a device."""

SAY_EVERY_S = 2.0
"""The same words are not said again before so long, and others not within a third of it."""

WAIT_S = 0.1


@dataclass(frozen=True)
class Patience:
    """When a sitting before a camera ends. looks: wanted. seconds: at most."""

    looks: int = 20
    seconds: float = 90.0


class Voice:
    """Says on standard error what to do, as often as one can follow."""

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._clock = clock
        self._said: tuple[str, int] = ("", -1)
        self._at_s = -1e9

    def say(self, words: str, count: int, wanted: int) -> None:
        """count: looks taken so far, of `wanted`."""
        now_s = self._clock()
        pause_s = SAY_EVERY_S if words == self._said[0] else SAY_EVERY_S / 3
        if self._quiet or now_s - self._at_s < pause_s:
            return
        self._said, self._at_s = (words, count), now_s
        print(for_terminal(f"[{count}/{wanted}] {words}"), file=sys.stderr, flush=True)


def sit_for(
    source: Source,
    book: SampleSet,
    patience: Patience,
    voice: Voice,
    direction: Direction,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Guide:
    """Gather looks from an open live source, saying what is missing, until it is enough.

    direction: what turns its frames.
    Ends when the looks are there, the time is over, the source ends, or `stopped` says so.
    """
    guide = Guide(patience.looks)
    ends_at_s = time.monotonic() + patience.seconds
    while len(book.looks) < patience.looks and time.monotonic() < ends_at_s and not stopped():
        grab = source.take(WAIT_S)
        if grab is None:
            if source.ended:
                break
            continue
        if grab.image_bgr is None:
            voice.say(f"the camera is away: {grab.error}", len(book.looks), patience.looks)
            continue
        offer = _offered(book, direction.turned(grab, book.detect), grab.time_s)
        direction.saw(())
        if offer.look is not None:
            guide.took(offer.look)
        voice.say(guide.next_words(offer, book.looks), len(book.looks), patience.looks)
    return guide


def read_files(
    paths: Iterable[Path],
    book: SampleSet,
    direction: Callable[[], Direction],
    *,
    quiet: bool = False,
) -> Guide:
    """Gather looks from pictures, folders and videos, all that they have.

    direction: makes what turns the frames of one of them.

    Raises `SourceError` for a path that is none of these.
    """
    guide = Guide(FEWEST_GOOD_LOOKS)
    with progress_bar("looking", quiet=quiet) as bar:
        for path in paths:
            turner = direction()
            with file_source(Path(path).expanduser()) as source:
                turner.searching &= source.kind == "video"
                bar.total = None if source.total is None else bar.done + source.total
                for grab in source:
                    if grab.image_bgr is None:
                        of = "" if source.kind == "video" else grab.source
                        book.refuse("unreadable", of, grab.error or "")
                    else:
                        time_s = grab.time_s if source.kind == "video" else None
                        turned = turner.turned(grab, book.detect)
                        offer = _offered(book, turned, time_s)
                        turner.saw(())
                        if offer.look is not None:
                            guide.took(offer.look)
                    bar.advance(note=f"{len(book.looks)} looks")
    return guide


def _offered(book: SampleSet, frame: Frame, time_s: float | None) -> Offer:
    """One frame, which has a picture."""
    assert frame.image_bgr is not None
    return book.offer(frame.image_bgr, time_s=time_s, of=frame.source)


def refuse_too_few(book: SampleSet, guide: Guide) -> None:
    """Raises `RefusedError` with what kept pictures from counting."""
    looks = len(book.looks)
    if looks >= FEWEST_GOOD_LOOKS:
        return
    reasons = sorted(book.refused.items(), key=lambda item: -item[1])
    said = ", ".join(f"{count} {reason}" for reason, count in reasons) or "no pictures came"
    hint = guide.missing().words
    if reasons and reasons[0][0] == SEEN_ALREADY and len(reasons) == 1:
        hint = f"pictures that show the same count once: {hint}"
    raise RefusedError(
        f"{counted(looks, 'good look')} "
        f"{'is' if looks == 1 else 'are'} too few, it takes at least {FEWEST_GOOD_LOOKS} ({said})",
        hint=hint,
    )
