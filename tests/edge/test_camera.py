"""USB cameras against a made-up kernel, and the CSI camera against a made-up picamera2."""

from __future__ import annotations

import errno
import sys
import time
import types
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from faked import ADA, picture

from edge.errors import SourceError, UsageError
from edge.sources import v4l2 as cameras
from edge.sources.csi import CsiCamera
from edge.sources.v4l2 import CameraOptions, Node, V4L2Camera, list_nodes, taken_at_s

WEBCAM = ("uvcvideo", "HD Webcam", "usb-0000:01:00.0-1.2")
OTHER = ("uvcvideo", "Other Webcam", "usb-0000:01:00.0-1.3")
TWIN = ("uvcvideo", "HD Webcam", "usb-0000:01:00.0-1.4")
SENSOR = ("unicam", "unicam", "platform:fe801000.csi")


class Kernel:
    """Device nodes by number; what a camera gives is a list of pictures, None for nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: dict[int, Node | OSError] = {}
        self.pictures = True
        self.busy = False
        self.captures: list[Capture] = []

    def plug(self, number: int, words: tuple[str, str, str], *, captures: bool = True) -> Path:
        path = self.folder / f"video{number}"
        path.touch()
        self.nodes[number] = Node(path, *words, captures)
        return path

    def unplug(self, number: int) -> None:
        (self.folder / f"video{number}").unlink()
        del self.nodes[number]

    def describe(self, path: Path) -> Node:
        number = int(path.resolve().name.removeprefix("video"))
        node = self.nodes.get(number, OSError(errno.ENOENT, "No such file or directory"))
        if isinstance(node, OSError):
            raise node
        return node


class Capture:
    """As much of cv2.VideoCapture as is used."""

    def __init__(self, kernel: Kernel, path: str) -> None:
        self.kernel = kernel
        self.path = path
        self.asked: dict[int, float] = {}
        kernel.captures.append(self)

    def isOpened(self) -> bool:
        return not self.kernel.busy

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return True

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC:
            return 1000 * (time.monotonic() - 0.02)
        return self.asked.get(prop, 30.0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        number = int(Path(self.path).name.removeprefix("video"))
        there = self.kernel.pictures and number in self.kernel.nodes
        return (True, picture(ADA)) if there else (False, None)

    def release(self) -> None:
        self.path = "/dev/video999"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel(tmp_path)
    monkeypatch.setattr(cameras, "describe_node", made.describe)
    monkeypatch.setattr(cv2, "VideoCapture", lambda path, backend: Capture(made, path))
    return made


def webcam(kernel: Kernel, which: str = "0", options: CameraOptions | None = None) -> V4L2Camera:
    return V4L2Camera(which, options, devices=kernel.folder, first_frame_s=0.05)


def test_a_camera_by_number_gives_pictures(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    camera = webcam(kernel)
    camera.open()
    shot = camera.read()
    assert shot is not None
    assert shot.image_bgr.shape == (120, 160, 3)
    assert 0.01 < time.monotonic() - shot.captured_at_s < 1
    assert camera.fps == 30.0
    camera.close()
    camera.close()


def test_options_reach_the_camera(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    webcam(kernel, "0", CameraOptions(1280, 720, 15.0, "mjpg", 120.0)).open()
    assert kernel.captures[0].asked == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FRAME_HEIGHT: 720,
        cv2.CAP_PROP_FPS: 15.0,
        cv2.CAP_PROP_AUTO_EXPOSURE: 1,
        cv2.CAP_PROP_EXPOSURE: 120.0,
    }
    assert next(iter(kernel.captures[0].asked)) == cv2.CAP_PROP_FOURCC, "the format goes first"


def test_nothing_is_asked_that_was_not_given(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    webcam(kernel).open()
    assert kernel.captures[0].asked == {}


def test_a_name_by_id_is_followed(kernel: Kernel) -> None:
    kernel.plug(2, WEBCAM)
    link = kernel.folder / "usb-HD_Webcam-index0"
    link.symlink_to(kernel.folder / "video2")
    camera = webcam(kernel, str(link))
    camera.open()
    assert kernel.captures[0].path == str(kernel.folder / "video2")


def test_a_renumbered_camera_is_found_again(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    camera = webcam(kernel)
    camera.open()
    kernel.unplug(0)
    with pytest.raises(SourceError, match="no more pictures"):
        camera.read()
    camera.close()
    with pytest.raises(SourceError, match="no camera at"):
        camera.open()
    kernel.plug(1, OTHER)
    kernel.plug(3, TWIN)
    kernel.plug(4, WEBCAM)
    camera.open()
    assert kernel.captures[-1].path.endswith("video4"), "the same port is preferred"
    fresh = camera.again()
    fresh.open()
    assert kernel.captures[-1].path.endswith("video4"), "one that takes over knows it too"


def test_the_neighbour_that_took_the_number_is_not_taken_for_it(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    kernel.plug(1, OTHER)
    camera = webcam(kernel)
    camera.open()
    camera.close()
    kernel.unplug(0)
    kernel.unplug(1)
    kernel.plug(0, OTHER)
    with pytest.raises(SourceError, match=r"is another camera now \(Other Webcam"):
        camera.open()
    kernel.plug(1, WEBCAM)
    camera.open()
    assert kernel.captures[-1].path.endswith("video1")


def test_a_twin_that_was_always_there_is_not_taken_for_it(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    kernel.plug(1, TWIN)
    camera = webcam(kernel)
    camera.open()
    kernel.unplug(0)
    for one in (camera, camera.again()):
        with pytest.raises(SourceError, match="no camera at"):
            one.open()


def test_a_camera_at_another_port_and_a_new_one_at_its_place(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    camera = webcam(kernel)
    camera.open()
    kernel.unplug(0)
    kernel.plug(2, TWIN)
    camera.open()
    assert kernel.captures[-1].path.endswith("video2")
    kernel.unplug(2)
    kernel.plug(0, OTHER)
    camera.open()
    assert kernel.captures[-1].path.endswith("video0"), "somebody has replaced it"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (OSError(errno.ENOENT, "No such file or directory"), "no camera at"),
        (OSError(errno.EACCES, "Permission denied"), "usermod -aG video"),
        (OSError(errno.ENOTTY, "Inappropriate ioctl"), "is no camera"),
    ],
)
def test_what_keeps_a_camera_from_opening(kernel: Kernel, problem: OSError, words: str) -> None:
    kernel.nodes[0] = problem
    kernel.plug(1, WEBCAM)
    with pytest.raises(SourceError) as caught:
        webcam(kernel).open()
    assert words in str(caught.value)
    if problem.errno != errno.EACCES:
        assert "HD Webcam" in str(caught.value), "it says what there is instead"


def test_a_node_without_pictures_is_refused(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    kernel.plug(1, WEBCAM, captures=False)
    with pytest.raises(SourceError, match=r"device for other data; there is .*video0"):
        webcam(kernel, "1").open()


def test_a_busy_camera_is_named(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    kernel.busy = True
    with pytest.raises(SourceError, match="another program may be using it"):
        webcam(kernel).open()


def test_a_csi_camera_that_gives_nothing_names_the_way_out(kernel: Kernel) -> None:
    kernel.plug(0, SENSOR)
    kernel.pictures = False
    with pytest.raises(SourceError, match=r"CSI camera.*--camera csi.*python3-picamera2"):
        webcam(kernel).open()


def test_a_usb_camera_that_gives_nothing(kernel: Kernel) -> None:
    kernel.plug(0, WEBCAM)
    kernel.pictures = False
    with pytest.raises(SourceError, match=r"opens but gives no pictures.*--size 640x480"):
        webcam(kernel).open()


def test_only_a_csi_camera_is_there(kernel: Kernel) -> None:
    kernel.plug(1, SENSOR)
    with pytest.raises(SourceError, match="needs --camera csi"):
        webcam(kernel).open()


def test_a_real_node_is_no_camera(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is no camera"):
        V4L2Camera("/dev/null").open()
    (tmp_path / "video0").touch()
    assert list_nodes(tmp_path) == ()


def test_foreign_clocks_are_not_believed() -> None:
    now = time.monotonic()
    assert taken_at_s(now - 0.5) == now - 0.5
    assert taken_at_s(now - 50) == pytest.approx(now, abs=0.5)
    assert taken_at_s(now + 50) == pytest.approx(now, abs=0.5)


class Picamera2:
    """As much of picamera2 as is used."""

    ids = ("/base/soc/i2c0mux/i2c@1/imx708@1a",)
    camera_controls: ClassVar[dict[str, Any]] = {"FrameDurationLimits": (1, 2, 3)}
    sensor_modes: ClassVar[list[dict[str, Any]]] = []
    stalls = False
    made: list[Picamera2]

    def __init__(self, number: int) -> None:
        self.number, self.calls, self.released = number, [], 0
        Picamera2.made.append(self)

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        found = enumerate(Picamera2.ids)
        return [{"Model": "imx708", "Id": name, "Num": number} for number, name in found]

    def create_video_configuration(self, **words: Any) -> dict[str, Any]:
        return words

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration

    def camera_configuration(self) -> dict[str, Any]:
        return self.configuration

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")

    def capture_request(self, wait: bool) -> Picamera2:
        assert wait is False, "without a time limit a stalled sensor is waited for for ever"
        return self

    def get_result(self, timeout: float) -> Picamera2:
        if self.stalls:
            raise TimeoutError
        return self

    def cancel_all_and_flush(self) -> None:
        self.calls.append("cancel")

    def make_array(self, name: str) -> np.ndarray:
        assert name == "main"
        return picture(ADA)

    def get_metadata(self) -> dict[str, Any]:
        return {"SensorTimestamp": int(1e9 * (time.monotonic() - 0.03))}

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[Picamera2]:
    module = types.ModuleType("picamera2")
    module.Picamera2 = Picamera2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(Picamera2, "made", [], raising=False)
    return Picamera2


def test_csi(picamera2: type[Picamera2]) -> None:
    camera = CsiCamera(0, CameraOptions(640, 480, 20.0, None, 8000.0))
    camera.open()
    shot = camera.read()
    assert shot is not None
    assert np.array_equal(shot.image_bgr, picture(ADA))
    assert 0.02 < time.monotonic() - shot.captured_at_s < 1
    camera.close()
    (made,) = picamera2.made
    assert made.configuration["main"] == {"size": (640, 480), "format": "RGB888"}
    assert made.configuration["controls"] == {
        "FrameRate": 20.0,
        "AeEnable": False,
        "ExposureTime": 8000,
    }
    assert (made.calls, made.released) == (["start", "stop", "close"], 1)


def test_csi_by_itself(picamera2: type[Picamera2]) -> None:
    CsiCamera().open()
    assert picamera2.made[0].configuration["main"]["size"] == (1280, 720)
    assert picamera2.made[0].configuration["controls"] == {"FrameRate": 30.0}


def test_csi_focuses_where_it_can(
    picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lens of a Camera Module 3 stays where it was unless it is told to follow."""
    monkeypatch.setattr(picamera2, "camera_controls", {"AfMode": (0, 2, 0)})
    CsiCamera().open()
    assert picamera2.made[0].configuration["controls"] == {"FrameRate": 30.0, "AfMode": 2}


