"""Film: what FFmpeg decodes, through OpenCV, with what OpenCV leaves to others put right.

Frames that cannot be decoded are passed over and counted; pixels that are not square are made
square; the turn that a phone wrote beside the video is done here, because OpenCV 4.10 to 4.12 leave
it out.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import cv2
import numpy as np

from edge.errors import SourceError
from edge.files.formats import printable
from edge.files.header import boxes
from edge.files.image import MAX_PIXELS

FALLBACK_FPS = 25.0
"""Assumed for files that do not say their rate."""

MOST_FAILED = 60
"""Frames in a row that may be undecodable where it is not known how many there are; as many again
as a file promises where it is."""

LONGEST_STEP_S = 60.0
"""A time stamp that is so much later than the one before is taken for a jump of the clock, but for
films of fewer than one frame in 3 s."""

_WIDEST_PIXEL = 4.0


class Film:
    """An open `cv2.VideoCapture` and what is known of it.

    unreadable: frames that were passed over. number: frames read so far. fps: None where it is not
    said. total: None where it is not said; of some files it is an estimate. jumps: time stamps that
    went back or jumped, and were replaced.
    """

    def __init__(self, capture: cv2.VideoCapture, rotation_deg: int | None = None) -> None:
        """rotation_deg: how far pictures are to be turned clockwise; None asks OpenCV."""
        self._capture = capture
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0.1 <= fps <= 1000 else None
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.total = count if count > 0 else None
        self.number = 0
        self.unreadable = 0
        self.jumps = 0
        self._offset_s = 0.0
        self._time_s = 0.0
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        if rotation_deg is None:
            rotation_deg = int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self._rotation_deg = rotation_deg
        wide, high = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
        ratio = wide / high if wide > 0 and high > 0 else 1.0
        self._pixel_ratio = ratio if 1 / _WIDEST_PIXEL <= ratio <= _WIDEST_PIXEL else 1.0

    @property
    def too_large(self) -> tuple[int, int] | None:
        """Width and height of frames that would not fit the memory, else None."""
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        return (width, height) if width * height > MAX_PIXELS else None

    def read(self, most_failed: int | None = None) -> np.ndarray | None:
        """The next frame that can be decoded, uint8[H, W, 3] BGR as it is to be shown; None at the
        end."""
        if most_failed is None:
            left = (self.total or 0) - self.number - self.unreadable
            most_failed = max(MOST_FAILED, left)
        for failed in range(most_failed + 1):
            found, image = self._capture.read()
            if found and image is not None:
                self.unreadable += failed
                self.number += 1
                return self._shown(image)
        return None

    def advance(self) -> bool:
        """Pass on to the next frame without making a picture of it; False at the end."""
        left = (self.total or 0) - self.number - self.unreadable
        for failed in range(max(MOST_FAILED, left) + 1):
            if self._capture.grab():
                self.unreadable += failed
                self.number += 1
                return True
        return False

    def picture(self) -> np.ndarray | None:
        """Of the frame that `advance` passed on to, as `read` gives it; None if undecodable."""
        found, image = self._capture.retrieve()
        return self._shown(image) if found and image is not None else None

    def _shown(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        if abs(self._pixel_ratio - 1) > 0.01:
            wide, high = max(1.0, self._pixel_ratio), max(1.0, 1 / self._pixel_ratio)
            size_px = (round(width * wide), round(height * high))
            image = cv2.resize(image, size_px, interpolation=cv2.INTER_LINEAR)
        turns = {
            90: cv2.ROTATE_90_CLOCKWISE,
            180: cv2.ROTATE_180,
            270: cv2.ROTATE_90_COUNTERCLOCKWISE,
        }
        if self._rotation_deg in turns:
            image = cv2.rotate(image, turns[self._rotation_deg])
        return np.asarray(image)

    def time_s(self) -> float:
        """The time of the frame that was read last, in seconds; never less than that of the one
        before. By its number where the file does not say."""
        step_s = 1.0 / (self.fps or FALLBACK_FPS)
        place = self.number + self.unreadable - 1
        stamp_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        stamp_s = stamp_ms / 1000 if stamp_ms > 0 or place == 0 else place * step_s
        time_s = max(0.0, stamp_s) + self._offset_s
        if place > 0 and not 0 <= time_s - self._time_s <= max(LONGEST_STEP_S, 20 * step_s):
            self.jumps += 1
            self._offset_s += self._time_s + step_s - time_s
            time_s = self._time_s + step_s
        self._time_s = time_s
        return time_s

    def oddities(self, name: str) -> list[str]:
        """What was odd about it, once it has ended, in words for people."""
        said = []
        if self.unreadable:
            frames = "frame" if self.unreadable == 1 else "frames"
            said.append(f"{self.unreadable} {frames} of {name} could not be decoded")
        promised = self.total or 0
        missing = promised - self.number - self.unreadable
        seen_s = self._time_s + 1.0 / (self.fps or FALLBACK_FPS)
        short = seen_s < 0.95 * promised / (self.fps or FALLBACK_FPS)
        if missing >= 3 and missing > 0.05 * promised and short:
            said.append(
                f"{name} promises {promised} frames and holds {self.number} that can be read: "
                "it was cut off or is damaged"
            )
        if self.jumps:
            times = "once" if self.jumps == 1 else f"{self.jumps} times"
            said.append(f"time stamps of {name} jumped {times}, and time went on by its frames")
        return said

    def close(self) -> None:
        """Give it back; safe to call twice."""
        self._capture.release()


def opencv_name(path: Path) -> str:
    """The path as OpenCV takes it for videos. Raises `SourceError` for one that is not UTF-8, with
    which OpenCV would end the process."""
    try:
        return str(path).encode("utf-8").decode()
    except UnicodeEncodeError:
        raise SourceError(
            f"the name of {printable(path)} is not UTF-8, and OpenCV opens no such video",
            hint="rename it",
        ) from None


def open_film(path: Path) -> Film | None:
    """The film in a file, None where FFmpeg finds none. Raises `SourceError` for a name that OpenCV
    cannot take and for frames that would not fit the memory."""
    name = opencv_name(path)
    capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        capture.release()
        return None
    film = Film(capture, display_rotation(path))
    too_large = film.too_large
    if too_large is not None:
        film.close()
        width, height = too_large
        raise SourceError(
            f"{name} has frames of {width}x{height} px, more than the "
            f"{MAX_PIXELS // 1_000_000} million that are decoded",
            hint="make it smaller",
        )
    return film


def lacks_index(path: Path) -> bool:
    """Whether a file begins as an MP4 or MOV does and has no whole index: it was cut off, or its
    recorder never ended it (ISO/IEC 14496-12, 8.2.1)."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(0)
            if stream.read(12)[4:8] not in (b"ftyp", b"wide", b"mdat"):
                return False
            indexes = [end for kind, _, end in boxes(stream, 0, None) if kind == b"moov"]
    except (OSError, ValueError, struct.error):
        return False
    return not any(end <= size for end in indexes)


