"""What FFmpeg plays as it comes: network cameras (RTSP, HTTP), and files at their own speed."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import cv2

from edge.console.display_text import without_secrets
from edge.errors import SourceError
from edge.sources.files import VideoSource
from edge.sources.film import Film
from edge.sources.v4l2 import RawFrame

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 8.0
READ_TIMEOUT_S = 4.0
BROKEN_IN_A_ROW = 30
"""Frames in a row that may be undecodable before a stream is lost."""


class StreamCamera:
    """A camera by its URL. The name hides all that may be secret."""

    def __init__(
        self,
        url: str,
        *,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self.url = url
        self.name = without_secrets(url)
        self.fps: float | None = None
        self._timeouts_s = (open_timeout_s, read_timeout_s)
        self._film: Film | None = None

    def open(self) -> None:
        open_s, read_s = self._timeouts_s
        settings = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            int(open_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            int(read_s * 1000),
        ]
        capture = cv2.VideoCapture(self.url, cv2.CAP_FFMPEG, settings)
        if not capture.isOpened():
            capture.release()
            raise SourceError(
                f"no pictures from {self.name}",
                hint="check the address, the password and that the camera is switched on",
            )
        self._film = film = Film(capture)
        if film.too_large is not None:
            width, height = film.too_large
            raise SourceError(f"{self.name} sends {width}x{height} px, more than any camera")
        self.fps = film.fps if film.fps is not None and film.fps <= 240 else None

    def read(self) -> RawFrame | None:
        film = self._film
        before = 0 if film is None else film.unreadable
        image = None if film is None else film.read(BROKEN_IN_A_ROW)
        if film is not None and film.unreadable and not before:
            log.warning("%s sends frames that cannot be decoded; they are skipped", self.name)
        if image is None:
            raise SourceError(f"{self.name} has ended or gives no more pictures")
        return RawFrame(image, time.monotonic())

    def close(self) -> None:
        film, self._film = self._film, None
        if film is not None:
            film.close()

    def again(self) -> StreamCamera:
        open_s, read_s = self._timeouts_s
        return StreamCamera(self.url, open_timeout_s=open_s, read_timeout_s=read_s)


class FileCamera:
    """A video file played at its own speed, as if it were a camera: frames can be missed."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.fps: float | None = None
        self._path = path
        self._video = VideoSource(path)
        self._started_at_s = 0.0

    def open(self) -> None:
        self._video = VideoSource(self._path)
        self._video.open()
        self.fps = self._video.fps
        self._started_at_s = time.monotonic()

    def read(self) -> RawFrame | None:
        grab = self._video.take(0.0)
        if grab is None or grab.image_bgr is None:
            return None
        due_at_s = self._started_at_s + grab.time_s
        time.sleep(max(0.0, due_at_s - time.monotonic()))
        return RawFrame(grab.image_bgr, time.monotonic())

    def close(self) -> None:
        self._video.close()

    def again(self) -> FileCamera:
        return FileCamera(self._path)
