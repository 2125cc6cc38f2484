"""Saving: annotated pictures and videos, which appear whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from edge.errors import InputError, RefusedError, UsageError
from edge.files.atomic import atomic_file, atomic_folder
from edge.files.formats import encoder_of, printable, written_name
from edge.files.image import write_picture
from edge.sinks.base import Judged, Sink
from edge.sources.files import FolderSource, Source
from edge.sources.film import FALLBACK_FPS, opencv_name

VIDEO_CODECS = {".avi": "MJPG", ".mp4": "mp4v", ".m4v": "mp4v", ".mkv": "FFV1", ".webm": "VP80"}
"""Codec for each suffix, of those that the OpenCV wheels can write; FFV1 loses nothing."""

LIVE_FPS = 15.0
"""Rate of videos saved from live sources."""

LONGEST_GAP_S = 2.0
"""A pause of a live source is at most this long in its video."""

SPARE_BYTES = 200_000_000
"""A live video ends when the disk has less left than this."""

_SPACE_EVERY = 100


class PictureSaver(Sink):
    """Writes one annotated picture."""

    name = "--save"
    wants_images = True
    essential = True
    must_close = True

    def __init__(self, target: Path) -> None:
        self._target = target

    def write(self, judged: Judged) -> None:
        image = judged.annotated_bgr
        if image is not None:
            write_picture(self._target, image)


class FolderSaver(Sink):
    """Writes the annotated pictures of a folder under their own names into a new folder; those in
    formats that are only read, such as `a.heic`, as `a.heic.jpg`."""

    name = "--save"
    wants_images = True
    essential = True
    must_close = True

    def __init__(self, target: Path, source_folder: Path) -> None:
        self._target = target
        self._source_folder = source_folder
        self._stack = contextlib.ExitStack()
        self._folder = target

    def __enter__(self) -> FolderSaver:
        self._folder = self._stack.enter_context(atomic_folder(self._target))
        return self

    def write(self, judged: Judged) -> None:
        image = judged.annotated_bgr
        if image is not None:
            inside = Path(judged.result.source).relative_to(printable(self._source_folder))
            write_picture(written_name(self._folder / inside), image)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, problem, trace)


class VideoSaver(Sink):
    """Writes an annotated video.

    From files every frame is written once. From live sources frames are repeated or left out, so
    that the video runs at the speed of the world.
    """

    name = "--save"
    wants_images = True
    essential = True
    must_close = True

    def __init__(
        self, target: Path, fps: float | None, *, live: bool, spare_bytes: int = SPARE_BYTES
    ) -> None:
        self.written = self._check_at = 0
        self._target = target
        self._fps = LIVE_FPS if live else fps or FALLBACK_FPS
        self._live = live
        self._spare_bytes = spare_bytes
        self._stack = contextlib.ExitStack()
        self._temporary = target
        self._writer: cv2.VideoWriter | None = None
        self._size_px = (0, 0)
        self._video_s = 0.0
        self._last_s: float | None = None

    def __enter__(self) -> VideoSaver:
        self._temporary = self._stack.enter_context(atomic_file(self._target))
        return self

    def write(self, judged: Judged) -> None:
        image = judged.annotated_bgr
        if image is None:
            return
        if self._writer is None:
            self._writer = self._start(image)
        if (image.shape[1], image.shape[0]) != self._size_px:
            image = fitted(image, self._size_px)
        if self.written >= self._check_at:
            self._check_space()
            self._check_at = self.written + _SPACE_EVERY
        for _ in range(self._copies(judged.result.time_s)):
            self._writer.write(image)
            self.written += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        if kind is None or isinstance(problem, _DiskFull):
            with self._stack:
                if self.written == 0 or self._temporary.stat().st_size == 0:
                    raise InputError(
                        f"nothing was saved to {self._target}: there was no picture to write"
                    )
            return
        self._stack.__exit__(kind, problem, trace)

    def _start(self, image: np.ndarray) -> cv2.VideoWriter:
        self._size_px = (image.shape[1], image.shape[0])
        code = cv2.VideoWriter.fourcc(*VIDEO_CODECS[self._target.suffix.lower()])
        writer = cv2.VideoWriter(
            str(self._temporary), cv2.CAP_FFMPEG, code, self._fps, self._size_px
        )
        if not writer.isOpened():
            raise InputError(
                f"OpenCV cannot write {self._target}", hint="choose a name that ends with .avi"
            )
        return writer

    def _copies(self, time_s: float) -> int:
        """How often a picture has to be written to reach its time."""
        if not self._live:
            return 1
        if self._last_s is not None:
            self._video_s += min(max(0.0, time_s - self._last_s), LONGEST_GAP_S)
        self._last_s = time_s
        return max(0, int(self._video_s * self._fps) + 1 - self.written)

    def _check_space(self) -> None:
        free = shutil.disk_usage(self._temporary.parent).free
        if free < self._spare_bytes:
            raise _DiskFull(
                f"{self._target} ends here: the disk has only {free / 1e6:.0f} MB left",
                hint="free some space or save less",
            )


def fitted(image_bgr: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """uint8[H, W, 3] scaled into width and height with its own proportions, black beside it."""
    height, width = image_bgr.shape[:2]
    scale = min(size_px[0] / width, size_px[1] / height)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image_bgr, (wide, high), interpolation=cv2.INTER_AREA)
    left, top = (size_px[0] - wide) // 2, (size_px[1] - high) // 2
    right, bottom = size_px[0] - wide - left, size_px[1] - high - top
    return cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT)


class _DiskFull(RefusedError):
    """The video so far is kept."""


def saver_for(target: Path, source: Source) -> Sink:
    """The sink that saves what comes from `source` at `target`.

    Raises `UsageError` when the one cannot become the other, or would overwrite it.
    """
    if target.exists() and Path(source.name).exists() and target.samefile(source.name):
        raise UsageError(f"--save {target} would overwrite the source", hint="choose another name")
    if source.kind == "folder":
        assert isinstance(source, FolderSource)
        return _folder_saver(target, source)
    if target.is_dir():
        raise UsageError(f"--save {target} is a folder", hint="name a file in it")
    suffix = target.suffix.lower()
    if source.kind == "picture":
        _check_suffix(target, encoder_of(target) is not None, "a picture", "NAME.png or NAME.jpg")
        return PictureSaver(target)
    _check_suffix(target, suffix in VIDEO_CODECS, "a video", f"NAME{', NAME'.join(VIDEO_CODECS)}")
    opencv_name(target)
    return VideoSaver(target, source.fps, live=source.live)


def _folder_saver(target: Path, source: FolderSource) -> FolderSaver:
    if target.is_file():
        raise UsageError(f"--save {target} is a file", hint="a folder is saved as a folder")
    if target.is_dir() and any(target.iterdir()):
        raise UsageError(f"--save {target} is not empty", hint="name a folder that is new")
    if source.folder.resolve() in target.resolve().parents:
        raise UsageError(
            f"--save {target} lies in the folder that is read", hint="choose another place"
        )
    return FolderSaver(target, source.folder)


def _check_suffix(target: Path, fits: bool, kind: str, names: str) -> None:
    if not fits:
        raise UsageError(
            f"--save {target} cannot hold {kind}", hint=f"choose a name such as {names}"
        )