def test_a_csi_sensor_that_stalls_is_lost_and_given_back(
    picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = CsiCamera()
    camera.open()
    monkeypatch.setattr(picamera2, "stalls", True)
    with pytest.raises(SourceError, match="csi gives no more frames"):
        camera.read()
    camera.close()
    assert picamera2.made[0].calls == ["start", "cancel", "stop", "close"]


def test_csi_does_not_take_a_usb_camera(
    picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    usb = "/base/axi/pcie@120000/rp1/usb@200000-1:1.0-046d:0825"
    monkeypatch.setattr(picamera2, "ids", (usb,))
    with pytest.raises(SourceError, match="no camera 0 on the CSI connector"):
        CsiCamera().open()
    monkeypatch.setattr(picamera2, "ids", (usb, "/base/soc/i2c@1/imx219@10"))
    CsiCamera().open()
    assert picamera2.made[0].number == 1


def test_csi_sees_the_whole_width(
    picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modes of a Camera Module 2, as picamera2 lists them."""
    cropped = {"size": (1280, 720), "crop_limits": (692, 528, 1920, 1080), "fps": 60.0}
    binned = {"size": (1640, 1232), "crop_limits": (0, 0, 3280, 2464), "fps": 41.8}
    full = {"size": (3280, 2464), "crop_limits": (0, 0, 3280, 2464), "fps": 21.2}
    modes = [{**mode, "bit_depth": 10} for mode in (cropped, binned, full)]
    monkeypatch.setattr(picamera2, "sensor_modes", modes)
    CsiCamera().open()
    sensor = {"output_size": (1640, 1232), "bit_depth": 10}
    assert picamera2.made[0].configuration["sensor"] == sensor
    CsiCamera(0, CameraOptions(fps=60.0)).open()
    assert picamera2.made[1].configuration["sensor"]["output_size"] == (1280, 720)


def test_csi_says_what_it_gives_instead(
    picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def adjusted(self: Picamera2) -> dict[str, Any]:
        return {"main": {"size": (640, 400), "format": "RGB888"}}

    monkeypatch.setattr(picamera2, "camera_configuration", adjusted)
    CsiCamera(0, CameraOptions(641, 481)).open()
    assert "640x480 instead of 641x481" in caplog.text
    assert "gives the size (640, 400) instead of (640, 480)" in caplog.text


def test_csi_has_no_pixel_formats() -> None:
    with pytest.raises(UsageError, match="--pixel-format is for USB"):
        CsiCamera(0, CameraOptions(pixel_format="MJPG"))


def test_csi_without_a_camera(picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera2, "ids", ())
    with pytest.raises(SourceError, match="rpicam-hello"):
        CsiCamera().open()


def test_csi_that_is_in_use(picamera2: type[Picamera2], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Picamera2, configuration: dict[str, Any]) -> None:
        raise RuntimeError("Failed to acquire camera: Device or resource busy")

    monkeypatch.setattr(picamera2, "configure", refuse)
    with pytest.raises(SourceError, match=r"resource busy.*close other programs"):
        CsiCamera().open()
    assert picamera2.made[0].calls[-1] == "close", "a half-open camera is given back"


def test_csi_without_picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="--system-site-packages"):
        CsiCamera().open()