def display_rotation(path: Path) -> int | None:
    """How far the pictures of an MP4 or MOV are to be turned clockwise, in degrees; None for other
    files. From the matrix in the header of the first video track (ISO/IEC 14496-12, 8.3.2)."""
    try:
        with path.open("rb") as stream:
            if stream.read(12)[4:8] not in (b"ftyp", b"moov", b"wide", b"mdat"):
                return None
            for kind, begin, end in boxes(stream, 0, None):
                if kind != b"moov":
                    continue
                tracks = [box for box in boxes(stream, begin, end) if box[0] == b"trak"]
                for _, inside, last in tracks:
                    found = {box[0]: box for box in boxes(stream, inside, last)}
                    media = found.get(b"mdia")
                    head = found.get(b"tkhd")
                    if media is None or head is None:
                        continue
                    handlers = [b for b in boxes(stream, *media[1:]) if b[0] == b"hdlr"]
                    stream.seek(handlers[0][1] + 8 if handlers else 0)
                    if stream.read(4) != b"vide":
                        continue
                    stream.seek(head[1])
                    data = stream.read(92)
                    a, b = struct.unpack_from(">ii", data, 52 if data[0] == 1 else 40)
                    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    except (OSError, ValueError, IndexError, struct.error):
        return None
    return None
