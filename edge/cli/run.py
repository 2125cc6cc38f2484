"""What `edge-recognize` does without a sub-command: recognize, from options to the summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.console.commands import say
from edge.errors import UsageError
from edge.service.libraries import set_library_settings
from edge.service.service import Notifier, Signals, SilentNotifier, logging_to_stderr

if TYPE_CHECKING:
    from edge.bundle.locate import Located
    from edge.cli.visiting import VisitOptions
    from edge.recognition.recognizer import Recognizer
    from edge.service.loop import Tally
    from edge.sinks.base import FanOut, Sink
    from edge.sources.files import Source
    from edge.tracking.budget import Budget
    from edge.tracking.challenge import Challenger
    from edge.tracking.direction import Direction
    from edge.tracking.follower import Follower
    from edge.visits.camera_book import Adapt


@dataclass(frozen=True)
class RunOptions:
    """The options of `edge-recognize`, as its help explains them."""

    camera: str | None = None
    source: str | None = None
    bundle: Path | None = None
    key_file: Path | None = None
    as_json: bool = False
    save: Path | None = None
    detector_model: Path | None = None
    threads: int | None = None
    attributes: bool = True
    size: tuple[int, int] | None = None
    fps: float | None = None
    track: bool = True
    votes: tuple[int, int] | None = None
    max_cpu: float | None = None
    pixel_format: str | None = None
    exposure: float | None = None
    rotate: int | None = None
    mirror: bool = False
    realtime: bool = False
    frames: int | None = None
    window: bool = False
    serve: str | None = None
    serve_token: str | None = None
    mqtt: str | None = None
    webhook: tuple[str, ...] = ()
    on_match: tuple[str, ...] = ()
    keep_events: int | None = None
    events_folder: Path | None = None
    adapt: Adapt = "report"
    keep_visits: int | None = None
    visit_faces: bool = False
    challenge: bool = False
    systemd: bool = False
    wait_for_camera: bool = False
    quiet: bool = False


def run(options: RunOptions) -> None:
    """Recognize until the source ends or a signal comes. Raises `ToolkitError`."""
    check_options(options)
    set_library_settings()
    with logging_to_stderr(journal=options.systemd, quiet=options.quiet), Signals() as signals:
        _run(options, signals)


def check_options(options: RunOptions) -> None:
    """Raises `UsageError` for what cannot be meant, before anything slow is imported."""
    if options.camera is not None and options.source is not None:
        raise UsageError("--camera and --source exclude each other", hint="give one of them")
    if options.camera is None and options.source is None:
        raise UsageError(
            "nothing to look at", hint="give --camera 0, or --source with a file, folder or URL"
        )
    if options.votes is not None and not options.track:
        raise UsageError("--votes counts over tracks", hint="leave out --no-track")
    if options.challenge and not options.track:
        raise UsageError("--challenge is bound to a track", hint="leave out --no-track")
    if options.events_folder is not None and not options.keep_events:
        raise UsageError("--events-folder alone keeps nothing", hint="add --keep-events N")
    if options.keep_visits is not None and not options.track:
        raise UsageError("--keep-visits needs faces that are followed", hint="leave out --no-track")
    if options.visit_faces and options.keep_visits is None:
        raise UsageError("--visit-faces alone keeps nothing", hint="add --keep-visits N")
    if options.serve_token is not None and options.serve is None:
        raise UsageError("--serve-token has nothing to protect", hint="add --serve HOST:PORT")


def _run(options: RunOptions, signals: Signals) -> None:
    from edge.bundle.locate import locate
    from edge.cli.visiting import Visiting
    from edge.service.loop import Loop
    from edge.service.probation import proved
    from edge.sinks.base import FanOut, Teller
    from edge.tracking.budget import Budget

    source = open_source(options, signals)
    notifier = Notifier() if options.systemd else SilentNotifier()
    located = locate(options.bundle)
    if source.live:
        located = proved(located)
    if not options.quiet:
        say(located.line, err=True)
    recognizer = open_recognizer(located, options)
    budget = None if options.max_cpu is None else Budget(options.max_cpu)
    tracker = open_tracker(options, source, budget)
    direction = open_direction(options, source)
    names = [head.name for head in recognizer.heads if not head.is_task]
    sinks = open_sinks(options, source, names, signals)
    visiting = Visiting(visit_options(options), recognizer, signals.ask_reload)
    visiting.tell += [sink.tell for sink in sinks if isinstance(sink, Teller)]
    sinks += visiting.sinks(source)

    def again() -> Recognizer:
        found = proved(locate(options.bundle), fall_back=False, on_wait=notifier.progress)
        reloaded = open_recognizer(found, options)
        visiting.heads = reloaded.heads
        return reloaded

    with source:
        sinks += savers(options, source)
        hurried = lambda: signals.stopping  # noqa: E731
        with FanOut(sinks, lossless=not source.live, hurried=hurried) as fan:
            loop = Loop(
                source,
                recognizer,
                fan,
                signals=signals,
                tracker=tracker,
                direction=direction,
                budget=budget,
                notifier=notifier,
                reload=again,
                limit=options.frames,
                most_fps=options.fps if tracker is None else None,
            )
            tally = loop.run()
    _summarize(options, tally, source, fan)
    if options.challenge and not options.quiet:
        from edge.tracking.challenge import LIMITS

        passed, failed = getattr(tracker, "passed", 0), getattr(tracker, "failed", 0)
        say(f"challenges passed: {passed}, failed: {failed}; {LIMITS}", err=options.as_json)


def open_source(options: RunOptions, signals: Signals) -> Source:
    """The source that the options name, not yet opened. Raises `SourceError`, `UsageError`."""
    from edge.service.watch import turning
    from edge.sources import opener
    from edge.sources.v4l2 import CameraOptions

    width_px, height_px = options.size or (None, None)
    asked = CameraOptions(width_px, height_px, options.fps, options.pixel_format, options.exposure)
    asked, _ = turning(options.camera, asked, rotate=options.rotate, mirror=options.mirror)
    return opener.open_source(
        camera=options.camera,
        source=options.source,
        options=asked,
        realtime=options.realtime,
        wait_for_camera=options.wait_for_camera or options.systemd,
        interrupted=lambda: signals.stopping,
    )


def open_direction(options: RunOptions, source: Source) -> Direction:
    """What turns the frames of the source. Pictures tell by themselves how they lie, or not at
    all."""
    from edge.service.watch import turning
    from edge.sources.v4l2 import CameraOptions

    _, direction = turning(
        options.camera, CameraOptions(), rotate=options.rotate, mirror=options.mirror
    )
    direction.searching &= source.kind not in ("picture", "folder")
    return direction


def open_recognizer(located: Located, options: RunOptions) -> Recognizer:
    """The recognizer with the bundle that was found. Raises `ToolkitError`."""
    from edge.service import watch

    return watch.open_recognizer(
        located,
        key_file=options.key_file,
        detector_model=options.detector_model,
        threads=options.threads,
        attributes=options.attributes,
        adapt=options.adapt if options.camera is not None else "off",
    )


def open_tracker(
    options: RunOptions, source: Source, budget: Budget | None
) -> Follower | Challenger | None:
    """What follows faces in the source; None for pictures, which stand for themselves.

    What the budget does not afford is left out of live sources; files are judged in full, slower.
    Raises `UsageError` for votes that cannot settle anything, or have nothing to settle, and for a
    rate that nothing can keep.
    """
    if source.kind in ("picture", "folder"):
        if options.challenge:
            raise UsageError("--challenge needs somebody who moves", hint="use a camera or a video")
        if options.votes is not None:
            raise UsageError("--votes counts over a video, and these are pictures")
        if options.fps is not None:
            raise UsageError("--fps is a rate of a camera or a video, and these are pictures")
        return None
    if not options.track:
        if options.fps is not None and not source.live:
            raise UsageError(
                "--fps limits how often tracks are searched for, and files are never thinned out",
                hint="leave out --no-track",
            )
        return None
    from edge.tracking.follower import Follower
    from edge.tracking.schedule import Schedule, ScheduleConfig
    from edge.tracking.track import Tracks
    from edge.tracking.vote import VoteConfig

    votes = VoteConfig() if options.votes is None else VoteConfig(*options.votes)
    times = ScheduleConfig() if options.fps is None else ScheduleConfig().at_most(options.fps)
    schedule = Schedule(times, budget if source.live else None)
    follower = Follower(Tracks(votes=votes), schedule)
    if not options.challenge:
        return follower
    from edge.tracking.challenge import Challenger

    return Challenger(follower)


def savers(options: RunOptions, source: Source) -> list[Sink]:
    """The sinks that need to know an open source."""
    from edge.sinks.files import saver_for

    return [] if options.save is None else [saver_for(options.save, source)]


def visit_options(options: RunOptions) -> VisitOptions:
    """Those of the options that are about visits."""
    from edge.cli.visiting import VisitOptions

    return VisitOptions(
        keep=options.keep_visits,
        faces=options.visit_faces,
        adapt=options.adapt,
        votes=options.votes,
        track=options.track,
        key_file=options.key_file,
    )


def open_sinks(
    options: RunOptions, source: Source, people: Sequence[str], signals: Signals
) -> list[Sink]:
    """All other sinks that the options ask for. Raises `UsageError`."""
    from edge.sinks.jsonlines import JsonLines
    from edge.sinks.text import TextLines

    alone = source.kind in ("picture", "folder")
    sinks: list[Sink] = [JsonLines() if options.as_json else TextLines(alone=alone)]
    sinks += _local_sinks(options, signals)
    sinks += _network_sinks(options, people)
    return sinks


def _local_sinks(options: RunOptions, signals: Signals) -> Iterator[Sink]:
    """What stays on this device."""
    if options.window:
        from edge.sinks.window import Window

        yield Window(on_close=signals.stop)
    if options.keep_events:
        from edge.people.event_pictures import events_folder
        from edge.sinks.event_pictures import EventPictures

        folder = options.events_folder or events_folder()
        yield EventPictures(folder, options.keep_events)
    for line in options.on_match:
        from edge.sinks.command import MatchCommand

        yield MatchCommand(line)


def _network_sinks(options: RunOptions, people: Sequence[str]) -> Iterator[Sink]:
    """What uses the network; the only place that does, beside cameras with a URL."""
    if options.serve is not None:
        from edge.sinks.preview import Address, Preview

        yield Preview(Address.parse(options.serve, options.serve_token))
    if options.mqtt is not None:
        from edge.sinks.mqtt import Mqtt, MqttConfig

        yield Mqtt(MqttConfig.from_url(options.mqtt), people)
    for url in options.webhook:
        from edge.sinks.webhook import Webhook

        yield Webhook(url)


def _summarize(options: RunOptions, tally: Tally, source: Source, fan: FanOut) -> None:
    """The last words: on standard output for people, on standard error beside JSON."""
    if options.quiet:
        return
    say(_summary(tally, source, fan), err=options.as_json)


def _summary(tally: Tally, source: Source, fan: FanOut) -> str:
    unit = "picture" if source.kind in ("picture", "folder") else "frame"
    counts = [_count(tally.frames, unit), _count(tally.faces, "face")]
    if tally.errors:
        counts.append(f"{tally.errors} unreadable" if unit == "picture" else f"{tally.errors} lost")
    who = ", ".join(f"{name} in {count}" for name, count in tally.people.most_common())
    counts.append(who or "nobody recognized")
    times = f"{tally.latency_ms(50):.1f} ms at the median, {tally.latency_ms(95):.1f} ms at p95"
    lines = [f"{', '.join(counts)}; {times}"]
    losses = [f"{source.skipped} frames passed unseen"] if source.skipped else []
    losses += [f"{name} missed {count}" for name, count in fan.dropped.items() if count]
    losses += [f"{name} failed {_count(n, 'time')}" for name, n in fan.failed.items() if n]
    return "\n".join([*lines, *([", ".join(losses)] if losses else [])])


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
