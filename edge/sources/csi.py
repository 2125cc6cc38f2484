"""The camera on the Raspberry Pi's CSI connector, through picamera2."""

from __future__ import annotations

import importlib
import logging
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from edge.errors import SourceError, UsageError
from edge.sources.v4l2 import CameraOptions, RawFrame, taken_at_s

DEFAULT_SIZE_PX = (1280, 720)
DEFAULT_FPS = 30.0

LONGEST_WAIT_S = 3.0
"""For one frame; at slow frame rates two frame times. A sensor that stalls never ends a
`capture_request()` without a time limit, and the camera then stays busy in this process."""

CONTINUOUS_FOCUS = 2
"""libcamera's `AfModeContinuous`. Without it the lens of a Camera Module 3 stays where it was."""

_LOG = logging.getLogger("edge.camera")


class CsiCamera:
    """A camera that libcamera drives. `number` picks one where there are two.

    picamera2 is a Debian package (python3-picamera2), so a virtual environment sees it only when
    it was made with --system-site-packages.
    """

    def __init__(self, number: int = 0, options: CameraOptions | None = None) -> None:
        """Raises `UsageError` for a pixel format, which only cameras with V4L2 let choose."""
        self.options = options or CameraOptions()
        if self.options.pixel_format:
            raise UsageError("--pixel-format is for USB cameras", hint="leave it out with csi")
        self.number = number
        self.name = "csi" if number == 0 else f"csi:{number}"
        self.fps: float | None = self.options.fps or DEFAULT_FPS
        self._camera: Any = None

    def open(self) -> None:
        picamera2 = _picamera2()
        try:
            found = on_the_connector(picamera2.global_camera_info())
            if self.number >= len(found):
                raise SourceError(
                    f"libcamera finds no camera {self.number} on the CSI connector",
                    hint="check the ribbon cable and 'rpicam-hello --list-cameras'",
                )
            self._camera = picamera2(found[self.number])
            wanted = self._configuration()
            self._camera.configure(wanted)
            self._say_what_differs(wanted)
            self._camera.start()
        except SourceError:
            raise
        except Exception as problem:  # picamera2 raises RuntimeError and IndexError
            self.close()
            raise SourceError(
                f"the CSI camera cannot be opened: {problem}",
                hint="close other programs that use it, and try 'rpicam-hello'",
            ) from None

    def read(self) -> RawFrame | None:
        """The next frame. Raises `SourceError` where the sensor gives none in time."""
        wait_s = max(LONGEST_WAIT_S, 2.0 / (self.fps or DEFAULT_FPS))
        job = self._camera.capture_request(wait=False)
        try:
            request = job.get_result(timeout=wait_s)
        except (TimeoutError, FutureTimeoutError, CancelledError):
            self._camera.cancel_all_and_flush()
            raise SourceError(
                f"{self.name} gives no more frames (none in {wait_s:.0f} s)",
                hint="check the ribbon cable and the power supply",
            ) from None
        try:
            # picamera2's "RGB888" names the bytes of a word from the highest: in memory it is BGR
            image = request.make_array("main")
            stamp_s = request.get_metadata().get("SensorTimestamp", 0) / 1e9
        finally:
            request.release()
        return RawFrame(image, taken_at_s(stamp_s))

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            try:
                camera.stop()
            finally:
                camera.close()

    def again(self) -> CsiCamera:
        return CsiCamera(self.number, self.options)

    def _configuration(self) -> Any:
        options = self.options
        controls: dict[str, Any] = {"FrameRate": self.fps}
        if options.exposure is not None:
            controls.update(AeEnable=False, ExposureTime=int(options.exposure))
        if "AfMode" in self._camera.camera_controls:
            controls["AfMode"] = CONTINUOUS_FOCUS
        size_px = self._size_px()
        words: dict[str, Any] = {}
        mode = widest_mode(self._camera.sensor_modes, size_px, self.fps or DEFAULT_FPS)
        if mode is not None:
            words["sensor"] = {"output_size": mode["size"], "bit_depth": mode["bit_depth"]}
        across, down = options.turn.flips or (False, False)
        if across or down:
            words["transform"] = _transform(across, down)
        return self._camera.create_video_configuration(
            main={"size": size_px, "format": "RGB888"},
            controls=controls,
            buffer_count=4,
            **words,
        )

    def _size_px(self) -> tuple[int, int]:
        """What is asked for, in even numbers, as the image processor needs them."""
        width_px, height_px = self.options.width_px, self.options.height_px
        if not (width_px and height_px):
            return DEFAULT_SIZE_PX
        even_px = width_px - width_px % 2, height_px - height_px % 2
        if even_px != (width_px, height_px):
            _LOG.warning(
                "%s needs an even width and height: %dx%d instead of %dx%d",
                self.name, *even_px, width_px, height_px,
            )  # fmt: skip
        return even_px

    def _say_what_differs(self, wanted: Any) -> None:
        """A warning where the camera gives another size or format than was asked for."""
        got = self._camera.camera_configuration()["main"]
        for key in ("size", "format"):
            if got[key] != wanted["main"][key]:
                _LOG.warning(
                    "%s gives the %s %s instead of %s",
                    self.name, key, got[key], wanted["main"][key],
                )  # fmt: skip


def on_the_connector(cameras: list[dict[str, Any]]) -> list[int]:
    """libcamera's numbers of the cameras on the CSI connector.

    cameras: as `Picamera2.global_camera_info()` lists them, USB cameras among them; those have
    "/usb" in their Id.
    """
    return [
        int(camera.get("Num", place))
        for place, camera in enumerate(cameras)
        if "/usb" not in str(camera.get("Id", ""))
    ]


def widest_mode(
    modes: list[dict[str, Any]], size_px: tuple[int, int], fps: float
) -> dict[str, Any] | None:
    """The sensor mode that sees most, of those the one with the fewest pixels that suffice.

    modes: as `Picamera2.sensor_modes`, with size (pixels), crop_limits (x, y, width, height in
    pixels of the sensor) and fps. By default libcamera takes the mode nearest to the output's size:
    at 1280x720 a Camera Module 2 then sees 59 % of its width. None where no mode is both fast and
    large enough, or where nothing is known.
    """
    enough = [
        mode
        for mode in modes
        if all(has >= needs for has, needs in zip(mode["size"], size_px, strict=True))
        and mode["fps"] >= fps
    ]
    if not enough:
        return None
    return max(enough, key=lambda mode: (mode["crop_limits"][2] * mode["crop_limits"][3],
                                         -mode["size"][0] * mode["size"][1]))  # fmt: skip


def _transform(across: bool, down: bool) -> Any:
    """libcamera's own swap of left and right, and of top and bottom; it costs nothing."""
    return importlib.import_module("libcamera").Transform(hflip=int(across), vflip=int(down))


def _picamera2() -> Any:
    try:
        return importlib.import_module("picamera2").Picamera2
    except ImportError as problem:
        raise SourceError(
            f"picamera2, which reads the CSI camera, cannot be imported ({problem})",
            hint="sudo apt install python3-picamera2, and make the environment with "
            "'python3 -m venv --system-site-packages'",
        ) from None
