"""Sources: where pictures come from. Files, folders and pictures here; cameras in `capture`."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from edge.errors import PictureError, SourceError, UsageError
from edge.files.formats import READ_NAMES, PictureFormat, is_picture, printable
from edge.files.image import picture_header, read_picture
from edge.files.listing import list_folder
from edge.sources.film import FALLBACK_FPS, Film, lacks_index, open_film

URL_SCHEMES = ("http", "https", "rtsp", "rtsps")
"""Network sources that OpenCV's FFmpeg reads."""

_Self = TypeVar("_Self", bound="Source")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """One picture as it came from a source.

    image_bgr: uint8[H, W, 3] BGR, None where `error` says why there is none, or where nobody needs
    it (`Source.wanted`). number: from 0; in
    live sources it counts what the camera delivered, so that gaps show what was skipped. time_s:
    seconds since the source's start, in files the frame's own time. captured_at_s: of live
    pictures, when it was taken on the clock of `time.monotonic`; None for files. source: the
    camera, file or URL; for folders the picture's path.
    """

    image_bgr: np.ndarray | None
    number: int
    time_s: float
    captured_at_s: float | None
    source: str
    error: str | None = None


class Source(abc.ABC):
    """Something that gives pictures, used as a context manager.

    name: for people, without passwords. kind: "picture", "folder", "video" or "live"; only "live"
    sources skip frames. fps: nominal frames per second, None where there is none. skipped: frames
    that were delivered and never taken. total: how many pictures there will be, if that is known.

    on_fresh: called, by whatever thread, when a live source has something new to take. wanted:
    asked, by whatever thread, whether the picture of a frame at this time is needed; of others
    decoding is spared where it can be, and their frames have neither picture nor error. None where
    all are needed. To be set before the source is opened.

    Of live sources alone: connected: whether the camera is there. attempts: how often it was
    opened. hanging: how many reads hang inside a driver, which only a new process can free.
    """

    kind: str = "video"
    connected = True
    hanging = 0
    attempts = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.fps: float | None = None
        self.total: int | None = None
        self.skipped = 0
        self.ended = False
        self.on_fresh: Callable[[], None] = lambda: None
        self.wanted: Callable[[float], bool] | None = None

    @property
    def live(self) -> bool:
        return self.kind == "live"

    def __enter__(self: _Self) -> _Self:
        """Open it. Raises `SourceError` or `PictureError` when it cannot be opened."""
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every picture until the end; waits for live ones as long as it takes."""
        while not self.ended:
            grab = self.take(0.5)
            if grab is not None:
                yield grab

    @abc.abstractmethod
    def open(self) -> None:
        """Make ready. Raises `SourceError`."""

    @abc.abstractmethod
    def take(self, wait_s: float) -> Frame | None:
        """The next picture, in live sources the newest one.

        None when none came within `wait_s`, or when there are no more: `ended` is then True.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Give everything back; safe to call twice."""

    def elapsed_s(self) -> float:
        """The time of live sources now, on the clock of their pictures' `time_s`."""
        return 0.0


class PictureSource(Source):
    """One picture. What cannot be decoded is refused when it is opened."""

    kind = "picture"

    def __init__(self, path: Path) -> None:
        super().__init__(printable(path))
        self.total = 1
        self._path = path
        self._image: np.ndarray | None = None

    def open(self) -> None:
        self._image = read_picture(self._path)

    def take(self, wait_s: float) -> Frame | None:
        self.ended = True
        image, self._image = self._image, None
        return None if image is None else Frame(image, 0, 0.0, None, self.name)

    def close(self) -> None:
        self._image = None


class FolderSource(Source):
    """The pictures of a folder and of those in it, by name; what is left out is logged.

    Each one stands for itself: `time_s` is always 0. A file that cannot be decoded is a grab with
    an error.
    """

    kind = "folder"

    def __init__(self, folder: Path) -> None:
        super().__init__(printable(folder))
        self.folder = folder
        self._paths: list[Path] = []
        self._next = 0

    def open(self) -> None:
        listing = list_folder(self.folder, is_picture)
        said = listing.words()
        if not listing.files:
            raise SourceError(
                f"the folder {self.name} holds no pictures{f' ({said})' if said else ''}",
                hint=f"give a folder with {READ_NAMES} files",
            )
        if said:
            log.warning("%s", said)
        self._paths = list(listing.files)
        self.total = len(self._paths)

    def take(self, wait_s: float) -> Frame | None:
        if self._next >= len(self._paths):
            self.ended = True
            return None
        number, path = self._next, self._paths[self._next]
        self._next += 1
        self.ended = self._next >= len(self._paths)
        try:
            return Frame(read_picture(path), number, 0.0, None, printable(path))
        except PictureError as problem:
            return Frame(None, number, 0.0, None, printable(path), str(problem))

    def close(self) -> None:
        self._next = len(self._paths)


class VideoSource(Source):
    """A video file, frame by frame; none is left out however long each one takes.

    What is odd about it, such as frames that cannot be decoded, is logged at its end.
    """

    kind = "video"

    def __init__(self, path: Path) -> None:
        super().__init__(printable(path))
        self.path = path
        self._film: Film | None = None
        self._waiting: np.ndarray | None = None

    def open(self) -> None:
        self._film = open_film(self.path)
        self._waiting = None if self._film is None else self._film.read()
        if self._film is None or self._waiting is None:
            self.close()
            raise _unreadable_video(self.path)
        self.fps = self._film.fps or FALLBACK_FPS
        self.total = self._film.total

    def take(self, wait_s: float) -> Frame | None:
        film = self._film
        if film is None:
            self.ended = True
            return None
        image, self._waiting = self._waiting, None
        if image is None and self.wanted is not None:
            if not film.advance():
                self._end(film)
                return None
            time_s = film.time_s()
            image = film.picture() if self.wanted(time_s) else None
            return Frame(image, film.number - 1, time_s, None, self.name)
        if image is None:
            image = film.read()
            if image is None:
                self._end(film)
                return None
        return Frame(image, film.number - 1, film.time_s(), None, self.name)

    def _end(self, film: Film) -> None:
        if not self.ended:
            for text in film.oddities(self.name):
                log.warning("%s", text)
        self.ended = True

    def close(self) -> None:
        film, self._film = self._film, None
        if film is not None:
            film.close()


def _unreadable_video(path: Path) -> SourceError:
    """Why a file is no video, as far as it can be told."""
    name = printable(path)
    if path.stat().st_size == 0:
        return SourceError(f"{name} is empty", hint="copy it again")
    if lacks_index(path):
        return SourceError(
            f"{name} was cut off: it lacks the index (moov) without which no frame can be found",
            hint="copy it again, or let the recorder end before the file is taken",
        )
    return SourceError(
        f"{name} is neither a video nor a picture that can be read",
        hint="give a video such as MP4, MKV, AVI or GIF, a picture, or a folder of them",
    )


def is_url(text: str) -> bool:
    """Whether `text` names a network stream."""
    return text.partition("://")[0].lower() in URL_SCHEMES and "://" in text


def file_source(path: Path) -> Source:
    """The source for a path: a folder, a picture or a video.

    Raises `SourceError` when there is nothing.
    """
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise SourceError(f"there is no file or folder {printable(path)}", hint="check the path")
    if not path.is_file():
        raise UsageError(
            f"{path} is neither a file nor a folder", hint="open devices with --camera instead"
        )
    header = picture_header(path)
    if is_picture(path) or (header is not None and header.format is not PictureFormat.GIF):
        return PictureSource(path)
    return VideoSource(path)
