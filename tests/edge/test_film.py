"""Videos and network cameras as they really come: broken frames, cut files, odd streams, turns."""

from __future__ import annotations

import os
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from faked import ADA, picture, write_video

from edge.errors import PictureError, SourceError
from edge.sources.files import VideoSource, file_source
from edge.sources.film import Film, display_rotation
from edge.sources.live import CaptureConfig, LiveSource
from edge.sources.web import WebCamera

SIZE = (160, 120)


def write_mjpeg(path: Path, frames: int, code: str = "MJPG") -> Path:
    """A video whose left upper quarter is white."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), 25, SIZE)
    assert writer.isOpened()
    for number in range(frames):
        image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        image[:60, :80] = 255
        image[100:, 2 * number : 2 * number + 20] = 128
        writer.write(image)
    writer.release()
    return path


def jpeg_places(data: bytes) -> list[int]:
    return [k for k in range(len(data)) if data.startswith(b"\xff\xd8\xff", k)]


def test_broken_frames_are_passed_over_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_mjpeg(tmp_path / "broken.avi", 32)
    data = bytearray(path.read_bytes())
    places = jpeg_places(bytes(data))
    assert len(places) == 32
    for number in (16, 17):
        data[places[number] : places[number + 1] - 8] = bytes(
            places[number + 1] - 8 - places[number]
        )
    path.write_bytes(data)
    with file_source(path) as source:
        frames = list(source)
    assert len(frames) == 30
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)
    assert times[16] - times[15] == pytest.approx(3 / 25, abs=0.01)
    assert "2 frames of" in caplog.text
    assert "could not be decoded" in caplog.text


def faststart(path: Path) -> bytes:
    """The file with its index before its frames, as phones and web sites send it."""
    data = path.read_bytes()
    places, begin = {}, 0
    while begin < len(data):
        size = struct.unpack(">I", data[begin : begin + 4])[0]
        places[data[begin + 4 : begin + 8]] = data[begin : begin + size]
        begin += size
    moov = bytearray(places[b"moov"])
    at = moov.index(b"stco")
    count = struct.unpack(">I", moov[at + 8 : at + 12])[0]
    for k in range(at + 12, at + 12 + 4 * count, 4):
        moov[k : k + 4] = struct.pack(">I", struct.unpack(">I", moov[k : k + 4])[0] + len(moov))
    rest = b"".join(box for kind, box in places.items() if kind not in (b"ftyp", b"moov"))
    return places[b"ftyp"] + bytes(moov) + rest


def test_a_half_copied_file_says_what_it_promised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write_mjpeg(tmp_path / "whole.mp4", 66, "mp4v")
    (tmp_path / "sent.mp4").write_bytes(faststart(whole))
    with file_source(tmp_path / "sent.mp4") as source:
        assert len(list(source)) == 66
    assert not caplog.records
    data = (tmp_path / "sent.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(data[: len(data) * 6 // 10])
    with file_source(tmp_path / "half.mp4") as source:
        count = len(list(source))
    assert 0 < count < 66
    assert f"promises 66 frames and holds {count} that can be read" in caplog.text


def test_a_whole_video_is_no_oddity(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, code in (("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.mkv", "FFV1"), ("a.webm", "VP80")):
        with file_source(write_mjpeg(tmp_path / name, 20, code)) as source:
            assert len(list(source)) == 20
    assert not caplog.records


def avi(frame: bytes, size_px: tuple[int, int], count: int) -> bytes:
    """An AVI of MJPEG as a camera writes it, whose header says `size_px` (AVI RIFF, OpenDML)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    (width, height), area = size_px, size_px[0] * size_px[1]
    main = struct.pack("<14I", 40_000, 0, 0, 16, count, 0, 1, 0, width, height, 0, 0, 0, 0)
    head = b"vidsMJPG" + struct.pack("<IHH8I4h", 0, 0, 0, 0, 1, 25, 0, count, 0, 0, 0, 0, 0, 0, 0)
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", 3 * area, 0, 0, 0, 0)
    streams = chunk(b"LIST", b"strl" + chunk(b"strh", head) + chunk(b"strf", form))
    frames = b"movi" + chunk(b"00dc", frame) * count
    heads = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + streams)
    return chunk(b"RIFF", b"AVI " + heads + chunk(b"LIST", frames))


