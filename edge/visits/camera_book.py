"""The camera book: what was counted of visits, per head and camera, and the owner's thresholds.

One private file without names, faces and vectors: heads stand in it by `Head.key`, so that a head
that was fitted again begins anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edge.bundle.locate import data_folder
from edge.errors import PeopleError
from edge.files.atomic import atomic_file, make_folder, remove_files
from edge.files.platform import lock_now
from edge.heads.calibration import highest_scores
from edge.heads.cohort import Cohort
from edge.heads.head import Head
from edge.visits.bound import (
    FRR_WORD,
    LEAST_RAISE,
    CameraBound,
    Expected,
    Histogram,
    OwnVisits,
    bound_of,
    own_reach,
    own_rejects,
)
from edge.visits.visit import MATCH, UNKNOWN, Visit

SCHEMA = 1
FILE = "camera-book.json"
MOST_HEADS = 200
MOST_CAMERAS = 16
WAIT_S = 3.0

Adapt = Literal["on", "report", "off"]


@dataclass(frozen=True)
class HeadPage:
    """What is known of one head.

    expected: of the cohort's strangers, None before it was computed. strangers, own: by camera.
    word: the threshold by the owner's word, and the one that it stood in place of. raised: the
    threshold to which visits have raised it by themselves.
    """

    expected: Expected | None = None
    strangers: Mapping[str, Histogram] = field(default_factory=dict)
    own: Mapping[str, OwnVisits] = field(default_factory=dict)
    word: tuple[float, float] | None = None
    raised: float | None = None

    def threshold(self, head: Head) -> float:
        """What holds: the owner's word, as long as the threshold that it replaced is the head's,
        and no less than visits have raised it to since."""
        threshold = head.threshold
        if self.word is not None and abs(self.word[1] - head.threshold) < 1e-6:
            threshold = self.word[0]
        return threshold if self.raised is None else max(threshold, self.raised)


@dataclass(frozen=True)
class CameraBook:
    """All pages, by `Head.key`."""

    pages: Mapping[str, HeadPage] = field(default_factory=dict)

    def page(self, head: Head) -> HeadPage:
        return self.pages.get(head.key, HeadPage())

    def with_page(self, key: str, page: HeadPage) -> CameraBook:
        """The pages written last are kept, at most `MOST_HEADS`."""
        others = {k: p for k, p in self.pages.items() if k != key}
        return CameraBook(dict([*others.items(), (key, page)][-MOST_HEADS:]))

    def applied(self, heads: Sequence[Head]) -> tuple[Head, ...]:
        """The heads with the thresholds that hold before these cameras."""
        return tuple(replace(head, threshold=self.page(head).threshold(head)) for head in heads)

    def bounds(self, head: Head) -> tuple[CameraBound, ...]:
        """The evidence of each camera's visits about a head, at the current threshold."""
        page = self.page(head)
        if page.expected is None:
            return ()
        held = replace(head, threshold=page.threshold(head))
        sources = dict.fromkeys((*page.strangers, *page.own))
        return tuple(
            bound_of(
                held,
                source,
                page.strangers.get(source, Histogram()),
                page.expected,
                page.own.get(source, OwnVisits()),
            )
            for source in sources
        )

    def counted(self, visit: Visit, heads: Sequence[Head], times: int = 1) -> CameraBook:
        """With a visit counted, or with `times` -1 no longer."""
        book = self
        for head in heads:
            page = book.page(head)
            level = visit.levels.get(head.key)
            if level is not None and is_stranger(visit, head.name):
                before = page.strangers.get(visit.source, Histogram())
                strangers = _with(page.strangers, visit.source, before.with_level(level, times))
                book = book.with_page(head.key, replace(page, strangers=strangers))
            elif times > 0 and _is_own(visit, head.name) and visit.score is not None:
                own = page.own.get(visit.source, OwnVisits())
                scored = _with(page.own, visit.source, own.with_score(visit.score, visit.at))
                book = book.with_page(head.key, replace(page, own=scored))
        return book

    def raised(self, heads: Sequence[Head]) -> tuple[CameraBook, tuple[str, ...]]:
        """With thresholds raised to what visits ask for, and words on each. None is lowered, and
        none is raised by itself above a tenth of the person's own looks (`own_reach`): whoever
        comes on purpose could keep the owner out."""
        book, words = self, []
        for head in heads:
            asked = [b for b in book.bounds(head) if b.advice == "raise" and b.needed is not None]
            if not asked:
                continue
            worst = max(asked, key=lambda bound: bound.needed or 0.0)
            assert worst.needed is not None
            raised = min(worst.needed, own_reach(head))
            if raised <= worst.threshold + LEAST_RAISE:
                continue
            book = book.with_page(head.key, replace(book.page(head), raised=raised))
            said = (
                f"{head.name}: threshold raised from {worst.threshold:.2f} to {raised:.2f} "
                f"by {worst.accepted.trials} strangers' visits before {worst.source}"
            )
            now, then = worst.own_rejected, own_rejects(head, raised)
            if then.trials and then.value - now.value > FRR_WORD:
                said += f"; own looks rejected: {now.events} before, {then.events} now"
            words.append(said)
        return book, tuple(words)

    def with_word(self, head: Head, threshold: float | None) -> CameraBook:
        """With the owner's word on a threshold; None takes it, and what was raised, back."""
        word = None if threshold is None else (threshold, head.threshold)
        return self.with_page(head.key, replace(self.page(head), word=word, raised=None))

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "heads": {key: _page_to_json(page) for key, page in self.pages.items()},
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> CameraBook:
        """Raises KeyError, TypeError or ValueError."""
        if fields["schema"] != SCHEMA:
            raise ValueError(f"schema {fields['schema']}, this version reads {SCHEMA}")
        return cls({str(k): _page_from_json(page) for k, page in fields["heads"].items()})


