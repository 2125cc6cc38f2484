"""The camera on the Raspberry Pi's CSI connector, through picamera2."""

from __future__ import annotations

import importlib
from typing import Any

from edge.errors import SourceError, UsageError
from edge.sources.v4l2 import CameraOptions, RawFrame, taken_at_s

DEFAULT_SIZE_PX = (1280, 720)
DEFAULT_FPS = 30.0


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
            if self.number >= len(picamera2.global_camera_info()):
                raise SourceError(
                    f"libcamera finds no camera {self.number} on the CSI connector",
                    hint="check the ribbon cable and 'rpicam-hello --list-cameras'",
                )
            self._camera = picamera2(self.number)
            self._camera.configure(self._configuration())
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
        request = self._camera.capture_request()
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
            camera.stop()
            camera.close()

    def again(self) -> CsiCamera:
        return CsiCamera(self.number, self.options)

    def _configuration(self) -> Any:
        options = self.options
        size_px = (options.width_px, options.height_px)
        controls: dict[str, Any] = {"FrameRate": self.fps}
        if options.exposure is not None:
            controls.update(AeEnable=False, ExposureTime=int(options.exposure))
        return self._camera.create_video_configuration(
            main={
                "size": size_px if all(size_px) else DEFAULT_SIZE_PX,
                "format": "RGB888",
            },
            controls=controls,
            buffer_count=4,
        )


def _picamera2() -> Any:
    try:
        return importlib.import_module("picamera2").Picamera2
    except ImportError as problem:
        raise SourceError(
            f"picamera2, which reads the CSI camera, cannot be imported ({problem})",
            hint="sudo apt install python3-picamera2, and make the environment with "
            "'python3 -m venv --system-site-packages'",
        ) from None
