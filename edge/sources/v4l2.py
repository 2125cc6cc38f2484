"""USB and other V4L2 cameras, and what every camera is to the capture thread."""

from __future__ import annotations

import errno
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from edge.errors import SourceError
from edge.files.platform import ask_device
from edge.sources.turn import Turn

DEVICES = Path("/dev")
FIRST_FRAME_S = 5.0
"""A camera that has given nothing so long after it was opened does not work."""

CSI_DRIVERS = ("unicam", "rp1-cfe", "bcm2835-isp", "pispbe")
"""V4L2 drivers of the Raspberry Pi's camera connector; raw sensor data that libcamera has to turn
into pictures (https://www.raspberrypi.com/documentation/computers/camera_software.html)."""

SENSOR_DRIVERS = ("unicam", "rp1-cfe")
"""Those of them that are there only with a camera on the connector."""

_QUERYCAP = 0x80685600
"""VIDIOC_QUERYCAP of linux/videodev2.h: struct v4l2_capability has 104 bytes."""

_CAN_CAPTURE = 0x00000001 | 0x00001000
"""V4L2_CAP_VIDEO_CAPTURE, single- and multi-planar."""

_HAS_DEVICE_CAPS = 0x80000000


@dataclass(frozen=True)
class CameraOptions:
    """What a camera is asked for; None leaves the camera's own choice.

    pixel_format: four characters such as MJPG or YUYV. exposure: in the camera's own units (V4L2:
    100 µs; picamera2: µs); switches automatic exposure off. turn: what the camera itself is to do,
    which only those on the CSI connector can, and no quarter turns.
    """

    width_px: int | None = None
    height_px: int | None = None
    fps: float | None = None
    pixel_format: str | None = None
    exposure: float | None = None
    turn: Turn = Turn()


@dataclass(frozen=True)
class RawFrame:
    """image_bgr: uint8[H, W, 3] BGR, None where `decode` makes it; captured_at_s: on the clock of
    `time.monotonic`; decode: makes the picture, None where it cannot be decoded. To be called
    before the next frame is read.
    """

    image_bgr: np.ndarray | None
    captured_at_s: float
    decode: Callable[[], np.ndarray | None] | None = None


@runtime_checkable
class Sparing(Protocol):
    """A camera that can leave the decoding of a frame to whoever needs it: `lazy` says to."""

    lazy: bool


class Camera(Protocol):
    """What the capture thread drives. All calls but `name` and `fps` come from that thread."""

    name: str
    fps: float | None

    def open(self) -> None:
        """Open, or open again after a loss. Raises `SourceError` with the reason."""

    def read(self) -> RawFrame | None:
        """The next picture, however long it takes; None when there will never be another.

        Raises `SourceError` when the camera is lost.
        """

    def close(self) -> None:
        """Give the device back; safe to call twice."""

    def again(self) -> Camera:
        """Another object for the same camera, used when a call to this one hangs."""


@dataclass(frozen=True)
class Node:
    """A V4L2 device node. captures: whether it gives pictures (metadata nodes do not)."""

    path: Path
    driver: str
    card: str
    bus: str
    captures: bool

    @property
    def is_csi(self) -> bool:
        """Whether it belongs to the Pi's camera hardware, so that it is no USB camera."""
        return self.driver.startswith(CSI_DRIVERS)

    @property
    def is_sensor(self) -> bool:
        """Whether a camera on the connector stands behind it. The image processor's own nodes
        (bcm2835-isp, pispbe) are on every Pi, with and without a camera."""
        return self.driver.startswith(SENSOR_DRIVERS)


def describe_node(path: Path) -> Node:
    """Ask the kernel what a device node is. Raises OSError."""
    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        answer = ask_device(handle, _QUERYCAP, 104)
    finally:
        os.close(handle)
    driver, card, bus, _, all_caps, own_caps = struct.unpack("16s32s32sIII", answer[:92])
    caps = own_caps if all_caps & _HAS_DEVICE_CAPS else all_caps
    captures = bool(caps & _CAN_CAPTURE)
    return Node(path, _text(driver), _text(card), _text(bus), captures)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode(errors="replace")


def list_nodes(devices: Path = DEVICES) -> tuple[Node, ...]:
    """The cameras of this machine in the order of their numbers; unreadable nodes are left out."""
    nodes = []
    paths = [path for path in devices.glob("video*") if path.name[5:].isdigit()]
    for path in sorted(paths, key=lambda path: int(path.name[5:])):
        try:
            nodes.append(describe_node(path))
        except OSError:
            continue
    return tuple(node for node in nodes if node.captures)