def is_stranger(visit: Visit, name: str) -> bool:
    """Whether a visit counts as a stranger's for the head of `name`: it has settled as unknown, or
    the owner has said that it was not them. What the owner has not judged and was taken for
    somebody counts for nobody."""
    if visit.named is not None:
        return visit.named != name
    return name in visit.denied or visit.state == UNKNOWN


def _is_own(visit: Visit, name: str) -> bool:
    return visit.state == MATCH and visit.person == name and visit.who == name


def book_path() -> Path:
    """`camera-book.json` in the data folder."""
    return data_folder() / FILE


def read_book(path: Path | None = None) -> CameraBook:
    """The book, empty where there is none. Raises `PeopleError` where it is damaged."""
    path = path or book_path()
    try:
        return CameraBook.from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return CameraBook()
    except OSError as problem:
        raise PeopleError(f"cannot read {path}: {problem.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise PeopleError(
            f"{path} is damaged: {problem}", hint="remove it: counting starts again"
        ) from None


@contextlib.contextmanager
def changing_book(path: Path | None = None) -> Iterator[list[CameraBook]]:
    """A list of the book; what its item is when the block ends is written, where it is another.

    Held by one process at a time. Raises `PeopleError` where another holds it for long.
    """
    path = path or book_path()
    make_folder(path.parent, private=True)
    descriptor = os.open(path.with_name(f".{FILE}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(descriptor)
        held = [read_book(path)]
        before = held[0]
        yield held
        if held[0] is not before:
            with atomic_file(path, private=True) as temporary:
                temporary.write_text(json.dumps(held[0].to_json()), "utf-8")
    finally:
        os.close(descriptor)


def learn_expected(heads: Sequence[Head], cohort: Cohort | None, path: Path | None = None) -> None:
    """Compute what the cohort's strangers score, for heads of which it is not in the book yet."""
    new = [h for h in heads if h.stated is not None]
    new = [head for head in new if read_book(path).page(head).expected is None]
    if cohort is None or not new:
        return
    with changing_book(path) as held:
        for head in new:
            found = highest_scores(head, cohort)
            expected = Expected(float(found.mean()), float(found.std()))
            page = replace(held[0].page(head), expected=expected)
            held[0] = held[0].with_page(head.key, page)


def forget_heads(heads: Sequence[Head], path: Path | None = None) -> None:
    """Remove the pages of heads."""
    path = path or book_path()
    if not path.exists():
        return
    keys = {head.key for head in heads}
    with changing_book(path) as held:
        left = {key: page for key, page in held[0].pages.items() if key not in keys}
        if len(left) < len(held[0].pages):
            held[0] = CameraBook(left)


def remove_book(path: Path | None = None) -> int:
    """Remove all of it; how many files there were."""
    path = path or book_path()
    return remove_files([path]) if path.parent.is_dir() else 0


def rejects_then(head: Head, threshold: float) -> str:
    """What a threshold costs somebody, in words."""
    now, then = own_rejects(head, head.threshold), own_rejects(head, threshold)
    return f"own looks rejected: {now.events} now, {then.events} then, of {then.trials}"


def _with(by_source: Mapping[str, Any], source: str, value: Any) -> dict[str, Any]:
    others = {key: one for key, one in by_source.items() if key != source}
    return dict([*others.items(), (source, value)][-MOST_CAMERAS:])


def _wait_for(descriptor: int) -> None:
    ends_at_s = time.monotonic() + WAIT_S
    while True:
        try:
            lock_now(descriptor)
            return
        except BlockingIOError:
            if time.monotonic() > ends_at_s:
                raise PeopleError("another program holds the camera book") from None
            time.sleep(0.02)


def _page_to_json(page: HeadPage) -> dict[str, Any]:
    return {
        "expected": None if page.expected is None else vars(page.expected),
        "strangers": {
            source: {str(k): n for k, n in sorted(found.counts.items())}
            for source, found in page.strangers.items()
        },
        "own": {source: vars(own) for source, own in page.own.items()},
        "word": page.word,
        "raised": page.raised,
    }


def _page_from_json(fields: Mapping[str, Any]) -> HeadPage:
    expected, word = fields["expected"], fields["word"]
    strangers = {
        str(source): Histogram({int(k): int(n) for k, n in counts.items()})
        for source, counts in fields["strangers"].items()
    }
    own = {
        str(source): OwnVisits(tuple(o["first"]), tuple(o["last"]), str(o["since"]))
        for source, o in fields["own"].items()
    }
    raised = fields["raised"]
    return HeadPage(
        None if expected is None else Expected(float(expected["mean"]), float(expected["spread"])),
        strangers,
        own,
        None if word is None else (float(word[0]), float(word[1])),
        None if raised is None else float(raised),
    )
