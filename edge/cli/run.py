"""What `edge-recognize` does without a sub-command: recognize, from options to the summary."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from edge.console.commands import say
from edge.console.display_text import counted
from edge.errors import UsageError
from edge.service.service import Notifier, Signals, SilentNotifier, logging_to_stderr

if TYPE_CHECKING:
    from edge.bundle.locate import Located
    from edge.cli.visiting import VisitOptions
    from edge.recognition.recognizer import Recognizer
    from edge.service.stream import Stream, Tally
    from edge.sinks.base import FanOut, Sink
    from edge.sources.files import Source
    from edge.tracking.budget import Budget, BudgetTurn
    from edge.tracking.challenge import Challenger
    from edge.tracking.direction import Direction
    from edge.tracking.follower import Follower
    from edge.visits.camera_book import Adapt


@dataclass(frozen=True)
class RunOptions:
    """The options of `edge-recognize`, as its help explains them."""

    camera: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    bundle: Path | None = None
    key_file: Path | None = None
    as_json: bool = False
    save: Path | None = None
    detector_model: Path | None = None
    threads: int | None = None
    attributes: bool = True
    show_attributes: tuple[str, ...] = ()
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
    serve_read_only: bool = False
    mqtt: str | None = None
    mqtt_pictures: bool = False
    webhook: tuple[str, ...] = ()
    on_match: tuple[str, ...] = ()
    on_unknown: tuple[str, ...] = ()
    on_left: tuple[str, ...] = ()
    keep_events: int | None = None
    events_folder: Path | None = None
    adapt: Adapt = "report"
    keep_visits: int | None = None
    visit_faces: bool = False
    remember_unknown: float | None = None
    blur_unknown: bool = False
    challenge: bool = False
    systemd: bool = False
    wait_for_camera: bool = False
    quiet: bool = False


def run(options: RunOptions) -> None:
    """Recognize until the source ends or a signal comes. Raises `ToolkitError`."""
    check_options(options)
    with logging_to_stderr(journal=options.systemd, quiet=options.quiet), Signals() as signals:
        _run(options, signals)


def check_options(options: RunOptions) -> None:
    """Raises `UsageError` for what cannot be meant, before anything slow is imported."""
    named = (*options.camera, *options.source)
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        shown = shown_source(twice[0])
        raise UsageError(f"{shown} is named twice", hint="name every source once")
    if len(named) > 1 and options.save is not None:
        raise UsageError("--save takes one source", hint="run it once for each of them")
    if not named:
        raise UsageError(
            "nothing to look at", hint="give --camera 0, or --source with a file, folder or URL"
        )
    if options.votes is not None and not options.track:
        raise UsageError("--votes counts over tracks", hint="leave out --no-track")
    if options.show_attributes and not options.attributes:
        raise UsageError("--show-attributes needs attributes", hint="leave out --no-attributes")
    if options.challenge and not options.track:
        raise UsageError("--challenge is bound to a track", hint="leave out --no-track")
    if options.events_folder is not None and not options.keep_events:
        raise UsageError("--events-folder alone keeps nothing", hint="add --keep-events N")
    if options.keep_visits is not None and not options.track:
        raise UsageError("--keep-visits needs faces that are followed", hint="leave out --no-track")
    if options.visit_faces and options.keep_visits is None:
        raise UsageError("--visit-faces alone keeps nothing", hint="add --keep-visits N")
    if options.blur_unknown and (options.visit_faces or options.remember_unknown is not None):
        word = "--visit-faces" if options.visit_faces else "--remember-unknown"
        raise UsageError(f"{word} keeps strangers' faces", hint="leave out --blur-unknown")
    if options.remember_unknown is not None and not options.track:
        raise UsageError(
            "--remember-unknown needs faces that are followed", hint="leave out --no-track"
        )
    if options.serve_token is not None and options.serve is None:
        raise UsageError("--serve-token has nothing to protect", hint="add --serve HOST:PORT")
    if options.mqtt_pictures and options.mqtt is None:
        raise UsageError("--mqtt-pictures has no broker to send them to", hint="add --mqtt URL")
    if options.serve_read_only and options.serve is None:
        raise UsageError("--serve-read-only has nothing to serve", hint="add --serve HOST:PORT")


def _run(options: RunOptions, signals: Signals) -> None:
    from edge.bundle.locate import locate
    from edge.cli.visiting import Visiting
    from edge.service.about import STATUS, about
    from edge.service.loop import Loop
    from edge.service.probation import proved
    from edge.sinks.base import FanOut, Teller
    from edge.tracking.budget import Budget

    sources = open_sources(options, signals)
    notifier = Notifier() if options.systemd else SilentNotifier()
    located = locate(options.bundle)
    if any(source.live for source in sources):
        located = proved(located)
    if not options.quiet:
        say(located.line, err=True)
    recognizer = open_recognizer(located, options)
    budget = None if options.max_cpu is None else Budget(options.max_cpu)
    check_attributes(options, recognizer)
    streams = open_streams(options, sources, budget)
    names = [head.name for head in recognizer.heads if not head.is_task]
    sinks = open_sinks(options, streams, names, signals)
    visiting = Visiting(visit_options(options), recognizer, signals.ask_reload)
    tellers = [sink.tell for sink in sinks if isinstance(sink, Teller)]
    visiting.tell += tellers
    labels = [stream.label for stream in streams]
    for tell in tellers:
        tell(STATUS, about(located, recognizer, labels))
    sinks += visiting.sinks(sources)

    def again() -> Recognizer:
        found = proved(locate(options.bundle), fall_back=False, on_wait=notifier.progress)
        reloaded = open_recognizer(found, options)
        visiting.heads = reloaded.heads
        for tell in tellers:
            tell(STATUS, about(found, reloaded, labels))
        return reloaded

    if options.save is None and not any(sink.wants_images for sink in sinks):
        for stream in streams:
            stream.spare_pictures()
    with contextlib.ExitStack() as opened:
        for source in sources:
            opened.enter_context(source)
        sinks += savers(options, sources)
        hurried = lambda: signals.stopping  # noqa: E731
        lossless = not any(source.live for source in sources)
        blurs = options.blur_unknown
        with FanOut(sinks, lossless=lossless, hurried=hurried, blurs=blurs) as fan:
            loop = Loop(
                streams,
                recognizer,
                fan,
                signals=signals,
                budget=budget,
                notifier=notifier,
                reload=again,
                limit=options.frames,
            )
            loop.run()
    _summarize(options, streams, fan)
    if options.challenge and not options.quiet:
        from edge.tracking.challenge import LIMITS

        trackers = [stream.tracker for stream in streams]
        passed = sum(getattr(tracker, "passed", 0) for tracker in trackers)
        failed = sum(getattr(tracker, "failed", 0) for tracker in trackers)
        broken = sum(getattr(tracker, "broken", 0) for tracker in trackers)
        say(
            f"challenges passed: {passed}, failed: {failed}, broken off: {broken}; {LIMITS}",
            err=options.as_json,
        )


def check_attributes(options: RunOptions, recognizer: Recognizer) -> None:
    """Raises `UsageError` for attributes that the bundle's base does not know."""
    if not options.show_attributes:
        return
    known = () if recognizer.base is None else recognizer.base.network.attributes
    unknown = [name for name in options.show_attributes if name not in known]
    if unknown:
        names = ", ".join(known) or "none"
        raise UsageError(f"the base knows no attribute {unknown[0]}", hint=f"it knows {names}")


