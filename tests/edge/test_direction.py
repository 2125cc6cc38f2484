"""Turned cameras: which way is up is found out from the first faces, and upright clips stay."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge.cli.main import main
from edge.faces.detector import Detector
from edge.faces.face import Face
from edge.files.image import read_picture
from edge.sinks.files import fitted
from edge.sources.files import Frame, file_source
from edge.sources.opener import shared_turn
from edge.sources.turn import QUARTERS_DEG, Turn
from edge.sources.v4l2 import CameraOptions
from edge.tracking.direction import EAGER, Direction

BACK = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
"""How a camera hangs whose picture has to be turned by so many degrees."""

Find = Callable[[np.ndarray], tuple[Face, ...]]


@pytest.fixture(scope="module")
def find() -> Find:
    return Detector.open().detect


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-recognize")


def hung(clip: Path, made: Path, degrees: int) -> Path:
    """The clip as a camera gives it whose picture has to be turned by so many degrees."""
    writer = None
    with file_source(clip) as source:
        for frame in source:
            image = frame.image_bgr
            assert image is not None
            image = cv2.rotate(image, BACK[degrees]) if degrees else image
            if writer is None:
                code = cv2.VideoWriter.fourcc(*"FFV1")
                size_px = (image.shape[1], image.shape[0])
                writer = cv2.VideoWriter(str(made), cv2.CAP_FFMPEG, code, source.fps or 25, size_px)
            writer.write(image)
    assert writer is not None
    writer.release()
    return made


def frames(images: list[np.ndarray], fps: float = 25.0) -> list[Frame]:
    return [Frame(image, n, n / fps, None, "door") for n, image in enumerate(images)]


def lines(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_turn() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    for degrees in QUARTERS_DEG:
        for mirror in (False, True):
            turn = Turn(degrees, mirror)
            expected = np.rot90(image, -degrees // 90)
            expected = expected[:, ::-1] if mirror else expected
            assert np.array_equal(turn.applied(image), expected)
            if turn.flips is None:
                assert degrees % 180 == 90
                continue
            across, down = turn.flips
            swapped = image[:: -1 if down else 1, :: -1 if across else 1]
            assert np.array_equal(swapped, expected), "what the camera does itself is the same"
    assert Turn().applied(image) is image


def test_a_csi_camera_turns_itself_where_it_can() -> None:
    options = CameraOptions()
    half = Turn(180, True)
    assert shared_turn("csi:1", options, half) == (CameraOptions(turn=half), Turn())
    for camera, turn in (("csi", Turn(90)), ("0", half), (None, half)):
        assert shared_turn(camera, options, turn) == (options, turn)


@pytest.mark.parametrize("degrees", [180, 270])
def test_a_turned_video_is_judged_as_the_upright_one(
    ana: Path, tmp_path: Path, degrees: int
) -> None:
    clip = hung(ana / "clip.mkv", tmp_path / "hung.mkv", degrees)
    told = ["--bundle", ana / "ana.edge", "--json"]
    straight = lines(call("--source", ana / "clip.mkv", *told, "-q"))
    given = lines(call("--source", clip, *told, "-q", "--rotate", degrees))
    for one, other in zip(straight, given, strict=True):
        assert one["faces"] == other["faces"]
    done = call("--source", clip, *told)
    found = lines(done)
    late = sum(map(bool, (line["faces"] for line in straight))) - sum(
        map(bool, (line["faces"] for line in found))
    )
    assert late <= (12 if degrees == 180 else 29), "a second until a face that lies is searched for"
    states = [face["decision"] for line in found for face in line["faces"]]
    assert "match" in states and "unknown" not in states
    assert done.stderr.count(f"--rotate {degrees} turns it from the start") == 1
    assert ("upside down" in done.stderr) == (degrees == 180)


def test_an_upright_video_stays_as_it_is(ana: Path) -> None:
    told = ["--source", ana / "clip.mkv", "--bundle", ana / "ana.edge", "--json"]
    by_itself, off = call(*told), call(*told, "--rotate", 0)
    assert [line["faces"] for line in lines(by_itself)] == [line["faces"] for line in lines(off)]
    assert "turned" not in by_itself.stderr


def test_a_mirror_image_is_swapped(ana: Path) -> None:
    told = ["--source", ana / "ana.jpg", "--bundle", ana / "ana.edge", "--json", "-q"]
    (plain,), (swapped,) = (lines(call(*told, *more)) for more in ((), ("--mirror",)))
    width = 320
    for a, b in zip(plain["faces"], swapped["faces"], strict=True):
        left, right = a["box_px"][0], width - b["box_px"][0] - b["box_px"][2]
        assert left == pytest.approx(right, abs=6)
    wrong = lines(call(*told, "--rotate", 90))
    assert wrong[0]["faces"] == [], "a picture is turned as it is told, and never by itself"


def test_a_still_room_is_searched_once_and_the_first_face_at_once(ana: Path, find: Find) -> None:
    image = read_picture(ana / "ana.jpg")
    lying = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
    direction = Direction()
    searched = []

    def counted(picture: np.ndarray) -> tuple[Face, ...]:
        searched.append(picture.shape)
        return find(picture)

    empty = np.full((320, 320, 3), 90, np.uint8)
    for frame in frames([empty] * 500):
        direction.turned(frame, counted)
        direction.saw(())
    assert len(searched) == 4, "20 s of an empty room in which nothing moves"
    direction.saw([replace(find(image)[0], detector_score=0.8)])
    for frame in frames([empty] * 500 + [lying] * 3)[500:]:
        turned = direction.turned(frame, counted)
    assert not direction.searching and direction.turn == Turn(270)
    assert np.array_equal(turned.image_bgr, image)  # type: ignore[arg-type]
    before = len(searched)
    direction.turned(frame, counted)
    assert len(searched) == before


def test_certain_faces_end_the_search_without_a_search(ana: Path, find: Find) -> None:
    image = read_picture(ana / "ana.jpg")
    (face,) = find(image)
    direction = Direction()
    for frame in frames([image] * 3):
        assert direction.turned(frame, never).image_bgr is image
        direction.saw([replace(face, detector_score=0.93)])
    assert not direction.searching
    assert direction.turned(frame, never).image_bgr is image


def never(image_bgr: np.ndarray) -> tuple[Face, ...]:
    raise AssertionError("nothing is to be searched")


def test_faces_that_do_not_agree_turn_nothing(ana: Path, find: Find) -> None:
    image = read_picture(ana / "ana.jpg")
    lying, over = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), cv2.rotate(image, cv2.ROTATE_180)
    direction = Direction(config=EAGER)
    for frame in frames([lying, lying, over, lying, over, over, over], fps=0.25):
        shown = direction.turned(frame, find)
        direction.saw(())
    assert (direction.searching, shown.image_bgr is frame.image_bgr) == (True, True)
    (face,) = find(image)
    for frame in frames([image] * 3, fps=0.25):
        shown = direction.turned(frame, find)
        direction.saw([replace(face, detector_score=0.93)])
    assert shown.image_bgr is frame.image_bgr
    assert (direction.searching, direction.turn) == (False, Turn())


def test_a_picture_of_another_shape_keeps_its_proportions() -> None:
    high = np.full((320, 240, 3), 200, np.uint8)
    shown = fitted(high, (320, 240))
    assert shown.shape == (240, 320, 3)
    inside = np.nonzero(shown[:, :, 0].all(axis=0))[0]
    assert (inside[0], inside[-1], len(inside)) == (70, 249, 180)


def test_enrolling_from_a_turned_video(
    ana: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many looks count as in the upright one."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    clip = hung(ana / "clip.mkv", tmp_path / "hung.mkv", 180)
    said = []
    for video in (ana / "clip.mkv", clip):
        done = call("enrol", "--name", "eva", "--video", video, "--bundle", ana / "ana.edge", "-q")
        said.append(done.stderr.partition("are too few")[0])
    assert said[0] == said[1] and "good looks" in said[0]


@pytest.mark.shared
def test_the_shared_camera_upside_down(shared: Path, ana: Path) -> None:
    clip = shared / "faults" / "07-camera-upside-down.mp4"
    if not clip.exists():
        pytest.skip("the shared data has no such fault")
    done = call("--source", clip, "--bundle", ana / "ana.edge")
    assert "upside down" in done.stderr
    found = lines(call("--source", clip, "--bundle", ana / "ana.edge", "--json", "-q"))
    turned = [f for line in found for f in line["faces"] if f["detector_score"] > 0.9]
    assert len(turned) >= 0.9 * len(found)


@pytest.mark.shared
@pytest.mark.parametrize("degrees", QUARTERS_DEG)
def test_real_clips_are_turned_right_and_upright_ones_never(
    shared: Path, find: Find, degrees: int, caplog: pytest.LogCaptureFixture
) -> None:
    for clip in sorted((shared / "data/video").glob("*.mkv")):
        direction = Direction()
        with caplog.at_level(logging.WARNING), file_source(clip) as source:
            seen = list(source)
            for number, frame in enumerate(seen + seen):  # one clip ends before it has told
                image = frame.image_bgr
                assert image is not None
                image = cv2.rotate(image, BACK[degrees]) if degrees else image
                lying = Frame(image, number, number / 30, None, clip.name)
                turned = direction.turned(lying, find)
                assert turned.image_bgr is not None
                direction.saw(find(turned.image_bgr))
                if not direction.searching:
                    break
        assert (direction.searching, direction.turn) == (False, Turn(degrees)), clip.name
    assert bool(caplog.text) == bool(degrees)