class V4L2Camera:
    """A camera by index (`0`) or path (`/dev/video0`, `/dev/v4l/by-id/…`).

    A camera that comes back under another number or at another port is found again. One that was
    there beside it all the time is never taken for it, not even when it is the same model.
    """

    def __init__(
        self,
        which: str,
        options: CameraOptions | None = None,
        *,
        devices: Path = DEVICES,
        first_frame_s: float = FIRST_FRAME_S,
    ) -> None:
        self.options = options or CameraOptions()
        self.path = devices / f"video{which}" if which.isdigit() else Path(which)
        self.name = str(self.path)
        self.fps: float | None = self.options.fps
        self.lazy = False
        self._devices = devices
        self._first_frame_s = first_frame_s
        self._known: Node | None = None
        self._others: frozenset[str] = frozenset()
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        node = self._find()
        self._capture = cv2.VideoCapture(str(node.path.resolve()), cv2.CAP_V4L2)
        try:
            if not self._capture.isOpened():
                raise SourceError(
                    f"{node.path} ({node.card}) cannot be opened",
                    hint="another program may be using it: see 'fuser -v /dev/video*'",
                )
            self._configure(self._capture)
            self._await_first(node)
        except SourceError:
            self.close()
            raise
        self._remember(node)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0.1 <= fps <= 1000 else self.options.fps

    def read(self) -> RawFrame | None:
        shot = self._grabbed() if self.lazy else self._read()
        if shot is None:
            raise SourceError(f"{self.name} gives no more pictures")
        return shot

    def close(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def again(self) -> V4L2Camera:
        fresh = V4L2Camera(
            str(self.path), self.options, devices=self._devices, first_frame_s=self._first_frame_s
        )
        fresh._known, fresh._others = self._known, self._others
        return fresh

    def _find(self) -> Node:
        """The camera's node, under whatever number it is now. Raises `SourceError`."""
        try:
            node = describe_node(self.path)
        except OSError as problem:
            again = self._find_again()
            if again is None:
                raise self._refusal(problem) from None
            return again
        if self._known is not None and not _same(node, self._known):
            again = self._find_again()
            if again is not None:
                return again
            if node.bus in self._others:
                raise SourceError(f"{self.path} is another camera now ({node.card})")
        if node.captures:
            return node
        raise SourceError(
            f"{self.path} ({node.card}) gives no pictures, it is a device for other data",
            hint=_what_is_there(self._devices),
        )

    def _find_again(self) -> Node | None:
        """The camera that was open before, under another number or at another port."""
        known = self._known
        if known is None:
            return None
        nodes = [node for node in list_nodes(self._devices) if node.bus not in self._others]
        alike = [node for node in nodes if node.card == known.card]
        return min(alike, key=lambda node: node.bus != known.bus, default=None)

    def _remember(self, node: Node) -> None:
        """What is there beside the camera when it is opened for the first time."""
        if self._known is None:
            buses = {other.bus for other in list_nodes(self._devices)}
            self._others = frozenset(buses - {node.bus})
        self._known = node

    def _refusal(self, problem: OSError) -> SourceError:
        if problem.errno in (errno.EACCES, errno.EPERM):
            return SourceError(
                f"no permission to use {self.path}",
                hint="sudo usermod -aG video $USER, then log in again",
            )
        if problem.errno == errno.ENOTTY:
            return SourceError(f"{self.path} is no camera", hint=_what_is_there(self._devices))
        return SourceError(
            f"no camera at {self.path}: {problem.strerror}", hint=_what_is_there(self._devices)
        )

    def _configure(self, capture: cv2.VideoCapture) -> None:
        options = self.options
        if options.pixel_format:
            code = cv2.VideoWriter.fourcc(*options.pixel_format.upper().ljust(4)[:4])
            capture.set(cv2.CAP_PROP_FOURCC, code)
        if options.width_px and options.height_px:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, options.width_px)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, options.height_px)
        if options.fps:
            capture.set(cv2.CAP_PROP_FPS, options.fps)
        if options.exposure is not None:
            capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, 1)  # V4L2_EXPOSURE_MANUAL
            capture.set(cv2.CAP_PROP_EXPOSURE, options.exposure)

    def _await_first(self, node: Node) -> None:
        """Throw the first picture away; a camera that opens and gives none is refused here."""
        deadline_s = time.monotonic() + self._first_frame_s
        while self._read() is None:
            if time.monotonic() < deadline_s:
                time.sleep(0.02)
                continue
            if node.is_csi:
                raise SourceError(
                    f"{node.path} opens but gives no pictures: it is a CSI camera, which only "
                    "libcamera can read",
                    hint="use --camera csi (sudo apt install python3-picamera2)",
                )
            raise SourceError(
                f"{node.path} ({node.card}) opens but gives no pictures",
                hint="plug it in again, or ask for less with --size 640x480 or --pixel-format MJPG",
            )

    def _read(self) -> RawFrame | None:
        if self._capture is None:
            return None
        found, image = self._capture.read()
        if not found or image is None:
            return None
        return RawFrame(image, taken_at_s(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000))

    def _grabbed(self) -> RawFrame | None:
        """The next frame as the driver gave it: MJPG is not decoded yet."""
        capture = self._capture
        if capture is None or not capture.grab():
            return None
        at_s = taken_at_s(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        return RawFrame(None, at_s, lambda: retrieved(capture))


def retrieved(capture: cv2.VideoCapture) -> np.ndarray | None:
    """The picture of the frame that was grabbed last, uint8[H, W, 3] BGR."""
    found, image = capture.retrieve()
    return image if found else None


def taken_at_s(stamp_s: float) -> float:
    """The driver's time stamp where it is one of `time.monotonic`, else now."""
    now_s = time.monotonic()
    return stamp_s if 0.0 <= now_s - stamp_s < 5.0 else now_s


def _same(one: Node, other: Node) -> bool:
    return (one.card, one.bus) == (other.card, other.bus)


def _what_is_there(devices: Path) -> str:
    nodes = list_nodes(devices)
    usable = [node for node in nodes if not node.is_csi]
    if usable:
        return "there is " + ", ".join(f"{node.path} ({node.card})" for node in usable)
    if any(node.is_sensor for node in nodes):
        return "the camera on the CSI connector needs --camera csi"
    return "plug one in, or use --camera csi for one on the Pi's camera connector"