def shown_source(name: str) -> str:
    """A camera or source of the command line as it may be shown."""
    from edge.console.display_text import without_secrets

    return without_secrets(name) if "://" in name else name


def open_sources(options: RunOptions, signals: Signals) -> list[Source]:
    """The sources that the options name, not yet opened. Raises `SourceError`, `UsageError`."""
    cameras = [_open_source(options, signals, camera=name) for name in options.camera]
    return [*cameras, *(_open_source(options, signals, source=name) for name in options.source)]


def _open_source(
    options: RunOptions,
    signals: Signals,
    *,
    camera: str | None = None,
    source: str | None = None,
) -> Source:
    from edge.service.watch import turning
    from edge.sources import opener
    from edge.sources.v4l2 import CameraOptions

    width_px, height_px = options.size or (None, None)
    asked = CameraOptions(width_px, height_px, options.fps, options.pixel_format, options.exposure)
    asked, _ = turning(camera, asked, rotate=options.rotate, mirror=options.mirror)
    return opener.open_source(
        camera=camera,
        source=source,
        options=asked,
        realtime=options.realtime,
        wait_for_camera=options.wait_for_camera or options.systemd,
        interrupted=lambda: signals.stopping,
    )


def open_streams(
    options: RunOptions, sources: Sequence[Source], budget: Budget | None
) -> list[Stream]:
    """The sources with all that belongs to each of them alone. Raises `UsageError`."""
    from edge.service.stream import Stream, labels_of
    from edge.tracking.budget import BudgetTurn

    labels = labels_of([source.name for source in sources])
    cameras = (*options.camera, *(None for _ in options.source))
    numbers, turns = count(1), list[BudgetTurn]()
    streams = []
    for source, camera, label in zip(sources, cameras, labels, strict=True):
        several = len(sources) > 1 and source.live
        part = BudgetTurn(budget, turns) if budget is not None and several else budget
        tracker = open_tracker(options, source, part, numbers)
        stream = Stream(
            source,
            tracker=tracker,
            direction=open_direction(options, source, camera),
            most_fps=options.fps if tracker is None else None,
            label=label,
            shown=options.show_attributes,
        )
        streams.append(stream)
    return streams