def test_frames_that_would_not_fit_are_refused(tmp_path: Path) -> None:
    """Whatever the file's header says of them."""
    side = 8000
    large = cv2.imencode(".jpg", np.zeros((side, side), np.uint8))[1].tobytes()
    for number, size in enumerate([(side, side), (320, 240)]):
        path = tmp_path / f"{number}.avi"
        path.write_bytes(avi(large, size, 2))
        with pytest.raises(SourceError, match=f"frames of {side}x{side} px, more than the 50 mill"):
            file_source(path).open()
    (tmp_path / "small.avi").write_bytes(avi(jpeg(0), SIZE, 3))
    with file_source(tmp_path / "small.avi") as source:
        assert len(list(source)) == 3


def test_a_file_without_its_index_says_so(tmp_path: Path) -> None:
    """As a recorder that lost its power leaves it, and as the first part of a copy."""
    whole = write_mjpeg(tmp_path / "whole.mp4", 30, "mp4v")
    (tmp_path / "sent.mp4").write_bytes(faststart(whole)[:500])
    (tmp_path / "lost.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for name in ("sent.mp4", "lost.mp4"):
        with pytest.raises(SourceError, match=f"{name} was cut off: it lacks the index"):
            file_source(tmp_path / name).open()
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(SourceError, match=r"empty.mp4 is empty"):
        file_source(tmp_path / "empty.mp4").open()


class Tape:
    """A capture with time stamps as told; OpenCV writes none that jump."""

    def __init__(self, stamps_ms: list[float], ratio: tuple[int, int] = (0, 1)) -> None:
        self.stamps_ms = stamps_ms
        self.place = -1
        self.facts = {
            cv2.CAP_PROP_FPS: 25.0,
            cv2.CAP_PROP_FRAME_COUNT: len(stamps_ms),
            cv2.CAP_PROP_SAR_NUM: ratio[0],
            cv2.CAP_PROP_SAR_DEN: ratio[1],
        }

    def get(self, what: int) -> float:
        if what == cv2.CAP_PROP_POS_MSEC:
            return self.stamps_ms[self.place]
        return float(self.facts.get(what, 0.0))

    def set(self, what: int, value: float) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.place += 1
        if self.place >= len(self.stamps_ms):
            return False, None
        return True, np.zeros((40, 60, 3), np.uint8)


@pytest.mark.parametrize(
    "stamps_ms",
    [
        [0, 40, 80, 0, 40, 80],
        [0, 40, 80, 95443717, 95443757, 95443797],
        [1e6, 1e6 + 40, 1e6 + 80, 40, 80, 120],
    ],
)
def test_time_goes_on_where_stamps_restart_or_jump(stamps_ms: list[float]) -> None:
    film = Film(Tape(stamps_ms))  # type: ignore[arg-type]
    times = []
    while film.read() is not None:
        times.append(film.time_s())
    assert np.diff(times) == pytest.approx([0.04] * 5)
    assert "jumped once" in film.oddities("x")[0]


@pytest.mark.parametrize(("ratio", "shape"), [((16, 11), (40, 87)), ((1, 2), (80, 60))])
def test_pixels_are_made_square(ratio: tuple[int, int], shape: tuple[int, int]) -> None:
    image = Film(Tape([0.0], ratio)).read()  # type: ignore[arg-type]
    assert image is not None
    assert image.shape[:2] == shape


TURNS = {
    90: ((0, 1, -1, 0), (0, 1)),
    180: ((-1, 0, 0, -1), (1, 1)),
    270: ((0, -1, 1, 0), (1, 0)),
}
"""By degrees clockwise: the matrix, and the quarter (row, column) where the white one then is."""


@pytest.mark.parametrize("degrees", TURNS)
def test_the_display_matrix_of_a_phone_is_honoured(tmp_path: Path, degrees: int) -> None:
    path = write_mjpeg(tmp_path / "phone.mp4", 5, "mp4v")
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    matrix, white = TURNS[degrees]
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    assert display_rotation(path) == degrees
    with file_source(path) as source:
        image = next(iter(source)).image_bgr
    assert image is not None
    assert image.shape[:2] == (SIZE if degrees != 180 else SIZE[::-1])
    quarters = [
        [half.mean() for half in np.array_split(row, 2, 1)] for row in np.array_split(image, 2)
    ]
    assert np.unravel_index(np.argmax(quarters), (2, 2)) == white


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets names be any bytes")
def test_a_video_whose_name_is_no_utf8_is_refused(tmp_path: Path) -> None:
    made = write_video(tmp_path / "v.mkv", [ADA] * 3)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mkv"))
    made.rename(odd)
    with pytest.raises(SourceError, match="not UTF-8"), file_source(odd):
        pass


def test_a_picture_called_a_video_is_judged_as_a_picture(tmp_path: Path) -> None:
    done, data = cv2.imencode(".png", picture(ADA))
    assert done
    (tmp_path / "a.mp4").write_bytes(data.tobytes())
    with file_source(tmp_path / "a.mp4") as source:
        assert len(list(source)) == 1
    (tmp_path / "b.mp4").write_bytes(data.tobytes()[:20])
    with pytest.raises((SourceError, PictureError)), VideoSource(tmp_path / "b.mp4"):
        pass


def jpeg(number: int) -> bytes:
    return cv2.imencode(".jpg", picture(ADA, number))[1].tobytes()


class Handler(BaseHTTPRequestHandler):
    """Cameras as they are sold: `/std`, `/nodash`, `/nolength`, `/bad`, `/snap`, `/locked`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            getattr(self, self.path.strip("/").partition("?")[0])()

    def stream(self, mark: bytes, *, length: bool = True, bad: tuple[int, ...] = ()) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(1000):
            data = jpeg(number)
            if number in bad:
                data = data[: len(data) // 2] if number % 2 else b"\xff\xd8garbage"
            head = b"Content-Length: %d\r\n" % len(data) if length else b""
            self.wfile.write(mark + b"\r\nContent-Type: image/jpeg\r\n" + head + b"\r\n")
            self.wfile.write(data + b"\r\n")
            time.sleep(0.01)

    def std(self) -> None:
        self.stream(b"--x")

    def nodash(self) -> None:
        self.stream(b"x")

    def nolength(self) -> None:
        self.stream(b"--x", length=False)

    def bad(self) -> None:
        self.stream(b"--x", bad=(3, 4, 7))

    def snap(self) -> None:
        data = jpeg(0)
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def locked(self) -> None:
        if self.headers.get("Authorization") == "Basic bWU6cEBzcw==":  # me:p@ss
            self.std()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="camera"')
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.daemon_threads = True
        thread = threading.Thread(target=served.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{served.server_address[1]}"
        finally:
            served.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("std", ""),
        ("nolength", ""),
        ("nodash", "without two dashes"),
        ("bad", "sends broken pictures; they are skipped"),
        ("snap", "gives a single picture and no stream"),
    ],
)
def test_cameras_at_an_address(path: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    with server() as host:
        source = LiveSource(WebCamera(f"http://{host}/{path}"), CaptureConfig())
        with source:
            got = []
            while len(got) < 6:
                frame = source.take(5.0)
                assert frame is not None
                got.append(frame)
    assert [frame.error for frame in got] == [None] * 6
    assert source.losses == 0
    assert all(frame.image_bgr.shape == (120, 160, 3) for frame in got)
    warned = " ".join(record.message for record in caplog.records)
    assert said in warned
    assert bool(warned) == bool(said)


def test_broken_pictures_are_counted() -> None:
    with server() as host:
        camera = WebCamera(f"http://{host}/bad")
        camera.open()
        for _ in range(8):
            assert camera.read() is not None
        camera.close()
    assert camera.unreadable == 3


def test_a_password_opens_and_is_not_shown() -> None:
    with server() as host:
        camera = WebCamera(f"http://me:p%40ss@{host}/locked")
        camera.open()
        assert camera.read() is not None
        camera.close()
        assert "p%40ss" not in camera.name
        with pytest.raises(SourceError, match="401") as caught:
            WebCamera(f"http://me:wrong@{host}/locked").open()
        assert "wrong" not in str(caught.value)
        assert "password" in str(caught.value.hint)


def test_what_was_waited_for_in_vain_is_waited_for_longer() -> None:
    camera = WebCamera("http://127.0.0.1:9/x")
    camera._waiting_since_s = time.monotonic() - 4.0
    other = camera.again()
    assert other.fps == pytest.approx(0.25, rel=0.05)  # a LiveSource waits for 3 of its frames
