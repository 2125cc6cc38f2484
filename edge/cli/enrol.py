"""What `edge-recognize enrol` does, from its options to what it says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.console.display_text import shortened
from edge.console.progress import progress_bar
from edge.enrolment.guide import Guide
from edge.enrolment.samples import SampleSet
from edge.enrolment.session import Patience, Voice, read_files, refuse_too_few, sit_for
from edge.errors import RefusedError, TwoPeopleError, UsageError
from edge.heads.calibration import rates_to_json
from edge.heads.crowd import crowd_of
from edge.heads.head import Head
from edge.heads.threshold import ONE, SEVERAL
from edge.people.registry import Registry, open_register
from edge.people.store import only_writer, people_folder
from edge.service.service import Signals, logging_to_stderr

if TYPE_CHECKING:
    from edge.sources.v4l2 import CameraOptions
    from edge.tracking.direction import Direction


@dataclass(frozen=True)
class EnrolOptions:
    """The options of `edge-recognize enrol`, as its help explains them."""

    name: str
    camera: str | None = None
    photos: tuple[Path, ...] = ()
    video: tuple[Path, ...] = ()
    bundle: Path | None = None
    rotate: int | None = None
    mirror: bool = False
    looks: int = 20
    seconds: float = 90.0
    add: bool = False
    keep_crops: bool = False
    target_far: float | None = None
    key_file: Path | None = None
    detector_model: Path | None = None
    threads: int | None = None
    quiet: bool = False


@dataclass(frozen=True, eq=False)
class Enrolled:
    """What came of it. sides: how often each side was seen. refused: reasons and how often each
    kept a picture from counting. people: everybody who is known now. known_already: looks of
    photos that were added before, of `looks`. left_out: files of new looks that show somebody else.
    not_used: files of pictures that do not count, each with the reason.
    """

    head: Head
    looks: int
    sides: dict[str, int]
    refused: dict[str, int]
    people: tuple[str, ...]
    sealed: bool = False
    kept: bool = False
    warnings: tuple[str, ...] = field(default=())
    known_already: int = 0
    left_out: tuple[str, ...] = ()
    not_used: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "name": self.head.name,
            "looks": self.looks,
            "known_already": self.known_already,
            "sides": self.sides,
            "refused": self.refused,
            "left_out": list(self.left_out),
            "not_used": [{"file": file, "reason": reason} for file, reason in self.not_used],
            "threshold": self.head.threshold,
            **rates_to_json(self.head),
            "people": list(self.people),
            "encrypted": self.sealed,
            "pictures_kept": self.kept,
            "warnings": list(self.warnings),
        }

    def _not_used(self) -> list[str]:
        """Pictures that do not count by name, frames of videos and cameras by number."""
        named = [
            f"not used: {reason if file in reason else f'{file}: {reason}'}"
            for file, reason in self.not_used
        ]
        lines = shortened(named, "not used: {} more, see --json")
        frames = sum(self.refused.values()) - len(self.not_used)
        if frames > 0:
            reasons = sorted(self.refused.items(), key=lambda item: -item[1])
            said = ", ".join(f"{count} {reason}" for reason, count in reasons)
            lines.append(f"frames that do not count: {frames} ({said})")
        return lines

    def text(self) -> str:
        """A few lines for people."""
        facts = self.head.facts
        others = [name for name in self.people if name != self.head.name]
        again = f", set again for {', '.join(others)} too" if others else ""
        known = f"{self.known_already} of {self.looks} are known already"
        if self.known_already == self.looks:
            return f"{self.head.name}: {known}, so nothing was added"
        lines = [
            f"{self.head.name} is enrolled: {self.looks} looks "
            f"({', '.join(f'{n} {side}' for side, n in self.sides.items() if n)})",
            *([f"{known}, the others were added"] if self.known_already else []),
            f"strangers accepted by all thresholds together{again}: "
            f"{facts.far.events} of {facts.far.trials} (at most "
            f"{100 * facts.far_upper_95:.2g} % with 95 % confidence; accepting everybody: "
            "100 %)",
            f"own looks rejected: {facts.frr.events} of {facts.frr.trials}, each by a head "
            "that had not seen it (rejecting everybody: 100 %)",
            *(f"left out, looks like somebody else: {name}" for name in self.left_out),
            *self._not_used(),
            *(f"warning: {text}" for text in self.warnings),
            "the cut-out faces are kept too, to enroll on another base; forget removes them"
            if self.kept
            else "no picture is kept: --keep crops lets a bundle with another base come later",
            "kept on this device, " + ("encrypted" if self.sealed else "not encrypted: see keygen"),
            "an edge-recognize that runs takes it over at SIGHUP (systemctl reload edge-recognize)",
        ]
        return "\n".join(lines)


def run_enrol(options: EnrolOptions) -> Enrolled:
    """Look, gate, fit, and set all thresholds. Raises a `ToolkitError` for whatever cannot be."""
    _check(options)
    with (
        logging_to_stderr(quiet=options.quiet),
        only_writer(people_folder()),
        open_register(options.bundle, options.key_file) as register,
    ):
        register.check_name(options.name, add=options.add)
        register.cohort()
        keep = options.keep_crops or register.vault.is_locked
        book = SampleSet.open(register.bundle, options.detector_model, options.threads, keep=keep)
        guide = _gather(options, book)
        refuse_too_few(book, guide)
        return _fit(options, register, book, guide)


def _check(options: EnrolOptions) -> None:
    given = [bool(options.camera), bool(options.photos), bool(options.video)]
    if sum(given) != 1:
        raise UsageError(
            "give exactly one of --camera, --photos and --video",
            hint="give --camera 0, or --photos with a folder",
        )


def _gather(options: EnrolOptions, book: SampleSet) -> Guide:
    if options.camera is None:
        files = (*options.photos, *options.video)
        return read_files(files, book, lambda: _turning(options)[1], quiet=options.quiet)
    from edge.sources.live import LiveSource, camera_by_name

    asked, direction = _turning(options)
    with Signals() as signals:
        camera = camera_by_name(options.camera, asked)
        source = LiveSource(camera, interrupted=lambda: signals.stopping)
        with source:
            guide = sit_for(
                source,
                book,
                Patience(options.looks, options.seconds),
                Voice(quiet=options.quiet),
                direction,
                stopped=lambda: signals.stopping,
            )
        if signals.stopping:
            raise KeyboardInterrupt
    return guide


def _turning(options: EnrolOptions) -> tuple[CameraOptions, Direction]:
    from edge.service.watch import turning
    from edge.sources.v4l2 import CameraOptions
    from edge.tracking.direction import EAGER

    rotate, mirror = options.rotate, options.mirror
    return turning(options.camera, CameraOptions(), rotate=rotate, mirror=mirror, config=EAGER)


def _fit(options: EnrolOptions, register: Registry, book: SampleSet, guide: Guide) -> Enrolled:
    live = not options.photos
    camera = book.origin().camera
    if live and camera == SEVERAL:  # the same camera all along, whatever the background does
        camera = ONE
    if not options.quiet:
        print("computing, a few seconds on a Raspberry Pi …", file=sys.stderr, flush=True)
    with progress_bar("enrolling", 2, quiet=options.quiet) as bar:
        album = book.album()
        nothing = np.zeros(len(album.embeddings), bool)
        known = register.known_already(options.name, album) if options.add else nothing
        new = [look.of for look, old in zip(book.looks, known, strict=True) if not old]
        already = register.known_as(options.name, album)
        bar.advance(note="thresholds")
        try:
            head = register.enrol(
                options.name,
                album,
                camera=camera,
                one_sitting=live,
                target_far=options.target_far,
                add=options.add,
            )
        except TwoPeopleError as problem:
            raise _named(problem, new) from None
        bar.advance()
    return Enrolled(
        head=head,
        looks=len(book.looks),
        sides=guide.seen,
        refused=dict(book.refused),
        people=tuple(each.head.name for each in register.known()),
        sealed=register.vault.is_locked,
        kept=options.keep_crops or register.vault.is_locked,
        warnings=(
            *map(str, already),
            *head.facts.warnings,
            *crowd_of(register.heads).warnings,
        ),
        known_already=int(known.sum()),
        left_out=_left_out(head, new) if new else (),
        not_used=tuple(book.not_used),
    )


def _named(problem: TwoPeopleError, new: Sequence[str]) -> RefusedError:
    """The problem with the files of both, where the pictures are files. new: where the new looks
    are from; they are the album's last."""
    first = problem.pictures - len(new)
    second = {number - first for number in problem.second}
    sides = [
        [name for n, name in enumerate(new) if (n in second) == side] for side in (False, True)
    ]
    if not all(sides) or len(set(new)) < 2:
        return problem
    return RefusedError(
        problem.message,
        hint=f"give pictures of one person alone; one is in {_few(sides[0])}, the other in "
        f"{_few(sides[1])}",
    )


def _left_out(head: Head, new: Sequence[str]) -> tuple[str, ...]:
    """Files of new looks that show somebody else."""
    facts = head.facts
    first = facts.pictures + len(facts.left_out) - len(new)
    return tuple(new[number - first] for number in facts.left_out if number >= first)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