def open_direction(options: RunOptions, source: Source, camera: str | None) -> Direction:
    """What turns the frames of the source. Pictures tell by themselves how they lie, or not at
    all."""
    from edge.service.watch import turning
    from edge.sources.v4l2 import CameraOptions

    _, direction = turning(camera, CameraOptions(), rotate=options.rotate, mirror=options.mirror)
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
        adapt=options.adapt if options.camera else "off",
    )


def open_tracker(
    options: RunOptions,
    source: Source,
    budget: Budget | BudgetTurn | None,
    numbers: Iterator[int],
) -> Follower | Challenger | None:
    """What follows faces in the source; None for pictures, which stand for themselves.

    numbers: of new tracks. What the budget does not afford is left out of live sources; files are
    judged in full, slower.
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
    follower = Follower(
        Tracks(votes=votes, numbers=numbers), schedule, every_landmark=options.challenge
    )
    if not options.challenge:
        return follower
    from edge.tracking.challenge import Challenger

    return Challenger(follower)


def savers(options: RunOptions, sources: Sequence[Source]) -> list[Sink]:
    """The sinks that need to know an open source."""
    from edge.sinks.files import saver_for

    return [] if options.save is None else [saver_for(options.save, sources[0])]


def visit_options(options: RunOptions) -> VisitOptions:
    """Those of the options that are about visits."""
    from edge.cli.visiting import VisitOptions

    return VisitOptions(
        keep=options.keep_visits,
        faces=options.visit_faces,
        remember_unknown_s=options.remember_unknown,
        adapt=options.adapt,
        votes=options.votes,
        track=options.track,
        key_file=options.key_file,
    )


def open_sinks(
    options: RunOptions, streams: Sequence[Stream], people: Sequence[str], signals: Signals
) -> list[Sink]:
    """All other sinks that the options ask for. Raises `UsageError`."""
    from edge.sinks.jsonlines import JsonLines
    from edge.sinks.text import TextLines

    alone = all(stream.source.kind in ("picture", "folder") for stream in streams)
    sinks: list[Sink] = [JsonLines() if options.as_json else TextLines(alone=alone)]
    sinks += _local_sinks(options, signals)
    labels = [stream.label for stream in streams if stream.label]
    sinks += _network_sinks(options, people, labels, signals)
    return sinks


def _local_sinks(options: RunOptions, signals: Signals) -> Iterator[Sink]:
    """What stays on this device."""
    if options.challenge and not options.quiet and sys.stderr.isatty():
        from edge.sinks.prompts import Prompts

        yield Prompts()
    if options.window:
        from edge.sinks.window import Window

        yield Window(on_close=signals.stop)
    if options.keep_events:
        from edge.people.event_pictures import events_folder
        from edge.sinks.event_pictures import EventPictures

        folder = options.events_folder or events_folder()
        yield EventPictures(folder, options.keep_events)
    lines = ("match", options.on_match), ("unknown", options.on_unknown), ("left", options.on_left)
    for on, given in lines:
        for line in given:
            from edge.sinks.command import MatchCommand

            yield MatchCommand(line, on=on)


def _network_sinks(
    options: RunOptions, people: Sequence[str], labels: Sequence[str], signals: Signals
) -> Iterator[Sink]:
    """What uses the network; the only place that does, beside cameras with a URL. labels: of
    several sources."""
    if options.serve is not None:
        from edge.cli.serving import serving_sinks
        from edge.sinks.preview import Address

        yield from serving_sinks(
            Address.parse(options.serve, options.serve_token),
            sources=labels,
            read_only=options.serve_read_only,
            bundle=options.bundle,
            key_file=options.key_file,
            detector_model=options.detector_model,
            keeps_visits=options.keep_visits is not None or options.remember_unknown is not None,
            changed=signals.ask_reload,
        )
    if options.mqtt is not None:
        from edge.sinks.mqtt import Mqtt, MqttConfig

        config = MqttConfig.from_url(options.mqtt)
        yield Mqtt(config, people, labels, pictures=options.mqtt_pictures)
    for url in options.webhook:
        from edge.sinks.webhook import Webhook

        yield Webhook(url)


def _summarize(options: RunOptions, streams: Sequence[Stream], fan: FanOut) -> None:
    """The last words: on standard output for people, on standard error beside JSON."""
    if options.quiet:
        return
    say(_summary(streams, fan), err=options.as_json)


def _summary(streams: Sequence[Stream], fan: FanOut) -> str:
    lines = [_tally_line(stream.tally, [stream]) for stream in streams]
    if len(streams) > 1:
        from edge.service.stream import Tally

        lines = [f"{each.label}: {line}" for each, line in zip(streams, lines, strict=True)]
        lines.append(_tally_line(Tally.of([stream.tally for stream in streams]), streams))
    losses = [
        f"{counted(stream.source.skipped, 'frame')} "
        f"{f'of {stream.label} ' * bool(stream.label)}passed unseen"
        for stream in streams
        if stream.source.skipped
    ]
    losses += [f"{name} missed {count}" for name, count in fan.dropped.items() if count]
    losses += [f"{name} failed {counted(n, 'time')}" for name, n in fan.failed.items() if n]
    return "\n".join([*lines, *([", ".join(losses)] if losses else [])])


def _tally_line(tally: Tally, streams: Sequence[Stream]) -> str:
    alone = all(stream.source.kind in ("picture", "folder") for stream in streams)
    unit = "picture" if alone else "frame"
    counts = [counted(tally.frames, unit), counted(tally.faces, "face")]
    if tally.errors:
        counts.append(f"{tally.errors} unreadable" if unit == "picture" else f"{tally.errors} lost")
    who = ", ".join(f"{name} in {count}" for name, count in tally.people.most_common())
    counts.append(who or "nobody recognized")
    looked = len(tally.latencies_ms)
    if not looked:
        return ", ".join(counts)
    times = f"{tally.latency_ms(50):.1f} ms at the median, {tally.latency_ms(95):.1f} ms at p95"
    some = f" (of the last {counted(looked, unit)} that networks looked at)"
    return f"{', '.join(counts)}; {times}{some if looked < tally.frames - tally.errors else ''}"
