"""Live capture: a thread that keeps the newest frame of a camera and brings lost cameras back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.console.display_text import without_secrets, without_secrets_of
from edge.errors import SourceError, UsageError
from edge.sources.files import Frame, Source, is_url
from edge.sources.v4l2 import Camera, CameraOptions, RawFrame, Sparing, V4L2Camera

log = logging.getLogger(__name__)

CLOSING_S = 0.7
"""How long a closing source waits for a read that is under way."""


@dataclass(frozen=True)
class CaptureConfig:
    """Times of a capture, in seconds.

    stall_s: a camera that gives nothing for so long has stalled. opening_s: the same while it is
    being opened. first_backoff_s, longest_backoff_s: pauses between attempts to open it again,
    doubled from the one to the other. wait_for_camera: whether a camera that is missing at the
    start is waited for, too.
    """

    stall_s: float = 4.0
    opening_s: float = 15.0
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 10.0
    wait_for_camera: bool = False


_BROKEN_IN_A_ROW = 30
"""Pictures in a row that may be undecodable before a camera is lost."""

_SLOW_FRAMES = 3.0
"""Frame times without a frame after which a slow camera, below 1 frame a second, has stalled."""


class _Reader(threading.Thread):
    """Opens and reads one camera until it is lost, or abandoned because it hangs.

    A read that hangs inside a driver cannot be interrupted. Such a reader is left behind with its
    camera, which it closes when it wakes up.
    """

    def __init__(self, camera: Camera, owner: LiveSource, pause_s: float) -> None:
        super().__init__(name=f"capture {camera.name}", daemon=True)
        self.camera = camera
        self.abandoned = threading.Event()
        self.opened = False
        self.pause_s = pause_s
        self._owner = owner

    def run(self) -> None:
        loss: Exception | None = None
        try:
            if not self.abandoned.wait(self.pause_s):
                self._read_all()
        except SourceError as problem:
            loss = problem
        except Exception as problem:  # drivers and libraries raise anything
            loss = SourceError(f"{self.camera.name}: {type(problem).__name__}: {problem}")
        finally:
            try:
                self.camera.close()
            except Exception as problem:
                log.warning("closing %s failed: %s", self.camera.name, problem)
        self._owner._ended(self, loss)

    def _read_all(self) -> None:
        self.camera.open()
        self.opened = True
        self._owner._opened(self)
        broken = 0
        while not self.abandoned.is_set():
            shot = self.camera.read()
            if shot is None:
                return
            pictured = self._owner._pictured(shot)
            broken = broken + 1 if pictured is None else 0
            if broken > _BROKEN_IN_A_ROW:
                raise SourceError(f"{self.camera.name} sends pictures that cannot be decoded")
            if pictured is not None:
                self._owner._got(self, pictured)


class LiveSource(Source):
    """A camera read by a thread; `take` gives the newest frame and skips those before it.

    A loss is one grab with an error; then the camera is opened again, with growing pauses, for as
    long as it takes. `interrupted` tells whether waiting for the camera at the start has to end.
    """

    kind = "live"

    def __init__(
        self,
        camera: Camera,
        config: CaptureConfig | None = None,
        *,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.config = config or CaptureConfig()
        self._interrupted = interrupted
        self._camera = camera
        super().__init__(camera.name)
        self.captured = 0
        self.losses = 0
        self.attempts = 0
        self._changed = threading.Condition()
        self._reader: _Reader | None = None
        self._hanging: list[_Reader] = []
        self._newest: Frame | None = None
        self._loss: str | None = None
        self._said = ""
        self._refusal: Exception | None = None
        self._done = False
        self._lost = True
        self._progress_at_s = 0.0
        self._backoff_s = 0.0
        self._started_at_s = time.monotonic()

    @property
    def connected(self) -> bool:  # type: ignore[override]
        return not self._lost

    @property
    def hanging(self) -> int:  # type: ignore[override]
        self._hanging = [reader for reader in self._hanging if reader.is_alive()]
        return len(self._hanging)

    def open(self) -> None:
        """Start the thread and wait for the camera. Raises `SourceError` when there is none."""
        with self._changed:
            self._start(0.0)
            if self.config.wait_for_camera:
                return
            deadline_s = time.monotonic() + self.config.opening_s
            while self._lost and self._refusal is None and not self._done:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or self._interrupted():
                    break
                self._changed.wait(min(left_s, 0.1))
            refusal = self._refusal
            lost = self._lost and not self._done and not self._interrupted()
        if refusal is not None or lost:
            self.close()
            raise refusal or SourceError(
                f"{self.name} did not answer within {self.config.opening_s:g} s",
                hint="check the camera, its cable and its address",
            )

    def take(self, wait_s: float) -> Frame | None:
        deadline_s = time.monotonic() + wait_s
        with self._changed:
            while True:
                grab = self._next()
                if grab is not None or self.ended:
                    return grab
                self._watch()
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return None
                self._changed.wait(min(left_s, max(0.01, self.config.stall_s / 4)))

    def close(self) -> None:
        with self._changed:
            reader, self._reader = self._reader, None
            self._done = self.ended = True
        if reader is not None:
            reader.abandoned.set()
            reader.join(CLOSING_S)

    def _next(self) -> Frame | None:
        if self._loss is not None:
            text, self._loss = self._loss, None
            return Frame(None, self.captured, self.elapsed_s(), None, self.name, text)
        grab, self._newest = self._newest, None
        if grab is None and self._done:
            self.ended = True
        return grab

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_at_s

    def _watch(self) -> None:
        """Leave a reader behind that hangs. Called with the lock held."""
        reader = self._reader
        if reader is None or self._done:
            return
        frame_s = 1.0 / (reader.camera.fps or 30.0)
        stall_s = max(self.config.stall_s, _SLOW_FRAMES * frame_s)
        patience_s = stall_s if reader.opened else self.config.opening_s
        silent_s = time.monotonic() - self._progress_at_s
        if silent_s <= patience_s:
            return
        reader.abandoned.set()
        self._hanging.append(reader)
        self._lose(f"{self.name} has given no picture for {silent_s:.1f} s")
        self._camera = self._camera.again()
        self._start(self._pause_s())

    def _start(self, pause_s: float) -> None:
        self.attempts += 1
        self._progress_at_s = time.monotonic() + pause_s
        if self.wanted is not None and isinstance(self._camera, Sparing):
            self._camera.lazy = True
        self._reader = _Reader(self._camera, self, pause_s)
        self._reader.start()

    def _pause_s(self) -> float:
        config = self.config
        self._backoff_s = min(
            config.longest_backoff_s, self._backoff_s * 2 or config.first_backoff_s
        )
        return self._backoff_s

    def _wake(self) -> None:
        """Whoever waits looks again. Called with the lock held."""
        self._changed.notify_all()
        self.on_fresh()

    def _lose(self, text: str) -> None:
        """Remember a loss, once: failing attempts to open it again are no new ones."""
        if not self._lost:
            self.losses += 1
            self._loss = text
            self._newest = None
            log.warning("%s; trying again", text)
        self._lost = True
        self._wake()

    def _opened(self, reader: _Reader) -> None:
        with self._changed:
            if reader is not self._reader:
                return
            self._progress_at_s = time.monotonic()
            self.fps = reader.camera.fps
            self._wake()

    def _pictured(self, shot: RawFrame) -> RawFrame | None:
        """With its picture, or without one where nobody needs it; None where it cannot be decoded.
        Called by the reader."""
        if shot.decode is None:
            return shot
        at_s, wanted = shot.captured_at_s, self.wanted
        time_s = max(0.0, at_s - self._started_at_s) if self.captured else 0.0
        if wanted is not None and not wanted(time_s):
            return RawFrame(None, at_s)
        image = shot.decode()
        return None if image is None else RawFrame(image, at_s)

    def _got(self, reader: _Reader, shot: RawFrame) -> None:
        with self._changed:
            if reader is not self._reader:
                return
            if self._lost:
                if self.losses or self.attempts > 1:
                    log.warning("%s is back", self.name)
                self._lost = False
                self._backoff_s = 0.0
            if self.captured == 0:
                self._started_at_s = shot.captured_at_s
            if self._newest is not None:
                self.skipped += 1
            at_s = shot.captured_at_s
            time_s = max(0.0, at_s - self._started_at_s)
            waiting = self._newest
            if waiting is None or waiting.image_bgr is None or shot.image_bgr is not None:
                self._newest = Frame(shot.image_bgr, self.captured, time_s, at_s, self.name)
            self.captured += 1
            self._progress_at_s = time.monotonic()
            self._wake()

    def _ended(self, reader: _Reader, loss: Exception | None) -> None:
        with self._changed:
            if reader is not self._reader:
                return
            if loss is None:
                self._done = True
                self._wake()
                return
            never_there = self.captured == 0 and not self.config.wait_for_camera
            if never_there:
                self._refusal = loss
                self._wake()
                return
            if self._lost and str(loss) != self._said:
                log.warning("%s; trying again", loss)
            self._said = str(loss)
            self._lose(without_secrets_of(str(loss)))
            self._start(self._pause_s())


def camera_by_name(which: str, options: CameraOptions | None = None) -> Camera:
    """The camera for a word of the command line: `0`, `/dev/…`, `csi`, `csi:1`, `fake:SCRIPT`, URL.

    Raises `UsageError` for a word that names no camera.
    """
    kind, _, rest = which.partition(":")
    if which.isdigit() or which.startswith("/dev/"):
        return V4L2Camera(which, options)
    if kind == "csi" and (not rest or rest.isdigit()):
        from edge.sources.csi import CsiCamera

        return CsiCamera(int(rest or 0), options)
    if kind == "fake" and rest:
        from edge.sources.scripted import read_script

        return read_script(Path(rest))
    if which.lower().startswith(("http://", "https://")):
        from edge.sources.web import WebCamera

        return WebCamera(which)
    if is_url(which):
        from edge.sources.stream import StreamCamera

        return StreamCamera(which)
    shown = without_secrets(which) if "://" in which or "@" in which else which
    raise UsageError(
        f"'{shown}' names no camera",
        hint="give a number, a path such as /dev/v4l/by-id/…, csi, or a URL of http or rtsp",
    )
