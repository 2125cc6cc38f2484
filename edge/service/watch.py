"""A stream of results for programs: the loop without sinks and signals."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from edge.bundle.choice import Choice, read_choice
from edge.bundle.locate import Located, locate
from edge.errors import UsageError
from edge.heads.head import Head
from edge.people.encryption import Encryption
from edge.people.registry import Registry
from edge.people.store import people_folder, tidy_people
from edge.recognition.recognizer import Recognizer
from edge.recognition.result import FrameResult
from edge.service.probation import proved
from edge.service.stream import Stream, Tracker
from edge.sources.files import Source
from edge.sources.opener import open_source, shared_turn
from edge.sources.turn import QUARTERS_DEG, Turn
from edge.sources.v4l2 import CameraOptions
from edge.tracking.direction import Direction, DirectionConfig
from edge.tracking.follower import Follower
from edge.tracking.schedule import Schedule, ScheduleConfig
from edge.visits.camera_book import Adapt, learn_expected, read_book

log = logging.getLogger(__name__)


def watch(
    *,
    camera: int | str | None = None,
    source: str | Path | None = None,
    bundle: str | Path | None = None,
    track: bool = True,
    attributes: bool = True,
    fps: float | None = None,
    threads: int | None = None,
    key_file: str | Path | None = None,
    rotate: int | None = None,
    mirror: bool = False,
) -> Iterator[FrameResult]:
    """Recognize people in a camera, a video, a folder or an image: one result per frame.

    The source is started at the first result and closed when the iterator ends or is closed.

    Args:
        camera: Number of a camera, `/dev/…`, `csi`, or a URL.
        source: A video, an image, a folder of images, or a URL; instead of `camera`.
        bundle: A file `NAME.edge`; by default the one that `edge-recognize` would use.
        track: Follow faces and settle over several frames; images stand for themselves anyway.
        attributes: Whether to compute attributes, too.
        fps: Ask a camera for this rate, and search no more frames a second for faces.
        threads: Threads of the runtime; by default one per core.
        key_file: Key of the people enrolled on this device, where they are encrypted.
        rotate: Degrees to turn frames clockwise: 0, 90, 180 or 270; by default the first faces of a
            camera or video tell.
        mirror: Whether to swap left and right.

    Raises:
        UsageError: Both or neither of `camera` and `source` are named, or `rotate` is no quarter
            turn.
        SourceError: The camera or the file cannot be opened.
        BundleError: The bundle is missing, damaged, or not signed as this machine requires.

    Example:
        >>> people = set()
        >>> for result in edge.watch(source="clip.mkv", bundle="ana.edge"):
        ...     people |= {face.decision.person for face in result.faces}
        >>> "ana" in people
        True
    """
    options, direction = turning(camera, CameraOptions(fps=fps), rotate=rotate, mirror=mirror)
    opened = open_source(camera=camera, source=source, options=options)
    located = locate(None if bundle is None else Path(bundle))
    recognizer = open_recognizer(
        proved(located) if opened.live else located,
        key_file=None if key_file is None else Path(key_file),
        threads=threads,
        attributes=attributes,
    )
    if opened.kind in ("picture", "folder"):
        direction.searching = False
    return _results(opened, recognizer, _tracker(opened, fps) if track else None, direction)


def turning(
    camera: int | str | None,
    options: CameraOptions,
    *,
    rotate: int | None,
    mirror: bool,
    config: DirectionConfig | None = None,
) -> tuple[CameraOptions, Direction]:
    """What a camera is to be asked for, and what turns its frames besides; rotate: degrees, None
    where the frames have to tell; config: how they do. Raises `UsageError`."""
    if rotate not in (None, *QUARTERS_DEG):
        raise UsageError(f"{rotate} degrees are no quarter turn", hint="give 0, 90, 180 or 270")
    options, turn = shared_turn(camera, options, Turn(rotate or 0, mirror))
    return options, Direction(turn, search=rotate is None, config=config)


def open_recognizer(
    located: Located,
    *,
    key_file: Path | None = None,
    detector_model: Path | None = None,
    threads: int | None = None,
    attributes: bool = True,
    adapt: Adapt = "off",
) -> Recognizer:
    """The recognizer of a bundle and of the people enrolled on this device.

    threads: None for what was measured to be best (`edge.bundle.choice`), else one per core. adapt:
    whether visits are counted from now on, see `edge.visits.camera_book`. Raises `ToolkitError`.
    """
    tidy_people(people_folder())
    choice = _chosen(located, threads)
    with located.open() as bundle:
        registry = Registry(bundle, Encryption.open(key_file))
        if registry.people.persons:
            names = ", ".join(person.name for person in registry.people.persons)
            log.info("enrolled on this device: %s", names)
        return Recognizer.open(
            bundle,
            heads=held_heads(registry, adapt),
            detector_model=detector_model,
            threads=threads or (choice.threads if choice else None) or os.cpu_count() or 1,
            attributes=attributes,
            detector_runtime="best" if choice is None else choice.detector,
        )


def _chosen(located: Located, threads: int | None) -> Choice | None:
    """What `edge-bench run --pick` has found best for this bundle on this device; said where it
    decides the number of threads."""
    choice = read_choice(located.path)
    if choice is not None and threads is None:
        log.info("threads: %d, as measured on %s", choice.threads, choice.device)
    return choice


def held_heads(registry: Registry, adapt: Adapt = "off") -> tuple[Head, ...]:
    """Everybody's heads, with the thresholds that hold before this camera."""
    heads = registry.heads
    if adapt != "off":
        learn_expected(heads, registry.bundle.cohort())
    return read_book().applied(heads)


def _tracker(source: Source, fps: float | None) -> Tracker | None:
    if source.kind in ("picture", "folder"):
        return None
    times = ScheduleConfig() if fps is None else ScheduleConfig().at_most(fps)
    return Follower(schedule=Schedule(times))


def _results(
    source: Source, recognizer: Recognizer, tracker: Tracker | None, direction: Direction
) -> Iterator[FrameResult]:
    stream = Stream(source, tracker=tracker, direction=direction)
    with recognizer, source:
        for frame in source:
            yield stream.judged(frame, recognizer).result
